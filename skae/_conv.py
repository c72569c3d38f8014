"""The convolutional autoencoder."""

from __future__ import annotations

from math import isqrt, prod
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from skae._base import BaseAutoencoder, Start
from skae._constraints import NOISE_CONSTRAINTS, resolved_corruption
from skae._fit.code_kinds import CodeKind, PrincipalCode
from skae._network.architectures import Activations, FeatureMaps, conv_network
from skae._utils.compat import Interval, StrOptions
from skae._utils.parameters import check_integers

if TYPE_CHECKING:
    from skae._network.description import Network
    from skae._scoring import Rows
    from skae._train.corruption import Corruption
    from skae._utils.blocks import DataRows

# Judged by `python -m benchmarks full --only family`.
_AUTO_FILTERS = (16, 8)

# What removes noise is the training, not a small code: a large feature map keeps more
# of the image. Judged by `python -m benchmarks full --only denoising`.
_AUTO_FILTERS_OF_DENOISING_MAPS = (16, 32)

# Fewer features than this are a signal rather than a square image.
_MIN_IMAGE_FEATURES = 16


class ConvAE(BaseAutoencoder):
    """Convolutional autoencoder of images and signals, an alternative to PCA.

    Rows are flat, as everywhere in scikit-learn; `image_shape` defines which features
    are neighbours. The encoder alternates convolutions and pooling [1]_, followed by a
    fully connected layer that returns the code; the decoder mirrors it. All positions
    share the same kernels. The network therefore has fewer weights to learn than
    :class:`DenseAE`, and it recognises a pattern wherever it occurs.

    As in `DenseAE`, the encoder and the decoder each have a parallel linear path that
    is initialised with PCA, and the network is accepted only if it reconstructs
    held-out rows better than PCA. Otherwise the estimator is PCA fitted to all rows.

    With `noise`, the network learns to reconstruct clean rows from corrupted ones, as
    :class:`DenoisingAE` does: ``reconstruct(X_noisy)`` removes the noise.

    Parameters
    ----------
    n_components : int or None, default=2
        Size of the code (the latent dimension), which is the output of a fully
        connected layer after the last feature map. With `None`, the last feature map
        itself is the code. For an image, it then has
        ``ceil(height / 2**n) * ceil(width / 2**n) * filters[-1]`` values, where n is
        the length of `filters`. There is then no PCA to start from, and the network is
        always kept.

    image_shape : "auto" or tuple of int, default="auto"
        Shape that the features of a row have in C order: an image (height, width) or
        (height, width, channels), or a signal (length,). Pass a signal with several
        channels as an image of width 1: (length, 1, channels). "auto" treats 16, 25,
        36... features as a square image and any other number of features as a signal.

    noise : {"gaussian", "masking", "salt_and_pepper", "swap"} or None, default=None
        Corruption of the training rows, which the network learns to remove, drawn
        afresh for every batch. Fit such a denoiser to clean rows.

        - `None` leaves the rows as they are.
        - "gaussian" adds normally distributed noise.
        - "masking" sets values to zero.
        - "salt_and_pepper" sets values to the minimum or the maximum of the feature
          over the training rows, with equal probability.
        - "swap" replaces values by the value of the same feature in another training
          row, drawn separately for each value.

    noise_level : float, default=0.1
        Strength of the corruption. For "gaussian", it is the standard deviation of the
        noise, in units of the root mean variance of the features. For the other kinds,
        it is the share of values that are corrupted, at most 1. Choose a level similar
        to that of the expected noise. Not used with ``noise=None``.

    filters : "auto", int or array-like of int, default="auto"
        Number of filters of each convolution. Each convolution is followed by pooling,
        which halves the image and rounds odd sizes up. The decoder mirrors the
        convolutions and the pooling. "auto" is ``(16, 8)``, and ``(16, 32)`` with both
        `noise` and ``n_components=None``: a feature map that removes noise need not be
        small.

    kernel_size : int, default=3
        Height and width of the kernels, or their length for signals.

    hidden_layer_sizes : "auto", int or array-like of int, default="auto"
        Widths of the fully connected layers between the last feature map and the code;
        the decoder mirrors them. "auto" is ``(256,)``. Not used with
        ``n_components=None``.

    activation : str, default="relu"
        Activation function of the convolutions and the hidden layers, by its Keras
        name: one of "elu", "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid",
        "silu", "softmax", "softplus" and "tanh".

    code_activation : str, default="linear"
        Activation function of the code. With any value but "linear", the PCA start is
        only an initialisation: the codes are returned as the network computes them, and
        the network is always kept. Not used with ``n_components=None``.

    output_activation : str, default="linear"
        Activation function of the output. With any value but "linear", `X` is neither
        centred nor scaled, and the PCA start is only an initialisation: the network is
        always kept.

    pca_shortcut : bool, default=True
        Whether the encoder and the decoder each have a linear path parallel to their
        layers, initialised with PCA. With `False` or ``n_components=None``, the network
        is the plain stack of layers, is trained with plain Adam, and is always kept.

    whiten : bool, default=False
        Whether to scale the codes to unit variance, as in PCA. Requires a linear code.

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy"}, \
            default="squared_error"
        Loss to minimise, with `noise` between the clean row and the reconstruction of
        the corrupted row. The network must also beat PCA in this loss to be accepted.
        With a linear output, it is measured in units of the root mean variance of the
        features; the Huber loss becomes linear at an error of 1. "binary_crossentropy"
        requires `X` in [0, 1] and ``output_activation="sigmoid"``.

    alpha : float, default=0.0
        Strength of the L2 penalty ``alpha / 2 * sum(kernel ** 2)`` on all kernels
        except those of the linear path. The penalty is added to the loss, which is a
        mean over rows and features.

    learning_rate_init : float, default=0.003
        Peak learning rate of Adam. The rate rises to it during the first five epochs
        and then decays to zero along a cosine until `max_iter`.

    batch_size : "auto" or int, default="auto"
        Rows in a minibatch. "auto" is 64, or fewer if there are few rows, so that an
        epoch has at least four batches.

    max_iter : int, default=100
        Number of training epochs, unless training stops early.

    early_stopping : bool, default=True
        Whether to hold out rows, in order to stop training and to choose between the
        network and PCA. The network is accepted if it reduces the mean reconstruction
        loss of PCA on held-out rows by more than twice the standard error of that
        reduction, or by more if fewer than 100 rows or few groups are compared, or if
        folds disagree by more than chance explains. In heavy-tailed data, where a few
        rows decide mean and standard error, three standard errors suffice without the
        2 % of the rows that PCA reconstructs worst, if the network is not worse with
        them. With `noise`, both reconstruct clean held-out rows from corrupted ones,
        with the same corruption in every epoch. Unless other parameters require that
        the network is always kept, the number of rows determines how rows are held out:

        - With 1,000 rows or more, the fraction `validation_fraction` is held out, and
          the weights of the epoch that is best on these rows are kept. Epochs are
          compared without the 2 % of these rows that PCA reconstructs worst: in
          heavy-tailed data those few rows would decide the comparison.
        - With 50 to 999 rows, each of five folds is held out in turn. An accepted
          network is trained again on all rows, for the number of epochs that is best on
          the folds: an eighth, a quarter, a half or all of `max_iter`. Unless it is all
          of `max_iter`, the weights are averaged over the second half of these epochs.
        - With fewer than 50 rows, the network cannot be compared reliably, and the
          estimator is PCA.

        If other parameters require that the network is always kept,
        `validation_fraction` is held out from any number of rows. With `False`, the
        network is trained on all rows for `max_iter` epochs and always kept.

        `holdout`, and `groups` and `X_val` of `fit`, hold out rows in other ways. Equal
        rows are never divided between training and held-out rows: they count as one.

    validation_fraction : float, default=0.1
        Fraction of the rows to hold out, at least two rows. Not used if rows are held
        out in folds, by a splitter, or as `X_val`.

    holdout : {"random", "blocks"} or splitter, default="random"
        Which rows are held out; see :ref:`held_out`. "random" is right for independent
        rows, and for rows that the `groups` of `fit` keep together. "blocks" is for
        rows in the order of time: blocks of consecutive rows are held out, and next to
        them as many rows as there are features are left out, but at most 5 % of the
        rows. With either, few groups or blocks are held out in folds even if there are
        1,000 rows or more: fewer than 100 groups, or fewer than 10 from 10,000 rows on.
        Blocks count as two gaps each. A splitter of scikit-learn, such as
        ``TimeSeriesSplit(gap=24)``, `GroupKFold` or `PredefinedSplit`, chooses the rows
        itself: each of its splits is a fold if there are fewer than 1,000 rows, and its
        last split is held out if there are more, or if the network is always kept. Not
        used if `fit` gets `X_val`.

    n_iter_no_change : int, default=10
        Training stops after this many consecutive epochs without an improvement of the
        loss on the held-out rows, unless these are folds. Epochs count from 75 % of
        `max_iter` on, when the learning rate has fallen. Before that, only epochs count
        in which the loss is no lower than before training, and none of the first five.

    tol : float, default=1e-4
        Smallest relative decrease of the loss on the held-out rows that counts as an
        improvement for `n_iter_no_change`.

    warm_start : bool, default=False
        Whether `fit` continues from the previous fit, if that is a network, instead of
        starting afresh. The parameters that define the network must not have changed.
        There are then no folds, even for fewer than 1,000 rows. Pass an int as
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
        Whether the estimator is the network; if `False`, it is PCA fitted to all rows.

    reconstruction_error_ : float
        Mean squared error of the reconstruction over rows and features, in the squared
        units of the data. It is measured on the held-out rows, or on the training rows
        if none are held out. With `noise`, it is the error between clean rows and their
        reconstructions from corrupted rows. If the estimator is PCA, it is the error of
        PCA.

    pca_reconstruction_error_ : float
        Mean squared error of PCA with the same number of components, fitted to the same
        training rows and measured on the same rows, with the same corruption.

    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the variance along each component. Defined only if the estimator is
        PCA, because the contributions of a network's codes do not add up to the
        explained variance.

    image_shape_ : tuple of int
        Shape in use, in the format of `image_shape`.

    n_iter_ : int
        Number of epochs trained; at least 1.

    history_ : dict of str to list of float
        Loss on the training rows ("loss", without penalties) and on the held-out rows
        ("val_loss", empty if none are held out) in each epoch, in the units described
        under `loss`. If training may stop early, "val_loss" leaves out the 2 % of the
        rows that PCA reconstructs worst. If the rows are held out in folds, "val_loss"
        is the mean over the folds, and so is "loss" if the estimator is PCA. If fewer
        than 50 rows make the estimator PCA, "loss" holds the mean squared error of PCA,
        in the same units.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature
        names that are all strings.

    See Also
    --------
    DenseAE : Fully connected autoencoder, which ignores neighbourhoods and is faster.
    DenoisingAE : Fully connected autoencoder that removes noise.

    Notes
    -----
    With `noise`, held-out rows are corrupted only once, so that the losses of different
    epochs are comparable. `score` adds no noise: to measure denoising, compare clean
    rows with the reconstruction of noisy ones.

    The data are scaled but not centred before a convolution, because images are padded
    with zeros. Signals with a mean far from zero should be centred first, for instance
    with ``StandardScaler(with_std=False)``.

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

    With `noise`, it removes noise from images:

    >>> import numpy as np
    >>> noise = np.random.default_rng(0).normal(0, 3, size=(300, 64))
    >>> denoiser = ConvAE(
    ...     32, noise="gaussian", noise_level=0.7, max_iter=20, random_state=0
    ... ).fit(X[300:])
    >>> denoised = denoiser.reconstruct(X[:300] + noise)
    >>> print(f"{np.mean((denoised - X[:300]) ** 2) / np.mean(noise**2):.1f}")
    0.4
    """

    _auto_batch_size = 64

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseAutoencoder._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "image_shape": [StrOptions({"auto"}), "array-like"],
        **NOISE_CONSTRAINTS,
        "noise": [*NOISE_CONSTRAINTS["noise"], None],
        "filters": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            "array-like",
        ],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "whiten": ["boolean"],
    }

    def __init__(
        self,
        n_components: int | None = 2,
        *,
        image_shape: Any = "auto",
        noise: str | None = None,
        noise_level: float = 0.1,
        filters: Any = "auto",
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
        holdout: Any = "random",
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self._set_parameters(locals())

    def _auto_hidden_layer_sizes(self, n_components: Any) -> tuple[int, ...]:
        return (256,)

    def _describe_network(
        self, n_features: int, hidden_layer_sizes: tuple[int, ...], n_components: Any
    ) -> Network:
        sizes: tuple[int, ...] = ()
        if n_components is not None:
            sizes = (*hidden_layer_sizes, int(n_components))
        return conv_network(
            FeatureMaps(
                _with_channels(self._image_shape(n_features)),
                self._filters(),
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

    def _code_kind(self, start: Start) -> CodeKind:
        if self.whiten:
            self._check_linear_code("whiten=True")
            if self.n_components is None:
                raise ValueError(
                    f"{type(self).__name__} with whiten=True needs an int n_components,"
                    " got None: feature maps are not rotated. Change one of them."
                )
        is_linear = self.n_components is not None and self.code_activation == "linear"
        return PrincipalCode(bool(self.whiten)) if is_linear else CodeKind()

    def _corruption(self) -> tuple[Corruption, float]:
        return resolved_corruption(type(self).__name__, self.noise, self.noise_level)

    def _starts_at_pca(self) -> bool:
        return super()._starts_at_pca() and self.n_components is not None

    def _filters(self) -> tuple[int, ...]:
        if isinstance(self.filters, str):
            is_denoising_map = self.noise is not None and self.n_components is None
            return (
                _AUTO_FILTERS_OF_DENOISING_MAPS if is_denoising_map else _AUTO_FILTERS
            )
        name = type(self).__name__
        filters = check_integers(self.filters, "filters", name, "'auto', ")
        if not filters:
            raise ValueError(
                f"The 'filters' parameter of {name} must have at least one number. Got "
                f"{self.filters!r} instead."
            )
        return filters

    def _image_shape(self, n_features: int) -> tuple[int, ...]:
        if isinstance(self.image_shape, str):
            side = isqrt(n_features)
            square = n_features >= _MIN_IMAGE_FEATURES and side**2 == n_features
            return (side, side) if square else (n_features,)
        name = type(self).__name__
        shape = check_integers(self.image_shape, "image_shape", name, "'auto', ")
        if not 1 <= len(shape) <= 3 or prod(shape) != n_features:
            raise ValueError(
                f"The image_shape={self.image_shape!r} of {name} does not fit X with "
                f"{n_features} features: expected (height, width), (height, width, "
                "channels) or (length,), whose product is the number of features."
            )
        return shape

    def _set_estimator_attributes(self, X: DataRows, seed: int) -> None:
        self.image_shape_ = self._image_shape(X.shape[1])


def _with_channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return (height, width, channels), or (length, channels) of a signal."""
    *sizes, channels = shape if len(shape) == 3 else (*shape, 1)
    if len(sizes) == 2 and 1 in sizes:
        sizes = [max(sizes)]
    return (*sizes, channels)
