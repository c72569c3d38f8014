"""Finds outliers by the error of their reconstruction."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_is_fitted,
    has_fit_parameter,
    validate_data,
)

from skae._callbacks import CallbackMixin, MetaTask
from skae._dense import DenseAE
from skae._holdout import group_codes
from skae._html import DocumentationLinkMixin
from skae._outlier_export import OutlierExportMixin
from skae._reconstruction_errors import (
    ADVICE,
    FoldTask,
    codes_of,
    held_out_residuals,
    limits_of,
    residuals_of,
    root_mean_squares,
    warn_of_exactness,
    warn_of_few_rows,
)
from skae._transaction import changed_on_success
from skae._utils.compat import HasMethods, Interval, StrOptions, _fit_context
from skae._utils.frames import refuse_text
from skae._utils.parameters import as_generator

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLOATS = (np.float64, np.float32)

# The default estimator has one code for so many features.
_FEATURES_PER_CODE = 2


class ReconstructionOutlierDetector(
    OutlierExportMixin,
    DocumentationLinkMixin,
    OutlierMixin,
    CallbackMixin,
    BaseEstimator,
):
    """Outlier detector by the error of the reconstruction.

    A transformer that has `inverse_transform` reconstructs each row from fewer numbers.
    Rows like those of the training are reconstructed well, others are not [1]_. The
    detector adds a score, a threshold, and an account of the features that make a row
    unusual, to any such transformer: an autoencoder, PCA, or a pipeline.

    The threshold is set on rows that the transformer has not been fitted to: those that
    it has learnt are reconstructed better than fresh ones, and a threshold set on them
    would flag too many of the fresh ones. Codes are kept within the limits of the
    training rows, as far outside of them PCA and networks extrapolate, and reconstruct
    what they should not.

    Parameters
    ----------
    estimator : transformer, default=None
        Transformer with `fit`, `transform` and `inverse_transform`; it is cloned. Fewer
        codes than features, or other constraints, must keep it from reconstructing
        every row. `None` is :class:`DenseAE` with half as many codes as features,
        rounded down, at least 1. Put a scaler before the detector rather than into the
        estimator: errors are measured between what the estimator gets and returns, in
        these units. A :class:`~sklearn.frozen.FrozenEstimator` is not fitted again.
        All rows given to `fit` then set the threshold, so they should be fresh: not
        those that it was fitted to.

    contamination : "auto" or float, default="auto"
        "auto" sets the threshold such that the share `false_alarm_rate` of rows like
        the training rows is flagged. A float in (0, 0.5] is the share of training rows
        that are outliers: that share is flagged, by the errors of the fit to all rows,
        as in :class:`~sklearn.ensemble.IsolationForest`.

    false_alarm_rate : float, default=0.05
        With ``contamination="auto"``, share of rows like the training rows to flag,
        between 0 and 1. Outliers among the training rows raise the threshold.

    error : {"squared", "absolute"}, default="squared"
        Whether the score sums the squares or the absolute values of the errors of a
        row's features. The absolute error is the one of the textbooks' networks for
        signals; single samples weigh less in it.

    units : {"data", "held_out"}, default="data"
        Units of the errors in the score. "data": those of `X`. "held_out": the error of
        each feature is divided by its root mean square over the held-out rows,
        `feature_scale_`, so that features that can hardly be reconstructed count no
        more than others.

    code_limits : float or None, default=0.1
        Whether to keep codes within limits before they are decoded, so that rows beyond
        all that the training has seen are not reconstructed by extrapolation. A float
        from 0 to below 1 is the share of training rows, at most, with a code outside
        the limits. It is divided among the codes: the limits of each are its quantiles
        at ``code_limits / (2 * n_codes)`` and at 1 minus that. 0 takes the smallest and
        the largest code. `None` sets no limits.

    cv : int or splitter, default=5
        Folds that the held-out rows come from, at least 2. An int divides the rows at
        random, groups as a whole. Give series a splitter of scikit-learn that keeps
        neighbours together.

    n_jobs : int, default=None
        Number of folds that are fitted at the same time, in processes of their own;
        `None` is 1, unless in a :obj:`joblib.parallel_config` context, and -1 is all
        processors. Each process imports TensorFlow and compiles the network.

    random_state : int, RandomState instance or None, default=None
        Source of the folds, and of the seed of the default estimator. Other estimators
        have a `random_state` of their own. Pass an int for reproducible results. `None`
        takes fresh entropy from the operating system.

    Attributes
    ----------
    estimator_ : transformer
        The estimator fitted to all rows, or the frozen one.

    offset_ : float
        Threshold of the score: rows that score lower are outliers.

    code_limits_ : ndarray of shape (2, n_codes) or None
        Lower and upper limits of the codes.

    feature_scale_ : ndarray of shape (n_features,)
        Root mean square of each feature's error over the held-out rows; 1 where all of
        these errors are 0. Not defined if no rows were held out, with a float for
        `contamination` and ``units="data"``.

    n_features_in_ : int
        Number of features seen during :term:`fit`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only when `X` has feature
        names that are all strings.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Outliers by random splits; needs no scaling.
    sklearn.neighbors.LocalOutlierFactor : Outliers by the density around a row.

    Notes
    -----
    With ``contamination="auto"``, the estimator is fitted once to all rows and once for
    each fold. Each row is scored by the fit that has not seen it, and the threshold is
    the `false_alarm_rate` quantile of these scores, at the rank that flags the wanted
    share of fresh rows on average. The fits of the folds have seen fewer rows than the
    final one, so slightly fewer fresh rows are flagged.

    `fit` takes no `sample_weight`: neither PCA nor the autoencoders do.

    References
    ----------
    .. [1] Hawkins, S., He, H., Williams, G., & Baxter, R. (2002). Outlier detection
       using replicator neural networks. DaWaK.

    Examples
    --------
    Digits among which some have their pixels shuffled:

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import train_test_split
    >>> from skae import ReconstructionOutlierDetector
    >>> X, X_test = train_test_split(load_digits().data, random_state=0)
    >>> shuffled = np.random.default_rng(0).permuted(X_test, axis=1)
    >>> detector = ReconstructionOutlierDetector(PCA(16), random_state=0).fit(X)
    >>> float((detector.predict(X_test) == -1).mean().round(2))
    0.06
    >>> float((detector.predict(shuffled) == -1).mean().round(2))
    1.0

    The pixels with the largest errors of the first shuffled digit:

    >>> errors = detector.feature_errors(shuffled[:1], units="held_out")
    >>> np.abs(errors[0]).argsort()[-3:].shape
    (3,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "transform"]), None],
        "contamination": [
            StrOptions({"auto"}),
            Interval(Real, 0, 0.5, closed="right"),
        ],
        "false_alarm_rate": [Interval(Real, 0, 1, closed="neither")],
        "error": [StrOptions({"squared", "absolute"})],
        "units": [StrOptions({"data", "held_out"})],
        "code_limits": [Interval(Real, 0, 1, closed="left"), None],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"])],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        contamination: float | str = "auto",
        false_alarm_rate: float = 0.05,
        error: str = "squared",
        units: str = "data",
        code_limits: float | None = 0.1,
        cv: Any = 5,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.contamination = contamination
        self.false_alarm_rate = false_alarm_rate
        self.error = error
        self.units = units
        self.code_limits = code_limits
        self.cv = cv
        self.n_jobs = n_jobs
        self.random_state = random_state

    # --- The public methods ---

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Self:
        """Fit the estimator, and set the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows, at least two; sparse ones if the estimator takes them.
        y : Ignored
            Passed to a splitter given as `cv`.
        groups : array-like of shape (n_samples,), default=None
            The group of each row, such as the subject that it was measured on. Rows of
            a group stay in one fold; the groups are also passed to the `fit` of an
            estimator that takes them.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        TypeError
            If the estimator has no `inverse_transform`.
        ValueError
            If the parameters or the rows are invalid. A previous fit is then preserved.
        """
        callbacks = MetaTask.of(self, n_subtasks=2)
        with callbacks.running(), changed_on_success(self) as new:
            new._fit(X, y, groups, callbacks)
        return self

    def score_samples(self, X: Any) -> np.ndarray:
        """Return minus the reconstruction error of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Minus the sum over the features of the errors that `error` and `units`
            define. The lower, the more unusual the row.
        """
        check_is_fitted(self)
        residuals = self._residuals(*self._validate(X))
        return self._scores(residuals, getattr(self, "feature_scale_", None))

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the score of each row relative to the threshold.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``, negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Tell outliers from other rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to tell apart.

        Returns
        -------
        labels : ndarray of int of shape (n_samples,)
            -1 for outliers and 1 for other rows.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def feature_errors(self, X: Any, units: str = "data") -> np.ndarray:
        """Return the error of each feature, which says why a row is unusual.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to explain.
        units : {"data", "held_out"}, default="data"
            "data": the units of `X`. "held_out": multiples of `feature_scale_`, the
            root mean square of the feature's error over the held-out rows, which can
            be compared between features.

        Returns
        -------
        errors : ndarray of shape (n_samples, n_features)
            Value minus reconstruction: positive where a value is higher than the other
            features of the row let expect.
        """
        check_is_fitted(self)
        if units not in ("data", "held_out"):
            raise ValueError(f"units must be 'data' or 'held_out', got {units!r}.")
        scale = getattr(self, "feature_scale_", None)
        if units == "held_out" and scale is None:
            raise ValueError(
                "feature_errors has no held-out errors to divide by, as none were "
                f"needed with contamination={self.contamination!r} and units='data'. "
                "Fit with contamination='auto' or units='held_out'."
            )
        residuals = self._residuals(*self._validate(X))
        return residuals if units == "data" else residuals / scale

    # --- The contract with scikit-learn ---

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = DenseAE() if self.estimator is None else self.estimator
        tags.input_tags.sparse = get_tags(inner).input_tags.sparse
        return tags

    # --- The steps of a fit ---

    def _fit(self, X: Any, y: Any, groups: Any, callbacks: MetaTask) -> None:
        if isinstance(self.estimator, type):
            raise TypeError(
                "ReconstructionOutlierDetector expects an estimator instance, got the "
                f"class {self.estimator.__name__}. Add parentheses."
            )
        rows, values = self._validate(X, reset=True)
        rng = as_generator(self.random_state)
        estimator = self._checked_estimator(values.shape[1], rng)
        self.__dict__.pop("feature_scale_", None)
        automatic = self.contamination == "auto"
        is_frozen = isinstance(estimator, FrozenEstimator)
        fit_params = self._fit_params(estimator, groups)
        if automatic and not is_frozen:
            warn_of_few_rows(values.shape[0], self.false_alarm_rate)
        held_out = None
        if (automatic or self.units == "held_out") and not is_frozen:
            folds = [*self._folds(values, y, groups, rng)]
            task = FoldTask(estimator, rows, values, fit_params, self.code_limits)
            held_out = self._cross_fitted(task, folds, callbacks)
        self.estimator_ = estimator if is_frozen else clone(estimator)
        if not is_frozen:
            with callbacks.subtask("final fit").running(self.estimator_):
                self.estimator_.fit(rows, **fit_params)
        codes = codes_of(self.estimator_, rows)
        self.code_limits_ = limits_of(codes, self.code_limits)
        warn_of_exactness(self.estimator_, codes, values)
        residuals = self._residuals(rows, values)
        if is_frozen:
            held_out = residuals
        if held_out is not None:
            self.feature_scale_ = root_mean_squares(held_out)
        self.offset_ = self._threshold(residuals, held_out)

    def _threshold(self, residuals: np.ndarray, held_out: np.ndarray | None) -> float:
        scale = getattr(self, "feature_scale_", None)
        if self.contamination != "auto":
            scores = self._scores(residuals, scale)
            return float(np.percentile(scores, 100.0 * float(self.contamination)))
        assert held_out is not None
        # With this rank the expected share of fresh rows below it is the rate.
        scores = self._scores(held_out, scale)
        return float(np.quantile(scores, self.false_alarm_rate, method="weibull"))

    def _checked_estimator(self, n_features: int, rng: Any) -> Any:
        if self.estimator is None:
            if n_features == 1:
                raise ValueError(
                    "ReconstructionOutlierDetector got X with n_features = 1, which "
                    "cannot be reconstructed from fewer numbers. Pass at least two "
                    "features, or another detector such as IsolationForest."
                )
            seed = int(rng.randint(2**31 - 1))
            return DenseAE(max(1, n_features // _FEATURES_PER_CODE), random_state=seed)
        if not hasattr(self.estimator, "inverse_transform"):
            raise TypeError(
                "ReconstructionOutlierDetector got the estimator "
                f"{self.estimator!r}, which has no inverse_transform to reconstruct "
                f"rows with. {ADVICE}"
            )
        return self.estimator

    def _fit_params(self, estimator: Any, groups: Any) -> dict[str, Any]:
        if groups is None or not has_fit_parameter(estimator, "groups"):
            return {}
        return {"groups": np.asarray(groups)}

    def _folds(
        self, values: Any, y: Any, groups: Any, rng: Any
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield indices of the rows to fit and of those held out."""
        if not isinstance(self.cv, Integral):
            yield from self.cv.split(values, y, groups)
            return
        n_rows = values.shape[0]
        units = np.arange(n_rows)
        if groups is not None:
            units = group_codes(type(self).__name__, values, groups)
        n_units = int(units.max()) + 1
        fold_of_unit = rng.permutation(n_units) % min(int(self.cv), n_units)
        for fold in range(fold_of_unit.max() + 1):
            is_held_out = fold_of_unit[units] == fold
            yield np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)

    def _cross_fitted(
        self,
        task: FoldTask,
        folds: list[tuple[np.ndarray, np.ndarray]],
        callbacks: MetaTask,
    ) -> np.ndarray:
        """Return the residuals of held-out rows, fold after fold."""
        of_folds = callbacks.subtask("folds", len(folds))
        with of_folds.running():
            parallel = Parallel(n_jobs=self.n_jobs)
            subtasks = [of_folds.subtask("fold") for _ in folds]
            residuals = parallel(
                delayed(held_out_residuals)(task, *fold, subtask)
                for fold, subtask in zip(folds, subtasks, strict=True)
            )
        return np.concatenate(residuals)

    # --- Errors and scores ---

    def _validate(self, X: Any, reset: bool = False) -> tuple[Any, Any]:
        """Return the rows for the estimator, a frame if `X` is one, and as numbers."""
        name = type(self).__name__
        with refuse_text(X, name):
            values = validate_data(
                self,
                X,
                reset=reset,
                accept_sparse="csr",
                dtype=_FLOATS,
                ensure_min_samples=2 if reset else 1,
            )
        return (X if hasattr(X, "columns") else values), values

    def _residuals(self, rows: Any, values: Any) -> np.ndarray:
        codes = codes_of(self.estimator_, rows)
        return residuals_of(self.estimator_, codes, self.code_limits_, values)

    def _scores(self, residuals: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
        if self.units == "held_out":
            residuals = residuals / scale
        if self.error == "absolute":
            return -np.abs(residuals).sum(axis=1, dtype=np.float64)
        return -np.einsum("ij,ij->i", residuals, residuals, dtype=np.float64)
