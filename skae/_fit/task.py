"""The task of a fit: its plan, its rows in both units, and PCA of its splits."""

from __future__ import annotations

from copy import copy
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skae._fit.pca import decompose
from skae._fit.targets import head_of_pca
from skae._network.affine import Affine, MappedRows
from skae._train.config import Split
from skae._train.corruption import CorruptionValues, NumpyDraws, RowsToCorrupt
from skae._utils.blocks import JoinedColumns, JoinedRows, row_blocks, row_slices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skae._fit.pca import Decomposition, PrincipalAxes
    from skae._fit.plan import FitPlan
    from skae._fit.rows import TrainingRows
    from skae._fit.targets import TargetHead
    from skae._utils.blocks import DataRows, RowSource

# Rows with at most this many values are brought into the units of training once, and
# not at each epoch anew.
_FEW_VALUES = 2**22

# Of many rows, values to swap in come from some that have few values, but no fewer rows
# than these.
_LEAST_DONORS = 1000

# In units of training, squares of larger values leave single precision.
_FARTHEST = 1e15


class ComparisonRows(NamedTuple):
    """Rows to compare reconstructions on.

    Attributes
    ----------
    targets, inputs : ndarray of shape (n_rows, n_features)
    unit : float
        What a squared error of 1 is in the squared units of the data.
    labels : ndarray of shape (n_rows, n_labels) or None
        Labels of targets, if there are any.
    """

    targets: np.ndarray
    inputs: np.ndarray
    unit: float
    labels: np.ndarray | None = None


