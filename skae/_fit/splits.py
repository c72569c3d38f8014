"""Chooses the rows to hold out.

Equal rows stay on one side of a split: a network that was trained on a copy of a
held-out row would seem better than it is. Of copies drawn at random only the first is
held out, so that repeated rows are judged as the unrepeated ones would be. In other
splits, held-out rows that equal a row to train on do not count.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from skae._train.config import Split
from skae._utils.repeats import first_of_equal_rows, occur_in

if TYPE_CHECKING:
    from skae._fit.task import FitTask
    from skae._utils.blocks import DataRows

_N_FOLDS = 5

# For fewer rows than this a single hold-out says too little. In cross-validation every
# row is held out once, and an accepted network is trained anew on all rows, up to the
# snapshot that was best for the held-out rows.
# Judged by `python -m benchmarks full --only quality promise`.
_CROSS_VALIDATED_ROWS = 1000

# Of rows in clusters, which are groups or blocks of a series, the clusters may be few:
# below the first number always, and below the second one unless there are so many rows
# that folds would take too long.
_FEW_CLUSTERS = 10
_RATHER_FEW_CLUSTERS = 100
_MANY_ROWS = 10_000

# A hold-out has at least this many clusters, but no more than half of the groups or a
# quarter of a series.
_LEAST_CLUSTERS = 10

# Between held-out and training rows of a series lie as many rows as there are features:
# windows of that length then have no value in common. The gap is at most this share of
# the rows.
_LARGEST_GAP = 0.05

# The blocks of a series that count as one observation are this many gaps long.
_GAPS_OF_CLUSTER = 2

# Blocks of a series that are held out together at most.
_MOST_BLOCKS = 10


def needs_folds(task: FitTask) -> bool:
    """Tell whether a single hold-out would say too little."""
    request, n_rows = task.rows.holdout, len(task.X)
    if request.X_val is not None:
        return False
    if task.n_distinct < _CROSS_VALIDATED_ROWS:
        return True
    if request.splits:
        return False
    n_clusters = np.inf
    if request.gap:
        n_clusters = n_rows / (_GAPS_OF_CLUSTER * request.gap)
    elif request.groups is not None:
        n_clusters = request.groups.max() + 1
    few = _FEW_CLUSTERS if n_rows >= _MANY_ROWS else _RATHER_FEW_CLUSTERS
    return bool(n_clusters < few)


def hold_out(task: FitTask) -> Split:
    """Return the only split: the user's rows, or about `validation_fraction` of all."""
    request, share = task.rows.holdout, task.plan.validation_fraction
    if request.X_val is not None:
        return _with_validation_rows(task, request.X_val)
    if request.splits:
        return _checked(task, request.splits[-1])
    if request.gap:
        return _checked(task, _ends_of_blocks(len(task.X), request.gap, share))
    if request.groups is not None:
        held_out = _some_groups(request.groups, share, task.plan.seeds.split)
        return _checked(task, _split(held_out))
    order = _shuffled(task)
    n_held_out = max(2, int(np.ceil(share * len(order))))
    # Of two rows, one is left to train on.
    held_out, train_rows = np.split(order, [min(n_held_out, len(order) - 1)])
    return Split(_with_copies(task, train_rows), held_out)


def folds(task: FitTask) -> list[Split]:
    """Return splits of which each row is held out by exactly one, or the user's."""
    request = task.rows.holdout
    if request.splits:
        return [_checked(task, split) for split in request.splits]
    if request.gap:
        splits = folds_of_series(len(task.X), request.gap, _N_FOLDS)
        return [_checked(task, split) for split in splits]
    if request.groups is not None:
        fold_of_row = _balanced_folds(request.groups, task.plan.seeds.split)
        n_folds = fold_of_row.max() + 1
        return [_checked(task, _split(fold_of_row == i)) for i in range(n_folds)]
    order = _shuffled(task)
    return [
        Split(_with_copies(task, np.setdiff1d(order, held_out)), held_out)
        for held_out in np.array_split(order, _N_FOLDS)
    ]


def _split(is_held_out: np.ndarray) -> Split:
    rows = np.arange(len(is_held_out), dtype=np.int32)
    return Split(rows[~is_held_out], rows[is_held_out])


# --- Independent rows ---


def _shuffled(task: FitTask) -> np.ndarray:
    """Return the indices of the different rows, the first of each, in random order.

    Classes are spread evenly, if there are any.
    """
    indices, first = task.all_rows.train, task.rows.first_of_equal
    if first is not None:
        indices = indices[first == indices]
    rng = np.random.default_rng(task.plan.seeds.split)
    order = rng.permutation(indices)
    targets = task.rows.targets
    if targets is None or targets.strata is None:
        return order
    return order[_interleaved(targets.strata[order], rng)]


