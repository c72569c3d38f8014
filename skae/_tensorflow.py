"""Imports TensorFlow on demand: quietly, and with the backend checked."""

from __future__ import annotations

import gc
import importlib
import os
import re
import sys
from contextlib import contextmanager
from functools import cache
from threading import Thread
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
    "TensorFlow was started in another process (id {started}), of which this one (id "
    "{here}) is a fork, and would wait forever for threads that exist only there. "
    "`transform` and all else that needs no TensorFlow works in forks; to fit or to "
    "build Keras models, start processes by multiprocessing's 'spawn' or "
    "'forkserver', or fork before the first fit."
)

# The lines that TensorFlow's C++ runtime logs while it starts.
_BANNER = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:\d+\.\d+ "
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
    rb"|WARNING: All log messages before absl::InitializeLog"
    rb"|To enable the following instructions: "
)


def import_with_tensorflow(name: str) -> ModuleType:
    """Import the module `name` of this package, which needs TensorFlow.

    Raises
    ------
    RuntimeError
        If Keras is set to another backend, or if TensorFlow was started before this
        process was forked.
    ImportError
        If TensorFlow or Keras is not installed.
    """
    if name in sys.modules:
        _check_not_forked()
        # Another thread may still be importing it; this waits.
        return importlib.import_module(name)
    if "keras" not in sys.modules:
        _check_backend(os.environ.get("KERAS_BACKEND", "tensorflow"))
    with _banners_dropped(), garbage_collection_paused():
        _check_backend(_import_keras().backend.backend())
        _check_not_forked()
        _start_tensorflow()
        return importlib.import_module(name)


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Let Python's garbage collector rest while many objects are made that last.

    It would go through all of TensorFlow's several times, which takes a quarter of the
    seconds until a first fit has begun to train.
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
    """Return the process that asked first, as TensorFlow started there."""
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
    """Start the runtime, so that it takes GPU memory as needed rather than all of it.

    Whatever the user's program has set or started is left as it is.
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


@contextmanager
def _banners_dropped() -> Iterator[None]:
    """Drop TensorFlow's start-up log from standard error, and pass on all else.

    TensorFlow 2.21 logs before any of its settings is read, so that nothing but the
    file descriptor is left to act on. ``TF_CPP_MIN_LOG_LEVEL=0`` shows everything.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0":
        yield
        return
    try:
        stderr = os.dup(2)
    except OSError:  # a program without standard error
        yield
        return
    read_end, write_end = os.pipe()
    os.dup2(write_end, 2)
    os.close(write_end)
    reader = Thread(target=_pass_on, args=(read_end, stderr), daemon=True)
    reader.start()
    try:
        yield
    finally:
        os.dup2(stderr, 2)  # the reader sees the end of the pipe
        reader.join(timeout=5)


def _pass_on(read_end: int, stderr: int) -> None:
    with open(read_end, "rb") as lines, open(stderr, "wb", buffering=0) as target:
        for line in lines:
            if not _BANNER.match(line):
                target.write(line)
