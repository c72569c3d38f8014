"""Sums over blocks of rows equal those over all rows."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skae._utils import blocks
from skae._utils.blocks import (
    JoinedColumns,
    SparseRows,
    copy_rows,
    extremes,
    mean_and_variance,
    moments,
    row_blocks,
    row_slices,
)

SOME_ROWS = np.array([7, 3, 3, 40])


@pytest.fixture
def X(monkeypatch):
    """Rows far from the origin, of which three make a block."""
    monkeypatch.setattr(blocks, "_BLOCK_SIZE", 12)
    monkeypatch.setattr(blocks, "_LEAST_ROWS", 1)
    return np.random.default_rng(0).normal(size=(50, 4)) + 1e7


def test_blocks_are_the_rows_in_order(X):
    assert [len(block) for block in row_blocks(X)] == [3] * 16 + [2]
    np.testing.assert_array_equal(np.vstack([*row_blocks(X)]), X)
    np.testing.assert_array_equal(np.vstack([*row_blocks(X, SOME_ROWS)]), X[SOME_ROWS])


def test_no_rows_make_no_blocks():
    assert not [*row_blocks(np.ones((3, 2)), np.zeros(0, int))]


def test_joined_columns_are_read_side_by_side(X):
    others = np.arange(100.0).reshape(50, 2)
    joined = JoinedColumns(X, others)
    assert joined.shape == (50, 6)
    expected = np.hstack([X, others])[SOME_ROWS]
    np.testing.assert_array_equal(joined[SOME_ROWS], expected)
    target = np.empty((len(SOME_ROWS), 6))
    copy_rows(joined, SOME_ROWS, target)
    np.testing.assert_array_equal(target, expected)


def test_rows_wider_than_a_block_are_blocks_of_their_own(X):
    assert row_slices(2, 100) == [slice(0, 1), slice(1, 2)]


def test_rows_are_copied_into_the_target(X):
    target = np.empty((4, 4))
    copy_rows(X, SOME_ROWS, target)
    np.testing.assert_array_equal(target, X[SOME_ROWS])


def assert_moments(found, first, second):
    assert found.n_rows == len(first)
    np.testing.assert_allclose(found.means[0], first.mean(axis=0))
    np.testing.assert_allclose(found.means[1], second.mean(axis=0))
    expected = (first - first.mean(axis=0)).T @ (second - second.mean(axis=0))
    np.testing.assert_allclose(found.scatter, expected, atol=1e-5)


def test_moments_lose_no_digits_to_a_large_mean(X):
    assert_moments(moments(X), X, X)
    assert_moments(moments(X, SOME_ROWS), X[SOME_ROWS], X[SOME_ROWS])


def test_moments_of_pairs_that_are_computed_from_the_rows(X):
    matrix = np.array([[1.0, 0], [-2, 0], [0, 3], [0.5, 1]])
    found = moments(X, pair=lambda rows: (rows, rows @ matrix))
    assert_moments(found, X, X @ matrix)


def test_mean_and_variance_of_single_precision_are_exact(X):
    X = X.astype(np.float32)
    mean, variance = mean_and_variance(X)
    np.testing.assert_allclose(mean, X.mean(axis=0, dtype=float), rtol=1e-12)
    np.testing.assert_allclose(variance, X.var(axis=0, dtype=float))


def test_extremes_are_those_of_the_given_rows(X):
    rows = np.arange(5, 20)
    lowest, highest = extremes(X, rows)
    np.testing.assert_array_equal(lowest, X[rows].min(axis=0))
    np.testing.assert_array_equal(highest, X[rows].max(axis=0))


def test_wide_rows_make_larger_blocks_up_to_a_limit():
    lengths = {n: row_slices(10**6, n)[0].stop for n in (10, 200, 1000, 10**4, 10**7)}
    assert lengths == {10: 6553, 200: 327, 1000: 256, 10**4: 104, 10**7: 1}


def test_sparse_rows_are_read_as_dense_ones(X):
    X = np.where(np.arange(4) == np.arange(50)[:, np.newaxis] % 4, X, 0)
    rows = SparseRows(csr_array(X))
    assert (rows.shape, len(rows), rows.size) == (X.shape, 50, X.size)
    np.testing.assert_array_equal(rows[3:9], X[3:9])
    np.testing.assert_array_equal(rows[SOME_ROWS], X[SOME_ROWS])
    target = np.ones((4, 4))
    copy_rows(rows, SOME_ROWS, target)
    np.testing.assert_array_equal(target, X[SOME_ROWS])
    assert rows.astype(np.float32)[:2].dtype == np.float32
    assert (rows.min(), rows.max()) == (X.min(), X.max())
    for found, expected in zip(
        mean_and_variance(rows), mean_and_variance(X), strict=True
    ):
        np.testing.assert_allclose(found, expected)
