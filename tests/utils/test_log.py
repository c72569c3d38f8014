"""Messages are shown through the user's handlers, or on the error stream."""

import logging

import numpy as np
import pytest

from skae import DenseAE
from skae._utils import log


@pytest.fixture
def bare_logger(monkeypatch):
    """Replace the logger by one without handlers, level and parent."""
    logger = logging.Logger("skae")
    monkeypatch.setattr(log, "logger", logger)
    return logger


def test_messages_are_written_once_to_the_error_stream(bare_logger, capsys):
    with log.log_shown(), log.log_shown():
        bare_logger.info("epoch 1")
    assert capsys.readouterr().err == "epoch 1\n"


def test_handlers_and_level_of_the_user_are_left_alone(bare_logger):
    handler = logging.NullHandler()
    bare_logger.addHandler(handler)
    bare_logger.setLevel(logging.DEBUG)
    with log.log_shown():
        assert bare_logger.handlers == [handler]
        assert bare_logger.level == logging.DEBUG


def test_level_that_hides_messages_is_lowered_meanwhile(bare_logger):
    bare_logger.setLevel(logging.WARNING)
    with log.log_shown():
        assert bare_logger.level == logging.INFO
    assert bare_logger.level == logging.WARNING


def test_the_logger_is_as_before_when_the_last_fit_ends(bare_logger):
    first, second = (log.log_shown() for _ in range(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert len(bare_logger.handlers) == 1
    second.__exit__(None, None, None)
    assert bare_logger.handlers == []


@pytest.mark.parametrize("rows", [np.ones((60, 3)), np.full((60, 3), np.nan)])
def test_fits_with_verbose_leave_later_ones_silent(rows):
    logger = log.logger
    before = (logger.level, [*logger.handlers])
    try:
        DenseAE(1, verbose=1).fit(rows)
    except ValueError:
        assert np.isnan(rows).any()
    assert (logger.level, [*logger.handlers]) == before
