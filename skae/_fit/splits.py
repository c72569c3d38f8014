"""Chooses the rows to hold out."""

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
    n_samples = len(task.X)
    n_held_out = max(2, int(np.ceil(task.plan.validation_fraction * n_samples)))
    # Of two rows, one is left to train on.
    held_out, train_rows = np.split(_shuffled(task), [min(n_held_out, n_samples - 1)])
    return Split(train_rows, held_out)


def folds(task: FitTask) -> Iterator[Split]:
    """Yield splits of which each row is held out by exactly one."""
    order = _shuffled(task)
    for held_out in np.array_split(order, _N_FOLDS):
        yield Split(np.setdiff1d(order, held_out), held_out)


def _shuffled(task: FitTask) -> np.ndarray:
    rng = np.random.default_rng(task.plan.seeds.split)
    return rng.permutation(task.all_rows.train)
