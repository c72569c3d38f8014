"""Open every built page in a headless browser and report faults of its layout.

::

    python docs/check_pages.py docs/_build/html
    python docs/check_pages.py docs/_build/html --only index start --pictures shots

Each page is shown 1280 and 390 pixels wide, light and dark. Faults are pages wider than
the window, cut headings, paragraphs and cells (in the narrow window, tables may
scroll), a header on more than one row, pictures that do not load, errors of scripts,
and anything that the page fetches from the network.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from _browser import open_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Route

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
HEIGHT = 900
LAYOUT_FAULTS = (Path(__file__).parent / "check_pages.js").read_text(encoding="utf-8")


def page_faults(browser: Browser, path: Path, pictures: str | None) -> Iterator[str]:
    """Yield the faults of a page at every width and in every colour scheme.

    `pictures` is the beginning of the names of its pictures, if any are wanted.
    """
    faults: list[str] = []

    def refuse(route: Route) -> None:
        faults.append(f"fetches {route.request.url}")
        route.abort()

    page = browser.new_page()
    page.route(lambda url: not url.startswith(("file:", "data:")), refuse)
    page.on("pageerror", lambda error: faults.append(f"error of a script: {error}"))
    page.goto(path.as_uri())
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": HEIGHT})
            found = page.evaluate(LAYOUT_FAULTS)
            faults += [f"{width} px, {scheme}: {fault}" for fault in found]
            if pictures is not None:
                target = f"{pictures}-{width}-{scheme}.png"
                page.screenshot(path=target, full_page=True)
    page.close()
    yield from faults


def pages_of(site: Path, names: list[str]) -> list[Path]:
    """Return the pages of the site, or those of the given names without suffix."""
    if names:
        return [site / f"{name}.html" for name in names]
    return [
        path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("site", type=Path, help="folder of the built pages")
    parser.add_argument("--only", nargs="+", default=[], help="names of pages")
    parser.add_argument("--pictures", type=Path, help="folder to save pictures in")
    args = parser.parse_args()
    site = args.site.resolve()
    pages = pages_of(site, args.only)
    if args.pictures is not None:
        args.pictures.mkdir(parents=True, exist_ok=True)
    n_faults = 0
    with open_browser() as browser:
        for path in pages:
            name = str(path.relative_to(site).with_suffix(""))
            pictures = args.pictures and f"{args.pictures}/{name.replace('/', '-')}"
            for fault in page_faults(browser, path, pictures):
                print(f"{name}: {fault}")
                n_faults += 1
    print(f"{len(pages)} pages, {n_faults} faults")
    return int(n_faults > 0 or not pages)


if __name__ == "__main__":
    sys.exit(main())
