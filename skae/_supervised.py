"""The supervised autoencoder."""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

from skae._dense import BaseDense
from skae._fit.supervised_code import PrincipalSupervisedCode, SupervisedCode
from skae._targets import (
    ClassEncoding,
    Encoding,
    GivenTargets,
    LabelSettings,
    NumberEncoding,
    encode_targets,
)
from skae._utils.compat import Interval, StrOptions, _fit_context

if TYPE_CHECKING:
    from skae._base import Start
    from skae._fit.code_kinds import CodeKind
    from skae._fit.result import FitResult
    from skae._fit.targets import TargetHead, Targets
    from skae._utils.blocks import DataRows


class SupervisedAE(BaseDense):
    """Autoencoder whose codes also separate the classes, or predict numbers.

    A :class:`DenseAE` with a linear head on its codes, which is trained beside the
    decoder to predict the labels `y` and then dropped [1]_. The direction that
    separates the classes may explain little of the variance, so codes that only
    reconstruct may miss it: with few codes and many classes, a classifier on these
    codes is far more accurate. They still reconstruct the rows.

    Codes of the training rows know the labels of these rows. A classifier that is
    fitted to them must therefore be judged on other rows: put both into a
    :class:`~sklearn.pipeline.Pipeline` and cross-validate that; see :ref:`classifiers`.

    As in `DenseAE`, training starts from PCA, and its head from logistic or ridge
    regression on PCA's codes. The network is accepted only if the sum of its losses on
    held-out rows is lower than that of PCA with this head. Otherwise the estimator is
    PCA fitted to all rows, and `used_network_` is `False`.

    Parameters
    ----------
    n_components : int, default=2
        Size of the code (the latent dimension). It may exceed the number of features or
        samples.

    target_weight : float, default=0.5
        Weight of the loss of the labels, relative to that of the reconstruction. Both
        losses are measured in units in which PCA with a linear head on its codes has 1
        on the training rows, so a weight means the same on all data. A larger weight
        separates the classes more, at the cost of the reconstruction.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in their loss, as in scikit-learn's classifiers.
        "balanced" weighs classes inversely to their number of rows. Only for classes.

    target_type : {"auto", "multiclass", "continuous"}, default="auto"
        Whether the labels are classes or numbers to predict. "auto" tells them apart as
        :func:`~sklearn.utils.multiclass.type_of_target` does, which takes whole numbers
        for classes: set "continuous" if they are counts or amounts.

    unlabelled : object, default=None
        Value in `y` that marks rows without a label, such as -1 (as in
        :mod:`sklearn.semi_supervised`) or ``np.nan``. These rows are trained to be
        reconstructed only. With `None`, every row has a label.

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

    loss : {"squared_error", "absolute_error", "huber", "binary_crossentropy"}, \
            default="squared_error"
        Loss of the reconstruction. With a linear output, it is measured in units of the
        root mean variance of the features; the Huber loss becomes linear at an error of
        1. "binary_crossentropy" requires `X` in [0, 1] and
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
        network and PCA. Rows are held out so that each class has its share of them.
        The network is accepted if, on held-out rows, the sum of its losses (the labels'
        times `target_weight`) is below that of PCA with the best linear head on its
        codes by more than twice the standard error of the difference, or by more if
        fewer than 100 rows or few groups are compared, or if folds disagree by more
        than chance explains. In heavy-tailed data, where a few
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
        sum of both losses on the held-out rows, unless these are folds. Epochs count
        from 75 % of `max_iter` on, when the learning rate has fallen. Before that, only
        epochs count in which the sum is no lower than before training, and none of the
        first five.

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

    target_score_ : float
        Accuracy of the classes that the linear head predicts from the codes, or R2 of
        its numbers, on the rows that `reconstruction_error_` is measured on. If the
        estimator is PCA, it is that of the head on PCA's codes.

    pca_target_score_ : float
        The same of PCA with the best linear head on its codes (logistic or ridge
        regression), fitted to the same training rows and measured on the same rows.

    classes_ : ndarray of shape (n_classes,)
        The classes. Defined only if the labels are classes.

    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the variance along each component. Defined only if the estimator is
        PCA.

    n_iter_ : int
        Number of epochs trained; at least 1.

    history_ : dict of str to list of float
        Loss on the training rows ("loss", without penalties) and on the held-out rows
        ("val_loss", empty if none are held out) in each epoch: that of the
        reconstruction, in the units described under `loss`, plus that of the labels by
        its weight in the same units. If training may stop early, "val_loss" leaves out
        the 2 % of the rows that PCA reconstructs worst. If the rows are held out in
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
    DenseAE : Autoencoder that needs no labels.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : Linear codes that
        separate classes, at most one fewer than there are classes.
    sklearn.neighbors.NeighborhoodComponentsAnalysis : Linear codes for nearest
        neighbours.
    sklearn.cross_decomposition.PLSRegression : Linear codes that predict numbers.

    Notes
    -----
    After training, the codes of a linear code layer are centred, rotated to their
    principal axes and get PCA's signs, as those of `DenseAE`. The head is kept, as two
    small arrays, only so that `partial_fit` and `warm_start` can continue from it.

    References
    ----------
    .. [1] Le, L., Patterson, A., & White, M. (2018). Supervised autoencoders: Improving
       generalization performance with unsupervised regularizers. NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from skae import DenseAE, SupervisedAE
    >>> X, y = load_digits(return_X_y=True)
    >>> def accuracy(autoencoder):
    ...     model = make_pipeline(autoencoder, LogisticRegression())
    ...     return cross_val_score(model, X, y, cv=3).mean()
    >>> supervised = SupervisedAE(2, whiten=True, max_iter=20, random_state=0)
    >>> unsupervised = DenseAE(2, whiten=True, max_iter=20, random_state=0)
    >>> print(f"{accuracy(unsupervised):.1f} {accuracy(supervised):.1f}")
    0.7 0.9
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseDense._parameter_constraints,
        "target_weight": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "target_type": [StrOptions({"auto", "multiclass", "continuous"})],
        "unlabelled": [Real, str, None],
        "whiten": ["boolean"],
    }

    # The head, and how labels are encoded: weights of the classes, or mean and scale of
    # the numbers.
    _target_head: TargetHead
    _label_units: tuple[Any, ...]

    def __init__(
        self,
        n_components: int = 2,
        *,
        target_weight: float = 0.5,
        class_weight: Any = None,
        target_type: str = "auto",
        unlabelled: Any = None,
        hidden_layer_sizes: Any = "auto",
        activation: str = "gelu",
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        X_val: Any = None,
        y_val: Any = None,
    ) -> Self:
        """Fit the autoencoder to the rows of `X` and their labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, at least two. Sparse input is made dense block by block,
            never all at once if it is large.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Labels: one column of classes, or one or more columns of numbers. Required;
            the default is `None` only because scikit-learn's transformers have it.
        groups : array-like of shape (n_samples,), default=None
            The group of each row, such as the subject that it was measured on. With
            ``holdout="random"``, or with a splitter that uses groups, rows of a group
            stay together: they are all trained on or all held out. At least two
            groups. ``holdout="blocks"`` takes no notice of them.
        X_val : {array-like, sparse matrix} of shape (n_held_out, n_features), \
                default=None
            The rows to hold out, in the place of a part of `X`; at least two, in the
            units of `X`. All rows of `X` are then trained on. With
            ``early_stopping=False`` the errors are measured on them, but nothing is
            decided by them.
        y_val : array-like of shape (n_held_out,) or (n_held_out, n_targets), \
                default=None
            Labels of `X_val`, with which they must be passed.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the parameters or the arguments are invalid, or if the loss is not finite
            from the start of training. A previous fit is then preserved.
        """
        return self._fit(X, GivenTargets(y, y_val), groups, X_val)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, classes: Any = None) -> Self:
        """Train for one epoch on a block of rows and their labels.

        No rows are held out, so `early_stopping` and `holdout` are ignored, and there
        are neither groups nor validation rows to pass. The first block determines the
        mean, the scale and the PCA start, the units of the labels' loss and, unless
        they are passed, the classes: it should be representative. Later blocks continue
        from the current state, whether fitted by `fit` or by `partial_fit`, at the
        constant learning rate `learning_rate_init`. With ``batch_size="auto"``, a small
        block is a single batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Block of rows; the first block must have at least two. Sparse input is made
            dense block by block.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Labels of the block.
        classes : array-like of shape (n_classes,), default=None
            All classes that later blocks may have. Used in the first call only; with
            `None`, they are those of the first block.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        return self._partial_fit(X, GivenTargets(y, classes=classes))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags

    def _targets(
        self, given: GivenTargets, X: DataRows, X_val: DataRows | None, resumed: bool
    ) -> Targets | None:
        settings = LabelSettings(
            type(self).__name__, self.target_type, self.unlabelled, self.class_weight
        )
        known = self._label_encoding() if resumed else None
        targets, encoding = encode_targets(settings, given, X, X_val, known)
        self._set_label_encoding(encoding)
        return targets

    def _label_encoding(self) -> Encoding:
        if "classes_" in vars(self):
            return ClassEncoding(self.classes_, *self._label_units)
        return NumberEncoding(*self._label_units)

    def _set_label_encoding(self, encoding: Encoding) -> None:
        self.__dict__.pop("classes_", None)
        if isinstance(encoding, ClassEncoding):
            self.classes_ = encoding.classes
            self._label_units = (encoding.weights,)
        else:
            self._label_units = (encoding.mean, encoding.scale)

    def _code_kind(self, start: Start) -> CodeKind:
        encoding = self._label_encoding()
        code_kind = SupervisedCode(
            target_kind=encoding.kind,
            n_targets=encoding.n_targets,
            target_weight=float(self.target_weight),
        )
        if self.whiten:
            self._check_linear_code("whiten=True")
        if self.code_activation != "linear":
            return code_kind
        return PrincipalSupervisedCode(bool(self.whiten), **vars(code_kind))

    def _set_result(self, result: FitResult) -> None:
        super()._set_result(result)
        assert result.head is not None
        assert result.target_score is not None
        assert result.pca_target_score is not None
        self.target_score_ = result.target_score
        self.pca_target_score_ = result.pca_target_score
        self._target_head = result.head

    def _result(self) -> FitResult:
        return replace(
            super()._result(),
            head=self._target_head,
            target_score=self.target_score_,
            pca_target_score=self.pca_target_score_,
        )
