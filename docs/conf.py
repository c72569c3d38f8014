"""Configuration of the documentation."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes

import skae

sys.path.append(str(Path(__file__).parent))
import _changelog
import _performance
import moving_figure

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx

project = "skae"
author = "The skae developers"
copyright = "The skae developers"
version = release = skae.__version__
# Read the Docs knows where the repository is; elsewhere the pages do not link to it.
repository = os.environ.get("READTHEDOCS_GIT_CLONE_URL", "").removesuffix(".git")
if repository:
    tags.add("repository")  # noqa: F821 (Sphinx defines it)

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "**/GALLERY_HEADER.rst"]
templates_path = ["_templates"]
default_role = "literal"

extlinks = {"repository": (f"{repository}%s", "%s")}

autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings say more
# The pages of the classes list their methods themselves (see _templates).
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "_gallery.ExampleOrder",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skae",),
    "image_srcset": ["2x"],
    "remove_config_comments": True,
    "show_memory": False,
    # The page of the times would fetch scripts from elsewhere.
    "write_computation_times": False,
    "parallel": 2,
}

# Figures of the guide pages are drawn by the code that the page shows.
plot_include_source = True
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 150)]
plot_rcparams = {"figure.constrained_layout.use": True, "font.size": 9}
plot_apply_rcparams = True

html_theme = "pydata_sphinx_theme"
html_title = f"skae {release}"
html_static_path = ["_static"]
html_css_files = ["skae.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
}
html_sidebars = {
    "index": [],
    "search": [],
    "genindex": [],
    "**": ["sidebar-nav-bs"],
}

_SKLEARN = "https://scikit-learn.org/stable"


def link_to_sklearn(
    app: Sphinx, env: object, node: pending_xref, contnode: nodes.Element
) -> nodes.Node | None:
    """Resolve references to scikit-learn without a download of its inventory."""
    target = node["reftarget"]
    if node["reftype"] == "term":
        uri = f"{_SKLEARN}/glossary.html#term-{target.replace(' ', '-')}"
    elif target.startswith("sklearn."):
        uri = f"{_SKLEARN}/modules/generated/{target}.html"
    else:
        return None
    return nodes.reference("", "", contnode, refuri=uri, internal=False)


def write_generated(app: Sphinx) -> None:
    """Write what the pages include: the tables of the record, and the moving figure."""
    _performance.write()
    _changelog.write()
    moving_figure.write(Path(app.doctreedir))


def setup(app: Sphinx) -> None:
    """Connect the resolver, and write what pages include before they are read."""
    app.connect("missing-reference", link_to_sklearn)
    app.connect("builder-inited", write_generated)
