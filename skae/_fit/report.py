"""What the user is told about a fit: warnings where it matters, and a closing line."""

from __future__ import annotations

import warnings
from math import isnan
from typing import TYPE_CHECKING

from skae._fit.near_copies import are_windows, have_near_copies
from skae._network.description import Dense
from skae._train.config import Ending
from skae._utils.log import logger

if TYPE_CHECKING:
    import numpy as np

    from skae._fit.acceptance import HoldoutComparison
    from skae._fit.plan import FitPlan
    from skae._fit.result import FitResult
    from skae._fit.run import Run
    from skae._fit.task import FitTask
    from skae._train.config import Split

# Relative to the variance, a smaller error of PCA is rounding, and so are components of
# PCA with a smaller share of the variance than this multiple of the largest one.
_EXACT = 1e-9
_SMALLEST_RATIO = 1e-13

# Rows whose variance is beyond this multiple of that of others, or below one over it,
# are in other units.
_OTHER_UNITS = 10.0


def warn_of_pca(plan: FitPlan, comparison: HoldoutComparison) -> None:
    """Say why the network gives way to PCA; warn if nothing could be told."""
    if not comparison.tells_something:
        _warn(
            f"The rows that {plan.estimator} held out count as fewer than two "
            "observations: they are of one group or block, or all equal rows that are "
            "trained on. This cannot show that a network beats PCA, so the estimator "
            "is PCA. Hold out more groups or blocks, or pass X_val."
        )
        return
    pca = "PCA"
    if comparison.target_errors is not None:
        pca = "PCA with a linear head on its codes"
    logger.info(
        "%s: on held-out rows the network is not reliably better than %s, so the "
        "estimator is PCA.",
        plan.estimator,
        pca,
    )


def warn_of_result(task: FitTask, result: FitResult, run: Run | None) -> None:
    """Warn where the result of a fit may disappoint.

    `run` is one training of the trial that it was kept by, if there was a trial.
    """
    ratio, split = result.variance_ratio, task.all_rows
    if run is not None:
        ratio, split = run.trained.axes.variance_ratio, run.split
    if ratio is not None:
        _warn_of_spare_codes(task, ratio, split)
    if run is not None and task.rows.holdout.X_val is not None:
        _warn_of_other_units(task, run)
    if result.target_score is not None and isnan(result.target_score):
        _warn(
            f"No row that {task.plan.estimator} held out has a label, so the labels "
            "had no say in whether the network is kept. Label more rows, or pass X_val "
            "and y_val."
        )
    if run is not None and result.used_network:
        _warn_if_worse_than_pca(task.plan, split, result)
        _warn_of_dependent_rows(task, split)


def _warn_of_other_units(task: FitTask, run: Run) -> None:
    """Warn if `X_val` cannot be rows like those of `X`."""
    ratio = float(run.comparison.distances.mean()) / task.scale**2
    if not 1 / _OTHER_UNITS < ratio < _OTHER_UNITS:
        _warn(
            f"{task.plan.estimator} got X_val whose squared distance to the mean of X "
            f"is {ratio:.2g} times the variance of X. Both must be in the same units: "
            "behind a scaler, scale X_val, too, or let the pipeline do so by "
            "transform_input=['X_val']."
        )


def _warn_of_spare_codes(task: FitTask, ratio: np.ndarray, split: Split) -> None:
    """Warn if there are more codes than directions in which the rows vary.

    Feature maps and codes of corrupted rows may well be more. `ratio` is the share of
    the variance along each component of PCA of the rows to train on.
    """
    plan = task.plan
    if (
        not plan.code_kind.compares_with_pca
        or plan.corruption.is_active
        or plan.variance_target is not None
        or not isinstance(plan.network.encoder.layers[-1], Dense)
    ):
        return
    rank = int((ratio > _SMALLEST_RATIO * ratio.max(initial=0.0)).sum())
    if rank >= len(split.train) - 1:  # of all rows it may be larger
        rank = min(len(task.X) - 1, task.X.shape[1])
    if 0 < rank < plan.n_components:
        _warn(
            f"{plan.estimator} got n_components={plan.n_components}, but the centred "
            f"rows have rank {rank}: PCA with n_components={rank} reconstructs them "
            "without error, and more codes add nothing."
        )


