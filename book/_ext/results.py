"""The book's own role: a number in the prose that comes from `results.json`, with its runs shown on hover.

    The full network reaches {res}`table2.tranet.pooled.Avg:.1f` on average.

The key is followed by an optional format, as in an f-string (default: the shortest). A key that is not there, or
has no value, is a warning, and the book is built with warnings as errors: either the number is there or no book.
"""

import json
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

logger = logging.getLogger(__name__)


class Result(nodes.Inline, nodes.TextElement):
    """A number and where it comes from."""


class ResultRole(SphinxRole):
    """``{res}`key:format` ``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        path = Path(self.env.srcdir, self.config.results_file)
        self.env.note_dependency(str(path))
        key, _, style = self.text.partition(":")
        try:
            number = json.loads(path.read_text(encoding="utf-8"))[key]
            text = format(number["value"], style)
        except (OSError, KeyError, TypeError, ValueError) as error:
            logger.warning("no number %r in %s (%r)", self.text, path.name, error, location=self.get_location())
            return [nodes.problematic(self.rawtext, f"missing: {self.text}")], []
        return [Result(text, nodes.Text(text), origin=origin(key, number))], []


def origin(key: str, number: dict) -> str:
    """What a reader sees who rests the mouse on the number."""
    runs = ", ".join(number["runs"]) or "the paper's text"
    return f"{key}; {number['dataset']}, profile {number['profile']}; from {runs}"


def visit_html(translator, node: Result) -> None:
    translator.body.append(f'<span class="result" title="{escape(node["origin"])}">')


def depart_html(translator, node: Result) -> None:
    translator.body.append("</span>")


def setup(app: Sphinx) -> dict:
    app.add_config_value("results_file", "results/results.json", "env")
    app.add_node(Result, html=(visit_html, depart_html))
    app.add_role("res", ResultRole())
    app.add_css_file("banner.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
