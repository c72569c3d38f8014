"""Makes the result of a fit: the network in the units of the data, or PCA."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skae._fit.acceptance import column_means, pca_errors
from skae._fit.code_units import CodeUnits, TrainedCodes
from skae._fit.result import FitResult, mean_curve
from skae._fit.targets import errors_by_row, pca_codes, scores
from skae._network.affine import Units, scaling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skae._fit.acceptance import HoldoutComparison
    from skae._fit.pca import PrincipalAxes
    from skae._fit.run import Trained
    from skae._fit.targets import TargetHead
    from skae._fit.task import FitTask
    from skae._train.config import TrainingResult


def network_result(
    task: FitTask, trained: Trained, comparison: HoldoutComparison
) -> FitResult:
    """Return the trained network, with its codes in the final units of their kind."""
    encoder = trained.result.weights.astype(np.float64).encoder
    codes = TrainedCodes(
        task.plan.network.encoder, encoder, task.Z, task.all_rows.train
    )
    units = task.plan.code_kind.final_units(codes, pca_scale(task, trained.axes))
    return network_result_in(task, trained, comparison, units)


def pca_scale(task: FitTask, axes: PrincipalAxes) -> np.ndarray:
    """Return what a code of unit variance in training stands for in units of PCA."""
    unit = task.scale if task.plan.has_linear_output else 1.0
    if task.plan.pca_shortcut:
        return axes.unit_scale * unit
    return np.full(task.plan.n_components, unit)


def network_result_in(
    task: FitTask,
    trained: Trained,
    comparison: HoldoutComparison,
    units: CodeUnits,
) -> FitResult:
    """Return the trained network, with its codes in the given units."""
    plan, result, dtype = task.plan, trained.result, task.X.dtype
    curve, pca_curve = comparison.curve, comparison.pca_curve
    weights, nested = plan.code_kind.fold(
        plan.network,
        result.weights.astype(np.float64),
        Units(task.input_units, units.map),
    )
    target_score, pca_target_score = comparison.target_scores
    return FitResult(
        network=plan.network,
        weights=weights.astype(dtype),
        mean=task.mean.astype(dtype),
        scale=task.scale,
        code_scale=np.ones(plan.n_components) if units.scale is None else units.scale,
        history={"loss": result.loss, "val_loss": result.val_loss},
        reconstruction_error=float(curve[-1]),
        pca_reconstruction_error=float(pca_curve[-1]),
        held_out=bool(result.val_loss),
        variance_ratio=plan.code_kind.variance_ratio(comparison),
        interrupted=result.interrupted,
        curve=plan.code_kind.curve(curve),
        pca_curve=plan.code_kind.curve(pca_curve),
        nested=nested and nested.astype(dtype),
        ending=result.ending,
        head=_final_head(task, trained, units),
        target_score=target_score,
        pca_target_score=pca_target_score,
    )


def _final_head(task: FitTask, trained: Trained, units: CodeUnits) -> TargetHead | None:
    """Return the trained head for targets, of codes in their final units."""
    if trained.head is None:
        return None
    weights, plan = trained.result.weights.astype(np.float64), task.plan
    arrays = plan.code_kind.trained_head(plan.network, weights)
    head = trained.head.with_arrays(arrays)
    return head.after(units.map and units.map.inverse()).astype(task.X.dtype)


def pca_result(
    task: FitTask,
    comparison: HoldoutComparison | None = None,
    trainings: Sequence[TrainingResult] = (),
) -> FitResult:
    """Return PCA of all rows, with the record of the trainings it was compared with."""
    plan, dtype = task.plan, task.X.dtype
    axes = task.rows.pca(plan.n_components).axes(plan.n_components)
    if comparison is None:
        curve = column_means(pca_errors(plan, axes, task.rows_of_pca()))
        score = _target_score_of_pca(task)
    else:
        curve = comparison.pca_curve
        _, score = comparison.target_scores
    error = float(curve[-1])
    # Without a training, the loss is the squared error in the units of training.
    loss, val_loss = [error / task.scale**2], []
    if trainings:
        loss = mean_curve([training.loss for training in trainings])
        val_loss = mean_curve([training.val_loss for training in trainings])
    network, weights, code_scale = plan.code_kind.pca(axes)
    head = task.head_of_pca(task.all_rows)
    return FitResult(
        network=network,
        weights=weights.astype(dtype),
        mean=task.mean.astype(dtype),
        scale=task.scale,
        code_scale=code_scale,
        history={"loss": loss, "val_loss": val_loss},
        reconstruction_error=error,
        pca_reconstruction_error=error,
        held_out=bool(val_loss),
        used_network=False,
        variance_ratio=axes.variance_ratio,
        interrupted=bool(trainings) and trainings[-1].interrupted,
        ending=trainings[-1].ending if trainings else None,
        curve=plan.code_kind.curve(curve),
        pca_curve=plan.code_kind.curve(curve),
        head=head and head.after(scaling(1 / code_scale)).astype(dtype),
        target_score=score,
        pca_target_score=score,
    )


def _target_score_of_pca(task: FitTask) -> float | None:
    """Return the score of the head on PCA's codes, on the rows it is fitted to."""
    head = task.head_of_pca(task.all_rows)
    if head is None:
        return None
    axes = task.axes(task.all_rows)
    errors = [
        errors_by_row(head.kind, rows.labels, [head(pca_codes(axes, rows.inputs))])
        for rows in task.comparison_rows(task.all_rows)
        if rows.labels is not None
    ]
    (score,) = scores(np.concatenate(errors))
    return score
