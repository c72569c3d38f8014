"""Imports the modules that need TensorFlow, on demand and with the backend checked."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

_WRONG_BACKEND = (
    "skae trains with Keras on the TensorFlow backend, but Keras is set to the "
    "{backend!r} backend. Set the environment variable KERAS_BACKEND=tensorflow before "
    "Keras is first imported (or edit 'backend' in ~/.keras/keras.json)."
)

_FORKED = (
    "TensorFlow was started in process {started}, and this process ({here}) is a fork "
    "of it, where TensorFlow would wait forever for threads that a fork does not copy. "
    "`transform` and everything else that needs no TensorFlow works in forks. To fit, "
    "or to build Keras models, start processes with multiprocessing's 'spawn' or "
    "'forkserver', or fork before the first fit."
)


def import_with_tensorflow(name: str) -> ModuleType:
    """Import the module `name` of this package, which needs TensorFlow.

    Raises
    ------
    RuntimeError
        If Keras is set to another backend, or if this process was forked from one that
        had started TensorFlow.
    ImportError
        If TensorFlow or Keras is not installed.
    """
    if name in sys.modules:
        _check_not_forked()
        # Another thread may still be importing it: wait until it is complete.
        return importlib.import_module(name)
    if "keras" not in sys.modules:
        _check_backend(os.environ.get("KERAS_BACKEND", "tensorflow"))
    with garbage_collection_paused():
        _check_backend(_import_keras().backend.backend())
        _check_not_forked()
        _start_tensorflow()
        return importlib.import_module(name)


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Pause Python's garbage collector while many lasting objects are made.

    It would traverse all of TensorFlow's objects several times: the first fit of a
    process takes 4.4 s with the pause and 5.1 s without it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@cache
def _process_of_tensorflow() -> int:
    """Return the id of the process that started TensorFlow: the first to ask."""
    return os.getpid()


def _check_not_forked() -> None:
    started, here = _process_of_tensorflow(), os.getpid()
    if started != here:
        raise RuntimeError(_FORKED.format(started=started, here=here))


def _check_backend(backend: str) -> None:
    if backend not in ("", "tensorflow"):
        raise RuntimeError(_WRONG_BACKEND.format(backend=backend))


def _import_keras() -> ModuleType:
    try:
        return importlib.import_module("keras")
    except ImportError as error:
        raise ImportError(
            "skae could not import Keras with TensorFlow, which `fit` and `to_keras` "
            f"need ({error}). Install them with `pip install tensorflow`; if "
            "~/.keras/keras.json names another backend, set the environment variable "
            "KERAS_BACKEND=tensorflow."
        ) from error


def _start_tensorflow() -> None:
    """Start the runtime, with GPU memory allocated as needed rather than all at once.

    Devices that the user's program has configured or started are left as they are.
    """
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        if tf.config.get_logical_device_configuration(gpu):
            continue
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except (RuntimeError, ValueError):
            break
    tf.zeros(())
