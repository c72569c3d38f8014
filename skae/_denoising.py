"""The denoising autoencoder."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

from skae._compat import Interval, StrOptions
from skae._corruption import NOISES
from skae._dense import DenseAE
from skae._plan import Noise

if TYPE_CHECKING:
    from skae._base import Start


class DenoisingAE(DenseAE):
    """Autoencoder that removes noise.

    It is a :class:`DenseAE` that learns to reconstruct clean rows from corrupted ones
    [1]_ [2]_: ``reconstruct(X_noisy)`` denoises. Train it on clean rows; the noise is
    added in training. Codes of rows that differ by such noise are alike, which is also
    of use where nothing is to be denoised.

    As in `DenseAE`, training starts as PCA, and the network is kept only if it denoises
    held-out rows better than PCA with as many components does.

    Parameters
    ----------
    n_components : int, float or "auto", default=2
        Size of the code. It may exceed the number of features or samples. A float
        between 0 and 1 is the share of the variance to explain, as in PCA. "auto" is
        the elbow of what ordered codes explain [3]_, among as many as PCA needs for
        95 %, but 64 at most. For either, ordered codes are trained first; the fewest
        that suffice are kept, and trained without the others for a quarter of the
        epochs. What suffices is counted by what PCA leaves of its training rows, times
        the error of the network relative to PCA's on rows that are held out. Where
        the network is always kept and no number that was tried suffices, it is the
        largest.

    noise : {"gaussian", "masking", "salt_and_pepper", "swap"}, default="gaussian"
        How training rows are corrupted, anew in every batch:

        - "gaussian" adds normal noise;
        - "masking" sets values to zero [1]_;
        - "salt_and_pepper" sets values to the feature's least or greatest training
          value, with equal chances [2]_;
        - "swap" takes the feature's value from another training row, drawn for each
          value anew, which suits features of different kinds.

    noise_level : float, default=0.1
        Strength of the noise. The standard deviation of "gaussian" noise, in units of
        the data's scale (the root mean variance of the features); otherwise the share
        of the values that are corrupted, at most 1. Choose it like the noise that is
        expected.

    hidden_layer_sizes : "auto", int or array-like of int, default="auto"
        Widths of the layers between the input and the code, which the decoder mirrors.
        ``()`` is the classic network whose only hidden layer is the code. "auto" is
        ``(256, 128)``.

    activation : str, default="gelu"
        Activation function of the hidden layers, by its name in Keras: one of "elu",
        "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "softmax",
        "softplus" and "tanh".

    code_activation : str, default="linear"
        Activation function of the code. With any other than "linear" the PCA start is
        only an initialisation: codes are returned as the network gives them, and the
        network is always kept.

    output_activation : str, default="linear"
        Activation function of the output. With any other than "linear", `X` is used as
        it is, neither centred nor scaled, and the PCA start is only an initialisation:
        the network is always kept.

    pca_shortcut : bool, default=True
        Whether both halves have a linear path beside their layers, which starts as PCA.
        With `False` the network is the plain stack of layers, it is trained by plain
        Adam, and it is always kept.

    whiten : bool, default=False
        Whether codes are scaled to unit variance, as in PCA. Needs a linear code.

    ordered : bool, default=False
        Whether codes are sorted by what they explain, as PCA's are: the first ones
        alone reconstruct as well as they can [4]_. Then `truncate` returns the
        estimator of fewer codes, without another fit. The network is kept only if it
        is better than PCA at every number of codes, so with as many as the rows have
        dimensions the answer is PCA. Needs a linear code. Where `n_components` is no
        int, it makes no difference: the codes that are kept are not ordered.

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy"}, \
            default="squared_error"
        What training minimises, between the reconstruction of the corrupted row and
        the clean row, and what the network has to do better than PCA in.
        With a linear output it is measured in units of the root mean variance of the
        features; the Huber loss turns linear at 1. "binary_crossentropy" needs `X` in
        [0, 1] and ``output_activation="sigmoid"``.

    alpha : float, default=0.0
        Strength of the L2 penalty ``alpha / 2 * sum(kernel ** 2)``, which is added to
        the loss (a mean over rows and features) for all kernels but the linear path's.

    learning_rate_init : float, default=0.003
        Peak learning rate of Adam. It is reached after five epochs, and decays to
        zero along a cosine until `max_iter`. Ordered codes are trained at 3 times it,
        if rows are enough for full batches, and at less otherwise.

    batch_size : "auto" or int, default="auto"
        Rows in a minibatch; ordered codes are trained on twice as many. "auto" is 128,
        but of few rows only what makes four batches of an epoch.

    max_iter : int, default=100
        Number of epochs, unless training stops early.

    early_stopping : bool, default=True
        Whether rows are held out to stop training and to choose between the network and
        PCA, by the mean gain of the network over PCA: it must exceed twice its standard
        error. Both reconstruct the clean held-out rows from corrupted ones, the same in
        every epoch. Where PCA may be the answer, what is held out depends on the rows:

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
        Mean squared error, over rows and features and in the squared units of the data,
        between clean rows and what is reconstructed from corrupted ones: on the
        held-out rows, or on the training rows if there are none. Where PCA is the
        answer it is PCA's error.

    pca_reconstruction_error_ : float
        The same of PCA fitted to the same training rows.

    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the variance along each component, where PCA is the answer. With
        `ordered`, what each code adds to the share that is explained of the rows that
        `reconstruction_error_` is measured on. Codes of other networks do not add up
        to what they explain, so these have no such attribute.

    reconstruction_curve_ : ndarray of shape (n_components,)
        With `ordered`, the error as in `reconstruction_error_` with only the first
        codes, from one to all of them. Where `n_components` is no int, all numbers of
        codes that were to choose from, before those kept were trained on.

    pca_reconstruction_curve_ : ndarray of shape (n_components,)
        The same of PCA fitted to the same training rows.

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
    DenseAE : The same without noise, for clean rows.

    Notes
    -----
    Held-out rows are corrupted once, so that epochs are compared on equal terms.

    The smoothing noise that `DenseAE` trains with is added to the corruption.

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
    >>> bool(np.mean((denoised - X[:300]) ** 2) < np.mean(noise**2) / 2)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **DenseAE._parameter_constraints,
        "noise": [StrOptions(set(NOISES))],
        "noise_level": [Interval(Real, 0, None, closed="left")],
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
            code_activation=code_activation,
            output_activation=output_activation,
            pca_shortcut=pca_shortcut,
            whiten=whiten,
            ordered=ordered,
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
        self.noise = noise
        self.noise_level = noise_level

    def _plan_additions(self, start: Start) -> dict[str, Any]:
        level = float(self.noise_level)
        if self.noise != "gaussian" and level > 1:
            raise ValueError(
                f"noise={self.noise!r} needs a noise_level of at most 1, the share of "
                f"the values to corrupt, got noise_level={level:g}."
            )
        return {**super()._plan_additions(start), "noise": Noise(self.noise, level)}
