"""What was decided: a directive that shows every `Decision:` of a module's docstrings and comments.

    ```{decisions} data.align data.folds
    ```

A module's decisions stand in the order of its source: what the paper says, the reading taken, the others.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

import docstrings
import library
from api import names
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

MARK = "Decision:"
# A clause that says so names what was not chosen, and so does all that follows it.
OTHERS = re.compile(r"\b(?:(?:other|unlike) readings?|others considered|alternatives?|instead)\b", re.IGNORECASE)
CLAUSE = re.compile(r"(?<=[.;]) ")
QUOTE = re.compile(r'"([^"]+)"(?:\s*\((section [\d.]+|equation \d|Figure \d|abstract)\))?')
LEAST_WORDS = 4  # of a quotation; fewer are a term


@dataclass(frozen=True)
class Decision:
    """One decision: `where` is the nearest name that the API has an entry for."""

    where: str
    reading: str
    others: str
    quotes: tuple[tuple[str, str], ...] = ()  # (the paper's words, their place or "")


@cache
def decisions(module: str) -> list[Decision]:
    """Every decision of a module, in the order of its source; looked for once for each text of the library."""
    from traunet.records.sources import told_once

    ways = [Path(file).read_text(encoding="utf-8") for file in (__file__, library.__file__)]
    kept = told_once(["decisions", module, ways], lambda: [astuple(one) for one in _decisions(module)])
    return [Decision(*words, tuple(map(tuple, quotes))) for *words, quotes in kept]


def _decisions(module: str) -> list[Decision]:
    text = library.modules(library.home())[module].read_text(encoding="utf-8")
    made = next(one for one in library.library() if one.name == module)
    entries = {entry.name for entry in library.every(made)}
    found = [*_in_docstrings(ast.parse(text), module, entries), *_in_comments(text, module, entries)]
    return [decision for _, decision in sorted(found, key=lambda item: item[0])]


def _in_docstrings(node: ast.AST, above: str, entries: set[str]) -> Iterator[tuple[int, Decision]]:
    if isinstance(node, ast.Module | ast.ClassDef | library.Function):
        line = node.body[0].lineno if node.body else 0
        yield from ((line, made) for made in parse(ast.get_docstring(node) or "", _nearest(above, entries)))
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, ast.ClassDef | library.Function)
        yield from _in_docstrings(child, f"{above}.{child.name}" if named else above, entries)


def _in_comments(text: str, module: str, entries: set[str]) -> Iterator[tuple[int, Decision]]:
    remarks = library.comments(text)
    starts = {node.lineno: node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)}
    for row, words in {**remarks.alone, **remarks.beside}.items():
        if not words.startswith(MARK):
            continue
        last = row
        while last + 1 in remarks.alone:
            last += 1
        said = "\n".join([words, *(remarks.alone[next_row] for next_row in range(row + 1, last + 1))])
        where = f"{module}.{_first_name(starts.get(last + 1))}"
        yield from ((row, made) for made in parse(said, _nearest(where, entries)))


def _first_name(node: ast.stmt | None) -> str:
    """The first name that an assignment gives a value."""
    target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
    return next((part.id for part in ast.walk(target) if isinstance(part, ast.Name)), "") if target else ""


def _nearest(name: str, entries: set[str]) -> str:
    while name not in entries:
        name = name.rpartition(".")[0]
    return name


def parse(doc: str, where: str) -> list[Decision]:
    """The decisions of one docstring or comment, each with what the paper is quoted with beside them."""
    blocks = [" ".join(block.split()) for block in docstrings.blocks(doc)]
    made = [block.partition(MARK)[2].strip() for block in blocks if MARK in block]
    beside = " ".join(block.partition(MARK)[0] for block in blocks)
    quotes = tuple(found.groups(default="") for found in QUOTE.finditer(beside))
    long = tuple((text, place) for text, place in quotes if len(text.split()) >= LEAST_WORDS)
    return [Decision(where, *divided(text), long) for text in made]


def divided(text: str) -> tuple[str, str]:
    """The reading that was taken, and what is said of others."""
    clauses = CLAUSE.split(text)
    first = next((number for number, clause in enumerate(clauses) if OTHERS.search(clause)), len(clauses))
    return re.sub(";$", ".", " ".join(clauses[: first or 1])), " ".join(clauses[first:] if first else clauses[1:])


class Decisions(SphinxDirective):
    """The decisions of the modules named."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        made = {module.title: module for module in library.library()}
        found: list[nodes.Node] = []
        for title in self.arguments[0].split():
            if title not in made or not decisions(made[title].name):
                raise self.error(f"no decision stands in {title!r}, or no such module")
            known, former = names(made[title]), None
            for decision in decisions(made[title].name):
                found.append(shown(decision, known, again=former == decision.where))
                former = decision.where
        return found


def shown(decision: Decision, known: dict[str, str], again: bool = False) -> nodes.Node:
    """A decision: where it stands, the paper's words unless they stand right above, and the readings."""
    title = decision.where.removeprefix(f"{library.PACKAGE}.")
    box = nodes.container(classes=["decision"])
    box += nodes.paragraph("", "", docstrings.link(decision.where, title), classes=["decision-where"])
    for text, place in () if again else decision.quotes:
        words = [*docstrings.inline(f"“{text}”", {}), *([nodes.Text(f" ({place})")] if place else [])]
        box += nodes.block_quote("", nodes.paragraph("", "", *words))
    others = re.sub(r"^(Others considered|Alternatives): ", "", decision.others)
    for label, text in (("Taken", decision.reading), ("Others", others)):
        if text:
            words = docstrings.inline(text[0].upper() + text[1:], known)
            box += nodes.paragraph("", "", nodes.strong("", f"{label}:"), nodes.Text(" "), *words)
    return box


def setup(app: Sphinx) -> dict:
    app.add_directive("decisions", Decisions)
    app.add_css_file("decisions.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