def _warn_if_worse_than_pca(plan: FitPlan, split: Split, result: FitResult) -> None:
    """Warn if a network is kept although PCA has the lower error on held-out rows.

    Not where PCA is exact. Where PCA may be the result, acceptance has checked this.
    """
    error, pca_error = result.reconstruction_error, result.pca_reconstruction_error
    if (
        error > pca_error > _EXACT * result.scale**2
        and len(split.held_out)
        and not plan.may_return_pca
        and plan.code_kind.compares_with_pca
    ):
        _warn(
            f"{plan.estimator} keeps its network, as its parameters demand, although "
            f"its mean squared error on held-out rows is {error:.4g} and that of PCA "
            f"with as many components is {pca_error:.4g}. Train it longer, choose "
            "other parameters, or use PCA."
        )


def _warn_of_dependent_rows(task: FitTask, split: Split) -> None:
    """Warn if a network was kept by held-out rows that others depend on."""
    holdout, estimator = task.rows.holdout, task.plan.estimator
    if not len(split.held_out) or holdout.groups is not None:
        return
    if holdout.gap or holdout.splits:
        return
    train, first = split.train, task.rows.first_of_equal
    if first is not None:
        train = train[first[train] == train]
    if holdout.X_val is None and are_windows(task.X):
        _warn(
            f"The rows of {estimator} look like overlapping windows of a series. Rows "
            "held out at random then overlap with rows to train on, so its network may "
            "be worse than PCA on new data, and reconstruction_error_ too low. Set "
            "holdout='blocks'."
        )
    elif have_near_copies(task.Z, train, split.held_out):
        remedy = (
            "Use rows for X_val that are not like rows of X."
            if holdout.X_val is not None
            else "Pass fit the groups of rows that belong together, or X_val."
        )
        _warn(
            f"Rows that {estimator} held out are nearly copies of rows that it trained "
            "on: far nearer than different rows usually are. So its network may be "
            "worse than PCA on new data, and reconstruction_error_ too low. " + remedy
        )


_ENDINGS = {
    None: "no training",
    Ending.ALL_EPOCHS: "all of them",
    Ending.STOPPED_EARLY: "the loss on the held-out rows had ceased to fall",
    Ending.DIVERGED: "the loss was no longer finite",
    Ending.INTERRUPTED: "interrupted",
    Ending.STOPPED_BY_CALLBACK: "a callback stopped the training",
}


def outcome(result: FitResult, seconds: float) -> str:
    """Return the closing line of a fit."""
    n_epochs = 0 if result.ending is None else len(result.history["loss"])
    ending = _ENDINGS[result.ending]
    if result.epochs_of_folds and result.ending is Ending.ALL_EPOCHS:
        ending = "as many as were best for the folds"
    targets = ""
    if result.target_score is not None:
        targets = (
            f" and score of the targets {result.target_score:.4g}, PCA's "
            f"{result.pca_target_score:.4g},"
        )
    kind = "a network" if result.used_network else "PCA"
    rows = "held-out" if result.held_out else "training"
    return (
        f"is {kind} with n_components={result.network.encoder.n_outputs}: mean squared "
        f"error {result.reconstruction_error:.4g}, PCA's "
        f"{result.pca_reconstruction_error:.4g},{targets} on {rows} rows; "
        f"epochs: {n_epochs} ({ending}); {seconds:.1f} s"
    )


def outcome_of_block(result: FitResult, seconds: float) -> str:
    """Return the closing line of a block's epoch."""
    loss = result.history["loss"][-1]
    return f"has trained on a block: loss {loss:.4g}; {seconds:.1f} s"


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=3)
