"""The package's logger, which speaks only where `verbose` asks it to."""

from __future__ import annotations

import logging

logger = logging.getLogger("skae")


def show_progress() -> None:
    """Make messages of level INFO visible, in the user's way if one is configured."""
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
