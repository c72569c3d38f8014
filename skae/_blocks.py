"""Sums over rows, block by block, so that no copy of all rows is made."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Values of a block: it stays in the processor's cache, and is enough work for a matrix
# product to be shared.
_BLOCK_SIZE = 2**16

# TensorFlow uses memory in place that begins at a multiple of so many bytes.
_ALIGNMENT = 64


class RowSource(Protocol):
    """What gives rows where they are asked for, as an array does."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any, /) -> np.ndarray: ...
    def take(self, indices: Any, axis: Any, out: Any, mode: Any) -> Any: ...


class Moments(NamedTuple):
    """Moments of two kinds of values of the same rows.

    Attributes
    ----------
    n_rows : int
    means : tuple of two ndarray
    scatter : ndarray of shape (n_values, n_other_values)
        Sums of the products of deviations from the means.
    """

    n_rows: int
    means: tuple[np.ndarray, np.ndarray]
    scatter: np.ndarray


def row_blocks(X: RowSource, rows: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Yield the rows of `X`, or those of the given indices, block by block."""
    for block in _slices(len(X) if rows is None else len(rows), X.shape[1]):
        yield X[block if rows is None else rows[block]]


def _slices(n_rows: int, n_features: int) -> Iterator[slice]:
    length = max(1, _BLOCK_SIZE // max(n_features, 1))
    for begin in range(0, n_rows, length):
        yield slice(begin, min(begin + length, n_rows))


def copy_rows(X: RowSource, rows: np.ndarray, copies: np.ndarray) -> None:
    """Copy the rows of the given indices to the memory of `copies`."""
    for block in _slices(len(rows), X.shape[1]):
        # Mode "raise" would copy twice.
        X.take(rows[block], axis=0, out=copies[block], mode="clip")


def moments(blocks: Iterable[tuple[np.ndarray, np.ndarray]]) -> Moments:
    """Return the moments of the pairs of blocks, in double precision.

    Those of a block join the others' as in Chan, Golub & LeVeque (1983), "Algorithms
    for computing the sample variance", which loses no digits to a large mean.
    """
    total: Moments | None = None
    for block in blocks:
        pair = [values.astype(np.float64, copy=False) for values in block]
        means = (pair[0].mean(axis=0), pair[1].mean(axis=0))
        scatter = (pair[0] - means[0]).T @ (pair[1] - means[1])
        part = Moments(len(pair[0]), means, scatter)
        total = part if total is None else _joined(total, part)
    assert total is not None
    return total


def _joined(a: Moments, b: Moments) -> Moments:
    n_rows = a.n_rows + b.n_rows
    apart = [theirs - ours for ours, theirs in zip(a.means, b.means, strict=True)]
    first, second = (
        mean + by * b.n_rows / n_rows for mean, by in zip(a.means, apart, strict=True)
    )
    between = np.outer(*apart) * (a.n_rows * b.n_rows / n_rows)
    return Moments(n_rows, (first, second), a.scatter + b.scatter + between)


def mean_and_variance(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the variance of each column, in double precision."""
    mean = X.mean(axis=0, dtype=np.float64)
    squares = sum(((block - mean) ** 2).sum(axis=0) for block in row_blocks(X))
    return mean, squares / len(X)


def extremes(X: RowSource, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest value of each column, over the given rows."""
    least, largest = zip(
        *((block.min(axis=0), block.max(axis=0)) for block in row_blocks(X, rows)),
        strict=True,
    )
    return np.min(least, axis=0), np.max(largest, axis=0)


def empty_aligned(
    shape: tuple[int, ...], dtype: np.typing.DTypeLike = np.float32
) -> np.ndarray:
    """Return an array that TensorFlow can use in place."""
    n_bytes = prod(shape) * np.dtype(dtype).itemsize
    buffer = np.empty(n_bytes + _ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % _ALIGNMENT
    return buffer[start : start + n_bytes].view(dtype).reshape(shape)


def aligned(values: np.ndarray) -> np.ndarray:
    """Return the array itself, or a copy that TensorFlow can use in place."""
    if values.ctypes.data % _ALIGNMENT == 0 and values.flags.c_contiguous:
        return values
    copy = empty_aligned(values.shape, values.dtype)
    copy[...] = values
    return copy
