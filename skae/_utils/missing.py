"""Missing values, as NumPy, pandas and Python have them."""

from __future__ import annotations

from typing import Any


def is_missing_value(value: Any) -> bool:
    """Tell whether a value stands for a missing one: None, NaN, NaT or pandas.NA."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas.NA; arrays
        return type(value).__name__ == "NAType"
