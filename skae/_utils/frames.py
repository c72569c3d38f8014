"""Columns of text in arrays and data frames that should be numbers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_NAMES = 5


@contextmanager
def refuse_text(X: Any, estimator: str) -> Iterator[None]:
    """Name the columns of text in `X` if the validation inside the context fails.

    Raises
    ------
    ValueError
        If it failed and `X` has such columns. Other errors pass through.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        names = text_columns(X)
        if not names:
            raise
        shown = ", ".join(map(repr, names[:_MOST_NAMES]))
        more = f" and {len(names) - _MOST_NAMES} more" * (len(names) > _MOST_NAMES)
        raise ValueError(
            f"{estimator} takes numbers, but X has text in the columns {shown}{more}. "
            "Encode the table first: make_pipeline(MixedTableEncoder(), ...)."
        ) from error


def text_columns(X: Any) -> list[Any]:
    """Return the names, or else the indices, of the columns with values of text."""
    if hasattr(X, "columns") and hasattr(X, "__getitem__"):
        columns = [(name, X[name]) for name in X.columns]
    elif getattr(X, "ndim", None) == 2 and X.dtype.kind in "OUST":
        columns = [*enumerate(X.T)]
    else:
        return []
    return [name for name, values in columns if _has_text(values)]


def _has_text(values: Any) -> bool:
    """Tell whether any value is text that stands for no number."""
    values = np.asarray(values)
    if values.dtype.kind not in "OUST":
        return False
    texts = [value for value in values.tolist() if isinstance(value, (str, bytes))]
    try:
        np.array(texts).astype(np.float64)
    except ValueError:
        return True
    return False
