"""Trials of a network: a hold-out for many rows, cross-validation for few."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from skae._fit.acceptance import HoldoutComparison, joined_folds
from skae._fit.finalize import network_result, pca_result
from skae._fit.result import mean_curve
from skae._fit.run import (
    Regime,
    Run,
    snapshot_epochs,
    train_and_compare,
    train_network,
)
from skae._fit.splits import folds, hold_out, needs_folds
from skae._utils.log import logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skae._fit.result import FitResult
    from skae._fit.task import FitTask
    from skae._train.config import TrainingResult

# Fewer rows than this cannot show that a network beats PCA. Judged by
# `python -m benchmarks full --only quality`.
_MIN_ROWS = 50

# After so many folds, the others are trained to the snapshot after the best one only.
# Judged by `python -m benchmarks full --only few_rows`.
_FOLDS_TO_THE_END = 2


class Trial:
    """Validation of a candidate network: one hold-out run, or one run for each fold.

    Attributes
    ----------
    runs : list of Run
    n_epochs : int or None
        After folds, the number of epochs to train a network on all rows for. After a
        single run, whose network is the candidate itself, it is `None`.
    """

    def __init__(self, runs: Sequence[Run], n_epochs: int | None = None) -> None:
        self.runs = list(runs)
        self.n_epochs = n_epochs

    @cached_property
    def comparison(self) -> HoldoutComparison:
        return joined_folds([run.comparison for run in self.runs])

    @property
    def trainings(self) -> list[TrainingResult]:
        return [run.trained.result for run in self.runs]

    @property
    def was_interrupted(self) -> bool:
        return self.trainings[-1].interrupted


def pca_of_too_few_rows(task: FitTask) -> FitResult | None:
    """Return PCA if the rows are too few for a trial, with a line that says so."""
    n_distinct = task.n_distinct
    if not task.plan.may_return_pca or n_distinct >= _MIN_ROWS:
        return None
    if task.rows.holdout.X_val is not None:  # no rows need be spared to judge by
        return None
    reason = (
        f"fewer than {_MIN_ROWS} different rows cannot show that a network beats PCA, "
        "so the estimator is PCA. With early_stopping=False the network is kept."
    )
    # Of rows that are all the same there is nothing to warn.
    if len(task.X) >= _MIN_ROWS and n_distinct > 1:
        warnings.warn(
            f"{task.plan.estimator} got {len(task.X)} rows, but only {n_distinct} of "
            f"them are different: {reason}",
            UserWarning,
            stacklevel=2,
        )
    else:
        name = task.plan.estimator
        logger.info("%s got %d different rows: %s", name, n_distinct, reason)
    return pca_result(task)


def is_kept(task: FitTask, trial: Trial) -> bool:
    """Tell whether the network is kept rather than PCA."""
    return not task.plan.may_return_pca or trial.comparison.is_accepted


def is_cross_validated(task: FitTask, previous: FitResult | None) -> bool:
    """Tell whether the network is tried in folds rather than by one hold-out."""
    return task.plan.may_return_pca and previous is None and needs_folds(task)


def try_network(task: FitTask, previous: FitResult | None = None) -> Trial:
    """Train, and compare with PCA on held-out rows, if any are held out."""
    plan = task.plan
    if is_cross_validated(task, previous):
        return _cross_validate(task)
    holds_out = plan.early_stopping or task.rows.holdout.X_val is not None
    split = hold_out(task) if holds_out else task.all_rows
    regime = Regime(stop_early=plan.early_stopping)
    return Trial(train_and_compare(task, split, regime, previous))


def _cross_validate(task: FitTask) -> Trial:
    """Hold out each row once, and return the trial of the best snapshot."""
    epochs = snapshot_epochs(task.plan, len(task.X))
    runs: list[list[Run]] = []
    splits = folds(task)
    progress = task.plan.progress
    progress.begin("folds", len(splits))
    for fold, split in enumerate(splits, start=1):
        # The first fold may be the only one.
        n_trainings = 1 if fold == 1 else len(splits)
        regime = Regime(epochs, fold=fold, n_trainings=n_trainings, task="fold")
        runs.append(train_and_compare(task, split, regime))
        trials = trials_of_snapshots(runs, epochs)
        if trials[-1].was_interrupted:
            raise KeyboardInterrupt
        if all(trial.comparison.is_clearly_worse for trial in trials):
            break
        if fold >= _FOLDS_TO_THE_END:
            n_kept = trials.index(best(trials)) + 2
            epochs, runs = epochs[:n_kept], [run[:n_kept] for run in runs]
    progress.end()
    return best(trials)


def trials_of_snapshots(folds: list[list[Run]], epochs: tuple[int, ...]) -> list[Trial]:
    """Return the trial of each snapshot, or of the only run if there are none."""
    return [*map(Trial, zip(*folds, strict=True), epochs or [None])]


def best(trials: Sequence[Trial]) -> Trial:
    """Return the trial with the largest gain over PCA."""
    return max(trials, key=lambda trial: trial.comparison.mean_gain)


def kept_network(
    task: FitTask, trial: Trial, previous: FitResult | None = None
) -> FitResult:
    """Return the network of the trial, or after folds one trained on all rows.

    That one starts from the weights of the `previous` fit if given.
    """
    if trial.n_epochs is None:
        return network_result(task, trial.runs[0].trained, trial.comparison)
    regime = Regime(
        (trial.n_epochs,), n_trainings=len(trial.runs), task="final training"
    )
    trained = train_network(task, task.all_rows, regime, previous)
    _warn_if_stopped(task, trial, trained.result)
    val_losses = [training.val_loss[: trial.n_epochs] for training in trial.trainings]
    result = replace(trained.result, val_loss=mean_curve(val_losses))
    trained = trained._replace(result=result)
    kept = network_result(task, trained, trial.comparison)
    return replace(kept, epochs_of_folds=True)


def _warn_if_stopped(task: FitTask, trial: Trial, training: TrainingResult) -> None:
    """Warn if a callback has stopped the final training before those of the folds."""
    shortest = min(len(fold.loss) for fold in trial.trainings)
    n_epochs = len(training.loss)
    if training.stopped_by_callback and n_epochs < min(shortest, trial.n_epochs or 0):
        warnings.warn(
            f"A callback stopped the final training of {task.plan.estimator} after "
            f"{n_epochs} epochs, but those of the folds went on for longer. So "
            "reconstruction_error_, which is theirs, does not hold for the network. "
            "Let the callback stop all trainings alike.",
            UserWarning,
            stacklevel=2,
        )
