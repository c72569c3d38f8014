"""The fully connected autoencoder."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skae._answers import truncated
from skae._base import BaseAutoencoder, Start
from skae._choosing import n_codes_to_try, n_wanted_of_pca, unexplained_by_pca
from skae._compat import Interval, StrOptions
from skae._network import ACTIVATIONS, Activations, Network, dense_network

if TYPE_CHECKING:
    import numpy as np

# Judged by `python -m benchmarks full --only quality`.
_AUTO_HIDDEN_LAYER_SIZES = (256, 128)


class BaseDense(BaseAutoencoder):
    """What the autoencoders of fully connected layers share: the network."""

    def _describe_network(self, n_features: int, n_components: Any) -> Network:
        sizes = self._hidden_layer_sizes(_AUTO_HIDDEN_LAYER_SIZES)
        return dense_network(
            (n_features, *sizes, int(n_components)),
            Activations(
                self.activation,
                self._resolved_code_activation(),
                self.output_activation,
            ),
            self.pca_shortcut,
        )

    def _resolved_code_activation(self) -> str:
        """Return the name of the code's activation function."""
        return self.code_activation


class DenseAE(BaseDense):
    """Autoencoder of fully connected layers, in the place of PCA.

    An encoder maps each row to a code of `n_components` numbers, and a decoder maps the
    code back to the row; both are trained together to reconstruct the rows [1]_. A
    linear path beside each half starts as PCA and the layers start at zero, so that
    training begins with the reconstruction of :class:`~sklearn.decomposition.PCA` and
    improves on it. The network is kept only if it reconstructs held-out rows better
    than PCA, by more than chance explains; otherwise the estimator is PCA of all rows,
    and `used_network_` says so.

    Like PCA, the estimator minimises squared error in the units of the data: it centres
    the features and never scales them one by one. Put a
    :class:`~sklearn.preprocessing.StandardScaler` in front as you would with PCA.

    Fitting needs TensorFlow. A fitted estimator holds NumPy arrays only, so it is
    loaded and used without it.

    Parameters
    ----------
    n_components : int, float or "auto", default=2
        Size of the code. It may exceed the number of features or samples. A float
        between 0 and 1 is the share of the variance to explain, as in PCA. "auto" is
        the elbow of what ordered codes explain [5]_, among as many as PCA needs for
        95 %, but 64 at most. For either, ordered codes are trained first; the fewest
        that suffice are kept, and trained without the others for a quarter of the
        epochs. What suffices is counted by what PCA leaves of its training rows, times
        the error of the network relative to PCA's on rows that are held out. Where
        the network is always kept and no number that was tried suffices, it is the
        largest.

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
        alone reconstruct as well as they can [6]_. Then `truncate` returns the
        estimator of fewer codes, without another fit. The network is kept only if it
        is better than PCA at every number of codes, so with as many as the rows have
        dimensions the answer is PCA. Needs a linear code. Where `n_components` is no
        int, it makes no difference: the codes that are kept are not ordered.

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
        Peak learning rate of Adam [2]_. It is reached after five epochs, and decays to
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
    sklearn.decomposition.PCA : The best linear autoencoder.
    sklearn.decomposition.KernelPCA : Nonlinear codes, from a kernel.

    Notes
    -----
    Codes of a linear code layer are rotated to their principal axes after training,
    centred, and given PCA's signs: they are uncorrelated and sorted by variance, and
    the reconstruction is the same. Their scale starts as PCA's but is the network's to
    choose; use `whiten` where a following step depends on it.

    While it trains from PCA, the network sees its inputs with Gaussian noise added,
    less the more rows there are [3]_, and its kernels decay a little [4]_. Where few
    rows end training early, weights of several epochs are averaged [7]_.

    References
    ----------
    .. [1] Hinton, G. E., & Salakhutdinov, R. R. (2006). Reducing the dimensionality of
       data with neural networks. Science, 313(5786), 504-507.
    .. [2] Kingma, D. P., & Ba, J. (2015). Adam: A method for stochastic optimization.
       ICLR.
    .. [3] Bishop, C. M. (1995). Training with noise is equivalent to Tikhonov
       regularization. Neural Computation, 7(1), 108-116.
    .. [4] Loshchilov, I., & Hutter, F. (2019). Decoupled weight decay regularization.
       ICLR.
    .. [5] Satopää, V., Albrecht, J., Irwin, D., & Raghavan, B. (2011). Finding a
       "kneedle" in a haystack: Detecting knee points in system behavior. ICDCS
       Workshops.
    .. [6] Rippel, O., Gelbart, M., & Adams, R. (2014). Learning ordered
       representations with nested dropout. ICML.
    .. [7] Izmailov, P., Podoprikhin, D., Garipov, T., Vetrov, D., & Wilson, A. G.
       (2018). Averaging weights leads to wider optima and better generalization. UAI.

    Examples
    --------
    Points along a spiral have one dimension, which no straight line follows:

    >>> import numpy as np
    >>> from sklearn.decomposition import PCA
    >>> from skae import DenseAE
    >>> angle = np.linspace(0, 6, 500)
    >>> X = np.column_stack([angle * np.cos(angle), angle * np.sin(angle)])
    >>> autoencoder = DenseAE(n_components=1, random_state=0).fit(X)
    >>> autoencoder.used_network_
    True
    >>> autoencoder.transform(X).shape
    (500, 1)
    >>> pca = PCA(n_components=1).fit(X)
    >>> pca_error = np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2)
    >>> bool(np.mean((X - autoencoder.reconstruct(X)) ** 2) < pca_error / 3)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseDense._parameter_constraints,
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            StrOptions({"auto"}),
        ],
        "ordered": ["boolean"],
        "code_activation": [StrOptions(set(ACTIVATIONS))],
        "whiten": ["boolean"],
    }

    # The n_components of the fit.
    _wanted: float | str | None = None

    def __init__(
        self,
        n_components: float | str = 2,
        *,
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
        self.ordered = ordered

    def truncate(self, n_components: int) -> Self:
        """Return the autoencoder of the first ordered codes, without another fit.

        Its codes are the first columns of this one's. It is set to ``ordered=False``
        and ``warm_start=True``, so that a following `fit` goes on to train these codes
        alone, for which a quarter of `max_iter` goes far.

        Parameters
        ----------
        n_components : int
            Number of codes to keep, at most `n_components_`.

        Returns
        -------
        truncated : object
            A fitted copy with that `n_components`.

        Raises
        ------
        ValueError
            If there are not as many codes, or if they are not ordered.
        """
        check_is_fitted(self)
        fitted = self._previous()
        if fitted.curve is None or (self.used_network_ and fitted.ordering is None):
            raise ValueError(
                f"The codes of this {type(self).__name__} are not ordered, so the "
                "first ones alone do not reconstruct. Fit it with ordered=True and an "
                "int n_components."
            )
        if not isinstance(n_components, Integral) or not (
            1 <= n_components <= self.n_components_
        ):
            raise ValueError(
                "n_components must be an int from 1 to the number of codes, "
                f"n_components_={self.n_components_}, got {n_components!r}."
            )
        copy = clone(self).set_params(
            n_components=int(n_components), ordered=False, warm_start=True
        )
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(copy, name, getattr(self, name))
        copy._set_fitted(truncated(fitted, int(n_components)))
        return copy

    def _n_codes(self, X: np.ndarray, start: Start) -> int:
        if isinstance(self.n_components, Integral):
            return int(self.n_components)
        if start is Start.RESUMED:
            if self.n_components != self._wanted:
                raise ValueError(
                    f"This {type(self).__name__} was not fitted with n_components="
                    f"{self.n_components!r}, and cannot go on with it. Restore the "
                    "n_components that it was fitted with, or fit a clone."
                )
            return self.n_components_
        if start is Start.FIRST_BLOCK:
            left_by_pca = unexplained_by_pca(X, min(X.shape))
            return n_wanted_of_pca(left_by_pca, self.n_components)
        return n_codes_to_try(X, self.n_components)

    def _plan_additions(self, start: Start) -> dict[str, Any]:
        asked = isinstance(self.n_components, Integral)
        choosing = start is Start.ANEW and not asked
        return {
            "whiten": bool(self.whiten),
            "ordered": (asked and bool(self.ordered)) or choosing,
            "wanted": self.n_components if choosing else None,
        }

    def _set_additions(self, X: np.ndarray, seed: int) -> None:
        wanted = self.n_components
        self._wanted = wanted if isinstance(wanted, str) else float(wanted)
