"""Sums over blocks of rows are those over all of them."""

import numpy as np
import pytest

from skae import _blocks
from skae._blocks import (
    aligned,
    copy_rows,
    empty_aligned,
    extremes,
    mean_and_variance,
    moments,
    row_blocks,
)
from skae._initialization import principal_axes
from skae._units import Affine, RowsInUnits


@pytest.fixture
def X(monkeypatch):
    """Rows far from the origin, of which a block takes three."""
    monkeypatch.setattr(_blocks, "_BLOCK_SIZE", 12)
    return np.random.default_rng(0).normal(size=(50, 4)) + 1e7


def test_blocks_are_the_rows_in_order(X):
    assert [len(block) for block in row_blocks(X)] == [3] * 16 + [2]
    np.testing.assert_array_equal(np.vstack([*row_blocks(X)]), X)
    rows = np.array([7, 3, 3, 40])
    np.testing.assert_array_equal(np.vstack([*row_blocks(X, rows)]), X[rows])


def test_no_rows_make_no_blocks():
    assert not [*row_blocks(np.ones((3, 2)), np.zeros(0, int))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_copied_in_their_units(X, dtype):
    X = (X - 1e7).astype(dtype)
    rows, copies = np.array([7, 3, 3, 40, 49]), empty_aligned((5, 4))
    copy_rows(RowsInUnits(X, Affine(0.5, np.arange(4.0))), rows, copies)
    np.testing.assert_allclose(copies, 0.5 * X[rows] + np.arange(4), rtol=1e-6)
    copy_rows(RowsInUnits(X, None), rows, copies)
    np.testing.assert_array_equal(copies, X[rows].astype(np.float32))


def test_moments_lose_no_digits_to_a_large_mean(X):
    Y = X @ np.diag([1.0, -2.0, 3.0, 0.5])
    found = moments(zip(row_blocks(X), row_blocks(Y), strict=True))
    assert found.n_rows == 50
    np.testing.assert_allclose(found.means[1], Y.mean(axis=0))
    expected = (X - X.mean(axis=0)).T @ (Y - Y.mean(axis=0))
    np.testing.assert_allclose(found.scatter, expected, atol=1e-5)
    mean, variance = mean_and_variance(X.astype(np.float32))
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(variance, X.astype(np.float32).var(axis=0, dtype=float))


def test_extremes_are_those_of_the_given_rows(X):
    rows = np.arange(5, 20)
    least, largest = extremes(X, rows)
    np.testing.assert_array_equal(least, X[rows].min(axis=0))
    np.testing.assert_array_equal(largest, X[rows].max(axis=0))


def test_axes_of_very_many_rows_are_as_exact_as_needed(monkeypatch, digits):
    """They are found without a copy of the rows."""
    expected = principal_axes(digits, 20)
    monkeypatch.setattr("skae._initialization._MANY_VALUES", 10)
    axes = principal_axes(digits, 20)
    np.testing.assert_allclose(axes.components, expected.components, atol=1e-8)
    np.testing.assert_allclose(axes.scale, expected.scale)
    left = digits - axes.reconstruct(digits)
    np.testing.assert_allclose(axes.error, np.mean(left**2))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_only_unaligned_arrays_are_copied(dtype):
    """TensorFlow ends the process where the memory of a tensor is not aligned."""
    values = empty_aligned((5, 3), dtype)
    values[...] = np.arange(15).reshape(5, 3)
    assert aligned(values) is values
    for others in (values[1:], values[:, 1:]):
        assert aligned(others).ctypes.data % 64 == 0
        np.testing.assert_array_equal(aligned(others), others)
