"""Fits a network to rows, or returns PCA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skae._fit.finalize import network_result_in, pca_result, pca_scale
from skae._fit.n_components import fit_n_components
from skae._fit.report import warn_of_pca, warn_of_result
from skae._fit.run import Regime, compare_run, train_network
from skae._fit.task import FitTask
from skae._fit.trials import (
    is_cross_validated,
    is_kept,
    kept_network,
    pca_of_too_few_rows,
    try_network,
)
from skae._utils.progress import Report
from skae._utils.threads import one_blas_thread_if_small

if TYPE_CHECKING:
    from skae._fit.plan import FitPlan
    from skae._fit.result import FitResult
    from skae._fit.rows import TrainingRows
    from skae._fit.run import Run


def fit_network(
    plan: FitPlan, rows: TrainingRows, previous: FitResult | None
) -> FitResult:
    """Fit the network to the rows, or return PCA if it is not better.

    Parameters
    ----------
    plan : FitPlan
    rows : TrainingRows
    previous : FitResult or None
        A fit of the same network to go on from.
    """
    with one_blas_thread_if_small(rows.X.size * rows.X.shape[1]):
        task = FitTask(plan, rows)
        plan.progress.begin("fit", _n_subtasks(task, previous))
        if plan.variance_target is not None:
            result, run = fit_n_components(task, plan.variance_target)
        else:
            result, run = _network_or_pca(task, previous)
        with plan.progress.task("checks"):
            warn_of_result(task, result, run)
        plan.progress.end(Report(lambda: result))
        return result


def _n_subtasks(task: FitTask, previous: FitResult | None) -> int | None:
    """Return the number of subtasks, or `None` if training decides on it."""
    if task.plan.variance_target is not None:
        return None
    # A trial, the decision, the checks; after folds a training on all rows.
    return 4 if is_cross_validated(task, previous) else 3


def _network_or_pca(
    task: FitTask, previous: FitResult | None
) -> tuple[FitResult, Run | None]:
    """Return the result, and one training of the trial that decided it, if any."""
    untried = pca_of_too_few_rows(task)
    if untried is not None:
        return untried, None
    trial = try_network(task, previous)
    with task.plan.progress.task("decision"):
        keeps_network = is_kept(task, trial)
    if keeps_network:
        return kept_network(task, trial), trial.runs[0]
    warn_of_pca(task.plan, trial.comparison)
    return pca_result(task, trial.comparison, trial.trainings), trial.runs[0]


def update_network(
    plan: FitPlan, rows: TrainingRows, previous: FitResult | None
) -> FitResult:
    """Train for one epoch on the rows, holding nothing out.

    Mean, scale and units of the codes stay those of the `previous` fit if given.
    """
    units = None if previous is None else (previous.mean, previous.scale)
    task = FitTask(plan, rows, units)
    with plan.progress.task("fit", 1):
        trained = train_network(task, task.all_rows, Regime(one_epoch=True), previous)
    comparison = compare_run(task, task.all_rows, trained)
    code_units = plan.code_kind.block_units(pca_scale(task, trained.axes), previous)
    result = network_result_in(task, trained, comparison, code_units)
    return result if previous is None else previous.continued_by(result)
