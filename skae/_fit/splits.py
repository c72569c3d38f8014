"""Chooses the rows to hold out.

Equal rows stay on one side of a split: a network that was trained on a copy of a
held-out row would seem better than it is. Of the copies only the first is held out, so
that repeated rows are judged as the unrepeated ones would be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skae._train.config import Split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skae._fit.task import FitTask

_N_FOLDS = 5


def hold_out(task: FitTask) -> Split:
    """Hold out a random share of the rows, but at least two."""
    order = _shuffled(task)
    n_held_out = max(2, int(np.ceil(task.plan.validation_fraction * len(order))))
    # Of two rows, one is left to train on.
    held_out, train_rows = np.split(order, [min(n_held_out, len(order) - 1)])
    return Split(_with_copies(task, train_rows), held_out)


def folds(task: FitTask) -> Iterator[Split]:
    """Yield splits of which each row is held out by exactly one."""
    order = _shuffled(task)
    for held_out in np.array_split(order, _N_FOLDS):
        yield Split(_with_copies(task, np.setdiff1d(order, held_out)), held_out)


def _shuffled(task: FitTask) -> np.ndarray:
    """Return the indices of the different rows, the first of each, in random order."""
    indices, first = task.all_rows.train, task.rows.first_of_equal
    if first is not None:
        indices = indices[first == indices]
    return np.random.default_rng(task.plan.seeds.split).permutation(indices)


def _with_copies(task: FitTask, rows: np.ndarray) -> np.ndarray:
    """Return the indices of the rows and of all rows that equal them."""
    first = task.rows.first_of_equal
    if first is None:
        return rows
    return task.all_rows.train[np.isin(first, rows)]
