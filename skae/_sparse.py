"""The sparse autoencoder."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from skae._compat import Interval, StrOptions
from skae._dense import BaseDense
from skae._network import ACTIVATIONS, Network
from skae._plan import Sparsity

if TYPE_CHECKING:
    from skae._base import Start

_CODE_ACTIVATIONS = {"l1": "relu", "kl": "sigmoid", "topk": "linear"}

# Judged by `python -m benchmarks full --only family`.
_AUTO_WEIGHTS = {"l1": 0.5, "kl": 2.5}

# A sigmoid is never zero.
_LEAST_ACTIVE_SIGMOID = 0.1


class SparseAE(BaseDense):
    """Autoencoder of sparse codes: few of many are active in each row.

    A code then stands for a feature that a row has or has not, as in a dictionary or in
    parts of images, rather than for a direction that all rows share. There may be more
    codes than features.

    As with any nonlinear code the network is always kept, whether or not it
    reconstructs better than PCA: PCA's codes are not sparse. Compare
    `reconstruction_error_` with PCA of as many components as are active in a row.

    Parameters
    ----------
    n_components : int, default=2
        Size of the code. It may well exceed the number of features, as few codes of a
        row are active.

    sparsity : {"l1", "kl", "topk"}, default="l1"
        What keeps codes inactive:

        - "l1" adds the sum of the absolute codes, times `sparsity_weight`, to the loss;
        - "kl" adds the sum over the codes of the Kullback-Leibler divergence between a
          Bernoulli variable of the mean `target_sparsity` and one of the code's mean in
          the batch, times `sparsity_weight`; codes lie between 0 and 1 [1]_;
        - "topk" keeps the largest codes of each row and sets the others to zero, in
          training and afterwards [2]_.

    sparsity_weight : "auto" or float, default="auto"
        Weight of the penalty, beside a loss that is summed over the features in units
        of their root mean variance. "auto" is 0.5 for "l1" and 2.5 for "kl"; "topk" has
        no penalty.

    target_sparsity : int or float, default=0.05
        A float between 0 and 1 is a share of the codes, an int a number of them: how
        many are active in each row with "topk" (at least one), or on average with "kl".
        "l1" has no target.

    hidden_layer_sizes : "auto", int or array-like of int, default="auto"
        Widths of the layers between the input and the code, which the decoder mirrors.
        ``()`` is the classic network whose only hidden layer is the code. "auto" is
        ``(256, 128)``.

    activation : str, default="gelu"
        Activation function of the hidden layers, by its name in Keras: one of "elu",
        "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "softmax",
        "softplus" and "tanh".

    code_activation : str, default="auto"
        Activation function of the code. "auto" is "relu" for "l1", "sigmoid" for "kl",
        which allows no other, and "linear" for "topk".

    output_activation : str, default="linear"
        Activation function of the output. With any other than "linear", `X` is used as
        it is, neither centred nor scaled.

    pca_shortcut : bool, default=True
        Whether both halves have a linear path beside their layers. It starts as pairs
        of principal components and their mirror images, and along random directions
        where codes are left over. With `False` the network is the plain stack of
        layers, and it is trained by plain Adam.

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy"}, \
            default="squared_error"
        What training minimises, beside the penalty. With a linear output it is measured
        in units of the root mean variance of the features; the Huber loss turns linear
        at 1. "binary_crossentropy" needs `X` in [0, 1] and
        ``output_activation="sigmoid"``.

    alpha : float, default=0.0
        Strength of the L2 penalty ``alpha / 2 * sum(kernel ** 2)``, which is added to
        the loss (a mean over rows and features) for all kernels but the linear path's.

    learning_rate_init : float, default=0.003
        Peak learning rate of Adam. It is reached after five epochs, and decays to
        zero along a cosine until `max_iter`.

    batch_size : "auto" or int, default="auto"
        Rows in a minibatch. "auto" is 128, but of few rows only what makes four batches
        of an epoch.

    max_iter : int, default=100
        Number of epochs, unless training stops early.

    early_stopping : bool, default=True
        Whether the share `validation_fraction` of the rows is held out to stop training
        and to keep the weights of the best epoch. With `False` the network is trained
        on all rows for `max_iter` epochs.

    validation_fraction : float, default=0.1
        Share of the rows to hold out, but at least two rows.

    n_iter_no_change : int, default=10
        Training stops after this many epochs in sequence without improvement of the
        loss, penalty included, on the rows held out.

    tol : float, default=1e-4
        Least relative decrease of that loss that counts as an improvement.

    warm_start : bool, default=False
        Whether `fit` goes on from the previous fit instead of starting anew. The
        parameters that shape the network must be unchanged.

    random_state : int, RandomState instance or None, default=None
        Source of the initial weights, the held-out rows, the order of rows and the
        training noise. Pass an int for reproducible results. No global generator is
        used: `None` takes entropy from the operating system.

    verbose : int, default=0
        With a positive value, every epoch is logged to the logger "skae".

    Attributes
    ----------
    n_components_ : int
        Size of the code.

    mean_ : ndarray of shape (n_features,)
        Mean of the training rows.

    used_network_ : bool
        Always `True`: PCA's codes would not be sparse.

    reconstruction_error_ : float
        Mean squared error of the reconstruction over rows and features, in the squared
        units of the data: on the held-out rows, or on the training rows if there are
        none.

    pca_reconstruction_error_ : float
        The same of PCA with as many components, none of them inactive.

    mean_activation_ : ndarray of shape (n_components,)
        Mean of each code over the training rows.

    active_share_ : ndarray of shape (n_components,)
        Share of the training rows in which each code is active: not zero, or with the
        sparsity "kl" above 0.1. The sum is the mean number of active codes in a row.

    n_iter_ : int
        Number of epochs trained; at least 1.

    history_ : dict of str to list of float
        Training loss ("loss") and loss on the held-out rows ("val_loss", possibly
        empty) of each epoch, in the units of training and with the sparsity penalty.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature
        names that are all strings.

    See Also
    --------
    sklearn.decomposition.MiniBatchDictionaryLearning : Sparse codes by an optimisation
        for each row, with a linear decoder.
    sklearn.decomposition.SparsePCA : Sparse components rather than sparse codes.

    Notes
    -----
    As in `DenseAE`, training adds a little Gaussian noise to the inputs, which sparse
    codes need more than others: on the digits it halves the held-out error of "l1".

    Nothing but the decay of the kernels keeps the decoder from growing while codes
    shrink, so the scale of the codes has no meaning; whether they are active has.

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
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            n_components,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            output_activation=output_activation,
            pca_shortcut=pca_shortcut,
            loss=loss,
            alpha=alpha,
            learning_rate_init=learning_rate_init,
            batch_size=batch_size,
            max_iter=max_iter,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.code_activation = code_activation
        self.sparsity = sparsity
        self.sparsity_weight = sparsity_weight
        self.target_sparsity = target_sparsity

    def _describe_network(self, n_features: int, n_components: Any) -> Network:
        network = super()._describe_network(n_features, n_components)
        if self.sparsity != "topk":
            return network
        n_active = max(1, round(self._target_share() * int(n_components)))
        return Network(network.encoder.keeping_largest(n_active), network.decoder)

    def _resolved_code_activation(self) -> str:
        if self.code_activation == "auto":
            return _CODE_ACTIVATIONS[self.sparsity]
        if self.sparsity == "kl" and self.code_activation != "sigmoid":
            raise ValueError(
                "sparsity='kl' needs codes between 0 and 1, and so "
                "code_activation='sigmoid' or 'auto', got code_activation="
                f"{self.code_activation!r}."
            )
        return self.code_activation

    def _target_share(self) -> float:
        """Return the share of the codes that are to be active."""
        if not isinstance(self.target_sparsity, Integral):
            return float(self.target_sparsity)
        if self.sparsity != "l1" and self.target_sparsity >= self.n_components:
            raise ValueError(
                f"target_sparsity={self.target_sparsity} must be less than "
                f"n_components={self.n_components}, or no code is ever inactive. An "
                "int is a number of codes, a float a share of them."
            )
        return float(self.target_sparsity / self.n_components)

    def _plan_additions(self, start: Start) -> dict[str, Any]:
        if self.sparsity == "topk":
            return {}
        weight = self.sparsity_weight
        if isinstance(weight, str):
            weight = _AUTO_WEIGHTS[self.sparsity]
        share = self._target_share()
        return {"sparsity": Sparsity(self.sparsity, float(weight), share)}

    def _set_additions(self, X: np.ndarray, seed: int) -> None:
        codes = self._encode(X)
        least = _LEAST_ACTIVE_SIGMOID if self.sparsity == "kl" else 0.0
        self.mean_activation_ = codes.mean(axis=0)
        self.active_share_ = (np.abs(codes) > least).mean(axis=0)
