"""Tables for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def html_table(
    names: Sequence[str], rows: Sequence[Sequence[Any]], best_row: int | None = None
) -> str:
    """Return a table in HTML.

    Parameters
    ----------
    names : sequence of str
        Names of the columns.
    rows : sequence of sequences
        Values of the cells; floats are shown with four digits. All text is escaped.
    best_row : int or None
        Index of the row to print in bold.
    """
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr{_BOLD if i == best_row else ''}>"
        + "".join(f'<td style="text-align: right">{_text(cell)}</td>' for cell in row)
        + "</tr>"
        for i, row in enumerate(rows)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_BOLD = ' style="font-weight: bold"'


def _text(cell: Any) -> str:
    return escape(f"{cell:.4g}" if isinstance(cell, float) else str(cell))
