"""Check links and files of the built pages and of the READMEs, without a network.

::

    python docs/check_links.py docs/_build/html

Every link to a page or a file of the site must lead to it, and every fragment to an
element of that page. In the READMEs, links to files of the repository are checked.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

REPOSITORY = Path(__file__).parents[1]
READMES = (REPOSITORY / "README.md", REPOSITORY / "docs" / "README.zh-CN.md")
# GitHub's own pages beside the files, such as the runs of the workflow.
OUTSIDE_OF_THE_FILES = "/actions/"


@dataclass
class Page(HTMLParser):
    """The links of a page, and the fragments that lead into it."""

    links: set[str] = field(default_factory=set)
    fragments: set[str] = field(default_factory=lambda: {"", "top"})

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        for name in ("href", "src"):
            if values.get(name):
                self.links.add(values[name] or "")
        # Browsers choose among these by the resolution of the screen.
        for candidate in (values.get("srcset") or "").split(","):
            if candidate.strip():
                self.links.add(candidate.split()[0])
        for name in ("id", "name"):
            if values.get(name):
                self.fragments.add(values[name] or "")


@cache
def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def site_faults(site: Path) -> list[str]:
    """Return one line for each broken link of the built pages."""
    return [
        f"{path.relative_to(site)}: {link}: {fault}"
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
        for link in sorted(read(path).links)
        if (fault := link_fault(path, link))
    ]


def link_fault(path: Path, link: str) -> str | None:
    """Return what is wrong with a link of the page at `path`."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_file():
        return "there is no such file"
    fragment = unquote(parts.fragment)
    if target.suffix == ".html" and fragment not in read(target).fragments:
        return "the page has no such fragment"
    return None


def readme_faults(path: Path) -> list[str]:
    """Return one line for each link of a README to a file that is not there."""
    links = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    return [
        f"{path.name}: {link}: there is no such file"
        for link in links
        if not urlsplit(link).scheme
        and OUTSIDE_OF_THE_FILES not in link
        and not (path.parent / link).exists()
    ]


def main(site: Path) -> int:
    if not (site / "index.html").is_file():
        print(f"{site} has no index.html: build the documentation there first.")
        return 2
    faults = [*site_faults(site), *(line for p in READMES for line in readme_faults(p))]
    print(*faults, sep="\n", end="\n" * bool(faults))
    n_pages = read.cache_info().currsize
    print(f"{n_pages} pages, {len(faults)} broken links")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
