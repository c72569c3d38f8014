"""What codes stand for: derivatives with respect to features, averaged over rows."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skae._network.jacobian import summed_jacobian
from skae._scoring import dense_blocks
from skae._transaction import snapshot

if TYPE_CHECKING:
    from skae._network.description import Network, Weights
    from skae._scoring import Rows

_PARTS = ("encoder", "decoder")


class LoadingsMixin:
    """Mixin that relates the codes of a fitted network to the features."""

    @abstractmethod
    def _network_and_weights(self) -> tuple[Network, Weights]:
        """Return the fitted network, in the units of the data."""

    @abstractmethod
    def _validate_rows(self, X: Any) -> Rows:
        """Return the rows as an array of floats, or raise ValueError."""

    @abstractmethod
    def _encode(self, X: Rows) -> np.ndarray:
        """Return the codes of the rows."""

    def loadings(
        self,
        X: Any,
        *,
        part: str = "encoder",
        absolute: bool = False,
        standardized: bool = False,
    ) -> np.ndarray:
        """Return how codes and features change with each other, averaged over rows.

        They are mean derivatives of the network at the rows of `X`, exact and computed
        without TensorFlow. Where the estimator is PCA, the loadings of both parts are
        PCA's `components_` (the encoder's divided, and the decoder's multiplied by the
        scale of the codes, if they are whitened or those of a VAE). A network's may
        differ from row to row, and mean signed derivatives may cancel out: compare them
        with the mean absolute ones.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows at which to take the derivatives: some hundreds suffice.
        part : {"encoder", "decoder"}, default="encoder"
            "encoder": the change of each code with each feature, which tells what the
            code is made from. "decoder": the change of each reconstructed feature with
            each code, at the codes of the rows, which tells what the code stands for.
        absolute : bool, default=False
            Whether to average absolute derivatives, rather than signed ones.
        standardized : bool, default=False
            Whether a unit of each feature is its standard deviation over the rows of
            `X`, so that features of different units can be compared. By default it is
            the unit of `X`. Behind a :class:`~sklearn.preprocessing.StandardScaler`
            they are the same. A feature that does not vary keeps its unit.

        Returns
        -------
        loadings : ndarray of shape (n_components, n_features)
            Mean derivatives, in double precision.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.preprocessing import StandardScaler
        >>> from skae import DenseAE
        >>> data = load_wine()
        >>> X = StandardScaler().fit_transform(data.data)
        >>> autoencoder = DenseAE(2, max_iter=20, random_state=0).fit(X)
        >>> loadings = autoencoder.loadings(X)
        >>> loadings.shape
        (2, 13)
        >>> strongest = np.abs(loadings[0]).argsort()[-3:]
        >>> sorted(data.feature_names[i] for i in strongest)
        ['flavanoids', 'proanthocyanins', 'total_phenols']
        """
        check_is_fitted(self)
        if part not in _PARTS:
            raise ValueError(f"part must be one of {_PARTS}, got {part!r}.")
        X = self._validate_rows(X)
        fitted = snapshot(self)
        network, weights = fitted._network_and_weights()
        total: Any = 0.0
        for block in dense_blocks(X):
            block = block.astype(weights.encoder[0].dtype, copy=False)
            if part == "encoder":
                stack, arrays, inputs = network.encoder, weights.encoder, block
            else:
                stack, arrays = network.decoder, weights.decoder
                inputs = fitted._encode(block)
            by = "outputs" if part == "encoder" else "inputs"
            total = total + summed_jacobian(stack, arrays, inputs, by, absolute)
        loadings: np.ndarray = total / X.shape[0]
        if not standardized:
            return loadings
        scale = _standard_deviations(X)
        return loadings * scale if part == "encoder" else loadings / scale


def _standard_deviations(X: Rows) -> np.ndarray:
    """Return the standard deviation of each feature, 1 for constant ones."""
    mean = np.asarray(X.mean(axis=0, dtype=np.float64)).ravel()
    squares = sum(np.square(block - mean).sum(axis=0) for block in dense_blocks(X))
    scale: np.ndarray = np.sqrt(squares / X.shape[0])
    # As in StandardScaler, rounding is not taken for variance.
    scale[scale <= 10 * np.finfo(np.float64).eps * np.abs(mean)] = 1.0
    return scale
