"""Progress is shown through the user's handlers, or on the error stream."""

import logging

import pytest

from skae._utils import progress


@pytest.fixture
def bare_logger(monkeypatch):
    """Replace the logger by one without handlers, level and parent."""
    logger = logging.Logger("skae")
    monkeypatch.setattr(progress, "logger", logger)
    return logger


def test_messages_are_written_once_to_the_error_stream(bare_logger, capsys):
    progress.show_progress()
    progress.show_progress()
    bare_logger.info("epoch 1")
    assert capsys.readouterr().err == "epoch 1\n"


def test_handlers_and_level_of_the_user_are_left_alone(bare_logger):
    handler = logging.NullHandler()
    bare_logger.addHandler(handler)
    bare_logger.setLevel(logging.DEBUG)
    progress.show_progress()
    assert bare_logger.handlers == [handler]
    assert bare_logger.level == logging.DEBUG


def test_level_that_hides_progress_is_lowered(bare_logger):
    bare_logger.setLevel(logging.WARNING)
    progress.show_progress()
    assert bare_logger.level == logging.INFO
