"""Rows divided into batches of a fixed size, padded with zeros."""

from __future__ import annotations

import numpy as np


def batch_lengths(n_rows: int, batch_size: int, min_batches: int = 1) -> np.ndarray:
    """Return the number of rows in each batch.

    There are as few batches as possible but at least `min_batches`, and their lengths
    differ by one row at most: a last batch with the few remaining rows would take a
    step as long as any other.
    """
    n_batches = max(-(-n_rows // batch_size), min(min_batches, n_rows))
    if n_batches == 0:
        return np.zeros(0, int)
    shorter, n_longer = divmod(n_rows, n_batches)
    return shorter + (np.arange(n_batches) < n_longer)


def batched(
    values: np.ndarray, lengths: np.ndarray, batch_size: int, n_steps: int = 1
) -> np.ndarray:
    """Divide values into batches, zero-padded.

    Returns
    -------
    batches : ndarray of shape (n_batches, batch_size)
        The number of batches is a multiple of `n_steps`; batches without values are
        all zeros.
    """
    n_groups = -(-len(lengths) // n_steps)
    batches = np.zeros((n_groups * n_steps, batch_size), values.dtype)
    begin = 0
    for batch, length in zip(batches, lengths.tolist(), strict=False):
        batch[:length] = values[begin : begin + length]
        begin += length
    return batches


def grouped(values: np.ndarray, n_steps: int) -> np.ndarray:
    """Reshape per-batch values to (n_groups, n_steps), zero-padded."""
    groups = np.zeros((-(-len(values) // n_steps), n_steps), values.dtype)
    groups.reshape(-1)[: len(values)] = values
    return groups


def row_weights(n_rows: int, batch_size: int) -> np.ndarray:
    """Return the weights of the rows in a batch of `n_rows` and in one of a row more.

    Returns
    -------
    weights : ndarray of shape (2, batch_size)
        One over the number of rows; 0 where a batch is padded.
    """
    both = np.array([[n_rows], [n_rows + 1]])
    return (np.arange(batch_size) < both) / both
