"""The denoising autoencoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from skae._constraints import NOISE_CONSTRAINTS, resolved_corruption
from skae._dense import DenseAE

if TYPE_CHECKING:
    from skae._train.corruption import Corruption


class DenoisingAE(DenseAE):
    """Autoencoder that removes noise.

    A :class:`DenseAE` that learns to reconstruct clean rows from corrupted ones [1]_
    [2]_: ``reconstruct(X_noisy)`` removes the noise. Fit it to clean rows; the
    corruption is applied during training. Rows that differ only by such noise get
    similar codes, which can also be useful if no rows need to be denoised.

    As in `DenseAE`, training starts from PCA, and the network is accepted only if it
    denoises held-out rows better than PCA with the same number of components.

    Parameters
    ----------
    n_components : int, float or "auto", default=2
        Size of the code (the latent dimension). It may exceed the number of features or
        samples. A float between 0 and 1 is the share of the variance to explain, as in
        PCA. "auto" selects the elbow of the variance explained by ordered codes [3]_.
        It considers as many components as PCA needs to explain 95 % of the variance,
        but at most 64.

        With a float or "auto", ordered codes are trained first. The smallest number of
        codes that reaches the share or the elbow is kept, and these codes are trained
        without the others for a quarter of `max_iter` epochs. The share of the variance
        that a number of codes leaves unexplained is estimated as the share that PCA
        leaves unexplained on its training rows, times the error ratio: the network's
        error on held-out rows divided by PCA's. If the network is always kept and none
        of the numbers tried reaches the target, the largest of them is used.

    noise : {"gaussian", "masking", "salt_and_pepper", "swap"}, default="gaussian"
        Corruption of the training rows, drawn afresh for every batch:

        - "gaussian" adds normally distributed noise.
        - "masking" sets values to zero [1]_.
        - "salt_and_pepper" sets values to the minimum or the maximum of the feature
          over the training rows, with equal probability [2]_.
        - "swap" replaces values by the value of the same feature in another training
          row, drawn separately for each value. It suits features of different kinds.

    noise_level : float, default=0.1
        Strength of the corruption. For "gaussian", it is the standard deviation of the
        noise, in units of the root mean variance of the features. For the other kinds,
        it is the share of values that are corrupted, at most 1. Choose a level similar
        to that of the expected noise.

    hidden_layer_sizes : "auto", int or array-like of int, default="auto"
        Widths of the encoder's hidden layers, from the input to the code; the decoder
        mirrors them. ``()`` is the classic network whose only hidden layer is the code.
        "auto" is ``(128, 64, 64)`` for up to four codes, and ``(256, 128)`` for more.
        A fit that goes on from an earlier one keeps the widths of that one.

    activation : str, default="gelu"
        Activation function of the hidden layers, by its Keras name: one of "elu",
        "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "softmax",
        "softplus" and "tanh".

    code_activation : str, default="linear"
        Activation function of the code. With any value but "linear", the PCA start is
        only an initialisation: the codes are returned as the network computes them, and
        the network is always kept.

    output_activation : str, default="linear"
        Activation function of the output. With any value but "linear", `X` is neither
        centred nor scaled, and the PCA start is only an initialisation: the network is
        always kept.

    pca_shortcut : bool, default=True
        Whether the encoder and the decoder each have a linear path parallel to their
        layers, initialised with PCA. With `False`, the network is the plain stack of
        layers, is trained with plain Adam, and is always kept.

    whiten : bool, default=False
        Whether to scale the codes to unit variance, as in PCA. Requires a linear code.

    ordered : bool, default=False
        Whether to order the codes by the variance they explain, as PCA orders its
        components, so that the first codes alone reconstruct as well as possible [4]_.
        `truncate` then returns an estimator with fewer codes, without another fit. The
        network is accepted only if it is better than PCA at every number of codes; with
        as many codes as the rank of the data, the estimator is therefore PCA. Requires
        a linear code. If `n_components` is a float or "auto", this parameter has no
        effect and the codes that are kept are not ordered.

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy"}, \
            default="squared_error"
        Loss to minimise, between the clean row and the reconstruction of the corrupted
        row. The network must also beat PCA in this loss to be accepted. With a linear
        output, it is measured in units of the root mean variance of the features; the
        Huber loss becomes linear at an error of 1. "binary_crossentropy" requires `X`
        in [0, 1] and ``output_activation="sigmoid"``.

    alpha : float, default=0.0
        Strength of the L2 penalty ``alpha / 2 * sum(kernel ** 2)`` on all kernels
        except those of the linear path. The penalty is added to the loss, which is a
        mean over rows and features.

    learning_rate_init : float, default=0.003
        Peak learning rate of Adam. The rate rises to it during the first five epochs
        and then decays to zero along a cosine until `max_iter`. For ordered codes, the
        peak is 3 times as high if there are enough rows for full batches, and lower
        otherwise.

    batch_size : "auto" or int, default="auto"
        Rows in a minibatch; ordered codes are trained on twice as many. "auto" is 128,
        or fewer if there are few rows, so that an epoch has at least four batches.

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
        them. Both reconstruct clean held-out rows from corrupted ones, with the same
        corruption in every epoch. Unless other parameters require that the network is
        always kept, the number of rows determines how rows are held out:

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
        Mean squared error between clean rows and their reconstructions from corrupted
        rows, over rows and features and in the squared units of the data. It is
        measured on the held-out rows, or on the training rows if none are held out. If
        the estimator is PCA, it is the error of PCA.

    pca_reconstruction_error_ : float
        Mean squared error of PCA with the same number of components, fitted to the same
        training rows and measured on the same rows with the same corruption.

    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the variance of the training rows along each component, as in PCA.
        Defined only if the estimator is PCA, because the contributions of a network's
        codes do not add up to the explained variance.

    held_out_variance_ratio_ : ndarray of shape (n_components,)
        With ordered codes of a network, the increase in explained variance due to each
        code, as a share of the variance of the rows that `reconstruction_error_` is
        measured on. It may be negative.

    reconstruction_curve_ : ndarray of shape (n_components,)
        With `ordered`, the reconstruction error with the first code only, with the
        first two, and so on up to all of them, measured in the same way as
        `reconstruction_error_`. If `n_components` is a float or "auto", the curve
        covers all numbers of codes to choose from, before the codes that are kept were
        trained without the others.

    pca_reconstruction_curve_ : ndarray of shape (n_components,)
        Errors of PCA with the same numbers of components, fitted to the same training
        rows and measured on the same rows with the same corruption.

    n_iter_ : int
        Number of epochs trained; at least 1. If `n_components` is not an int, the
        epochs of the final codes are added to those of the ordered codes.

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
    DenseAE : The same autoencoder without corruption, for clean rows.
    ConvAE : With `noise`, it removes noise from images by convolutions.

    Notes
    -----
    Held-out rows are corrupted only once, so that the losses of different epochs are
    comparable.

    The Gaussian noise that `DenseAE` adds to its inputs is added to the corruption.

    References
    ----------
    .. [1] Vincent, P., Larochelle, H., Bengio, Y., & Manzagol, P.-A. (2008). Extracting
       and composing robust features with denoising autoencoders. ICML.
    .. [2] Vincent, P., Larochelle, H., Lajoie, I., Bengio, Y., & Manzagol, P.-A.
       (2010). Stacked denoising autoencoders. Journal of Machine Learning Research, 11,
       3371-3408.
    .. [3] Satopää, V., Albrecht, J., Irwin, D., & Raghavan, B. (2011). Finding a
       "kneedle" in a haystack: Detecting knee points in system behavior. ICDCS
       Workshops.
    .. [4] Rippel, O., Gelbart, M., & Adams, R. (2014). Learning ordered
       representations with nested dropout. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skae import DenoisingAE
    >>> X = load_digits().data
    >>> denoiser = DenoisingAE(32, noise_level=0.5, max_iter=30, random_state=0)
    >>> denoiser.fit(X[300:])  # doctest: +ELLIPSIS
    DenoisingAE(...)
    >>> noise = np.random.default_rng(0).normal(0, 2, size=(300, 64))
    >>> X_noisy = X[:300] + noise
    >>> denoised = denoiser.reconstruct(X_noisy)
    >>> print(f"{np.mean((denoised - X[:300]) ** 2) / np.mean(noise**2):.1f}")
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DenseAE._parameter_constraints,
        **NOISE_CONSTRAINTS,
    }

    def __init__(
        self,
        n_components: float | str = 2,
        *,
        noise: str = "gaussian",
        noise_level: float = 0.1,
        hidden_layer_sizes: Any = "auto",
        activation: str = "gelu",
        code_activation: str = "linear",
        output_activation: str = "linear",
        pca_shortcut: bool = True,
        whiten: bool = False,
        ordered: bool = False,
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

    def _corruption(self) -> tuple[Corruption, float]:
        return resolved_corruption(type(self).__name__, self.noise, self.noise_level)
