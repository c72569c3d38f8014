"""Keeps NumPy's threads out of the way of TensorFlow's."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Iterator

# Matrix products with fewer multiplications gain nothing from several threads.
_FEW_MULTIPLICATIONS = 1e8


class _SharedLimit:
    """A limit of one BLAS thread that several threads may hold at once.

    The number of BLAS threads belongs to the process or, in some builds, to the calling
    thread. So each holder sets it, and each restores the number that the first holder
    found: the later ones may have found the first one's limit. Where the number belongs
    to the process, the first holder to leave lifts the limit for all, which costs the
    others some time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_holders = 0
        self._first: Any = None

    @contextmanager
    def hold(self) -> Iterator[None]:
        with self._lock:
            limit = _controller().limit(limits=1, user_api="blas")
            if self._n_holders == 0:
                self._first = limit
            self._n_holders += 1
            first = self._first
        try:
            yield
        finally:
            with self._lock:
                self._n_holders -= 1
                first.restore_original_limits()


_shared_limit = _SharedLimit()


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread_if_small(n_multiplications: float) -> Iterator[None]:
    """Limit BLAS to one thread inside the context if the work is small.

    After a product, OpenBLAS's threads keep spinning for up to a tenth of a second and
    take that time from TensorFlow's: without the limit, short fits take half as long
    again.
    """
    if n_multiplications > _FEW_MULTIPLICATIONS:
        yield
    else:
        with _shared_limit.hold():
            yield
