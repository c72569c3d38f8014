"""The package's logger, which is silent unless `verbose` is set."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("skae")


class _Shown:
    """How many fits show their messages, and what is undone after the last one."""

    lock = Lock()
    n_fits = 0
    level = logging.NOTSET
    handler: logging.Handler | None = None


@contextmanager
def progress_shown(verbose: bool) -> Iterator[None]:
    """Make messages of level INFO visible, through the user's handlers if any."""
    if not verbose:
        yield
        return
    with _Shown.lock:
        _Shown.n_fits += 1
        if _Shown.n_fits == 1:
            _show()
    try:
        yield
    finally:
        with _Shown.lock:
            _Shown.n_fits -= 1
            if _Shown.n_fits == 0:
                _hide()


def _show() -> None:
    _Shown.level, _Shown.handler = logger.level, None
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        _Shown.handler = logging.StreamHandler()
        logger.addHandler(_Shown.handler)


def _hide() -> None:
    logger.setLevel(_Shown.level)
    if _Shown.handler is not None:
        logger.removeHandler(_Shown.handler)
