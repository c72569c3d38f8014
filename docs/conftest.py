"""The option that tells the tests of the built pages where these are."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--site",
        type=Path,
        default=HERE / "_build" / "html",
        help="folder of the built pages (default: docs/_build/html)",
    )


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Path:
    """Return the folder of the built pages."""
    folder = request.config.getoption("--site").resolve()
    if not (folder / "index.html").is_file():
        pytest.fail(
            f"{folder} has no index.html. Build the pages with `sphinx-build docs "
            "docs/_build/html`, or name their folder with --site."
        )
    return folder
