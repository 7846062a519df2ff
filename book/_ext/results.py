"""The book's own role: a number in the prose that comes from `results.json`, and tells where it comes from.

    The full network reaches {res}`table2.tranet.pooled.Avg:.1f` on average.

The key is followed by an optional format, as in an f-string (default: the shortest). A key that is not there, or
has no value, is a warning, and the book is built with warnings as errors: either the number is there or no book.

Under the mouse, or reached with the Tab key, a number shows its key, data set, profile, runs and code; a reader of
the screen hears the same as its description. `scoring/claims.py` and `scoreboard.py` make such numbers too.
"""

import json
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

from traunet.scoring.origins import opening, origin
from traunet.scoring.results import Number

logger = logging.getLogger(__name__)


class Result(nodes.Inline, nodes.TextElement):
    """A number and where it comes from."""


class ResultRole(SphinxRole):
    """``{res}`key:format` ``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        path = results_file(self.env)
        key, _, style = self.text.partition(":")
        try:
            return [result(key, json.loads(path.read_text(encoding="utf-8"))[key], style)], []
        except (OSError, KeyError, TypeError, ValueError) as error:
            logger.warning("no number %r in %s (%r)", self.text, path.name, error, location=self.get_location())
            return [nodes.problematic(self.rawtext, f"missing: {self.text}")], []


def results_file(environment: BuildEnvironment) -> Path:
    """The file of all numbers; the page that asks is made again when it changes."""
    path = Path(environment.srcdir, environment.config.results_file)
    environment.note_dependency(str(path))
    return path


def result(key: str, number: dict, style: str) -> Result:
    """One number as the page shows it; TypeError or ValueError if it has no value in this format."""
    text = format(number["value"], style)
    return Result(text, nodes.Text(text), origin=origin(key, Number(**number)))


def visit_html(translator, node: Result) -> None:
    translator.body.append(opening(node["origin"]))


def depart_html(translator, node: Result) -> None:
    translator.body.append("</span>")


def setup(app: Sphinx) -> dict:
    app.add_config_value("results_file", "results/results.json", "env")
    app.add_node(Result, html=(visit_html, depart_html))
    app.add_role("res", ResultRole())
    app.add_css_file("banner.css")
    app.add_css_file("results.css")
    app.add_js_file("results.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
