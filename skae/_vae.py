"""The variational autoencoder."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from skae._dense import BaseDense
from skae._fit.code_kinds import CodeKind, VariationalCode
from skae._network.losses import binary_crossentropy, clip_log_variance, kl_to_prior
from skae._network.numpy_interpreter import forward, forward_log_variance
from skae._scoring import Rows, by_blocks, dense_blocks
from skae._utils.compat import Interval, StrOptions
from skae._utils.parameters import as_generator

if TYPE_CHECKING:
    from skae._base import Start
    from skae._network.description import Network
    from skae._utils.blocks import DataRows

# Epochs of warm-up, but no more than half of all.
_AUTO_WARMUP = 10

# A code is active if the variance of its mean over the rows exceeds this (Burda, Grosse
# & Salakhutdinov, 2016).
_SMALLEST_ACTIVE_VARIANCE = 0.01


class VAETransformer(BaseDense):
    """Variational autoencoder: codes follow a standard normal distribution.

    The encoder maps each row to a normal distribution over codes, with one output for
    its mean and one for its log-variance. The decoder reconstructs the row from a code
    drawn from this distribution. Training maximises a lower bound on the likelihood of
    the rows: a reconstruction term minus the divergence of the codes from a standard
    normal prior [1]_. As a result, similar codes decode to similar rows, there are no
    holes between the codes of different rows, and codes drawn from the prior decode to
    new rows; see :meth:`sample`.

    :meth:`transform` returns the means and is deterministic. As in :class:`DenseAE`,
    training starts from PCA, and the network is accepted only if it reconstructs
    held-out rows from the means better than PCA does. If the estimator is PCA, its
    codes are the codes of PCA scaled to the prior, with the variances of probabilistic
    PCA.

    Parameters
    ----------
    n_components : int, default=2
        Size of the code (the latent dimension). It may exceed the number of features or
        samples.

    beta : float, default=1.0
        Weight of the divergence of the codes from the prior. With 1, training maximises
        the evidence lower bound. Larger values make the codes more independent of each
        other at the expense of the reconstruction [3]_, and the network is then always
        kept.

    kl_warmup : "auto" or int, default="auto"
        Number of epochs during which the weight of the divergence grows linearly from
        zero to `beta`. It must be less than `max_iter`. Training does not stop early
        before the end of the warm-up. "auto" is 10, but at most half of `max_iter`.

    hidden_layer_sizes : "auto", int or array-like of int, default="auto"
        Widths of the encoder's hidden layers, from the input to the code; the decoder
        mirrors them. ``()`` is the classic network whose only hidden layer is the code.
        "auto" is ``(128, 64, 64)`` for up to four codes, and ``(256, 128)`` for more.
        A fit that goes on from an earlier one keeps the widths of that one.

    activation : str, default="gelu"
        Activation function of the hidden layers, by its Keras name: one of "elu",
        "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "softmax",
        "softplus" and "tanh".

    output_activation : str, default="linear"
        Activation function of the output. With any value but "linear", `X` is neither
        centred nor scaled, and the PCA start is only an initialisation: the network is
        always kept.

    pca_shortcut : bool, default=True
        Whether the mean of the code and the decoder each have a linear path parallel to
        their layers. Both paths are initialised with PCA, and the variance of the code
        with that of probabilistic PCA. With `False`, the network is the plain stack of
        layers, is trained with plain Adam, and is always kept.

    loss : {"squared_error", "binary_crossentropy"}, default="squared_error"
        Distribution of a row given its code; training minimises the negative
        log-likelihood. "squared_error" is a normal distribution with one learned
        variance for all features [2]_, so the weight of the reconstruction does not
        depend on the units of the data. "binary_crossentropy" is a Bernoulli
        distribution for each feature; it requires `X` in [0, 1] and
        ``output_activation="sigmoid"``.

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
        Whether to hold out rows, in order to stop training and to choose between the
        network and PCA. The network is accepted if it reduces the mean reconstruction
        loss of PCA on held-out rows by more than twice the standard error of that
        reduction, or by more if fewer than 100 rows or few groups are compared, or if
        folds disagree by more than chance explains. In heavy-tailed data, where a few
        rows decide mean and standard error, three standard errors suffice without the
        2 % of the rows that PCA reconstructs worst, if the network is not worse with
        them. Unless other parameters require that the network is always kept, the
        number of rows determines how rows are held out:

        - With 1,000 rows or more, the fraction `validation_fraction` is held out, and
          the weights of the epoch that is best on these rows are kept. Epochs are
          compared without the 2 % of these rows that PCA reconstructs worst: in
          heavy-tailed data those few rows would decide the comparison.
        - With 50 to 999 rows, each of five folds is held out in turn. An accepted
          network is trained again on all rows, for the number of epochs that is best on
          the folds: an eighth, a quarter, a half or all of `max_iter`, but more than
          `kl_warmup`. Unless it is all of `max_iter`, the weights are averaged over the
          second half of these epochs, excluding the warm-up.
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
        evidence lower bound on the held-out rows, unless these are folds. Epochs count
        from 75 % of `max_iter` on, when the learning rate has fallen. Before that, only
        epochs count in which the bound is no better than before training, and none of
        the first five or of the warm-up.

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
        if none are held out. If the estimator is PCA, it is the error of PCA.

    pca_reconstruction_error_ : float
        Mean squared error of PCA with the same number of components, fitted to the same
        training rows and measured on the same rows.

    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the variance along each component. Defined only if the estimator is
        PCA.

    kl_divergence_ : ndarray of shape (n_components,)
        Divergence of each code's posterior from the prior, in nats, averaged over the
        training rows. It measures how much the code tells about a row.

    active_units_ : ndarray of bool of shape (n_components,)
        Whether each code is in use, that is, whether the variance of its posterior mean
        over the training rows exceeds 0.01 [4]_.

    noise_variance_ : float
        Variance of the features around their reconstructions, in the squared units of
        the data, estimated from the training rows and equal for all features. Defined
        only for the loss "squared_error".

    n_iter_ : int
        Number of epochs trained; at least 1.

    history_ : dict of str to list of float
        Negative evidence lower bound on the training rows ("loss") and on the held-out
        rows ("val_loss", empty if none are held out) in each epoch. With a linear
        output, it refers to rows divided by the root mean variance of the features. It
        omits constants, is divided by the number of features, and always uses the full
        `beta`, even during the warm-up. If training may stop early, "val_loss" leaves
        out the 2 % of the rows that PCA reconstructs worst. If the rows are held out in
        folds, "val_loss" is the mean over the folds, and so is "loss" if the estimator
        is PCA. If fewer than 50 rows make the estimator PCA, "loss" holds the mean
        squared error of PCA, in the same units.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature
        names that are all strings.

    See Also
    --------
    DenseAE : Autoencoder with better reconstructions, but without a prior on the codes.

    Notes
    -----
    After training, each code is shifted and scaled so that its distribution over all
    rows has mean 0 and variance 1, like the prior. The reconstruction does not change,
    and the bound increases.

    References
    ----------
    .. [1] Kingma, D. P., & Welling, M. (2014). Auto-encoding variational Bayes. ICLR.
    .. [2] Rybkin, O., Daniilidis, K., & Levine, S. (2021). Simple and effective VAE
       training with calibrated decoders. ICML.
    .. [3] Higgins, I., et al. (2017). beta-VAE: Learning basic visual concepts with a
       constrained variational framework. ICLR.
    .. [4] Burda, Y., Grosse, R., & Salakhutdinov, R. (2016). Importance weighted
       autoencoders. ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import VAETransformer
    >>> X = load_digits().data
    >>> autoencoder = VAETransformer(2, max_iter=20, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape
    (1797, 2)
    >>> mean, std = autoencoder.posterior(X)
    >>> autoencoder.active_units_
    array([ True,  True])
    >>> autoencoder.sample(5, random_state=0).shape
    (5, 64)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseDense._parameter_constraints,
        "loss": [StrOptions({"squared_error", "binary_crossentropy"})],
        "beta": [Interval(Real, 0, None, closed="left")],
        "kl_warmup": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components: int = 2,
        *,
        beta: float = 1.0,
        kl_warmup: int | str = "auto",
        hidden_layer_sizes: Any = "auto",
        activation: str = "gelu",
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

    _keras_parts = (*BaseDense._keras_parts, "posterior")

    def _describe_network(
        self, n_features: int, hidden_layer_sizes: tuple[int, ...], n_components: Any
    ) -> Network:
        network = super()._describe_network(
            n_features, hidden_layer_sizes, n_components
        )
        return replace(network, encoder=replace(network.encoder, log_variance=True))

    def _resolved_code_activation(self) -> str:
        return "linear"

    def _code_kind(self, start: Start) -> CodeKind:
        return VariationalCode(float(self.beta), self._warmup())

    def _warmup(self) -> int:
        if isinstance(self.kl_warmup, str):
            return min(_AUTO_WARMUP, int(self.max_iter) // 2)
        if self.kl_warmup >= self.max_iter:
            raise ValueError(
                f"{type(self).__name__} got kl_warmup={self.kl_warmup}, which must be "
                f"less than max_iter={self.max_iter}: the bound is trained only after "
                "the warm-up. Lower it, raise max_iter, or use kl_warmup='auto'."
            )
        return int(self.kl_warmup)

    def posterior(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the posterior distribution of the codes of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        mean : ndarray of shape (n_samples, n_components)
            Means of the codes, which `transform` returns too.
        std : ndarray of shape (n_samples, n_components)
            Standard deviations of the codes.
        """
        check_is_fitted(self)
        mean, log_variance = self._posterior(self._validate_rows(X))
        return mean, np.exp(0.5 * log_variance)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw new rows by decoding codes drawn from the standard normal prior.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows to draw.
        random_state : int, RandomState instance or None, default=None
            Source of the codes. Pass an int for reproducible rows. `None` takes fresh
            entropy from the operating system.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Means of the rows given their codes, without observation noise.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        shape = (int(n_samples), self.n_components_)
        return self._decode(as_generator(random_state).standard_normal(shape))

    def elbo(self, X: Any, random_state: Any = None) -> np.ndarray:
        """Return the evidence lower bound of each row.

        It is a lower bound on the log-density of the row (on its log-probability for
        the loss "binary_crossentropy"), estimated with one code drawn from the
        posterior of the row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to evaluate.
        random_state : int, RandomState instance or None, default=None
            Source of the codes. Pass an int for a reproducible estimate. `None` takes
            fresh entropy from the operating system.

        Returns
        -------
        bounds : ndarray of shape (n_samples,)
            Bounds in nats, summed over the features, for rows in the units of the data.
        """
        check_is_fitted(self)
        X = self._validate_rows(X)
        rng = as_generator(random_state)
        # As fitted, whatever the parameters are now.
        variance = getattr(self, "noise_variance_", None)
        deviation = None if variance is None else np.sqrt(variance)

        def bound(block: np.ndarray) -> np.ndarray:
            mean, log_variance = self._posterior(block)
            output = self._decode(_draw(mean, log_variance, rng))
            if deviation is None:
                terms = binary_crossentropy(np, block, output)
            else:  # in single precision, the square of the difference may overflow
                terms = 0.5 * ((block - output) / deviation) ** 2
                terms += np.log(np.sqrt(2 * np.pi)) + np.log(deviation)
            divergence = kl_to_prior(np, mean, log_variance)
            return -terms.sum(axis=1) - divergence.sum(axis=1)

        return by_blocks(X, bound)

    def _posterior(self, X: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Return the means and the log-variances of the codes."""
        arrays = self._encoder_arrays
        X = X.astype(arrays[0].dtype, copy=False)
        stack = self._network.encoder
        log_variance = forward_log_variance(stack, arrays, X)
        return forward(stack, arrays, X), clip_log_variance(np, log_variance)

    def _set_estimator_attributes(self, X: DataRows, seed: int) -> None:
        rng = as_generator(seed)
        divergence, total, squares = np.zeros((3, self.n_components_))
        error = 0.0
        for block in dense_blocks(X):
            mean, log_variance = self._posterior(block)
            divergence += kl_to_prior(np, mean, log_variance).sum(axis=0)
            total += mean.sum(axis=0, dtype=np.float64)
            squares += np.square(mean, dtype=np.float64).sum(axis=0)
            output = self._decode(_draw(mean, log_variance, rng))
            error += np.square(block - output, dtype=np.float64).sum()
        variance = squares / len(X) - (total / len(X)) ** 2
        self.kl_divergence_ = (divergence / len(X)).astype(X.dtype)
        self.active_units_ = variance > _SMALLEST_ACTIVE_VARIANCE
        self.__dict__.pop("noise_variance_", None)
        if self.loss == "squared_error":
            smallest = np.finfo(X.dtype).tiny
            self.noise_variance_ = max(float(error) / X.size, float(smallest))


def _draw(mean: np.ndarray, log_variance: np.ndarray, rng: Any) -> np.ndarray:
    """Draw one code from each posterior."""
    return mean + np.exp(0.5 * log_variance) * rng.standard_normal(mean.shape)
