"""How Sphinx makes the site: tutorials are run, the reference comes from docstrings and from the command."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import matplotlib
from docutils import nodes
from docutils.nodes import Element
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

import vecphe

HERE = Path(__file__).parent
GENERATED = HERE / "generated"
_OUTSIDE = ("SECURITY", "CONTRIBUTING", "CHANGELOG")  # pages that stand at the top level of the project

project = "vecphe"
author = "the vecphe developers"
copyright = author
version = release = vecphe.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["tutorials/*"]
templates_path = ["_templates"]
smartquotes = False  # they make a dash of -- in options
nitpicky = False
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say it in words
numpydoc_show_class_members = False  # the template has them, each with its own docstring

doctest_test_doctest_blocks = ""  # docstrings are run by pytest
doctest_global_setup = """
import warnings
import numpy as np
import vecphe
warnings.simplefilter("ignore", vecphe.InsecureKeyWarning)
public_key, private_key = vecphe.generate_keypair(2048)
"""

html_theme = "pydata_sphinx_theme"
html_title = "vecphe"
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_static_path = ["_static"]
html_css_files = ["site.css"]

# Short keys are insecure, and the tutorials' are short so that the site is built in seconds; each says so.
warnings.filterwarnings("ignore", category=vecphe.InsecureKeyWarning)
matplotlib.use("agg")
sphinx_gallery_conf = {
    "examples_dirs": ["tutorials"],
    "gallery_dirs": ["generated/tutorials"],
    "filename_pattern": r"/plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "min_reported_time": 1e9,  # the times of the machine that built the site are nobody's
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
    "capture_repr": ("_repr_html_", "__repr__"),
    "reset_modules": ("matplotlib",),
}


def _write(path: Path, text: str) -> None:
    """Only if it differs, so that Sphinx reads again only what changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _generate(_: Sphinx) -> None:
    """Pages from outside the folder, and the command line from its own help."""
    for name in _OUTSIDE:
        text = (HERE.parent / f"{name}.md").read_text(encoding="utf-8")
        _write(GENERATED / f"{name.lower()}.md", text.replace("](docs/", "](../"))
    command = [sys.executable, "-m", "typer", "vecphe.cli.app", "utils", "docs", "--name", "vecphe"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    text = done.stdout.replace("# `vecphe`", "# The command line", 1)
    text = re.sub(r"^Example: (.*)$", r"**Example**:\n\n```console\n$ \1\n```", text, flags=re.MULTILINE)
    _write(GENERATED / "command_line.md", text)


def _rewrite_links(_: Sphinx, __: str, source: list[str]) -> None:
    """Links out of the folder, which serve readers of the files: to pages of the site, or only their text."""
    for name in _OUTSIDE:
        source[0] = source[0].replace(f"](../{name}.md", f"](/generated/{name.lower()}.md")
    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./(?:benchmarks|examples)[^)]*\)", r"\1", source[0])


def _elsewhere(_: Sphinx, __: Any, node: Element, content: Element) -> Element | None:
    """What docstrings that come from scikit-learn refer to in its own documentation."""
    target = node["reftarget"]
    if target not in ("r2_score", "accuracy_score"):
        return None
    page = f"https://scikit-learn.org/stable/modules/generated/sklearn.metrics.{target}.html"
    return nodes.reference("", "", content, refuri=page, internal=False)


def _widen(_: Sphinx, page: str, __: str, context: dict[str, Any], ___: Any) -> None:
    """Pages of code and of wide tables have the room of the list of headings."""
    if page.startswith("generated/tutorials/") or page == "performance":
        context["secondary_sidebar_items"] = []


def setup(app: Sphinx) -> dict[str, Any]:
    """What Sphinx calls."""
    app.connect("builder-inited", _generate, priority=100)  # before the sources are looked for
    app.connect("source-read", _rewrite_links)
    app.connect("missing-reference", _elsewhere)
    app.connect("html-page-context", _widen, priority=900)  # after the theme
    app.add_lexer("hex", TextLexer)  # docs/format.md
    return {"parallel_read_safe": False}
