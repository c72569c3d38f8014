"""The checks of the built pages find what is wrong with a page."""

from __future__ import annotations

import check_links
import check_pages
import pytest
from _browser import open_browser

PAGE = """<!DOCTYPE html>
<html><head><meta name="viewport" content="width=device-width"><style>
body {{ margin: 0; font: 16px monospace; }}
.bd-header {{ display: flex; flex-wrap: wrap; }}
.bd-header a {{ width: {item}px; }}
td {{ white-space: nowrap; }}
</style></head><body>
<div class="bd-header"><ul class="navbar-nav"></ul>
<a href="#a">a</a><a href="#a">b</a></div>
{body}
<h1 id="a">A heading</h1>
</body></html>
"""
PICTURE = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture
def layout_faults(browser, tmp_path):
    def faults(body: str, item: int = 100) -> list[str]:
        path = tmp_path / "page.html"
        path.write_text(PAGE.format(body=body, item=item))
        return list(check_pages.page_faults(browser, path, None))

    return faults


def test_a_sound_page_has_no_faults(layout_faults):
    table = f"<table><tr><td>{'wide ' * 20}</td></tr></table>"
    body = f'<img src="{PICTURE}"><div style="overflow: auto">{table}</div>'
    assert layout_faults(body) == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (
            '<p style="width: 2000px">wide</p>',
            "1280 px, light: the page is 2000 px wide",
        ),
        ('<p style="width: 500px">wide</p>', "390 px, dark: the page is 500 px wide"),
        (
            f'<div style="overflow: hidden"><table><td>{"wide " * 300}</table></div>',
            "390 px, light: td",
        ),
        (
            f'<div style="overflow: auto"><table><td>{"wide " * 300}</table></div>',
            "1280 px, dark: td",
        ),
        (f"<h2>{'Abcdefghij' * 20}</h2>", "is cut off by the window"),
        (
            '<table style="table-layout: fixed; width: 100px"><td>Abcdefghijklmnopq',
            "is wider than its place",
        ),
        (
            '<div style="overflow: auto"><h1>a</h1><p style="width: 500px">wide</div>',
            "390 px, light: the page is 500 px wide",
        ),
        ('<img src="nothing.png">', "picture nothing.png is broken"),
        ("<script>throw new Error('oh')</script>", "error of a script: oh"),
        ('<img src="https://example.org/a.png">', "fetches https://example.org/a.png"),
    ],
)
def test_faults_of_the_layout_are_found(layout_faults, body, fault):
    assert any(fault in found for found in layout_faults(body))


def test_a_header_on_two_rows_is_found(layout_faults):
    found = layout_faults("", item=800)
    assert "1280 px, light: the header has more than one row" in found


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("other.html", None),
        ("other.html#there", None),
        ("https://example.org/nothing.html", None),
        ("other.html#nothing", "no such fragment"),
        ("#nothing", "no such fragment"),
        ("nothing.html", "no such file"),
    ],
)
def test_broken_links_are_found(tmp_path, link, fault):
    check_links.read.cache_clear()
    (tmp_path / "index.html").write_text(f'<a href="{link}">link</a>')
    (tmp_path / "other.html").write_text('<h1 id="there">There</h1>')
    faults = check_links.site_faults(tmp_path)
    if fault is None:
        assert faults == []
    else:
        assert len(faults) == 1
        assert fault in faults[0]
