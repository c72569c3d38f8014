"""Parameters of estimators as plain values: generators, seeds and sizes."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skae._plan import Seeds


def as_generator(random_state: Any) -> np.random.RandomState:
    """Turn a `random_state` into a generator, for `None` one of fresh entropy.

    scikit-learn would use NumPy's global generator, which is the user's.
    """
    if random_state is None:
        return np.random.RandomState()
    generator: np.random.RandomState = check_random_state(random_state)
    return generator


def draw_seeds(random_state: Any) -> Seeds:
    """Draw the seeds of a fit."""
    rng = as_generator(random_state)
    return Seeds(*(int(seed) for seed in rng.randint(2**31 - 1, size=4)))


def check_integers(values: Any, name: str, otherwise: str = "") -> tuple[int, ...]:
    """Check that a parameter is one integer of at least 1, or a sequence of them."""
    items = tuple(np.atleast_1d(np.asarray(values, dtype=object)))
    if not all(isinstance(item, Integral) and int(item) >= 1 for item in items):
        raise ValueError(
            f"{name} must be {otherwise}a sequence of integers of at least 1, got "
            f"{values!r}."
        )
    return tuple(int(item) for item in items)
