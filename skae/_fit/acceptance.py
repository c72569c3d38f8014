"""Compares a trained network with PCA, and decides whether it is accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skae._network.losses import LOSSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skae._fit.pca import PrincipalAxes
    from skae._fit.plan import FitPlan
    from skae._fit.task import ComparisonRows
    from skae._network.description import Weights

# The network must beat PCA by this many standard errors of the paired gains; folds end
# early if it trails by the other number. Judged by
# `python -m benchmarks full --only quality`.
_ACCEPTED_STANDARD_ERRORS = 2.0
_CLEARLY_WORSE_STANDARD_ERRORS = -1.0


class HoldoutComparison(NamedTuple):
    """Errors and losses of the network and of PCA on the same rows.

    There is a column for each cut of nested codes; other codes have a single column.

    Attributes
    ----------
    errors, pca_errors : ndarray of shape (n_rows, n_cuts)
        Mean squared errors over features, in the squared units of the data.
    losses, pca_losses : ndarray of shape (n_rows, n_cuts)
        Mean training losses over features, in the units of training.
    distances : ndarray of shape (n_rows,)
        Mean squared distances to the mean of the training rows, over features.
    """

    errors: np.ndarray
    pca_errors: np.ndarray
    losses: np.ndarray
    pca_losses: np.ndarray
    distances: np.ndarray

    @property
    def curve(self) -> np.ndarray:
        """Mean squared error of the network at each cut."""
        return column_means(self.errors)

    @property
    def pca_curve(self) -> np.ndarray:
        """Mean squared error of PCA at each cut."""
        return column_means(self.pca_errors)

    @property
    def explained(self) -> np.ndarray:
        """Share of the variance explained at each cut; it never decreases."""
        unexplained = np.minimum(self.curve, self.variance) / self.variance
        explained: np.ndarray = np.maximum.accumulate(1 - unexplained)
        return explained

    @property
    def variance(self) -> float:
        """Mean squared distance to the mean of the training rows."""
        return float(max(self.distances.mean(), np.finfo(np.float64).tiny))

    @property
    def error_ratio(self) -> np.ndarray:
        """Error of the network over PCA's at each cut; 1 where PCA's is zero."""
        pca_curve = self.pca_curve
        return np.divide(
            self.curve, pca_curve, out=np.ones_like(pca_curve), where=pca_curve > 0
        )

    def gains_by_row(self) -> np.ndarray:
        """Return how much lower the network's losses are, relative to PCA's mean."""
        reference = column_means(self.pca_losses)
        reference = np.where(reference > 0, reference, 1.0)
        gains: np.ndarray = (self.pca_losses - self.losses) / reference
        return gains

    @property
    def mean_gain(self) -> float:
        """Mean gain over rows and cuts."""
        return float(self.gains_by_row().mean())

    @property
    def is_accepted(self) -> bool:
        """Whether the network is better beyond chance, and worse at no cut."""
        gains = self.gains_by_row()
        better_everywhere = bool((column_means(gains) > 0).all())
        return better_everywhere and _standard_errors(gains) > _ACCEPTED_STANDARD_ERRORS

    @property
    def is_clearly_worse(self) -> bool:
        """Whether further folds are not worth their time."""
        return _standard_errors(self.gains_by_row()) < _CLEARLY_WORSE_STANDARD_ERRORS


def _standard_errors(gains: np.ndarray) -> float:
    """Return the mean gain over rows and cuts, in multiples of its standard error."""
    by_row = gains.mean(axis=1)
    error = by_row.std(ddof=1) / np.sqrt(len(by_row))
    return float(by_row.mean() / max(error, np.finfo(np.float64).tiny))


def column_means(values: np.ndarray) -> np.ndarray:
    """Return the mean of each column, summed in double precision."""
    means: np.ndarray = values.mean(axis=0, dtype=np.float64)
    return means


def compare(
    plan: FitPlan,
    weights: Weights,
    axes: PrincipalAxes,
    blocks: Iterable[ComparisonRows],
) -> HoldoutComparison:
    """Compare the network with PCA on blocks of rows.

    Raises
    ------
    ValueError
        If the network's outputs are not finite.
    """
    return pooled([_compare_block(plan, weights, axes, block) for block in blocks])


def _compare_block(
    plan: FitPlan, weights: Weights, axes: PrincipalAxes, rows: ComparisonRows
) -> HoldoutComparison:
    network = plan.code_kind.network_to_train(plan.network)
    # The network may have diverged, which is found and reported below.
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = plan.code_kind.reconstructions(network, weights, rows.inputs)
    if not all(np.isfinite(output).all() for output in outputs):
        raise ValueError(plan.divergence_message())
    pca_outputs = _pca_reconstructions(plan, axes, rows.inputs)
    return HoldoutComparison(
        _squared_errors(rows, outputs),
        _squared_errors(rows, pca_outputs),
        _losses(plan.loss, rows, outputs),
        _losses(plan.loss, rows, pca_outputs),
        _squared_errors(rows, [axes.mean])[:, 0],
    )


def pooled(comparisons: list[HoldoutComparison]) -> HoldoutComparison:
    """Join the rows of several comparisons."""
    if len(comparisons) == 1:
        return comparisons[0]
    return HoldoutComparison(*map(np.concatenate, zip(*comparisons, strict=True)))


def pca_errors(
    plan: FitPlan, axes: PrincipalAxes, blocks: Iterable[ComparisonRows]
) -> np.ndarray:
    """Return PCA's mean squared errors over features, of shape (n_rows, n_cuts)."""
    errors = [
        _squared_errors(rows, _pca_reconstructions(plan, axes, rows.inputs))
        for rows in blocks
    ]
    return np.concatenate(errors)


def _pca_reconstructions(
    plan: FitPlan, axes: PrincipalAxes, inputs: np.ndarray
) -> list[np.ndarray]:
    cuts = plan.code_kind.cuts(plan.n_components)
    return [axes.reconstruct(inputs, cut) for cut in cuts]


def _squared_errors(rows: ComparisonRows, outputs: Iterable[np.ndarray]) -> np.ndarray:
    errors = [
        np.square(output - rows.targets).mean(axis=1, dtype=np.float64) * rows.unit
        for output in outputs
    ]
    return np.column_stack(errors)


def _losses(
    name: str, rows: ComparisonRows, outputs: Iterable[np.ndarray]
) -> np.ndarray:
    loss = LOSSES[name]
    losses = [
        loss(np, rows.targets, output).mean(axis=1, dtype=np.float64)
        for output in outputs
    ]
    return np.column_stack(losses)
