"""What all tests share, those in docstrings and pages included."""

import os
import sys

import pytest

# Read when matplotlib is imported: no test opens a window.
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(autouse=True)
def _figures_are_closed():
    """Close the figures of a test: matplotlib warns of too many open ones."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
