"""The memory of the machine."""

from __future__ import annotations

import os


def physical_memory() -> float:
    """Return the bytes of physical memory, or infinity where they are not known.

    A container may be allowed less.
    """
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # not on Windows
        return float("inf")
