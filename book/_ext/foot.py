"""Each page's foot: when the page was made, in how many seconds, and from what, by short hashes.

The facts come from `made_file`, which is staged beside the pages (traunet/book/foot.py). A page of prose that
quotes results says so too: Sphinx knows on which files it depends.
"""

import json
import time
from datetime import datetime
from html import escape
from pathlib import Path

from sphinx.application import Sphinx

SHORT = 7  # hex digits of a hash that are shown
SECONDS = "seconds_of_reading"
BENCH = "bench.json"
QUOTED = "results"  # the folder of what a page may quote


def begin(app: Sphinx, page: str, source: list[str]) -> None:
    """Note when Sphinx began to read a page."""
    app.env.temp_data[SECONDS] = time.perf_counter()


def end(app: Sphinx, doctree) -> None:
    """Note how long that took; a page's metadata come back from parallel readers."""
    started = app.env.temp_data.get(SECONDS)
    if started is not None:
        app.env.metadata[app.env.docname][SECONDS] = time.perf_counter() - started


def show(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Add the foot to a page's article."""
    path = Path(app.srcdir, app.config.made_file)
    if doctree is None or not path.is_file():
        return
    facts = json.loads(path.read_text(encoding="utf-8"))
    if page in facts["pages"]:
        text = sentence(facts, page, app.env.metadata[page].get(SECONDS, 0), app.env.dependencies[page])
        context["body"] += f'<p class="made">{escape(text)}</p>\n'


def sentence(facts: dict, page: str, seconds: float, dependencies) -> str:
    """Such as: Made on 22 November 2026 in 41 s from notebook 04_table1 (source 1a2b3c4), library 5d6e7f8."""
    fact = facts["pages"][page]
    source = f"(source {short(fact['hashes']['source'])})"
    if "notebook" in fact:
        parts = [f"{took(fact['made'], fact['seconds'])} from notebook {fact['notebook']} {source}"]
        return ", ".join(parts + from_notebook(fact)) + "."
    parts = [f"{took(facts['made'], seconds)} from {fact['file']} {source}", f"library {short(facts['library'])}"]
    quoted = {Path(name).name for name in dependencies if Path(name).parent.name == QUOTED}
    if quoted - {BENCH}:
        parts += from_results(facts["results"])
    if BENCH in quoted:
        parts += ["the bench's figures, where it was run"]
    return ", ".join(parts) + "."


def from_notebook(fact: dict) -> list[str]:
    """The library, the results or networks or data that it read, and torch's version."""
    hashes = fact["hashes"]
    parts = [f"library {short(hashes['library'])}"]
    if "results" in hashes:
        parts += [f"results of {fact['runs']} runs ({short(hashes['predictions'])})"]
    elif "runs" in hashes:
        parts += [f"trained networks {short(hashes['predictions'])}"]
    elif "store" in hashes:
        parts += [f"aligned frames {short(hashes['store'])}"]
    return [*parts, *filter(None, [fact["dataset"]]), f"torch {fact['versions']['torch']}"]


def from_results(results: dict) -> list[str]:
    """The results that prose quotes."""
    return [f"results of {results['runs']} runs ({short(results['hash'])})", results["dataset"]]


def took(made: str, seconds: float) -> str:
    """When and how long."""
    day = datetime.fromisoformat(made)
    long = f"{seconds:.{0 if seconds >= 10 else 1}f} s" if seconds >= 0.05 else "under 0.1 s"
    return f"Made on {day.day} {day:%B %Y} in {long}"


def short(text: str) -> str:
    return text[:SHORT]


def setup(app: Sphinx) -> dict:
    app.add_config_value("made_file", "made.json", "env")
    app.connect("source-read", begin)
    app.connect("doctree-read", end)
    app.connect("html-page-context", show)
    app.add_css_file("foot.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
