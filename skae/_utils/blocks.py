"""Sums over rows, block by block, so that all rows are never copied at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scipy.sparse import csr_array

# Values in a block: few enough for the processor's cache, and enough for a matrix
# product to be shared among the processors.
_BLOCK_SIZE = 2**16

# Blocks of wide rows have more values, up to the second number: with few rows, a matrix
# product takes as long as reading its matrix.
_LEAST_ROWS = 256
_LARGEST_BLOCK = 2**20


class RowSource(Protocol):
    """Rows that are read by index, as from an array."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: Any, /) -> np.ndarray: ...
    def take(self, indices: Any, axis: Any, out: Any, mode: Any) -> Any: ...


class SparseRows:
    """Rows of a sparse matrix; those that are read are dense, and no others.

    Parameters
    ----------
    matrix : csr_array of shape (n_rows, n_features)
    """

    def __init__(self, matrix: csr_array) -> None:
        self.matrix = matrix
        self.shape: tuple[int, ...] = matrix.shape
        self.dtype = matrix.dtype
        self.size = matrix.shape[0] * matrix.shape[1]
        self.min = matrix.min
        self.max = matrix.max
        self.mean = matrix.mean

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        found: np.ndarray = self.matrix[rows].toarray()
        return found

    def take(
        self, indices: Any, axis: Any = 0, out: Any = None, mode: Any = "raise"
    ) -> Any:
        """Return rows, or write them to `out`."""
        return self.matrix[indices].toarray(out=out)

    def astype(self, dtype: Any, copy: bool = False) -> SparseRows:
        """Return the rows in another precision."""
        return SparseRows(self.matrix.astype(dtype, copy=copy))


# The rows of a fit, in the units of the data.
DataRows: TypeAlias = "np.ndarray | SparseRows"


class JoinedRows:
    """Rows of two sources, the second after the first, read by arrays of indices."""

    def __init__(self, first: RowSource, second: RowSource) -> None:
        self.shape = (len(first) + len(second), first.shape[1])
        self._first = first
        self._second = second

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        found = np.empty((len(rows), self.shape[1]), np.float32)
        self.take(rows, 0, found, "clip")
        return found

    def take(self, indices: np.ndarray, axis: int, out: np.ndarray, mode: Any) -> None:
        """Write rows to `out`."""
        n_first = len(self._first)
        is_first = indices < n_first
        if is_first.all():
            self._first.take(indices, axis, out, mode)
            return
        out[is_first] = self._first[indices[is_first]]
        out[~is_first] = self._second[indices[~is_first] - n_first]


class JoinedColumns:
    """Columns of two sources, those of the second after those of the first.

    They are read by arrays of indices.
    """

    def __init__(self, first: RowSource, second: RowSource) -> None:
        self.shape = (len(first), first.shape[1] + second.shape[1])
        self._first = first
        self._second = second

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return np.hstack([self._first[rows], self._second[rows]])

    def take(self, indices: np.ndarray, axis: int, out: np.ndarray, mode: Any) -> None:
        """Write rows to `out`."""
        n_first = self._first.shape[1]
        out[:, :n_first] = self._first[indices]
        out[:, n_first:] = self._second[indices]


class Moments(NamedTuple):
    """Moments of two sets of values, paired row by row.

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


def row_slices(n_rows: int, n_features: int) -> list[slice]:
    """Return the slices that divide the rows into blocks."""
    n_features = max(n_features, 1)
    least = min(_LEAST_ROWS, _LARGEST_BLOCK // n_features)
    length = max(1, _BLOCK_SIZE // n_features, least)
    return [
        slice(begin, min(begin + length, n_rows)) for begin in range(0, n_rows, length)
    ]


def row_blocks(X: RowSource, rows: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Yield the rows of `X`, or those at the given indices, block by block."""
    for block in row_slices(len(X) if rows is None else len(rows), X.shape[1]):
        yield X[block if rows is None else rows[block]]


def copy_rows(X: RowSource, rows: np.ndarray, target: np.ndarray) -> None:
    """Copy the rows at the given indices into the memory of `target`."""
    for block in row_slices(len(rows), X.shape[1]):
        # Mode "raise" would copy twice.
        X.take(rows[block], axis=0, out=target[block], mode="clip")


def moments(
    X: RowSource,
    rows: np.ndarray | None = None,
    pair: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None,
) -> Moments:
    """Return the moments of the rows, or of pairs of values computed from them.

    Blocks are combined in double precision as in Chan, Golub & LeVeque (1983),
    "Algorithms for computing the sample variance", which loses no digits to a large
    mean.

    Parameters
    ----------
    X : RowSource
    rows : ndarray of int or None
        Indices of the rows to use, `None` for all.
    pair : callable or None
        Takes a block of rows and returns two arrays with as many rows; `None` pairs the
        rows with themselves.
    """
    total: Moments | None = None
    for block in row_slices(len(X) if rows is None else len(rows), X.shape[1]):
        values = X[block if rows is None else rows[block]]
        first, second = (values, values) if pair is None else pair(values)
        first = first.astype(np.float64, copy=False)
        second = second.astype(np.float64, copy=False)
        means = (first.mean(axis=0), second.mean(axis=0))
        scatter = (first - means[0]).T @ (second - means[1])
        part = Moments(len(first), means, scatter)
        total = part if total is None else _combined(total, part)
    assert total is not None
    return total


def _combined(a: Moments, b: Moments) -> Moments:
    n_rows = a.n_rows + b.n_rows
    first, second = b.means[0] - a.means[0], b.means[1] - a.means[1]
    means = (
        a.means[0] + first * b.n_rows / n_rows,
        a.means[1] + second * b.n_rows / n_rows,
    )
    between = np.outer(first, second) * (a.n_rows * b.n_rows / n_rows)
    return Moments(n_rows, means, a.scatter + b.scatter + between)


def mean_and_variance(X: DataRows) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the variance of each column, in double precision."""
    mean = X.mean(axis=0, dtype=np.float64)
    squares: Any = 0
    for block in row_slices(*X.shape):
        squares = squares + ((X[block] - mean) ** 2).sum(axis=0)
    return mean, squares / len(X)


def extremes(X: RowSource, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the minimum and the maximum of each column over the given rows."""
    lowest, highest = zip(
        *[(block.min(axis=0), block.max(axis=0)) for block in row_blocks(X, rows)],
        strict=True,
    )
    return np.min(lowest, axis=0), np.max(highest, axis=0)
