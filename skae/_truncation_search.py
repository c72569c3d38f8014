"""Chooses a number of codes by the score of a later model, at one fit a fold."""

from __future__ import annotations

from copy import deepcopy
from time import perf_counter
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import estimator_html_repr, get_tags, indexable
from sklearn.utils.parallel import Parallel, delayed

from skae._callbacks import CallbackMixin, MetaTask
from skae._html import DocumentationLinkMixin
from skae._truncation_folds import FoldTask, evaluate_fold
from skae._truncation_steps import (
    DividedEstimator,
    check_n_components,
    divide,
    fit_ordered,
)
from skae._utils.compat import _fit_context
from skae._utils.html import html_table
from skae._utils.parameters import check_integers
from skae._utils.search_compat import (
    BaseSearchCV,
    _check_method_params,
    _insert_error_scores,
    _warn_or_raise_about_fit_failures,
)


class TruncationSearchCV(DocumentationLinkMixin, CallbackMixin, BaseSearchCV):
    """Search for the number of codes that a later model needs, at one fit a fold.

    A :class:`~sklearn.model_selection.GridSearchCV` over `n_components` trains an
    autoencoder for each number and fold. This search trains one ordered autoencoder
    [1]_ for each fold, with the largest number of codes, and truncates it to the
    others. Only the steps after the autoencoder are fitted anew for each number. The
    results, attributes and methods are those of `GridSearchCV`.

    The estimator of the best number is the same: one ordered fit to all rows, truncated
    to that number, with the later steps fitted to its codes. Where the ordered
    autoencoder is no better than PCA, it is PCA, and so is the truncated one.

    Parameters
    ----------
    estimator : Pipeline, DenseAE or DenoisingAE
        A :class:`~sklearn.pipeline.Pipeline` with one autoencoder that can be ordered,
        usually followed by a classifier or regressor; or that autoencoder itself. The
        search sets its `n_components` and ``ordered=True``. Steps before it are fitted
        once for each fold.

    n_components : sequence of int
        Numbers of codes to try, in any order: at most as many as the rows that the
        autoencoder gets in a fold, and as the features of these rows. Numbers at which
        PCA is exact make the ordered autoencoder PCA for all of them; a warning says
        so.

    step : str, default=None
        Name of the step to truncate. `None` is the only one that can be ordered.

    scoring : str, callable, list, tuple or dict, default=None
        Scoring of the estimator, as in `GridSearchCV`. `None` uses the estimator's own
        `score`, if a step follows the autoencoder. An autoencoder's own `score` cannot
        choose: it rises with every code.

    cv : int, cross-validation generator or iterable, default=None
        Splits, as in `GridSearchCV`; `None` stands for five folds.

    n_jobs : int, default=None
        Number of folds that run at the same time, in processes of their own; as in
        `GridSearchCV`. Each process imports TensorFlow and compiles the network.

    refit : bool, str or callable, default=True
        Whether to fit the estimator of the best number to all rows. With several
        scores it names the one that decides. A callable gets `cv_results_` and returns
        `best_index_`.

    refine : bool, default=False
        Whether to train the codes of `best_estimator_` without the others, for a
        quarter of `max_iter` epochs, before the later steps are fitted to them. That
        reconstructs better, but is no longer the model that was scored. Not done if
        the autoencoder is PCA.

    verbose : int, default=0
        If positive, each score is logged to the logger "skae".

    pre_dispatch : int or str, default="2*n_jobs"
        Number of folds that are sent to the processes ahead, as in `GridSearchCV`.

    error_score : "raise" or float, default=nan
        Score of a fit that fails. "raise" raises its error. If an ordered fit fails,
        all numbers get this score in its fold.

    return_train_score : bool, default=False
        Whether to score the training rows of each fold, too.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray
        Scores, times and parameters, one value for each number of codes in the order
        given, under the keys of `GridSearchCV`. The time of an ordered fit is divided
        equally among the numbers, so that the fit times add up to the time spent.

    best_estimator_ : estimator
        The estimator fitted to all rows, with the best number of codes. Its parameters
        are those of `estimator`, but `n_components` is that number and `ordered` is
        `False`. Not set if `refit` is `False`.

    best_score_ : float
        Mean score of the best number over the folds. Not set if `refit` is callable.

    best_params_ : dict of str to int
        The best number, by the name of the parameter, such as
        ``{"denseae__n_components": 8}``.

    best_index_ : int
        Index of the best number in `n_components` and in `cv_results_`.

    scorer_ : callable or dict
        Scorer that was used, or a dict of them.

    n_splits_ : int
        Number of folds.

    refit_time_ : float
        Seconds that the fit to all rows took. Not set if `refit` is `False`.

    multimetric_ : bool
        Whether there are several scores.

    classes_ : ndarray of shape (n_classes,)
        Classes of `best_estimator_`, if it is a classifier.

    n_features_in_ : int
        Number of features seen during :term:`fit`. Not set if `refit` is `False`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during :term:`fit`. Defined only if `best_estimator_`
        has them.

    See Also
    --------
    DenseAE.truncate : The autoencoder of the first ordered codes.
    compare_with_pca : Compares with PCA at several numbers of components.
    sklearn.model_selection.GridSearchCV : Searches over any parameters.

    Notes
    -----
    One ordered fit serves all numbers, so its codes are a compromise: at a given number
    they reconstruct slightly worse than those of a fit at that number alone. For other
    parameters, put a `TruncationSearchCV` into a `GridSearchCV`.

    A pipeline with `memory` keeps the ordered fits, too: another search with other
    later steps trains nothing if the autoencoder's `random_state` is an int.

    References
    ----------
    .. [1] Rippel, O., Gelbart, M., & Adams, R. (2014). Learning ordered representations
       with nested dropout. ICML.

    Examples
    --------
    Five numbers of codes for a classifier, at the cost of one fit a fold:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skae import DenseAE, TruncationSearchCV
    >>> X, y = load_digits(return_X_y=True)
    >>> model = make_pipeline(
    ...     StandardScaler(),
    ...     DenseAE(max_iter=20, random_state=0),
    ...     LogisticRegression(max_iter=1000),
    ... )
    >>> search = TruncationSearchCV(model, [1, 2, 4, 8, 16], cv=3).fit(X, y)
    >>> search.best_params_
    {'denseae__n_components': 16}
    >>> search.best_estimator_["denseae"].n_components_
    16
    >>> search.predict(X).shape
    (1797,)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseSearchCV._parameter_constraints,
        "step": [str, None],
        "refine": ["boolean"],
    }

    def __init__(
        self,
        estimator: Any,
        n_components: Any,
        *,
        step: str | None = None,
        scoring: Any = None,
        cv: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        refine: bool = False,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            cv=cv,
            n_jobs=n_jobs,
            refit=refit,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.n_components = n_components
        self.step = step
        self.refine = refine

    def __sklearn_tags__(self) -> Any:
        tags, of_estimator = super().__sklearn_tags__(), get_tags(self.estimator)
        # scikit-learn's searches leave these out.
        tags.transformer_tags = deepcopy(of_estimator.transformer_tags)
        tags.target_tags = deepcopy(of_estimator.target_tags)
        return tags

    def _repr_html_inner(self) -> str:
        """Return scikit-learn's diagram, and after a fit the results below it."""
        diagram: str = estimator_html_repr(self)
        return (
            diagram + _html_results(self) if hasattr(self, "cv_results_") else diagram
        )

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] = self._repr_html_inner()
        return bundle

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Score each number of codes, and fit the estimator of the best one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets of the later steps and of the scoring.
        **params : dict of str to object
            Parameters for the fits of the estimator's steps, the scorer and the
            splitter, as in `GridSearchCV`: arrays with a value for each row are divided
            like the rows, and without metadata routing `groups` is the splitter's.

        Returns
        -------
        self : object
            The fitted search.

        Raises
        ------
        TypeError
            If `estimator` is neither a pipeline nor an autoencoder that can be ordered.
        ValueError
            If the parameters do not match each other or `X`. Both errors are raised
            before any training, except that a number may exceed the features that
            steps before the autoencoder leave.
        """
        task, splits, refit_metric = self._prepare(X, y, params)
        callbacks = MetaTask.of(self, n_subtasks=1 + bool(self.refit))
        with callbacks.running():
            folds = self._search(task, splits, callbacks.subtask("search", len(splits)))
            self._set_results(task, folds, refit_metric)
            if self.refit:
                self._refit(task, callbacks.subtask("refit"))
        return self

    def _search(self, task: FoldTask, splits: list[Any], callbacks: MetaTask) -> Any:
        """Return the records of each fold."""
        parallel = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)
        # An ordered fit, then a fit of the later steps for each number.
        n_fits = 1 + len(task.numbers)
        with callbacks.running():
            of_folds = [callbacks.subtask("fold", n_fits) for _ in splits]
            return parallel(
                delayed(evaluate_fold)(task, *split, of_fold)
                for split, of_fold in zip(splits, of_folds, strict=True)
            )

    def _set_results(self, task: FoldTask, folds: Any, refit_metric: Any) -> None:
        records = [record for records in zip(*folds, strict=True) for record in records]
        _warn_or_raise_about_fit_failures(records, self.error_score)
        if callable(self.scoring):
            _insert_error_scores(records, self.error_score)
        scores = records[0]["test_scores"]
        if callable(self.scoring) and isinstance(scores, dict):
            self._check_refit_for_multimetric(scores)
            refit_metric = self.refit
        parameter = task.divided.parameter
        candidates = [{parameter: k} for k in task.numbers]
        results = self._format_results(candidates, len(folds), records)
        self.n_splits_, self.cv_results_ = len(folds), results
        self.multimetric_ = isinstance(scores, dict)
        self.scorer_ = getattr(task.scorer, "_scorers", task.scorer)
        self._set_best(refit_metric)

    def score(self, X: Any, y: Any = None, **params: Any) -> float:
        """Return the score of `best_estimator_`, by the scoring of the search.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to score.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Their targets.
        **params : dict of str to object
            Parameters for the scorer, with metadata routing.

        Returns
        -------
        score : float
            The score; with several scorings the one that `refit` names.
        """
        score: float = super().score(X, y, **params)
        return score

    def _prepare(
        self, X: Any, y: Any, params: dict[str, Any]
    ) -> tuple[FoldTask, list[Any], Any]:
        """Check everything that can be checked before a fit."""
        numbers = _check_numbers(self.n_components)
        divided = divide(self.estimator, self.step)
        _check_can_be_scored(divided, self.scoring)
        scorer, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        routed = self._get_routed_params_for_fit(_check_method_params(X, params=params))
        divided.divide_params(routed.estimator.fit)
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(splitter.split(X, y, **routed.splitter.split))
        if not splits:
            raise ValueError(f"cv must have at least one split, got {self.cv!r}.")
        if divided.before() is None:
            check_n_components(max(numbers), X, min(len(train) for train, _ in splits))
        task = FoldTask(
            divided=divided,
            numbers=numbers,
            X=X,
            y=y,
            fit_params=routed.estimator.fit,
            score_params=routed.scorer.score,
            scorer=scorer,
            error_score=self.error_score,
            return_train_score=self.return_train_score,
            verbose=bool(self.verbose),
        )
        return task, splits, refit_metric

    def _set_best(self, refit_metric: Any) -> None:
        if self.multimetric_ and not self.refit:
            return
        results = self.cv_results_
        self.best_index_ = self._select_best_index(self.refit, refit_metric, results)
        if not callable(self.refit):
            self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
        self.best_params_ = results["params"][self.best_index_]

    def _refit(self, task: FoldTask, callbacks: MetaTask) -> None:
        start = perf_counter()
        numbers = task.numbers
        fitted = fit_ordered(
            task.divided, numbers, task.X, task.y, task.fit_params, callbacks
        )
        self.best_estimator_ = fitted.model(numbers[self.best_index_], self.refine)
        self.refit_time_ = perf_counter() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_


def _html_results(search: TruncationSearchCV) -> str:
    """Return the scores of a fitted search as a table, the best number in bold."""
    results = search.cv_results_
    (numbers,) = (values for key, values in results.items() if key[:6] == "param_")
    columns = {"n_components": [int(number) for number in numbers]}
    for key in results:
        if not key.startswith("mean_test_"):
            continue
        name = key.removeprefix("mean_test_")
        title = "score" if name == "score" else name
        columns[f"mean {title}"] = results[key].tolist()
        columns[f"std of {title}"] = results[f"std_test_{name}"].tolist()
        if f"mean_train_{name}" in results:
            columns[f"mean training {title}"] = results[f"mean_train_{name}"].tolist()
    columns["seconds of a fit"] = results["mean_fit_time"].tolist()
    rows = list(zip(*columns.values(), strict=True))
    return html_table(list(columns), rows, getattr(search, "best_index_", None))


def _check_numbers(n_components: Any) -> tuple[int, ...]:
    numbers = check_integers(n_components, "n_components", "TruncationSearchCV")
    if not numbers:
        raise ValueError("n_components of TruncationSearchCV is empty: nothing to try.")
    return numbers


def _check_can_be_scored(divided: DividedEstimator, scoring: Any) -> None:
    if scoring is None and not divided.has_later_steps():
        raise ValueError(
            "TruncationSearchCV got an estimator without a step after the autoencoder, "
            "and scoring=None. The autoencoder's own score is the share of the "
            "variance that is explained, which rises with every code, so it always "
            "chooses the largest number. Add the model that uses the codes to the "
            "pipeline, or pass scoring."
        )
