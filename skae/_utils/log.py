"""The package's logger, which is silent unless `verbose` is set."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

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
def log_shown(shown: bool = True) -> Iterator[None]:
    """Make messages of level INFO visible, through the user's handlers if any."""
    if not shown:
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


def is_read() -> bool:
    """Tell whether the user has asked for messages of level INFO, by `logging`."""
    return logger.isEnabledFor(logging.INFO) and logger.hasHandlers()


def notebook_shell() -> Any:
    """Return IPython's shell if this code runs in a notebook, else `None`."""
    module = sys.modules.get("IPython")
    shell = None if module is None else module.get_ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def _show() -> None:
    _Shown.level, _Shown.handler = logger.level, None
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        # Notebooks show the error stream in red.
        stream = sys.stderr if notebook_shell() is None else sys.stdout
        _Shown.handler = logging.StreamHandler(stream)
        logger.addHandler(_Shown.handler)


def _hide() -> None:
    logger.setLevel(_Shown.level)
    if _Shown.handler is not None:
        logger.removeHandler(_Shown.handler)
