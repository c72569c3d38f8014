"""Corruption of rows, which a denoising autoencoder learns to undo.

`xp` is :mod:`keras.ops` in training and :mod:`numpy` elsewhere; random numbers are
drawn by the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

#: Kinds of noise.
NOISES = ("gaussian", "masking", "salt_and_pepper", "swap")


@dataclass(frozen=True)
class Corruption:
    """Noise in the units of training.

    Attributes
    ----------
    kind : str
        One of `NOISES`.
    level : float
        Standard deviation of "gaussian" noise, else the share of corrupted values.
    low, high : ndarray of shape (n_features,)
        What half the corrupted values each are replaced by, in "masking" and
        "salt_and_pepper".
    """

    kind: str
    level: float
    low: np.ndarray
    high: np.ndarray


def add_gaussian(rows: Any, normal: Any, level: Any) -> Any:
    return rows + level * normal


def replace_values(
    xp: Any, rows: Any, uniform: Any, level: Any, replacements: tuple[Any, Any]
) -> Any:
    """Replace the share `level` of the values, one half by each of two replacements."""
    low, high = replacements
    half = level / 2
    return xp.where(uniform < half, low, xp.where(uniform >= 1 - half, high, rows))


def corrupt(corruption: Corruption, X: np.ndarray, donors: np.ndarray, rng: Any) -> Any:
    """Corrupt the rows of `X`, in NumPy.

    Parameters
    ----------
    corruption : Corruption
    X : ndarray of shape (n_samples, n_features)
    donors : ndarray of shape (n_donors, n_features)
        Rows from which "swap" takes values.
    rng : numpy.random.Generator
    """
    if corruption.kind == "gaussian":
        noise = rng.standard_normal(X.shape, dtype=np.float32)
        return add_gaussian(X, noise, np.float32(corruption.level))
    uniform = rng.random(X.shape, dtype=np.float32)
    replacements = (corruption.low, corruption.high)
    if corruption.kind == "swap":
        chosen = rng.integers(len(donors), size=X.shape)
        swapped = np.take_along_axis(donors, chosen, axis=0)
        replacements = (swapped, swapped)
    return replace_values(np, X, uniform, corruption.level, replacements)
