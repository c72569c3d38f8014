"""Keeps NumPy's threads from getting in the way of TensorFlow's."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Iterator

# Matrix products of fewer multiplications are not worth sharing.
_FEW_MULTIPLICATIONS = 1e8


class _SharedLimit:
    """A limit of one BLAS thread, for as long as somebody holds it.

    The number of threads belongs to the process. If overlapping limits each restored
    what they found, the last to end could leave the first one's limit for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_holders = 0
        self._limit: Any = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        with self._lock:
            if self._n_holders == 0:
                self._limit = _controller().limit(limits=1, user_api="blas")
            self._n_holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_holders -= 1
                if self._n_holders == 0:
                    self._limit.restore_original_limits()


_shared_limit = _SharedLimit()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread_if_small(n_multiplications: float) -> Iterator[None]:
    """Let BLAS use a single thread meanwhile, where the work is small.

    After a product, OpenBLAS's threads go on spinning for up to a tenth of a second and
    take that time from TensorFlow's: without this a short fit lasts half as long again.
    """
    if n_multiplications > _FEW_MULTIPLICATIONS:
        yield
    else:
        with _shared_limit.hold():
            yield