class FitTask:
    """What a fit works on.

    Parameters
    ----------
    plan : FitPlan
    rows : TrainingRows
    units : tuple of (ndarray of shape (n_features,), float) or None
        Mean and scale of an earlier fit, in whose units to train; `None` for those of
        the rows.

    Attributes
    ----------
    plan, rows
        As given.
    X : ndarray or SparseRows of shape (n_samples, n_features)
        The rows in the units of the data.
    Z : RowSource of shape (n_samples, n_features), float32
        The rows in the units of training, followed by those of `X_val`, if any.
    mean, scale : ndarray of shape (n_features,) and float
        Between the two units.
    input_units : Affine or None
        The map from the units of training to those of the data; `None` if they are the
        same, as they must be with a nonlinear output.
    all_rows : Split
        The split that holds out nothing.
    n_distinct : int
        Number of different rows.
    """

    def __init__(
        self,
        plan: FitPlan,
        rows: TrainingRows,
        units: tuple[np.ndarray, float] | None = None,
    ) -> None:
        self.plan = plan
        self.rows = rows
        self.X = rows.X
        self.mean, self.scale = units or rows.mean_and_scale
        indices = np.arange(len(self.X), dtype=np.int32)
        self.all_rows = Split(indices, indices[:0])
        self.n_distinct = self.count_distinct(self.all_rows)
        self.input_units = self._input_units()
        if units is not None:
            self._check_in_range(self.X, "X")
        if rows.holdout.X_val is not None:
            self._check_in_range(rows.holdout.X_val, "X_val")
        to_training = self.input_units and self.input_units.inverse()
        self.Z = _rows_in_training(self.X, to_training)
        if rows.holdout.X_val is not None:
            X_val = _rows_in_training(rows.holdout.X_val, to_training)
            self.Z = JoinedRows(self.Z, X_val)
        self._pca: dict[Split, Decomposition] = {}
        self._heads: dict[Split, TargetHead] = {}

    def _check_in_range(self, X: DataRows, name: str) -> None:
        """Refuse rows that are far beyond those that set the units of training."""
        with np.errstate(over="ignore", invalid="ignore"):
            lowest, highest = float(X.min()), float(X.max())
            farthest = max(abs(lowest), abs(highest)) - float(np.abs(self.mean).max())
        if not farthest < _FARTHEST * self.scale:
            raise ValueError(
                f"{self.plan.estimator} got {name} with values from {lowest:g} to "
                f"{highest:g}, far beyond the first training rows, whose root mean "
                f"variance is {self.scale:g}. Scale them alike."
            )

    def _input_units(self) -> Affine | None:
        """Return the map from the units of training to those of the data.

        Features are never scaled one by one, as that would change what PCA minimises.
        They are not centred before a convolution, which pads images with zeros.
        """
        if not self.plan.has_linear_output:
            return None
        is_dense = self.plan.network.is_dense
        return Affine(self.scale, self.mean if is_dense else np.zeros_like(self.mean))

    def with_plan(self, plan: FitPlan) -> FitTask:
        """Return the task with another plan, for the same rows in the same units."""
        task = copy(self)
        task.plan = plan
        return task

    def count_distinct(self, split: Split) -> int:
        """Return the number of different rows to train on: copies add nothing new."""
        first = self.rows.first_of_equal
        return len(split.train) if first is None else len(np.unique(first[split.train]))

    def axes(self, split: Split) -> PrincipalAxes:
        """Return PCA of the rows to train on, in the units of training."""
        if split not in self._pca:
            self._pca[split] = self._decompose(split.train)
        return self._pca[split].axes(self.plan.n_components)

    def _decompose(self, rows: np.ndarray) -> Decomposition:
        large, n_components = self.rows.large_pca, self.plan.n_components
        if large is None:
            return decompose(self.Z, exact=False, rows=rows).keeping(n_components)
        to_training = self.input_units and self.input_units.inverse()
        return large.decompose(n_components, rows).under(to_training)

    def head_of_pca(self, split: Split) -> TargetHead | None:
        """Return the linear head on PCA's codes, fitted to the rows to train on.

        It is `None` without targets.
        """
        targets = self.rows.targets
        if targets is None:
            return None
        if split not in self._heads:
            axes, loss = self.axes(split), self.plan.loss
            head = head_of_pca(axes, self.Z, split.train, targets, loss)
            self._heads[split] = head
        return self._heads[split]

    @property
    def columns(self) -> RowSource:
        """The rows in the units of training, with the labels as further columns."""
        targets = self.rows.targets
        return self.Z if targets is None else JoinedColumns(self.Z, targets.labels)

    def squared_unit(self) -> float:
        """Return what a squared error of 1 in training is in the data's units."""
        return self.scale**2 if self.plan.has_linear_output else 1.0

    def corruption_values(self, split: Split) -> CorruptionValues:
        """Return the values of the corruption in the units of training."""
        plan = self.plan

        def rows() -> RowsToCorrupt:
            zero = np.zeros(self.Z.shape[1])
            if self.input_units is not None:
                zero = self.input_units.inverse()(zero)
            return RowsToCorrupt(self.Z, split.train, zero)

        unit = 1.0 if plan.has_linear_output else self.scale
        return plan.corruption.values(plan.noise_level, unit, rows)

    def corrupted(self, split: Split) -> np.ndarray | None:
        """Return the rows to compare on, always with the same corruption.

        Without corruption it is `None`: the rows are their own inputs.
        """
        if not self.plan.corruption.is_active:
            return None
        return np.concatenate([*self._corrupted_blocks(split)])

    def _corrupted_blocks(self, split: Split) -> Iterator[np.ndarray]:
        """Yield the corrupted rows to compare on, block by block."""
        n_donors = max(_LEAST_DONORS, _FEW_VALUES // self.Z.shape[1])
        every = -(-len(split.train) // n_donors)
        draws = NumpyDraws(
            self.corruption_values(split),
            np.random.default_rng(self.plan.seeds.validation),
            cache(lambda: self.Z[split.train[::every]]),
        )
        for block in row_blocks(self.Z, split.compared):
            yield self.plan.corruption.apply(np, block, draws)

    def comparison_rows(self, split: Split) -> Iterator[ComparisonRows]:
        """Yield the held-out rows, or else the training rows, block by block."""
        unit, targets = self.squared_unit(), self.rows.targets
        if not self.plan.corruption.is_active:
            for rows in row_slices(len(split.compared), self.Z.shape[1]):
                indices = split.compared[rows]
                block = self.Z[indices]
                labels = None if targets is None else targets.labels[indices]
                yield ComparisonRows(block, block, unit, labels)
            return
        blocks = row_blocks(self.Z, split.compared)
        for block, inputs in zip(blocks, self._corrupted_blocks(split), strict=True):
            yield ComparisonRows(block, inputs, unit)

    def rows_of_pca(self) -> Iterator[ComparisonRows]:
        """Yield all rows and their inputs, block by block, in the units of the data.

        PCA is compared on them if it is the result, and so the output is linear.
        """
        blocks = (self.X[rows] for rows in row_slices(*self.X.shape))
        if not self.plan.corruption.is_active:
            for block in blocks:
                yield ComparisonRows(block, block, 1.0)
            return
        assert self.input_units is not None
        corrupted = self._corrupted_blocks(self.all_rows)
        for block, inputs in zip(blocks, corrupted, strict=True):
            yield ComparisonRows(block, self.input_units(inputs), 1.0)


def _rows_in_training(X: DataRows, to_training: Affine | None) -> RowSource:
    rows = MappedRows(X, to_training)
    return rows[:] if X.size <= _FEW_VALUES else rows
