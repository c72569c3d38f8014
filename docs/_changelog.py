"""The changelog as reStructuredText, made from CHANGELOG.md."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parent / "CHANGELOG.md"
TARGET = HERE / "generated" / "changelog.inc"

# The heading of the whole file is that of the page.
UNDERLINES = {"##": "-", "###": "~"}


def write() -> None:
    """Write what the page of the changelog includes."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(as_rst(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")


def as_rst(markdown: str) -> str:
    """Return the text below the first heading; it has headings, lists and links."""
    body = markdown.partition("\n")[2]
    body = re.sub(r"\[([^]]+)\]\(([^)]+)\)", r"`\1 <\2>`__", body)
    return re.sub(r"^(##+) (.+)$", _heading, body, flags=re.MULTILINE)


def _heading(match: re.Match[str]) -> str:
    title = match[2].strip("[]")
    return f"{title}\n{UNDERLINES[match[1]] * len(title)}"
