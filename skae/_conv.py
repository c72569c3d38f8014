"""The convolutional autoencoder."""

from __future__ import annotations

from math import isqrt, prod
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from skae._base import BaseAutoencoder, Start
from skae._compat import Interval, StrOptions
from skae._network import (
    ACTIVATIONS,
    Activations,
    FeatureMaps,
    Network,
    conv_network,
)
from skae._parameters import check_integers

if TYPE_CHECKING:
    import numpy as np

    from skae._scoring import Rows

# Judged by `python -m benchmarks full --only family`.
_AUTO_HIDDEN_LAYER_SIZES = (256,)

# Fewer features than this are not taken for a square image.
_SMALLEST_IMAGE = 16


class ConvAE(BaseAutoencoder):
    """Convolutional autoencoder of images and signals, in the place of PCA.

    Rows are flat, as everywhere in scikit-learn; `image_shape` tells which features are
    neighbours. The encoder alternates convolutions and pooling [1]_, and a fully
    connected layer makes the code; the decoder mirrors it. Kernels are shared by all
    places, so that there are fewer weights to learn than in :class:`DenseAE`, and a
    pattern is known wherever it occurs.

    As in `DenseAE`, a linear path beside both halves starts as PCA, and the network is
    kept only if it reconstructs held-out rows better than PCA; otherwise the estimator
    is PCA of all rows.

    Parameters
    ----------
    n_components : int or None, default=2
        Size of the code: a fully connected layer after the last feature map. With
        `None` the feature map itself is the code, of
        ``ceil(height / 2**n) * ceil(width / 2**n) * filters[-1]`` numbers after n
        filters.

    image_shape : "auto" or tuple of int, default="auto"
        What the features of a row are, in C order: an image (height, width) or (height,
        width, channels), or a signal (length,). A signal of several channels is an
        image of width 1, (length, 1, channels). "auto" takes 16, 25, 36... features as
        a square image and any other number as a signal.

    filters : int or array-like of int, default=(16, 8)
        Numbers of filters of the convolutions. Each is followed by pooling, which
        halves the image and rounds odd sizes up; the decoder mirrors all that.

    kernel_size : int, default=3
        Height and width, or length, of the kernels.

    hidden_layer_sizes : "auto", int or array-like of int, default="auto"
        Widths of the fully connected layers between the feature map and the code, which
        the decoder mirrors. "auto" is ``(256,)``. Not used with ``n_components=None``.

    activation : str, default="relu"
        Activation function of the convolutions and the hidden layers, by its name in
        Keras: one of "elu", "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid",
        "silu", "softmax", "softplus" and "tanh".

    code_activation : str, default="linear"
        Activation function of the code. With any other than "linear" the PCA start is
        only an initialisation: codes are returned as the network gives them, and the
        network is always kept. Not used with ``n_components=None``.

    output_activation : str, default="linear"
        Activation function of the output. With any other than "linear", `X` is used as
        it is, neither centred nor scaled, and the PCA start is only an initialisation:
        the network is always kept.

    pca_shortcut : bool, default=True
        Whether both halves have a linear path beside their layers, which starts as PCA.
        With `False`, or with ``n_components=None``, the network is the plain stack of
        layers, it is trained by plain Adam, and it is always kept.

    whiten : bool, default=False
        Whether codes are scaled to unit variance, as in PCA. Needs a linear code.

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy"}, \
            default="squared_error"
        What training minimises, and what the network has to do better than PCA in.
        With a linear output it is measured in units of the root mean variance of the
        features; the Huber loss turns linear at 1. "binary_crossentropy" needs `X` in
        [0, 1] and ``output_activation="sigmoid"``.

    alpha : float, default=0.0
        Strength of the L2 penalty ``alpha / 2 * sum(kernel ** 2)``, which is added to
        the loss (a mean over rows and features) for all kernels but the linear path's.

    learning_rate_init : float, default=0.003
        Peak learning rate of Adam. It is reached after five epochs, and decays to
        zero along a cosine until `max_iter`.

    batch_size : "auto" or int, default="auto"
        Rows in a minibatch. "auto" is 64, but of few rows only what makes four batches
        of an epoch.

    max_iter : int, default=100
        Number of epochs, unless training stops early.

    early_stopping : bool, default=True
        Whether rows are held out to stop training and to choose between the network and
        PCA, by the mean gain of the network over PCA: it must exceed twice its standard
        error. Where PCA may be the answer, what is held out depends on the rows:

        - from 1,000 rows on, the share `validation_fraction`; the weights of the best
          epoch are kept;
        - from 50 rows on, each of five folds in turn; the network is then trained anew
          on all rows, for as many epochs as are best for the folds: an eighth, a
          quarter, a half or all of `max_iter`. Unless it is all, the weights are the
          means over the second half of these epochs;
        - fewer rows cannot decide, and the estimator is PCA.

        With `False` the network is trained on all rows for `max_iter` epochs and always
        kept.

    validation_fraction : float, default=0.1
        Share of the rows to hold out, but at least two rows, where it is not done by
        cross-validation.

    n_iter_no_change : int, default=10
        Training stops after this many epochs in sequence without improvement of the
        loss on the rows held out by `validation_fraction`.

    tol : float, default=1e-4
        Least relative decrease of that loss that counts as an improvement.

    warm_start : bool, default=False
        Whether `fit` goes on from the previous fit, if that is a network, instead of
        starting anew. The parameters that shape the network must be unchanged.

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
        Whether the network is used; otherwise the estimator is PCA of all rows.

    reconstruction_error_ : float
        Mean squared error of the reconstruction over rows and features, in the squared
        units of the data: on the held-out rows, or on the training rows if there are
        none. Where PCA is the answer it is PCA's error.

    pca_reconstruction_error_ : float
        The same of PCA fitted to the same training rows.

    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the variance along each component. Only where PCA is the answer; the
        codes of a network do not add up to its explained variance.

    image_shape_ : tuple of int
        The shape in use, as `image_shape` gives it.

    n_iter_ : int
        Number of epochs trained; at least 1.

    history_ : dict of str to list of float
        Training loss ("loss", without penalties) and loss on the held-out rows
        ("val_loss", possibly empty) of each epoch, in the units of training. Where
        there are folds, "val_loss" is their mean, and so is "loss" where PCA is the
        answer.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature
        names that are all strings.

    See Also
    --------
    DenseAE : The same without neighbourhoods; quicker.

    Notes
    -----
    Before convolutions the data are scaled, but not centred, as images are padded with
    zeros: signals far from zero are better centred first, for instance by
    ``StandardScaler(with_std=False)``.

    References
    ----------
    .. [1] Masci, J., Meier, U., Ciresan, D., & Schmidhuber, J. (2011). Stacked
       convolutional auto-encoders for hierarchical feature extraction. ICANN.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import ConvAE
    >>> X = load_digits().data
    >>> autoencoder = ConvAE(8, max_iter=5, random_state=0).fit(X)
    >>> autoencoder.image_shape_
    (8, 8)
    >>> autoencoder.transform(X).shape
    (1797, 8)
    >>> autoencoder.reconstruct(X).shape
    (1797, 64)
    """

    _auto_batch_size = 64

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseAutoencoder._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "image_shape": [StrOptions({"auto"}), "array-like"],
        "filters": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "code_activation": [StrOptions(set(ACTIVATIONS))],
        "whiten": ["boolean"],
    }

    def __init__(
        self,
        n_components: int | None = 2,
        *,
        image_shape: Any = "auto",
        filters: Any = (16, 8),
        kernel_size: int = 3,
        hidden_layer_sizes: Any = "auto",
        activation: str = "relu",
        code_activation: str = "linear",
        output_activation: str = "linear",
        pca_shortcut: bool = True,
        whiten: bool = False,
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
        self.whiten = whiten
        self.image_shape = image_shape
        self.filters = filters
        self.kernel_size = kernel_size

    def _describe_network(self, n_features: int, n_components: Any) -> Network:
        filters = check_integers(self.filters, "filters")
        if not filters:
            raise ValueError("filters must have at least one number, got none.")
        sizes: tuple[int, ...] = ()
        if n_components is not None:
            hidden = self._hidden_layer_sizes(_AUTO_HIDDEN_LAYER_SIZES)
            sizes = (*hidden, int(n_components))
        return conv_network(
            FeatureMaps(
                _with_channels(self._image_shape(n_features)),
                filters,
                int(self.kernel_size),
            ),
            sizes,
            Activations(self.activation, self.code_activation, self.output_activation),
            bool(self.pca_shortcut),
        )

    def _validate_rows(self, X: Any, reset: bool = False, min_rows: int = 1) -> Rows:
        if getattr(X, "ndim", 2) > 2:
            raise ValueError(
                f"{type(self).__name__} expects flat rows as all of scikit-learn, got "
                f"X of shape {tuple(X.shape)}. Pass X.reshape(len(X), -1) and "
                f"image_shape={tuple(X.shape[1:])}."
            )
        return super()._validate_rows(X, reset, min_rows)

    def _plan_additions(self, start: Start) -> dict[str, Any]:
        additions = {"whiten": bool(self.whiten)}
        if self.n_components is None:
            additions["pca_shortcut"] = False
        return additions

    def _image_shape(self, n_features: int) -> tuple[int, ...]:
        if isinstance(self.image_shape, str):
            side = isqrt(n_features)
            square = n_features >= _SMALLEST_IMAGE and side**2 == n_features
            return (side, side) if square else (n_features,)
        shape = check_integers(self.image_shape, "image_shape", "'auto' or ")
        if not 1 <= len(shape) <= 3 or prod(shape) != n_features:
            raise ValueError(
                f"image_shape={self.image_shape!r} does not fit X with {n_features} "
                "features: expected (height, width), (height, width, channels) or "
                "(length,), whose product is the number of features."
            )
        return shape

    def _set_additions(self, X: np.ndarray, seed: int) -> None:
        self.image_shape_ = self._image_shape(X.shape[1])


def _with_channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return (height, width, channels), or (length, channels) of a signal."""
    *sizes, channels = shape if len(shape) == 3 else (*shape, 1)
    if len(sizes) == 2 and 1 in sizes:
        sizes = [max(sizes)]
    return (*sizes, channels)
