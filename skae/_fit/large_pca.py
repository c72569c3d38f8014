"""PCA of large data, from products of its rows that are found once a fit.

As in scikit-learn, the shape decides. Of few features the products of features are
decomposed, and of few rows those of rows, which is exact. Of many rows and features a
Krylov space is spanned by few random vectors. Rows are read block by block.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.linalg import eigh

from skae._fit.pca import Decomposition, with_signs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skae._utils.blocks import RowSource

# Values of a block: enough for a product to take far longer than to add it.
_BLOCK_SIZE = 2**20

# Products of so few features or rows are decomposed. Of more, they are if as many
# components are asked for that a Krylov space would take longer: it takes
# `_KRYLOV_STEPS` passes with `_N_EXTRA` more vectors than components.
_SMALL_SIDE = 2048
_KRYLOV_STEPS = 8
_KRYLOV_STEPS_FROM_KNOWN = 3
_N_EXTRA = 10
_WORTH_KRYLOV = 64

# Components with a smaller share of the largest variance are found from what the others
# leave of the rows: rounding moves a component by about the precision divided by this.
_SMALLEST_SHARE = 1e-10

# What rounding of the rows themselves leaves of a variance.
_ROUNDING = 1e-26

# A difference that leaves less of the sum of squares than this loses digits.
_LEAST_REMAINDER = 0.5


class _Sums(NamedTuple):
    """Sums over rows.

    Attributes
    ----------
    n_rows : int
    total : ndarray of shape (n_features,)
    products : ndarray of shape (n_features, n_features)
        Of each feature with each other one.
    """

    n_rows: int
    total: np.ndarray
    products: np.ndarray

    @property
    def squares(self) -> float:
        return float(np.trace(self.products))

    def without(self, some: _Sums) -> _Sums:
        """Return the sums over the other rows."""
        return _Sums(
            self.n_rows - some.n_rows,
            self.total - some.total,
            self.products - some.products,
        )


class _Scatter(NamedTuple):
    """Products of centred rows, or of their features.

    Attributes
    ----------
    products : ndarray of shape (n_rows, n_rows) or (n_features, n_features)
    mean : ndarray of shape (n_features,)
    n_rows : int
    squares : float
        The trace of the products before the rows were centred.
    """

    products: np.ndarray
    mean: np.ndarray
    n_rows: int
    squares: float

    @property
    def trace(self) -> float:
        return float(np.trace(self.products))

    @property
    def is_precise(self) -> bool:
        """Whether centring left most of the products."""
        return self.trace >= _LEAST_REMAINDER * self.squares


class LargePCA:
    """PCA of some of the rows or of all, with products that are found once.

    Parameters
    ----------
    X : RowSource of shape (n_samples, n_features)
    shift : ndarray of shape (n_features,)
        The mean of all rows, or near it.
    """

    def __init__(self, X: RowSource, shift: np.ndarray) -> None:
        self._X = X
        self._shift = shift.astype(np.float64)
        self._is_wide = len(X) < X.shape[1]
        self._known: np.ndarray | None = None

    def variances(self) -> np.ndarray:
        """Return the variances along all components of PCA of all rows."""
        scatter = self._scatter(None).products
        values = eigh(scatter, eigvals_only=True, overwrite_a=True)[::-1]
        variances: np.ndarray = np.clip(values, 0, None) / (len(self._X) - 1)
        return variances

    def decompose(
        self, n_components: int, rows: np.ndarray | None = None, exact: bool = False
    ) -> Decomposition:
        """Return the first components of PCA.

        Parameters
        ----------
        n_components : int
        rows : ndarray of int or None
            Indices of the rows to use, `None` for all.
        exact : bool
            Whether components with a standard deviation of 1e-5 of the first one's
            matter; they take further passes over the rows.
        """
        rows = None if rows is None or len(rows) == len(self._X) else rows
        n_rows = len(self._X) if rows is None else len(rows)
        n_found = min(n_components, n_rows, self._X.shape[1])
        found = self._decompose(n_found, rows)
        if exact:
            floor = _ROUNDING * float(found.variances.max(initial=0.0))
            found = _with_small_components(self._X, rows, found, floor)
        return found

    def _decompose(self, n_found: int, rows: np.ndarray | None) -> Decomposition:
        n_side = min(self._X.shape)
        if n_side > max(_SMALL_SIDE, _WORTH_KRYLOV * (n_found + _N_EXTRA)):
            return self._from_krylov_space(n_found, rows)
        scatter = self._scatter(rows)
        if rows is not None and not scatter.is_precise:
            return self._far_from_others(rows)._decompose(n_found, None)
        return self._from_scatter(scatter, n_found, rows)

    def _far_from_others(self, rows: np.ndarray) -> LargePCA:
        """Return PCA of rows whose mean is far from that of all rows."""
        return LargePCA(_SomeRows(self._X, rows), self._mean(rows))

    # --- Products of rows or of features ---

    @cached_property
    def _products(self) -> np.ndarray | _Sums:
        """The products of all rows, or the sums over them."""
        return self._products_of_rows() if self._is_wide else self._sums(None)

    def _scatter(self, rows: np.ndarray | None) -> _Scatter:
        """Return the products of the centred rows."""
        products = self._products
        if isinstance(products, np.ndarray):
            chosen = products if rows is None else products[np.ix_(rows, rows)]
            means = chosen.mean(axis=0)
            centred = chosen - means - (means[:, np.newaxis] - means.mean())
            mean = self._mean(rows)
            return _Scatter(centred, mean, len(centred), float(np.trace(chosen)))
        sums = products if rows is None else self._sums_of_some(products, rows)
        mean = sums.total / sums.n_rows
        scatter = sums.products - np.outer(sums.total, mean)
        return _Scatter(scatter, self._shift + mean, sums.n_rows, sums.squares)

    def _from_scatter(
        self, found: _Scatter, n_found: int, rows: np.ndarray | None
    ) -> Decomposition:
        n_side, total = len(found.products), found.trace
        chosen = (n_side - n_found, n_side - 1)
        values, vectors = eigh(
            found.products, subset_by_index=chosen, overwrite_a=True, check_finite=False
        )
        values, vectors = np.clip(values[::-1], 0, None), vectors[:, ::-1]
        if self._is_wide:
            vectors = self._directions(vectors, rows)
        return _decomposition(found.mean, found.n_rows, values, vectors.T, total)

    def _products_of_rows(self) -> np.ndarray:
        """Return the product of each row with each other one."""
        n_rows = len(self._X)
        products = np.empty((n_rows, n_rows))
        blocks = self._slices(n_rows)
        for i, rows in enumerate(blocks):
            block = self._shifted(rows)
            products[rows, rows] = block @ block.T
            for others in blocks[:i]:
                products[rows, others] = block @ self._shifted(others).T
                products[others, rows] = products[rows, others].T
        return products

    def _directions(self, vectors: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
        """Return orthonormal directions, as columns, from eigenvectors over rows."""
        directions = np.zeros((self._X.shape[1], vectors.shape[1]))
        begin = 0
        for block in self._blocks(rows):
            part = vectors[begin : begin + len(block)]
            directions += block.T @ part
            begin += len(block)
        return np.linalg.qr(directions)[0]

    def _sums_of_some(self, whole: _Sums, rows: np.ndarray) -> _Sums:
        """Return the sums over some rows, from those over all if most are used."""
        is_used = np.zeros(len(self._X), bool)
        is_used[rows] = True
        others = np.flatnonzero(~is_used)
        if len(others) < len(rows):
            sums = whole.without(self._sums(others))
            if sums.squares > _LEAST_REMAINDER * whole.squares:
                return sums
        return self._sums(rows)

    def _sums(self, rows: np.ndarray | None) -> _Sums:
        n_features = self._X.shape[1]
        n_rows, total = 0, np.zeros(n_features)
        products = np.zeros((n_features, n_features))
        for block in self._blocks(rows):
            n_rows += len(block)
            total += block.sum(axis=0)
            products += block.T @ block
        return _Sums(n_rows, total, products)

    def _mean(self, rows: np.ndarray | None) -> np.ndarray:
        total, n_rows = np.zeros(self._X.shape[1]), 0
        for block in self._blocks(rows):
            total += block.sum(axis=0)
            n_rows += len(block)
        return self._shift + total / n_rows

    # --- A Krylov space ---

    def _from_krylov_space(
        self, n_found: int, rows: np.ndarray | None
    ) -> Decomposition:
        """Find the components in the space of powers of the scatter.

        It is far closer to them than the last power alone (Musco & Musco, 2015,
        "Randomized block Krylov methods for stronger and faster approximate singular
        value decomposition").
        """
        n_steps, block = self._first_vectors(n_found)
        n_steps = max(1, min(n_steps, min(self._X.shape) // block.shape[1]))
        basis, images = np.empty((2, self._X.shape[1], 0))
        for _ in range(n_steps):
            for _ in range(2):  # once loses digits
                block = np.linalg.qr(block - basis @ (basis.T @ block))[0]
            image, mean, total = self._image(block, rows)
            basis, images = np.hstack([basis, block]), np.hstack([images, image])
            block = image
        inside = basis.T @ images
        values, vectors = np.linalg.eigh((inside + inside.T) / 2)
        directions = (basis @ vectors[:, ::-1]).T
        self._known = directions[: n_found + _N_EXTRA]
        values = np.clip(values[::-1][:n_found], 0, None)
        n_rows = len(self._X) if rows is None else len(rows)
        return _decomposition(mean, n_rows, values, directions[:n_found], total)

    def _first_vectors(self, n_found: int) -> tuple[int, np.ndarray]:
        """Return the number of steps, and the vectors to begin with.

        These are the components of other rows of the same fit, if they are known.
        """
        if self._known is not None and len(self._known) == n_found + _N_EXTRA:
            return _KRYLOV_STEPS_FROM_KNOWN, self._known.T
        shape = (self._X.shape[1], n_found + _N_EXTRA)
        return _KRYLOV_STEPS, np.random.default_rng(0).standard_normal(shape)

    def _image(
        self, vectors: np.ndarray, rows: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Return the scatter's product with vectors, the mean, the scatter's trace."""
        n_rows, squares, total = 0, 0.0, np.zeros(len(vectors))
        image = np.zeros_like(vectors)
        for block in self._blocks(rows):
            n_rows += len(block)
            total += block.sum(axis=0)
            squares += float(np.square(block).sum())
            image += block.T @ (block @ vectors)
        mean = total / n_rows
        image -= np.outer(total, mean @ vectors)
        return image, self._shift + mean, squares - float(total @ mean)

    # --- Blocks of rows ---

    def _slices(self, n_rows: int) -> list[slice]:
        length = max(1, _BLOCK_SIZE // self._X.shape[1])
        return [
            slice(begin, min(begin + length, n_rows))
            for begin in range(0, n_rows, length)
        ]

    def _blocks(self, rows: np.ndarray | None) -> Iterator[np.ndarray]:
        for block in self._slices(len(self._X) if rows is None else len(rows)):
            yield self._shifted(block if rows is None else rows[block])

    def _shifted(self, rows: slice | np.ndarray) -> np.ndarray:
        # In single precision, results would depend on how BLAS divides the work.
        block: np.ndarray = self._X[rows].astype(np.float64)
        block -= self._shift
        return block


def _decomposition(
    mean: np.ndarray,
    n_rows: int,
    values: np.ndarray,
    directions: np.ndarray,
    trace: float,
) -> Decomposition:
    """Return PCA from the first eigenvalues of the scatter, and its trace."""
    n_degrees = max(n_rows - 1, 1)
    return Decomposition(
        mean,
        with_signs(directions),
        values / n_degrees,
        n_rows,
        max(trace - float(values.sum()), 0.0) / n_degrees,
        min(n_rows, len(mean)) - len(values),
    )


def _with_small_components(
    X: RowSource, rows: np.ndarray | None, found: Decomposition, floor: float
) -> Decomposition:
    """Find small components anew, in what the others leave of the rows.

    Variances up to `floor` are rounding: their components are zero.
    """
    largest = found.variances.max(initial=0.0)
    if largest <= floor:
        return replace(
            found,
            directions=np.zeros_like(found.directions),
            variances=np.zeros_like(found.variances),
        )
    is_precise = found.variances > _SMALLEST_SHARE * largest
    n_precise = int(is_precise.sum())
    if n_precise == len(is_precise):
        return found
    kept = found.directions[:n_precise]
    residuals = _Residuals(X, found.mean, kept)
    pca = LargePCA(residuals, np.zeros_like(found.mean))
    small = pca._decompose(len(is_precise) - n_precise, rows)
    small = _with_small_components(residuals, rows, small, floor)
    others = small.directions - small.directions @ kept.T @ kept
    return replace(
        found,
        directions=np.concatenate([kept, others]),
        variances=np.concatenate([found.variances[:n_precise], small.variances]),
        rest=small.rest,
    )


class _SomeRows:
    """The rows at the given indices; a `RowSource`."""

    def __init__(self, X: RowSource, rows: np.ndarray) -> None:
        self.shape = (len(rows), X.shape[1])
        self._X = X
        self._rows = rows

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self._X[self._rows[rows]]

    def take(self, indices: Any, axis: Any, out: Any, mode: Any) -> None:
        """Write rows to `out`."""
        out[...] = self[indices]


class _Residuals:
    """What directions leave of rows, in double precision; a `RowSource`."""

    def __init__(self, X: RowSource, mean: np.ndarray, directions: np.ndarray) -> None:
        self.shape = X.shape
        self._X = X
        self._mean = mean
        self._directions = directions

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        found: np.ndarray = self._X[rows] - self._mean
        for _ in range(2):  # once loses digits
            found -= found @ self._directions.T @ self._directions
        return found

    def take(self, indices: Any, axis: Any, out: Any, mode: Any) -> None:
        """Write rows to `out`."""
        out[...] = self[indices]
