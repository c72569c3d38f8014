"""The sparse autoencoder."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from skae._dense import BaseDense
from skae._fit.code_kinds import CodeKind, KLCode, L1Code, SparseCode
from skae._network.description import ACTIVATIONS, Network
from skae._scoring import dense_blocks
from skae._utils.compat import Interval, StrOptions

if TYPE_CHECKING:
    from skae._base import Start
    from skae._utils.blocks import DataRows

_CODE_ACTIVATIONS = {"l1": "relu", "kl": "sigmoid", "topk": "linear"}

# Judged by `python -m benchmarks full --only family`.
_AUTO_WEIGHTS = {"l1": 0.5, "kl": 2.5}

# A sigmoid is never zero: codes above this count as active.
_MIN_ACTIVE_SIGMOID = 0.1


class SparseAE(BaseDense):
    """Autoencoder with sparse codes: only a few codes are active in each row.

    Each code then represents a feature that a row has or lacks, such as an entry of a
    dictionary or a part of an image, rather than a direction that all rows share. The
    number of codes may exceed the number of features.

    As with any nonlinear code, the network is always kept, whether or not it
    reconstructs better than PCA, because the codes of PCA are not sparse. Compare
    `reconstruction_error_` with the error of PCA with as many components as there are
    active codes in a row.

    Parameters
    ----------
    n_components : int, default=2
        Size of the code (the latent dimension). It may exceed the number of features by
        far, because only a few codes are active in each row.

    sparsity : {"l1", "kl", "topk"}, default="l1"
        Method that keeps codes inactive:

        - "l1" adds the sum of the absolute values of the codes, times
          `sparsity_weight`, to the loss.
        - "kl" adds a sum over the codes, times `sparsity_weight`: the Kullback-Leibler
          divergence between a Bernoulli variable with mean `target_sparsity` and one
          with the mean of the code in the batch [1]_. The codes lie between 0 and 1.
        - "topk" keeps the largest codes of each row and sets the others to zero, both
          in training and afterwards [2]_.

    sparsity_weight : "auto" or float, default="auto"
        Weight of the penalty, relative to a loss that is summed over the features in
        units of their root mean variance. "auto" is 0.5 for "l1" and 2.5 for "kl";
        "topk" has no penalty.

    target_sparsity : int or float, default=0.05
        Target number of active codes: a float between 0 and 1 is a share of the codes,
        an int is a number of codes. With "topk", exactly this many codes are kept in
        each row, at least one; with "kl", this many are active on average. "l1" has no
        target.

    hidden_layer_sizes : "auto", int or array-like of int, default="auto"
        Widths of the encoder's hidden layers, from the input to the code; the decoder
        mirrors them. ``()`` is the classic network whose only hidden layer is the code.
        "auto" is ``(128, 64, 64)`` for up to four codes, and ``(256, 128)`` for more.
        A fit that goes on from an earlier one keeps the widths of that one.

    activation : str, default="gelu"
        Activation function of the hidden layers, by its Keras name: one of "elu",
        "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "softmax",
        "softplus" and "tanh".

    code_activation : str, default="auto"
        Activation function of the code. "auto" is "relu" for "l1", "sigmoid" for "kl"
        (the only one allowed) and "linear" for "topk".

    output_activation : str, default="linear"
        Activation function of the output. With any value but "linear", `X` is neither
        centred nor scaled.

    pca_shortcut : bool, default=True
        Whether the encoder and the decoder each have a linear path parallel to their
        layers. The path is initialised with pairs of principal components and their
        mirror images, and with random directions for the remaining codes. With `False`,
        the network is the plain stack of layers and is trained with plain Adam.

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy"}, \
            default="squared_error"
        Loss to minimise, in addition to the sparsity penalty. With a linear output, it
        is measured in units of the root mean variance of the features; the Huber loss
        becomes linear at an error of 1. "binary_crossentropy" requires `X` in [0, 1]
        and ``output_activation="sigmoid"``.

    alpha : float, default=0.0
        Strength of the L2 penalty ``alpha / 2 * sum(kernel ** 2)`` on all kernels
        except those of the linear path. The penalty is added to the loss, which is a
        mean over rows and features.

    learning_rate_init : float, default=0.003
        Peak learning rate of Adam. The rate rises to it during the first five epochs
        and then decays to zero along a cosine until `max_iter`.

    batch_size : "auto" or int, default="auto"
        Rows in a minibatch. "auto" is 128, or fewer if there are few rows, so that an
        epoch has at least four batches.

    max_iter : int, default=100
        Number of training epochs, unless training stops early.

    early_stopping : bool, default=True
        Whether to hold out the fraction `validation_fraction` of the rows, in order to
        stop training and to keep the weights of the epoch that is best on these rows.
        Epochs are compared without the 2 % of these rows that PCA reconstructs worst:
        in heavy-tailed data those few rows would decide the comparison. With `False`,
        the network is trained on all rows for `max_iter` epochs.

        `holdout`, and `groups` and `X_val` of `fit`, hold out rows in other ways. Equal
        rows are never divided between training and held-out rows: they count as one.

    validation_fraction : float, default=0.1
        Fraction of the rows to hold out, at least two rows. Not used if rows are held
        out by a splitter or as `X_val`.

    holdout : {"random", "blocks"} or splitter, default="random"
        Which rows are held out; see :ref:`held_out`. "random" is right for independent
        rows, and for rows that the `groups` of `fit` keep together: at least ten groups
        are then held out, if there are twenty. "blocks" is for rows in the order of
        time: blocks of consecutive rows are held out, and next to them as many rows
        as there are features are left out, but at most 5 % of the rows. A splitter of
        scikit-learn, such as ``TimeSeriesSplit(gap=24)``, `GroupKFold` or
        `PredefinedSplit`, chooses the rows itself: its last split is held out. Not used
        if `fit` gets `X_val`.

    n_iter_no_change : int, default=10
        Training stops after this many consecutive epochs without an improvement of the
        loss, including the sparsity penalty, on the held-out rows. Epochs count from
        75 % of `max_iter` on, when the learning rate has fallen. Before that, only
        epochs count in which the loss is no lower than before training, and none of the
        first five.

    tol : float, default=1e-4
        Smallest relative decrease of the loss on the held-out rows that counts as an
        improvement for `n_iter_no_change`.

    warm_start : bool, default=False
        Whether `fit` continues from the previous fit instead of starting afresh. The
        parameters that define the network must not have changed. Pass an int as
        `random_state`, or hold out rows by other means: otherwise rows are held out
        that the previous fit was trained on.

    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, the choice of held-out rows, the order of the
        rows and the training noise. Pass an int for reproducible results. `None` takes
        fresh entropy from the operating system. Unlike in scikit-learn, `None` does not
        use NumPy's global generator: that generator belongs to the user's program, and
        fitting neither reads nor changes its state, so ``np.random.seed`` does not make
        a fit reproducible.

    verbose : int, default=0
        1 shows what the fit is doing, in one line that is updated in notebooks and,
        with the package rich, on terminals; elsewhere in lines of the logger "skae",
        one for each phase and one at the end. 2 logs every epoch.

    Attributes
    ----------
    n_components_ : int
        Size of the code (the latent dimension).

    mean_ : ndarray of shape (n_features,)
        Mean of each feature over the training rows.

    used_network_ : bool
        Always `True`, because the codes of PCA would not be sparse.

    reconstruction_error_ : float
        Mean squared error of the reconstruction over rows and features, in the squared
        units of the data. It is measured on the held-out rows, or on the training rows
        if none are held out.

    pca_reconstruction_error_ : float
        Mean squared error of PCA with the same number of components, fitted to the same
        training rows and measured on the same rows. All components of PCA are active.

    mean_activation_ : ndarray of shape (n_components,)
        Mean of each code over the training rows.

    active_share_ : ndarray of shape (n_components,)
        Share of the training rows in which each code is active: nonzero, or above 0.1
        for the sparsity "kl". The sum of these shares is the mean number of active
        codes per row.

    n_iter_ : int
        Number of epochs trained; at least 1.

    history_ : dict of str to list of float
        Loss on the training rows ("loss") and on the held-out rows ("val_loss", empty
        if none are held out) in each epoch, in the units described under `loss` and
        including the sparsity penalty. "val_loss" leaves out the 2 % of the held-out
        rows that PCA reconstructs worst.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature
        names that are all strings.

    See Also
    --------
    sklearn.decomposition.MiniBatchDictionaryLearning : Sparse codes with a linear
        decoder, found by an optimisation for each row.
    sklearn.decomposition.SparsePCA : Sparse components instead of sparse codes.

    Notes
    -----
    As in `DenseAE`, a little Gaussian noise is added to the inputs during training.
    Sparse codes need it more than other codes: on the digits data, it halves the
    held-out error of "l1".

    Only weight decay keeps the decoder's kernels from growing while the codes shrink.
    The scale of the codes therefore has no meaning; only whether a code is active does.

    References
    ----------
    .. [1] Ng, A. (2011). Sparse autoencoder. CS294A lecture notes, Stanford University.
    .. [2] Makhzani, A., & Frey, B. (2014). k-Sparse autoencoders. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import SparseAE
    >>> X = load_digits().data
    >>> autoencoder = SparseAE(
    ...     128, sparsity="topk", target_sparsity=8, max_iter=10, random_state=0
    ... ).fit(X)
    >>> n_active = (autoencoder.transform(X) != 0).sum(axis=1)
    >>> int(n_active.min()), int(n_active.max())
    (8, 8)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseDense._parameter_constraints,
        "code_activation": [StrOptions({"auto", *ACTIVATIONS})],
        "sparsity": [StrOptions(set(_CODE_ACTIVATIONS))],
        "sparsity_weight": [
            StrOptions({"auto"}),
            Interval(Real, 0, None, closed="left"),
        ],
        "target_sparsity": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
        ],
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        sparsity: str = "l1",
        sparsity_weight: float | str = "auto",
        target_sparsity: float = 0.05,
        hidden_layer_sizes: Any = "auto",
        activation: str = "gelu",
        code_activation: str = "auto",
        output_activation: str = "linear",
        pca_shortcut: bool = True,
        loss: str = "squared_error",
        alpha: float = 0.0,
        learning_rate_init: float = 3e-3,
        batch_size: int | str = "auto",
        max_iter: int = 100,
        early_stopping: bool = True,
        validation_fraction: float = 0.1,
        holdout: Any = "random",
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self._set_parameters(locals())

    def _describe_network(
        self, n_features: int, hidden_layer_sizes: tuple[int, ...], n_components: Any
    ) -> Network:
        network = super()._describe_network(
            n_features, hidden_layer_sizes, n_components
        )
        if self.sparsity != "topk":
            return network
        n_active = max(1, round(self._target_rate() * int(n_components)))
        return Network(network.encoder.keeping_largest(n_active), network.decoder)

    def _resolved_code_activation(self) -> str:
        if self.code_activation == "auto":
            return _CODE_ACTIVATIONS[self.sparsity]
        if self.sparsity == "kl" and self.code_activation != "sigmoid":
            raise ValueError(
                f"{type(self).__name__} with sparsity='kl' needs codes between 0 and "
                "1, and so code_activation='sigmoid' or 'auto', got code_activation="
                f"{self.code_activation!r}."
            )
        return self.code_activation

    def _target_rate(self) -> float:
        """Return the target share of active codes."""
        if not isinstance(self.target_sparsity, Integral):
            return float(self.target_sparsity)
        if self.target_sparsity >= self.n_components:
            raise ValueError(
                f"The target_sparsity={self.target_sparsity} of {type(self).__name__} "
                f"must be less than n_components={self.n_components}, or no code is "
                "ever inactive. An int is a number of codes, a float a share of them."
            )
        return float(self.target_sparsity / self.n_components)

    def _code_kind(self, start: Start) -> CodeKind:
        if self.sparsity == "topk":
            return SparseCode()
        weight = self.sparsity_weight
        if isinstance(weight, str):
            weight = _AUTO_WEIGHTS[self.sparsity]
        if self.sparsity == "l1":
            return L1Code(float(weight))
        return KLCode(float(weight), self._target_rate())

    def _set_estimator_attributes(self, X: DataRows, seed: int) -> None:
        threshold = _MIN_ACTIVE_SIGMOID if self.sparsity == "kl" else 0.0
        total, n_active = np.zeros((2, self.n_components_))
        for block in dense_blocks(X):
            codes = self._encode(block)
            total += codes.sum(axis=0, dtype=np.float64)
            n_active += (np.abs(codes) > threshold).sum(axis=0)
        self.mean_activation_ = (total / len(X)).astype(X.dtype)
        self.active_share_ = n_active / len(X)
