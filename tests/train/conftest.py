"""Rows, and what several tests of training change or watch."""

import logging
import re

import numpy as np
import pytest

from skae import DenseAE
from skae._train import program


@pytest.fixture
def X():
    """Rows of two factors and some noise, (100, 6), in single precision."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(100, 2)) @ rng.normal(size=(2, 6))
    return (rows + 0.2 * rng.normal(size=rows.shape)).astype(np.float32)


@pytest.fixture
def make_dense():
    """Make estimators of one small architecture, which is compiled once."""

    def make(**parameters):
        defaults = {
            "n_components": 3,
            "hidden_layer_sizes": (8,),
            "early_stopping": False,
            "batch_size": 100,
            "max_iter": 3,
            "random_state": 0,
        }
        return DenseAE(**{**defaults, **parameters})

    return make


@pytest.fixture
def empty_cache(monkeypatch):
    """Empty the cache of compiled programs; return a function that empties it again."""

    def empty():
        monkeypatch.setattr(program, "_idle_programs", [])

    empty()
    return empty


@pytest.fixture
def use_xla(monkeypatch, empty_cache):
    """Return a function that lets XLA take over after the first epoch.

    It then takes four steps at once.
    """

    def use():
        empty_cache()
        monkeypatch.setattr("skae._train.loop.epochs_before_xla", lambda *_: 1)
        monkeypatch.setattr("skae._train.xla._MAX_STEPS", 4)

    return use


@pytest.fixture
def at_epoch():
    """Return a function that calls another when an epoch has been trained.

    The fit must have ``verbose=2``: the line of the epoch makes the call.
    """
    logger = logging.getLogger("skae")
    handlers = []

    def call(epoch, function):
        class Handler(logging.Handler):
            def emit(self, record):
                if re.search(rf"epoch {epoch}/\d+, loss", record.getMessage()):
                    function()

        handlers.append(Handler())
        logger.addHandler(handlers[-1])

    yield call
    for handler in handlers:
        logger.removeHandler(handler)
