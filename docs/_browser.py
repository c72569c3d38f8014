"""A headless browser for the checks of the built pages."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Yield the Chromium of the system, which Playwright drives."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise FileNotFoundError(
            f"None of {', '.join(NAMES)} is on PATH. Install a browser, for instance "
            "by `apt-get install chromium`."
        )
    with sync_playwright() as playwright:
        # Without a sandbox, Chromium also starts as root, as in containers.
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"]
        )
        yield browser
        browser.close()
