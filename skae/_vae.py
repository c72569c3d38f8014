"""The variational autoencoder."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from skae._compat import Interval, StrOptions
from skae._dense import BaseDense
from skae._losses import binary_crossentropy, finite_log_variance, kl_to_prior
from skae._network import Network, from_builtins
from skae._numpy_backend import forward, forward_log_variance
from skae._parameters import as_generator
from skae._plan import Bound
from skae._scoring import Rows, by_blocks

if TYPE_CHECKING:
    from skae._base import Start

# Epochs of warm-up, but no more than half of all.
_AUTO_WARMUP = 10

# A code whose mean varies less than this over the rows is not in use (Burda, Grosse &
# Salakhutdinov, 2016).
_SMALLEST_ACTIVE_VARIANCE = 0.01


class VAETransformer(BaseDense):
    """Variational autoencoder: codes follow a standard normal distribution.

    The encoder gives each row a normal distribution of codes, by two heads for mean and
    log-variance; a code drawn from it is decoded, and training maximises a lower bound
    of the rows' likelihood: reconstruction minus divergence from a standard normal
    prior [1]_. So near codes decode to similar rows, there are no holes between them,
    and codes drawn from the prior decode to new rows: :meth:`sample`.

    :meth:`transform` returns the means and is deterministic. As in :class:`DenseAE`,
    training starts as PCA, and the network is kept only if it reconstructs held-out
    rows from the means better than PCA does. Where PCA is the answer, codes are
    PCA's, scaled to the prior, with the variances of probabilistic PCA.

    Parameters
    ----------
    n_components : int, default=2
        Size of the code. It may exceed the number of features or samples.

    beta : float, default=1.0
        Weight of the divergence of the codes from the prior. With 1 training maximises
        the evidence lower bound; more makes codes more independent of each other, at
        the price of the reconstruction [3]_, and the network is then always kept.

    kl_warmup : "auto" or int, default="auto"
        Number of epochs in which that weight grows from zero to `beta` in a straight
        line, less than `max_iter`. Training does not stop early before it has. "auto"
        is 10, but at most half of `max_iter`.

    hidden_layer_sizes : "auto", int or array-like of int, default="auto"
        Widths of the layers between the input and the code, which the decoder mirrors.
        ``()`` is the classic network whose only hidden layer is the code. "auto" is
        ``(256, 128)``.

    activation : str, default="gelu"
        Activation function of the hidden layers, by its name in Keras: one of "elu",
        "gelu", "leaky_relu", "linear", "relu", "selu", "sigmoid", "silu", "softmax",
        "softplus" and "tanh".

    output_activation : str, default="linear"
        Activation function of the output. With any other than "linear", `X` is used as
        it is, neither centred nor scaled, and the PCA start is only an initialisation:
        the network is always kept.

    pca_shortcut : bool, default=True
        Whether the mean of the code and the decoder have a linear path beside their
        layers. Both start as PCA, and the variance of the code as in probabilistic PCA.
        With `False` the network is the plain stack of layers, it is trained by plain
        Adam, and it is always kept.

    loss : {"squared_error", "binary_crossentropy"}, default="squared_error"
        Distribution of a row given its code, of which training minimises the negative
        logarithm. "squared_error" is a normal distribution whose variance, the same for
        all features, is learned [2]_, so that the weight of the reconstruction does not
        depend on the units of the data. "binary_crossentropy" is a Bernoulli
        distribution for each feature; it needs `X` in [0, 1] and
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
        Whether rows are held out to stop training and to choose between the network and
        PCA, by the mean gain of the network over PCA: it must exceed twice its standard
        error. Where PCA may be the answer, what is held out depends on the rows:

        - from 1,000 rows on, the share `validation_fraction`; the weights of the best
          epoch are kept;
        - from 50 rows on, each of five folds in turn; the network is then trained anew
          on all rows, for as many epochs as are best for the folds: an eighth, a
          quarter, a half or all of `max_iter`, but more than `kl_warmup`. Unless it is
          all, the weights are the means over the second half of these epochs, without
          those of the warm-up;
        - fewer rows cannot decide, and the estimator is PCA.

        With `False` the network is trained on all rows for `max_iter` epochs and always
        kept.

    validation_fraction : float, default=0.1
        Share of the rows to hold out, but at least two rows, where it is not done by
        cross-validation.

    n_iter_no_change : int, default=10
        Training stops after this many epochs in sequence without improvement of the
        bound on the rows held out by `validation_fraction`, once `kl_warmup` is over.

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
        Share of the variance along each component. Only where PCA is the answer.

    kl_divergence_ : ndarray of shape (n_components,)
        Divergence of each code's posterior from the prior in nats, its mean over the
        training rows: what the code tells about a row.

    active_units_ : ndarray of bool of shape (n_components,)
        Whether each code is in use: whether the variance of its mean over the training
        rows exceeds 0.01 [4]_.

    noise_variance_ : float
        Variance of a feature around its reconstruction, in the squared units of the
        data, estimated from the training rows. Only with the loss "squared_error".

    n_iter_ : int
        Number of epochs trained; at least 1.

    history_ : dict of str to list of float
        Negative evidence lower bound on training rows ("loss") and on held-out rows
        ("val_loss", possibly empty) of each epoch, in the units of training, without
        constants and divided by the number of features; with the whole `beta`, also
        during the warm-up. Where there are folds, "val_loss" is their mean, and so is
        "loss" where PCA is the answer.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature
        names that are all strings.

    See Also
    --------
    DenseAE : Better reconstruction; codes without a prior.

    Notes
    -----
    After training each code is shifted and scaled so that its distribution over all
    rows has mean 0 and variance 1, as the prior has. The reconstruction stays the same
    and the bound rises.

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
        self.beta = beta
        self.kl_warmup = kl_warmup

    _keras_parts = (*BaseDense._keras_parts, "posterior")

    def _describe_network(self, n_features: int, n_components: Any) -> Network:
        network = super()._describe_network(n_features, n_components)
        return replace(network, encoder=replace(network.encoder, log_variance=True))

    def _resolved_code_activation(self) -> str:
        return "linear"

    def _plan_additions(self, start: Start) -> dict[str, Any]:
        return {"bound": Bound(float(self.beta), self._warmup())}

    def _warmup(self) -> int:
        if isinstance(self.kl_warmup, str):
            return min(_AUTO_WARMUP, int(self.max_iter) // 2)
        if self.kl_warmup >= self.max_iter:
            raise ValueError(
                f"kl_warmup={self.kl_warmup} must be less than max_iter="
                f"{self.max_iter}: the bound is trained only after the warm-up. Lower "
                "it, raise max_iter, or use kl_warmup='auto'."
            )
        return int(self.kl_warmup)

    def posterior(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the distribution of the codes of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        mean : ndarray of shape (n_samples, n_components)
            Means, which `transform` returns.
        std : ndarray of shape (n_samples, n_components)
            Standard deviations.
        """
        check_is_fitted(self)
        mean, log_variance = self._posterior(self._validate_rows(X))
        return mean, np.exp(0.5 * log_variance)

    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Draw new rows: codes from the standard normal prior, decoded.

        Parameters
        ----------
        n_samples : int, default=1
            Number of rows.
        random_state : int, RandomState instance or None, default=None
            Source of the codes. Pass an int for reproducible rows; `None` takes entropy
            from the operating system.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            The decoder's means, without the noise around them.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        shape = (int(n_samples), self.n_components_)
        return self._decode(as_generator(random_state).standard_normal(shape))

    def elbo(self, X: Any, random_state: Any = None) -> np.ndarray:
        """Return the evidence lower bound of each row.

        It bounds the log-density of the row (the log-probability with the loss
        "binary_crossentropy") from below, and is estimated with one code drawn from the
        row's posterior.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        random_state : int, RandomState instance or None, default=None
            Source of the codes. Pass an int for a reproducible estimate; `None` takes
            entropy from the operating system.

        Returns
        -------
        bounds : ndarray of shape (n_samples,)
            In nats, summed over features, in the units of the data.
        """
        check_is_fitted(self)
        X = self._validate_rows(X)
        rng = as_generator(random_state)
        # As fitted, whatever the parameters are now.
        variance = getattr(self, "noise_variance_", None)

        def bound(block: np.ndarray) -> np.ndarray:
            mean, log_variance = self._posterior(block)
            output = self._decode(_draw(mean, log_variance, rng))
            if variance is None:
                terms = binary_crossentropy(np, block, output)
            else:
                terms = 0.5 * (
                    (block - output) ** 2 / variance + np.log(2 * np.pi * variance)
                )
            divergence = kl_to_prior(np, mean, log_variance)
            return -terms.sum(axis=1) - divergence.sum(axis=1)

        return by_blocks(X, bound)

    def _posterior(self, X: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Return the means and the log-variances of the codes."""
        arrays = self._encoder_arrays
        X = X.astype(arrays[0].dtype, copy=False)
        stack = from_builtins(self._network).encoder
        log_variance = forward_log_variance(stack, arrays, X)
        return forward(stack, arrays, X), finite_log_variance(np, log_variance)

    def _set_additions(self, X: np.ndarray, seed: int) -> None:
        mean, log_variance = self._posterior(X)
        self.kl_divergence_ = kl_to_prior(np, mean, log_variance).mean(axis=0)
        self.active_units_ = mean.var(axis=0) > _SMALLEST_ACTIVE_VARIANCE
        self.__dict__.pop("noise_variance_", None)
        if self.loss == "squared_error":
            codes = _draw(mean, log_variance, as_generator(seed))
            error = np.mean((X - self._decode(codes)) ** 2, dtype=np.float64)
            self.noise_variance_ = max(float(error), np.finfo(X.dtype).tiny)


def _draw(mean: np.ndarray, log_variance: np.ndarray, rng: Any) -> np.ndarray:
    """Draw one code from each posterior."""
    return mean + np.exp(0.5 * log_variance) * rng.standard_normal(mean.shape)
