"""The fully connected autoencoder."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from skae._base import BaseAutoencoder, Start
from skae._fit.code_kinds import CodeKind, NestedCode, PrincipalCode
from skae._fit.n_components import n_components_of_pca, n_components_to_train
from skae._network.architectures import Activations, dense_network
from skae._utils.compat import Interval, StrOptions

if TYPE_CHECKING:
    from skae._fit.rows import TrainingRows
    from skae._network.description import Network
    from skae._utils.blocks import DataRows


# A few codes need a decoder that bends much: a third layer lowers the error of two by
# some percent, and with narrow layers a fit takes half the time. With more codes, data
# are nearer to linear, and width serves them better than depth.
# Judged by `python -m benchmarks full --only quality few_rows`.
_FEW_CODES = 4
_SIZES_FOR_FEW_CODES = (128, 64, 64)
_SIZES_FOR_MORE_CODES = (256, 128)


class BaseDense(BaseAutoencoder):
    """Base class of the fully connected autoencoders, with their network."""

    def _auto_hidden_layer_sizes(self, n_components: Any) -> tuple[int, ...]:
        if n_components <= _FEW_CODES:
            return _SIZES_FOR_FEW_CODES
        return _SIZES_FOR_MORE_CODES

    def _describe_network(
        self, n_features: int, hidden_layer_sizes: tuple[int, ...], n_components: Any
    ) -> Network:
        code_activation = self._resolved_code_activation()
        return dense_network(
            (n_features, *hidden_layer_sizes, int(n_components)),
            Activations(self.activation, code_activation, self.output_activation),
            bool(self.pca_shortcut),
        )

    def _resolved_code_activation(self) -> str:
        """Return the name of the code's activation function."""
        return self.code_activation


