"""The moving figure of the front page, in a real browser.

::

    sphinx-build docs docs/_build/html && pytest docs/test_moving_figure.py
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import moving_figure
import numpy as np
import pytest
from _browser import open_browser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from skae import DenseAE

# All that the page loads for the figure.
MAX_BYTES = 200_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    context = browser.new_context(
        has_touch=True, viewport={"width": 1280, "height": 900}
    )
    opened = context.new_page()
    opened.goto((site / "index.html").as_uri())
    yield opened
    context.close()


@pytest.fixture(scope="module")
def estimator(site: Path) -> DenseAE:
    """Return the estimator whose arrays the build has put into the page."""
    _, fitted = pickle.loads(moving_figure.saved(site / ".doctrees").read_bytes())
    return fitted


def decoded(page: Page) -> tuple[np.ndarray, np.ndarray]:
    """Return the code at the ring, and the pixels that the page computed from it."""
    shown = page.evaluate("document.querySelector('.moving-figure').decoded")
    return np.array(shown["code"]), np.array(shown["pixels"])


def plane(page: Page) -> dict[str, float]:
    box = page.locator(".moving-figure-plane").bounding_box()
    assert box is not None
    return box


def test_pages_decode_as_numpy_does(page: Page, estimator: DenseAE) -> None:
    box = plane(page)
    codes, pixels = [], []
    for across in np.linspace(0.02, 0.98, 7):
        for down in np.linspace(0.02, 0.98, 7):
            page.mouse.move(
                box["x"] + across * box["width"], box["y"] + down * box["height"]
            )
            code, decoded_pixels = decoded(page)
            codes.append(code)
            pixels.append(decoded_pixels)
    assert np.ptp(codes, axis=0).min() > 10
    expected = estimator.inverse_transform(np.array(codes))
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=1e-5)


def test_the_middle_of_the_plane_is_the_middle_of_the_codes(page, estimator):
    X, _ = moving_figure.digits()
    codes = estimator.transform(X)
    box = plane(page)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    middle = (codes.min(axis=0) + codes.max(axis=0)) / 2
    np.testing.assert_allclose(decoded(page)[0], middle, atol=0.1)


@pytest.mark.parametrize(
    ("key", "direction"),
    [
        ("ArrowLeft", (-1, 0)),
        ("ArrowRight", (1, 0)),
        ("ArrowUp", (0, 1)),
        ("ArrowDown", (0, -1)),
    ],
)
def test_arrow_keys_move_the_code(page, estimator, key, direction):
    before, _ = decoded(page)
    page.locator(".moving-figure-plane").focus()
    page.keyboard.press(key)
    code, pixels = decoded(page)
    np.testing.assert_array_equal(np.sign(code - before), direction)
    expected = estimator.inverse_transform(code[None])[0]
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=1e-5)


def test_touch_moves_the_code(page):
    before, _ = decoded(page)
    box = plane(page)
    page.touchscreen.tap(box["x"] + 5, box["y"] + 5)
    after, _ = decoded(page)
    assert after[0] < before[0]
    assert after[1] > before[1]


def test_the_digit_is_drawn_from_the_pixels(page):
    drawn = page.evaluate(
        "[...document.querySelector('.moving-figure-digit').getContext('2d')"
        ".getImageData(0, 0, 8, 8).data].filter((_, i) => i % 4 === 3)"
    )
    _, pixels = decoded(page)
    np.testing.assert_allclose(drawn, 255 * pixels.clip(0, 1), atol=1)


def test_a_still_picture_stands_in_where_scripts_are_off(browser, site):
    page = browser.new_page(java_script_enabled=False)
    page.goto((site / "index.html").as_uri())
    assert not page.locator(".moving-figure").is_visible()
    still = page.locator("noscript img")
    assert still.is_visible()
    assert still.bounding_box()["height"] > 100
    page.close()


def test_the_figure_is_small(site):
    html = (site / "index.html").stat().st_size
    script = (site / "_static" / "moving_figure.js").stat().st_size
    assert html + script < MAX_BYTES
