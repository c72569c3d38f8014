"""One fold of a search: one ordered fit, and a score for each number of codes."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from traceback import format_exc
from typing import TYPE_CHECKING, Any

from skae._truncation_steps import TooManyComponents, fit_ordered
from skae._utils.log import log_shown, logger
from skae._utils.search_compat import (
    _check_method_params,
    _MultimetricScorer,
    _num_samples,
    _safe_split,
    _score,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from skae._callbacks import MetaTask
    from skae._truncation_steps import DividedEstimator


@dataclass(frozen=True, eq=False)
class FoldTask:
    """What the folds of a search have in common.

    Attributes
    ----------
    divided : DividedEstimator
        What is fitted.
    numbers : sequence of int
        Numbers of codes to score.
    X, y : array-like
        All rows, and their targets.
    fit_params, score_params : dict
        Parameters for the fits and for the scorer, for all rows.
    scorer : callable
        Scorer, or scorers, as scikit-learn resolves `scoring`.
    error_score : "raise" or float
        Score of a fit that fails.
    return_train_score, verbose : bool
        As in the search.
    """

    divided: DividedEstimator
    numbers: Sequence[int]
    X: Any
    y: Any
    fit_params: dict[str, Any]
    score_params: dict[str, Any]
    scorer: Any
    error_score: Any
    return_train_score: bool
    verbose: bool


@dataclass(frozen=True)
class _Attempt:
    """The result of a call, or the traceback of its error; and the seconds it took."""

    result: Any
    error: str | None
    seconds: float


@dataclass(frozen=True)
class _Rows:
    """Rows of a fold, with their targets and the parameters for scoring them."""

    X: Any
    y: Any
    score_params: dict[str, Any]


def evaluate_fold(
    task: FoldTask, train: Any, test: Any, callbacks: MetaTask
) -> list[dict[str, Any]]:
    """Return, for each number of codes, what scikit-learn records of a fit and fold.

    The time of the ordered fit is divided equally among the numbers of codes.
    """
    with log_shown(task.verbose), callbacks.running():
        X, y = _safe_split(task.divided.whole, task.X, task.y, train)
        X_test, y_test = _safe_split(task.divided.whole, task.X, task.y, test, train)
        params = _params_of(task, task.fit_params, train)
        of_fit = callbacks.subtask("ordered fit")
        shared = _attempt(
            task, lambda: fit_ordered(task.divided, task.numbers, X, y, params, of_fit)
        )
        trained = _Rows(X, y, _params_of(task, task.score_params, train))
        held_out = _Rows(X_test, y_test, _params_of(task, task.score_params, test))
        records = []
        for n_components in task.numbers:
            with callbacks.subtask(f"n_components={n_components}").running():
                record = _evaluate_number(task, n_components, shared, trained, held_out)
            records.append(record)
        return records


def _params_of(task: FoldTask, params: dict[str, Any], indices: Any) -> dict[str, Any]:
    """Return the parameters of some rows."""
    chosen: dict[str, Any] = _check_method_params(task.X, params, indices=indices)
    return chosen


def _evaluate_number(
    task: FoldTask, n_components: int, shared: _Attempt, train: _Rows, test: _Rows
) -> dict[str, Any]:
    attempt = _Attempt(None, shared.error, 0.0)
    if shared.error is None:
        attempt = _attempt(task, lambda: shared.result.model(n_components))
    start = perf_counter()
    record = {
        "fit_error": attempt.error,
        "test_scores": _scores(task, attempt, test),
        "score_time": perf_counter() - start,
        "fit_time": shared.seconds / len(task.numbers) + attempt.seconds,
        "n_test_samples": _num_samples(test.X),
    }
    if task.return_train_score:
        record["train_scores"] = _scores(task, attempt, train)
    logger.info(
        "TruncationSearchCV: %s=%d scores %s on a fold; fit %.1f s, score %.1f s",
        task.divided.parameter,
        n_components,
        record["test_scores"],
        record["fit_time"],
        record["score_time"],
    )
    return record


def _attempt(task: FoldTask, function: Callable[[], Any]) -> _Attempt:
    """Call a function; its error counts as scikit-learn's `error_score` says."""
    start = perf_counter()
    try:
        return _Attempt(function(), None, perf_counter() - start)
    except TooManyComponents:
        raise
    except Exception:
        if task.error_score == "raise":
            raise
        return _Attempt(None, format_exc(), perf_counter() - start)


def _scores(task: FoldTask, attempt: _Attempt, rows: _Rows) -> Any:
    """Return the score of a fitted estimator, or a dict of them by scorer."""
    if attempt.error is None:
        return _score(
            attempt.result,
            rows.X,
            rows.y,
            task.scorer,
            rows.score_params,
            task.error_score,
        )
    if isinstance(task.scorer, _MultimetricScorer):
        return dict.fromkeys(task.scorer._scorers, task.error_score)
    return task.error_score
