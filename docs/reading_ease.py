"""Measure how easy the guide pages are to read, by Flesch's formula.

::

    python docs/reading_ease.py docs/_build/html
    python docs/reading_ease.py docs/_build/html --hardest 5

The text is what Sphinx has read: paragraphs and lists, without code, tables, headings
and what is generated. Names in code style within sentences count as the words that they
are made of: `n_components` is two words. 60 is plain English; the goal of the pages is
a median of at least 55, and no page below 45.
"""

from __future__ import annotations

import argparse
import pickle
import re
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import textstat
from docutils import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_MEDIAN = 55.0
LEAST = 45.0
# Pages that are generated, or that only list others.
NOT_GUIDES = {"api", "changelog"}

_NOT_PROSE = (
    nodes.doctest_block,
    nodes.literal_block,
    nodes.raw,
    nodes.table,
    nodes.title,
    nodes.footnote,
    nodes.citation,
)


def guide_pages(site: Path) -> dict[str, nodes.document]:
    """Return the guide pages as Sphinx has read them, by name."""
    return {
        path.stem: pickle.loads(path.read_bytes())
        for path in sorted((site / ".doctrees").glob("*.doctree"))
        if path.stem not in NOT_GUIDES
    }


def sentences(page: nodes.Node) -> Iterator[str]:
    """Yield the sentences of a page."""
    for paragraph in page.findall(is_prose):
        # A paragraph that leads to code or a list may end in a colon.
        text = prose_of(paragraph).strip().rstrip(":").rstrip(".")
        yield from (
            s.strip() for s in re.split(r"(?<=[.?!:;])\s+(?=[A-Z`])", f"{text}.")
        )


def is_prose(node: nodes.Node) -> bool:
    if not isinstance(node, nodes.paragraph) or (node.source or "").endswith(".inc"):
        return False
    around = node
    while around is not None:
        if isinstance(around, _NOT_PROSE):
            return False
        around = around.parent
    return True


def prose_of(node: nodes.Node) -> str:
    """Return the text of a paragraph, with names in code style as words."""
    if isinstance(node, nodes.literal):
        return re.sub(r"[^A-Za-z0-9]+", " ", node.astext()).strip()
    if isinstance(node, nodes.Text):
        return node.astext()
    return "".join(map(prose_of, node.children))


def reading_ease(text: str) -> float:
    return float(textstat.flesch_reading_ease(text))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("site", type=Path, help="folder of the built pages")
    parser.add_argument(
        "--hardest", type=int, default=0, help="sentences to show a page"
    )
    args = parser.parse_args()
    eases = {}
    for name, page in guide_pages(args.site).items():
        found = [*sentences(page)]
        eases[name] = reading_ease(" ".join(found))
        print(f"{eases[name]:6.1f}  {name}")
        for sentence in sorted(found, key=reading_ease)[: args.hardest]:
            print(f"        {reading_ease(sentence):6.1f}  {sentence}")
    if not eases:
        print(f"{args.site} has no pages: build the documentation there first.")
        return 2
    middle, least = median(eases.values()), min(eases.values())
    print(
        f"median {middle:.1f} (goal {LEAST_MEDIAN}), least {least:.1f} (goal {LEAST})"
    )
    return int(middle < LEAST_MEDIAN or least < LEAST)


if __name__ == "__main__":
    sys.exit(main())