class DenseAE(BaseDense):
    """Fully connected autoencoder, a nonlinear alternative to PCA.

    An encoder maps each row to a code of `n_components` numbers, and a decoder maps the
    code back to the row. Both are trained together to reconstruct the rows [1]_. The
    encoder and the decoder each have a linear path parallel to their layers. The linear
    path is initialised with PCA and the layers are initialised such that they output
    zero, so training begins with the reconstruction of
    :class:`~sklearn.decomposition.PCA` and improves on it. The network is accepted only
    if it reconstructs held-out rows better than PCA by more than chance explains.
    Otherwise the estimator is PCA fitted to all rows, and `used_network_` is `False`.

    Like PCA, the estimator minimises squared error in the units of the data: it centres
    the features and does not scale them individually. Put a
    :class:`~sklearn.preprocessing.StandardScaler` in front of it as you would with PCA.

    Fitting requires TensorFlow. A fitted estimator holds only NumPy arrays, so loading
    and using it does not require TensorFlow.

    Parameters
    ----------
    n_components : int, float or "auto", default=2
        Size of the code (the latent dimension). It may exceed the number of features or
        samples. A float between 0 and 1 is the share of the variance to explain, as in
        PCA. "auto" selects the elbow of the variance explained by ordered codes [5]_.
        It considers as many components as PCA needs to explain 95 % of the variance,
        but at most 64.

        With a float or "auto", ordered codes are trained first. The smallest number of
        codes that reaches the share or the elbow is kept, and these codes are trained
        without the others for a quarter of `max_iter` epochs. The share of the variance
        that a number of codes leaves unexplained is estimated as the share that PCA
        leaves unexplained on its training rows, times the error ratio: the network's
        error on held-out rows divided by PCA's. If the network is always kept and none
        of the numbers tried reaches the target, the largest of them is used.

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
        components, so that the first codes alone reconstruct as well as possible [6]_.
        `truncate` then returns an estimator with fewer codes, without another fit. The
        network is accepted only if it is better than PCA at every number of codes; with
        as many codes as the rank of the data, the estimator is therefore PCA. Requires
        a linear code. If `n_components` is a float or "auto", this parameter has no
        effect and the codes that are kept are not ordered.

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy"}, \
            default="squared_error"
        Loss to minimise. The network must also beat PCA in this loss to be accepted.
        With a linear output, it is measured in units of the root mean variance of the
        features; the Huber loss becomes linear at an error of 1. "binary_crossentropy"
        requires `X` in [0, 1] and ``output_activation="sigmoid"``.

    alpha : float, default=0.0
        Strength of the L2 penalty ``alpha / 2 * sum(kernel ** 2)`` on all kernels
        except those of the linear path. The penalty is added to the loss, which is a
        mean over rows and features.

    learning_rate_init : float, default=0.003
        Peak learning rate of Adam [2]_. The rate rises to it during the first five
        epochs and then decays to zero along a cosine until `max_iter`. For ordered
        codes, the peak is 3 times as high if there are enough rows for full batches,
        and lower otherwise.

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
        them. Unless other parameters require that the network is always kept, the
        number of rows determines how rows are held out:

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
        if none are held out. If the estimator is PCA, it is the error of PCA.

    pca_reconstruction_error_ : float
        Mean squared error of PCA with the same number of components, fitted to the same
        training rows and measured on the same rows.

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
        rows and measured on the same rows.

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
    sklearn.decomposition.PCA : The optimal linear autoencoder.
    sklearn.decomposition.KernelPCA : Nonlinear codes from a kernel method.

    Notes
    -----
    After training, the codes of a linear code layer are centred, rotated to their
    principal axes, and given the signs of PCA. They are then uncorrelated and sorted by
    variance, and the reconstruction does not change. Ordered codes are centred and
    given these signs, but not rotated. The scale of the codes starts as that of PCA,
    but training may change it; use `whiten` if a subsequent step depends on the scale.

    If training starts from PCA, Gaussian noise is added to the inputs, less of it the
    more rows there are [3]_, and the kernels are subject to a small weight decay [4]_.
    If training on few rows ends early, the weights of several epochs are averaged [7]_.

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
    The points of a spiral lie on a curve, which one code can follow but one principal
    component cannot:

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

    Next to nothing of PCA's error is left:

    >>> pca = PCA(n_components=1).fit(X)
    >>> pca_error = np.mean((X - pca.inverse_transform(pca.transform(X))) ** 2)
    >>> error = np.mean((X - autoencoder.reconstruct(X)) ** 2)
    >>> print(f"{error / pca_error:.1f}")
    0.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseDense._parameter_constraints,
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            StrOptions({"auto"}),
        ],
        "ordered": ["boolean"],
        "whiten": ["boolean"],
    }

    # The `n_components` of the latest fit, with which alone training may go on.
    _fitted_n_components: float | str | None = None

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
        holdout: Any = "random",
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self._set_parameters(locals())

    def truncate(self, n_components: int) -> Self:
        """Return an autoencoder of the first ordered codes, without another fit.

        The codes of the returned autoencoder are the first columns of the codes of this
        one. Its parameters include ``ordered=False`` and ``warm_start=True``, so that
        calling `fit` on it continues to train these codes alone. A quarter of
        `max_iter` is usually enough for that.

        Parameters
        ----------
        n_components : int
            Number of codes to keep, at most `n_components_`.

        Returns
        -------
        truncated : object
            A fitted copy with the given `n_components`.

        Raises
        ------
        ValueError
            If `n_components` exceeds the number of codes, or if the codes are not
            ordered.
        """
        check_is_fitted(self)
        result = self._result()
        if result.curve is None or (self.used_network_ and result.nested is None):
            raise ValueError(
                f"The codes of this {type(self).__name__} are not ordered, so the "
                "first ones alone do not reconstruct. Fit it with ordered=True and an "
                "int n_components."
            )
        if not isinstance(n_components, Integral) or not (
            1 <= n_components <= self.n_components_
        ):
            raise ValueError(
                f"To truncate this {type(self).__name__}, n_components must be an int "
                f"from 1 to the number of codes, n_components_={self.n_components_}, "
                f"got {n_components!r}."
            )
        copy = clone(self).set_params(
            n_components=int(n_components), ordered=False, warm_start=True
        )
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(copy, name, getattr(self, name))
        copy._set_result(result.truncated(int(n_components)))
        return copy

    def _n_codes(self, rows: TrainingRows, start: Start) -> int:
        if isinstance(self.n_components, Integral):
            return int(self.n_components)
        if start is Start.RESUMED:
            if self.n_components != self._fitted_n_components:
                raise ValueError(
                    f"This {type(self).__name__} was not fitted with n_components="
                    f"{self.n_components!r}, and cannot go on with it. Restore the "
                    "n_components that it was fitted with, or fit a clone."
                )
            return self.n_components_
        if start is Start.FIRST_BLOCK:
            return n_components_of_pca(rows, self.n_components)
        return n_components_to_train(rows, self.n_components)

    def _variance_target(self, start: Start) -> float | str | None:
        is_given = isinstance(self.n_components, Integral)
        return None if is_given or start is not Start.FRESH else self.n_components

    def _code_kind(self, start: Start) -> CodeKind:
        is_given = isinstance(self.n_components, Integral)
        is_nested = bool(self.ordered) if is_given else start is Start.FRESH
        if self.whiten:
            self._check_linear_code("whiten=True")
        if is_nested:
            asks = "ordered=True" if is_given else "n_components as a share or 'auto'"
            self._check_linear_code(asks)
        if self.code_activation != "linear":
            return CodeKind()
        return (NestedCode if is_nested else PrincipalCode)(bool(self.whiten))

    def _set_estimator_attributes(self, X: DataRows, seed: int) -> None:
        asked = self.n_components
        self._fitted_n_components = asked if isinstance(asked, str) else float(asked)
