"""Public names are in the API pages and in examples; examples are in order."""

import ast
import re
from pathlib import Path

import pytest

import skae

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = pytest.mark.skipif(
    not DOCS.exists(), reason="no docs in the source distribution"
)


def examples():
    return sorted((DOCS / "examples").glob("plot_*.py"))


@pytest.mark.parametrize("name", skae.__all__)
def test_public_name_is_in_the_api_pages(name):
    pages = (DOCS / "api.rst").read_text()
    assert re.search(rf"^   {name}$", pages, flags=re.MULTILINE)


@pytest.mark.parametrize("name", skae.__all__)
def test_public_name_is_used_in_an_example(name):
    used = {
        node.id if isinstance(node, ast.Name) else node.attr
        for path in examples()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Name, ast.Attribute))
    }
    # A comparison is what `compare_with_pca` returns; nobody creates one by hand.
    if name == "PCAComparison":
        name = "compare_with_pca"
    assert name in used


def test_every_example_has_a_place_in_the_gallery():
    source = (DOCS / "_gallery.py").read_text()
    (order,) = (
        ast.literal_eval(node.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ORDER"
    )
    assert sorted(order) == [path.name for path in examples()]
    assert order[0] == "plot_replace_pca.py"
