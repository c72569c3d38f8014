"""Copies of an estimator, so that a fit changes it in one step or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

Estimator = TypeVar("Estimator")


def snapshot(estimator: Estimator) -> Estimator:
    """Return a shallow copy, which fits by other threads do not change."""
    copy = type(estimator).__new__(type(estimator))
    vars(copy).update(vars(estimator))
    return copy


@contextmanager
def changed_on_success(estimator: Estimator) -> Iterator[Estimator]:
    """Yield a copy to fit, and take over what changed in it if that succeeds.

    Until then, other threads go on with the previous fit. Numbers may underflow to zero
    meanwhile, whatever `np.seterr` is set to.
    """
    before, new = vars(estimator).copy(), snapshot(estimator)
    with np.errstate(under="ignore"):
        yield new
    after = vars(new)
    # What another thread has set since, such as a parameter, stays.
    kept = {
        name: value
        for name, value in vars(estimator).items()
        if name in after or name not in before
    }
    changed = {
        name: value
        for name, value in after.items()
        if name not in before or value is not before[name]
    }
    estimator.__dict__ = {**kept, **changed}
