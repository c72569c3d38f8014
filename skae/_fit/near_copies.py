"""Looks for signs that rows depend on each other, which a random split would hide."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from skae._utils.blocks import DataRows, RowSource

# Fewer rows show too little, and of many rows this many are looked at.
_MIN_ROWS = 200
_N_SAMPLED = 100

# Ratio of rates beyond which rows have near copies, and share of sampled rows beyond
# which they are windows. Judged by `python -m benchmarks full --only promise`.
_LARGEST_RISE = 2.0
_SHARE_OF_WINDOWS = 0.8

_N_NEIGHBOURS = 128
# The nearest neighbours of these numbers are compared with those farther out.
_NEAR = (1, 2, 4)
# Columns in which two values make up this share of the rows are left out: they make
# many distances equal.
_COMMON_SHARE = 0.8
_N_ROWS_OF_COLUMNS = 2000
_N_VALUES_OF_COLUMNS = 2**23

# Rows of at least this many features may be windows, which overlap after one of at most
# so many shifts.
_LEAST_WINDOW = 8
_MOST_SHIFTS = 64
_SAME_WINDOW = 1e-3

# Values that are looked at together.
_BLOCK_SIZE = 2**18


def have_near_copies(Z: RowSource, train: np.ndarray, held_out: np.ndarray) -> bool:
    """Tell whether held-out rows have companions among the rows to train on.

    The distance to the k-th neighbour of independent rows grows with k at a rate that
    stays about the same, or rises: the rate is one over the number of directions that
    neighbours lie in (Facco, d'Errico, Rodriguez & Laio, 2017, "Estimating the
    intrinsic dimension of datasets by a minimal neighborhood information"). If it is
    far higher for the nearest neighbours than for others, these are near copies.

    Parameters
    ----------
    Z : RowSource
    train, held_out : ndarray of int
        Indices of different rows.
    """
    if len(train) < _MIN_ROWS:
        return False
    sample = held_out[_evenly(len(held_out), _N_SAMPLED)]
    n_rows = max(_MIN_ROWS, _N_VALUES_OF_COLUMNS // Z.shape[1])
    rows = train[_evenly(len(train), min(n_rows, _N_ROWS_OF_COLUMNS))]
    columns = _columns_of_many_values(Z[rows])
    if not len(columns):
        return False
    distances = _nearest_distances(Z, train, Z[sample], columns)
    distances = distances[distances[:, -1] > 0]
    if not len(distances):
        return False
    # Rows that differ in other columns only are no nearer than the nearest others.
    distances = np.maximum(distances, distances[distances > 0].min())
    logs = np.log(distances).mean(axis=0)
    rates = [_rate(logs, k, 4 * k) / _rate(logs, 4 * k, len(logs)) for k in _NEAR]
    return max(rates) > _LARGEST_RISE


def are_windows(X: DataRows) -> bool:
    """Tell whether rows are windows of a series, each shifted against the one before.

    Of windows, a row without its first values is the next one without its last, up to
    the level and the scale of each; or the other way round, if time runs backwards.
    """
    n_rows, n_features = X.shape
    if n_rows < _MIN_ROWS or n_features < _LEAST_WINDOW:
        return False
    rows = _evenly(n_rows - 1, _N_SAMPLED)
    first, following = X[rows].astype(np.float64), X[rows + 1].astype(np.float64)
    shifts = range(1, min(n_features // 2, _MOST_SHIFTS) + 1)
    for shift, (a, b) in product(shifts, [(first, following), (following, first)]):
        pairs = np.stack([a[:, shift:], b[:, :-shift]])
        pairs -= pairs.mean(axis=-1, keepdims=True)
        norms = np.sqrt(np.square(pairs).sum(axis=-1, keepdims=True))
        ends, starts = pairs / np.where(norms > 0, norms, 1)
        unexplained = 1 - (ends * starts).sum(axis=1) ** 2
        usual = np.median(1 - (ends * np.roll(starts, 1, axis=0)).sum(axis=1) ** 2)
        if (unexplained < _SAME_WINDOW * usual).mean() > _SHARE_OF_WINDOWS:
            return True
    return False


def _evenly(n: int, n_chosen: int) -> np.ndarray:
    """Return at most `n_chosen` indices below `n`, evenly spaced."""
    return np.unique(np.linspace(0, n - 1, min(n, n_chosen)).astype(np.int64))


def _columns_of_many_values(Z: np.ndarray) -> np.ndarray:
    """Return the indices of the columns that few values do not dominate."""
    chosen = []
    for i, column in enumerate(Z.T):
        counts = np.unique(column, return_counts=True)[1]
        if np.sort(counts)[-2:].sum() < _COMMON_SHARE * len(Z):
            chosen.append(i)
    return np.array(chosen, int)


def _nearest_distances(
    Z: RowSource, train: np.ndarray, sample: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Return the distances to the nearest rows to train on, in increasing order."""
    centre = Z[train[:1]][:, columns]
    sample = sample[:, columns] - centre
    n_values = max(len(columns), len(sample))
    n_blocks = max(1, len(train) * n_values // _BLOCK_SIZE)
    squares = np.empty((len(sample), 0), np.float32)
    nearest = np.empty((len(sample), 0), train.dtype)
    for part in np.array_split(train, n_blocks):
        rows = Z[part][:, columns] - centre
        found = np.square(rows).sum(axis=1) - 2 * sample @ rows.T
        squares = np.hstack([squares, found])
        nearest = np.hstack([nearest, np.broadcast_to(part, found.shape)])
        if squares.shape[1] > _N_NEIGHBOURS:
            kept = np.argpartition(squares, _N_NEIGHBOURS, axis=1)[:, :_N_NEIGHBOURS]
            squares = np.take_along_axis(squares, kept, axis=1)
            nearest = np.take_along_axis(nearest, kept, axis=1)
    # The products lose the digits of small distances.
    distances = [
        np.sqrt(np.square(Z[rows][:, columns] - centre - row).sum(axis=1))
        for row, rows in zip(sample, nearest, strict=True)
    ]
    return np.sort(distances, axis=1)


def _rate(logs: np.ndarray, near: int, far: int) -> float:
    """Return the rate of growth between two neighbours: one over the dimension."""
    expected = (1 / np.arange(near, far)).sum()
    rate = (logs[far - 1] - logs[near - 1]) / expected
    return float(max(rate, np.finfo(np.float64).tiny))
