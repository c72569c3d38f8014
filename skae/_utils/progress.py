"""The package's logger, which is silent unless `verbose` is set."""

from __future__ import annotations

import logging

logger = logging.getLogger("skae")


def show_progress() -> None:
    """Make messages of level INFO visible, through the user's handlers if any."""
    if not logger.isEnabledFor(logging.INFO):
        logger.setLevel(logging.INFO)
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler())
