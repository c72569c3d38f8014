"""Rows are divided into batches of nearly equal length."""

import numpy as np
import pytest

from skae._train.batches import batch_lengths, batched, grouped, row_weights


@pytest.mark.parametrize("n_rows", [99, 100, 101, 102, 250])
def test_no_batch_is_much_smaller_than_the_others(n_rows):
    lengths = batch_lengths(n_rows, 50)
    assert len(lengths) == -(-n_rows // 50)
    assert lengths.sum() == n_rows
    assert lengths.max() - lengths.min() <= 1
    assert lengths.max() <= 50


@pytest.mark.parametrize(
    ("n_rows", "min_batches", "expected"),
    [(10, 1, [10]), (10, 3, [4, 3, 3]), (2, 5, [1, 1]), (0, 5, [])],
)
def test_few_rows_make_a_minimum_number_of_batches(n_rows, min_batches, expected):
    assert batch_lengths(n_rows, 50, min_batches).tolist() == expected


def test_batches_hold_the_values_in_order_and_are_padded_with_zeros():
    values = np.arange(1, 6, dtype=np.int32)
    batches = batched(values, np.array([3, 2]), batch_size=4)
    assert batches.tolist() == [[1, 2, 3, 0], [4, 5, 0, 0]]
    assert batches.dtype == np.int32


def test_batches_fill_up_the_last_group_of_steps():
    batches = batched(np.arange(1, 6), np.array([2, 2, 1]), batch_size=2, n_steps=2)
    assert batches.tolist() == [[1, 2], [3, 4], [5, 0], [0, 0]]
    assert grouped(np.array([2, 2, 1]), 2).tolist() == [[2, 2], [1, 0]]


def test_row_weights_are_one_over_the_number_of_rows():
    expected = [[1 / 2, 1 / 2, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0]]
    np.testing.assert_allclose(row_weights(2, 4), expected)
