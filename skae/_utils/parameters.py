"""Values of estimator parameters: generators, seeds and sizes."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state


class Seeds(NamedTuple):
    """One integer seed for each use of randomness in a fit."""

    split: int
    initialization: int
    training: int
    validation: int


def as_generator(random_state: Any) -> np.random.RandomState:
    """Return the generator for a `random_state`, a freshly seeded one for `None`.

    scikit-learn would use NumPy's global generator for `None`. That one belongs to the
    user's program, and fitting must neither use nor change it.
    """
    if random_state is None:
        return np.random.RandomState()
    generator: np.random.RandomState = check_random_state(random_state)
    return generator


def draw_seeds(random_state: Any) -> Seeds:
    """Draw the seeds of a fit."""
    rng = as_generator(random_state)
    return Seeds(*map(int, rng.randint(2**31 - 1, size=4)))


def check_integers(
    values: Any, name: str, estimator: str, otherwise: str = ""
) -> tuple[int, ...]:
    """Check that a parameter is an integer of at least 1, or a sequence of them.

    The names of the parameter and of the estimator's class, and the other values that
    are allowed, are for the error message.
    """
    items = tuple(np.atleast_1d(np.asarray(values, dtype=object)))
    if not all(isinstance(item, Integral) and int(item) >= 1 for item in items):
        raise ValueError(
            f"The {name!r} parameter of {estimator} must be {otherwise}an integer or a "
            f"sequence of integers of at least 1. Got {values!r} instead."
        )
    return tuple(map(int, items))
