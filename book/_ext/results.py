"""The book's own role: a number in the prose that comes from `results.json`, and tells where it comes from.

    The full network reaches {res}`table2.tranet.pooled.Avg:.1f` on average.

The key is followed by an optional format, as in an f-string (default: the shortest). A key that is not there, or
has no value, is a warning, and the book is built with warnings as errors: either the number is there or no book.

Under the mouse, or reached with the Tab key, a number shows its key, data set, profile, runs and code; a reader of
the screen hears the same as its description. `traunet/claims.py` and `scoreboard.py` make such numbers too.
"""

import json
from collections.abc import Iterable
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

logger = logging.getLogger(__name__)
MOST_RUNS = 3  # named one by one; the names of more are counted
PRINTED, RECOMPUTED = "printed in the paper", "recomputed from what the paper prints"


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
    return Result(text, nodes.Text(text), origin=origin(key, number))


def origin(key: str, number: dict) -> str:
    """What a reader sees who rests the mouse on the number: a few parts, joined by semicolons."""
    if not number["runs"]:
        return f"{key}; {RECOMPUTED if key.startswith('published.recomputed.') else PRINTED}"
    code = ", ".join(digits[:8] for digits in number.get("code", ()))
    parts = [key, f"{number['dataset']}, profile {number['profile']}", f"from {runs(number['runs'])}"]
    return "; ".join([*parts, *([f"code {code}"] if code else [])])


def runs(names: Iterable[str]) -> str:
    """Runs in words: up to three by name, more by their number and, if those are few, their networks."""
    names = list(names)
    if len(names) <= MOST_RUNS:
        return ", ".join(names)
    networks = list(dict.fromkeys(name.partition("-fold")[0] for name in names))
    return f"{len(names)} runs of {' and '.join(networks) if len(networks) <= 2 else f'{len(networks)} networks'}"


def visit_html(translator, node: Result) -> None:
    described = escape(node["origin"])
    translator.body.append(f'<span class="result" tabindex="0" role="note" aria-description="{described}">')


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
