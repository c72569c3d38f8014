"""Finds rows that are equal to earlier ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skae._utils.blocks import row_blocks

if TYPE_CHECKING:
    from skae._utils.blocks import DataRows

# Most rows differ in a few columns already; only the others are hashed as a whole.
_N_COLUMNS = 8

_GOLDEN_RATIO = 0.6180339887498949

# Values that are looked at together.
_BLOCK_SIZE = 2**16

# An odd number with random bits (Steele, Lea & Flood, 2014, "Fast splittable
# pseudorandom number generators").
_MULTIPLIER = np.uint64(0xBF58476D1CE4E5B9)


def first_of_equal_rows(X: DataRows) -> np.ndarray | None:
    """Return for each row the index of the first row that equals it.

    Parameters
    ----------
    X : ndarray or SparseRows of shape (n_samples, n_features)
        Rows of finite floats.

    Returns
    -------
    first : ndarray of int, of shape (n_samples,), or None
        `None` if all rows are different.
    """
    # Spread irregularly: at regular steps, images often have an edge that is empty.
    spread = np.arange(1, _N_COLUMNS + 1) * _GOLDEN_RATIO % 1
    columns = np.unique((spread * X.shape[1]).astype(int))
    few = np.concatenate([block[:, columns] for block in row_blocks(X)])
    candidates = _repeated(_hashes(few))
    if len(candidates):
        candidates = candidates[_repeated(_hashes(X, candidates))]
    if not len(candidates):
        return None
    first = np.arange(len(X))
    hashes = _hashes(X, candidates)
    order = np.argsort(hashes, kind="stable")
    starts = np.flatnonzero(np.diff(hashes[order], prepend=~hashes[order[0]]))
    lengths = np.diff(starts, append=len(order))
    rows, leaders = candidates[order], candidates[order[np.repeat(starts, lengths)]]
    n_blocks = max(1, len(rows) * X.shape[1] // _BLOCK_SIZE)
    for block in np.array_split(np.arange(len(rows)), n_blocks):
        # Different rows may share a hash, though they hardly ever do.
        equal = (X[rows[block]] == X[leaders[block]]).all(axis=1)
        first[rows[block][equal]] = leaders[block][equal]
    return first if (first != np.arange(len(X))).any() else None


def occur_in(rows: DataRows, X: DataRows) -> np.ndarray:
    """Tell which of the rows equal some row of `X`, by hashes of 64 bits."""
    found: np.ndarray = np.isin(_hashes(rows), _hashes(X))
    return found


def _repeated(hashes: np.ndarray) -> np.ndarray:
    """Return the indices of the hashes that occur more than once."""
    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    return np.flatnonzero(counts[inverse] > 1)


def _hashes(X: DataRows, rows: np.ndarray | None = None) -> np.ndarray:
    """Return a hash of each row, or of those at the given indices."""
    indices = np.arange(len(X)) if rows is None else rows
    n_blocks = max(1, len(indices) * X.shape[1] // _BLOCK_SIZE)
    hashes = []
    for block in np.array_split(indices, n_blocks):
        # The sum turns -0.0 into 0.0, which equals it.
        values = X[block] + X.dtype.type(0.0)
        words = np.ascontiguousarray(values).view(np.uint32).astype(np.uint64)
        hashes.append(_combine(words))
    return np.concatenate(hashes)


def _combine(words: np.ndarray) -> np.ndarray:
    """Return one number for each row of words, by a sum of mixed products."""
    columns = np.arange(1, words.shape[1] + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        mixed = (words + columns) * _MULTIPLIER
        mixed ^= mixed >> np.uint64(29)
        mixed *= 2 * columns + np.uint64(1)
        mixed ^= mixed >> np.uint64(32)
        combined: np.ndarray = mixed.sum(axis=1, dtype=np.uint64)
    return combined