def _interleaved(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an order in which every stretch has about its share of each stratum."""
    due = np.empty(len(strata))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        due[members] = (np.arange(len(members)) + rng.random()) / len(members)
    return np.argsort(due, kind="stable")


def _with_copies(task: FitTask, rows: np.ndarray) -> np.ndarray:
    """Return the indices of the rows and of all rows that equal them."""
    first = task.rows.first_of_equal
    if first is None:
        return rows
    return task.all_rows.train[np.isin(first, rows)]


# --- Groups ---


def _some_groups(groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Tell which rows belong to groups drawn at random until they make up the share.

    At least `_LEAST_CLUSTERS` groups are drawn, but no more than half of them, and
    none that would leave less than half of the rows to train on.
    """
    sizes = np.bincount(groups)
    most, n_least = len(groups) // 2, min(_LEAST_CLUSTERS, len(sizes) // 2)
    drawn: list[int] = []
    n_rows = 0
    for group in np.random.default_rng(seed).permutation(len(sizes)):
        if n_rows + sizes[group] <= most:
            drawn.append(group)
            n_rows += sizes[group]
        if len(drawn) >= max(n_least, 1) and n_rows >= share * len(groups):
            break
        if len(drawn) >= max(len(sizes) // 2, 1):
            break
    return np.isin(groups, drawn)


def _balanced_folds(groups: np.ndarray, seed: int) -> np.ndarray:
    """Return the fold of each row: large groups go first, each to the emptiest fold."""
    sizes = np.bincount(groups)
    n_rows = np.zeros(min(_N_FOLDS, len(sizes)), int)
    fold_of_group = np.zeros(len(sizes), int)
    order = np.random.default_rng(seed).permutation(len(sizes))
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of_group[group] = fold = n_rows.argmin()
        n_rows[fold] += sizes[group]
    return fold_of_group[groups]


# --- Rows of a series ---


def gap_of_series(n_rows: int, n_features: int) -> int:
    """Return the number of rows to leave out between training and held-out rows."""
    return max(1, min(n_features, int(_LARGEST_GAP * n_rows)))


def folds_of_series(n_rows: int, gap: int, n_folds: int) -> list[Split]:
    """Return splits of which each holds out one of several blocks of a series."""
    blocks = np.array_split(np.arange(n_rows, dtype=np.int32), n_folds)
    return [_around(block, n_rows, gap) for block in blocks]


def _ends_of_blocks(n_rows: int, gap: int, share: float) -> Split:
    """Divide a series into blocks, and hold out the end of each.

    The held-out ends are long beside the gaps, which so cost few rows.
    """
    n_held_out = int(np.ceil(share * n_rows))
    n_least = _LEAST_CLUSTERS * _GAPS_OF_CLUSTER * gap
    n_held_out = max(n_held_out, min(n_least, n_rows // 4))
    n_blocks = int(np.clip(n_held_out // (2 * gap), 1, _MOST_BLOCKS))
    length = max(1, n_held_out // n_blocks)
    ends = [
        block[max(0, len(block) - length) :]
        for block in np.array_split(np.arange(n_rows, dtype=np.int32), n_blocks)
    ]
    return _around(np.concatenate(ends), n_rows, gap)


def _around(held_out: np.ndarray, n_rows: int, gap: int) -> Split:
    """Return the split that trains on all rows but those near the held-out ones."""
    rows = np.arange(n_rows, dtype=np.int32)
    n_held_out_before = np.zeros(n_rows + 1, int)
    n_held_out_before[held_out + 1] = 1
    n_held_out_before = np.cumsum(n_held_out_before)
    begin, end = np.maximum(rows - gap, 0), np.minimum(rows + gap + 1, n_rows)
    return Split(rows[n_held_out_before[begin] == n_held_out_before[end]], held_out)


# --- Splits of dependent rows ---


def _with_validation_rows(task: FitTask, X_val: DataRows) -> Split:
    """Hold out the rows that follow those to train on, but no copies of these."""
    held_out = np.arange(len(task.X), len(task.Z), dtype=np.int32)
    first = first_of_equal_rows(X_val)
    is_new = ~occur_in(X_val, task.X)
    if not is_new.any():
        raise ValueError(
            f"{task.plan.estimator} found every row of X_val among the rows of X. Pass "
            "rows that are not trained on."
        )
    clusters = None if first is None else first[is_new]
    return Split(task.all_rows.train, held_out[is_new], clusters)


def _checked(task: FitTask, split: Split) -> Split:
    """Return the split with clusters, and without held-out copies of training rows."""
    held_out, first = split.held_out, task.rows.first_of_equal
    if not len(split.train):
        raise ValueError(
            f"{task.plan.estimator} got {len(task.X)} rows, of which too few are left "
            f"to train on with validation_fraction={task.plan.validation_fraction:g}. "
            "Pass more rows, or lower it."
        )
    if first is not None:
        held_out = held_out[~np.isin(first[held_out], first[split.train])]
    if not len(held_out):
        # They are all kept, but they count as one observation, which proves nothing.
        return replace(split, clusters=np.zeros(len(split.held_out), int))
    return Split(split.train, held_out, _clusters(task, held_out))


def _clusters(task: FitTask, held_out: np.ndarray) -> np.ndarray:
    """Return for each held-out row the cluster that counts as one observation.

    In the splits of a user, a row may be held out several times.
    """
    request, first = task.rows.holdout, task.rows.first_of_equal
    if request.gap:
        return held_out // (_GAPS_OF_CLUSTER * request.gap)
    if request.groups is not None:
        return request.groups[held_out]
    return held_out if first is None else first[held_out]
