"""Chooses how many codes to keep, by the share of the variance that they explain.

Nested codes are trained first. From their errors the number of codes is estimated; that
many are then refined, which means trained without the others for a short while, and the
estimate is corrected by what they turn out to explain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from skae._fit.finalize import network_result, pca_result
from skae._fit.report import warn_of_pca
from skae._fit.run import Regime, Run, snapshot_epochs, train_and_compare
from skae._fit.trials import (
    Trial,
    best,
    is_kept,
    kept_network,
    pca_of_too_few_rows,
    trials_of_snapshots,
    try_network,
)
from skae._network.nested import levels

if TYPE_CHECKING:
    from skae._fit.plan import FitPlan
    from skae._fit.result import FitResult
    from skae._fit.rows import TrainingRows
    from skae._fit.task import FitTask
    from skae._network.description import Network

# The constants below are judged by `python -m benchmarks full --only dimension`.

# The elbow is looked for among as many codes as PCA needs for this share of the
# variance, but at most the second number.
_ELBOW_SHARE = 0.95
_MAX_ELBOW = 64

# Share of the epochs that codes are refined for, and about the share of the error that
# refining removes.
_REFINING_EPOCHS = 0.25
_REFINED_ERROR = 0.1

# Numbers of codes that are refined at most.
_MAX_REFINED = 4


def n_components_of_pca(
    rows: TrainingRows, target: float | str, most: int | None = None
) -> int:
    """Return how many components of PCA reach the target, out of `most` or all."""
    unexplained = rows.unexplained_by_pca(min(rows.X.shape) if most is None else most)
    return n_components_for(unexplained[: _n_eligible(unexplained, target)], target)


def n_components_to_train(rows: TrainingRows, target: float | str) -> int:
    """Return how many nested codes to train, of which the first ones are kept.

    PCA tells how many suffice. The next power of two takes little more time, and spares
    the folds of a search from compiling networks of their own.
    """
    unexplained = rows.unexplained_by_pca(min(rows.X.shape))
    count = _n_eligible if isinstance(target, str) else n_components_for
    enough = count(unexplained, target)
    return int(min(2 ** int(np.ceil(np.log2(enough))), rows.X.shape[1]))


def n_components_for(unexplained: np.ndarray, target: float | str) -> int:
    """Return the fewest codes that explain more than the target, or else all.

    `unexplained` is the share that the first codes leave. The target "auto" stands for
    the elbow of what they explain.
    """
    if isinstance(target, str):
        return elbow(1 - unexplained)
    enough = np.flatnonzero(1 - unexplained > target)
    return int(enough[0]) + 1 if len(enough) else len(unexplained)


def _n_eligible(unexplained_by_pca: np.ndarray, target: float | str) -> int:
    """Return the largest number of codes to choose from, by what PCA explains."""
    if isinstance(target, str):
        return min(n_components_for(unexplained_by_pca, _ELBOW_SHARE), _MAX_ELBOW)
    return len(unexplained_by_pca)


def elbow(explained: np.ndarray) -> int:
    """Return the number of codes at which the curve of explained variance bends most.

    There the curve is highest above the straight line from no codes to all of them
    (Satopää, Albrecht, Irwin & Raghavan, 2011, "Finding a 'kneedle' in a haystack").
    """
    n_codes = np.arange(1, len(explained) + 1)
    height = explained - explained[-1] * n_codes / len(explained)
    return int(height.argmax()) + 1


def expected_after_refining(unexplained: np.ndarray) -> np.ndarray:
    """Estimate the share left unexplained by any number of codes trained alone.

    `unexplained` is what nested codes leave. Training attends most to the levels, so
    between two of them it is at most the straight line between their logarithms.
    """
    ends = np.array(levels(len(unexplained)))
    n_codes = np.arange(1, len(unexplained) + 1)
    at_ends = np.log(np.maximum(unexplained[ends - 1], np.finfo(np.float64).tiny))
    line = np.exp(np.interp(np.log(n_codes), np.log(ends), at_ends))
    lowest: np.ndarray = np.minimum.accumulate(np.minimum(unexplained, line))
    return lowest


def fit_n_components(
    task: FitTask, target: float | str
) -> tuple[FitResult, Run | None]:
    """Train nested codes, choose how many to keep, and refine those.

    One training of the trial that decided is returned as well, if there was one.
    """
    untried = pca_of_too_few_rows(task)
    if untried is not None:
        return _pca_for(task, untried, target), None
    nested = try_network(task)
    if nested.was_interrupted:
        raise KeyboardInterrupt
    n_kept, refined = _choose(task, nested, target)
    if refined is None:
        warn_of_pca(task.plan, nested.comparison)
        pca = pca_result(task, nested.comparison, nested.trainings)
        return _pca_for(task, pca, target), nested.runs[0]
    all_codes = kept_network(task, nested)
    first = all_codes.truncated_with_curves(n_kept)
    refining = task.with_plan(_refining(task.plan, first.network))
    result = kept_network(refining, refined, first)
    result = all_codes.continued_by(result).with_curves_of(all_codes)
    return result, refined.runs[0]


def _pca_for(task: FitTask, pca: FitResult, target: float | str) -> FitResult:
    n_kept = n_components_of_pca(task.rows, target, task.plan.n_components)
    return pca.truncated_with_curves(n_kept)


def _choose(
    task: FitTask, nested: Trial, target: float | str
) -> tuple[int, Trial | None]:
    """Choose the number of codes and refine them; the trial is `None` for PCA.

    Unexplained variance at k is estimated as PCA's training share times the held-out
    ratio of network error to PCA error. Refined codes correct the estimate as long as
    that leads to another number. If no number suffices and the network must be kept,
    the largest number that was refined is chosen.
    """
    by_pca = task.rows.unexplained_by_pca(task.plan.n_components)
    expected = expected_after_refining(by_pca * nested.comparison.error_ratio)
    expected = expected[: _n_eligible(by_pca, target)]
    correction = 1 - _REFINED_ERROR
    refined: dict[int, Trial] = {}
    sufficient: list[int] = []
    for _ in range(_MAX_REFINED):
        n_kept = n_components_for(correction * expected, target)
        if n_kept in refined:
            break
        refined[n_kept] = trial = _refine(task, nested, n_kept)
        unexplained = float(by_pca[n_kept - 1] * trial.comparison.error_ratio[-1])
        if is_kept(task, trial) and (
            isinstance(target, str) or unexplained <= 1 - target
        ):
            sufficient.append(n_kept)
        tiny = np.finfo(np.float64).tiny
        correction = unexplained / max(expected[n_kept - 1], tiny)
    if not sufficient and task.plan.may_return_pca:
        return 0, None
    n_kept = min(sufficient, default=max(refined))
    return n_kept, refined[n_kept]


def _refine(task: FitTask, nested: Trial, n_kept: int) -> Trial:
    """Train the first codes alone for a short while, on the same splits as before."""
    folds: list[list[Run]] = []
    for trial_run in nested.runs:
        result = network_result(task, trial_run.trained, trial_run.comparison)
        first = result.truncated(n_kept)
        refining = task.with_plan(_refining(task.plan, first.network))
        regime = Regime(stop_early=task.plan.early_stopping, task="refining")
        if nested.n_epochs is not None:
            epochs = snapshot_epochs(refining.plan, len(task.X))
            regime = Regime(epochs, task="refining")
        folds.append(train_and_compare(refining, trial_run.split, regime, first))
        if folds[-1][-1].trained.result.interrupted:
            raise KeyboardInterrupt
    return best(trials_of_snapshots(folds, regime.snapshot_epochs))


def _refining(plan: FitPlan, network: Network) -> FitPlan:
    """Plan to train the network of the first codes, which are no longer nested."""
    return replace(
        plan,
        network=network,
        code_kind=plan.code_kind.when_truncated(),
        variance_target=None,
        max_iter=max(1, int(_REFINING_EPOCHS * plan.max_iter)),
    )
