"""No number of a result is typed by hand: the pages that report results are searched for any that is.

Searched are prose, tables, captions and alternative texts, and in a notebook also the texts that its code shows.
What is taken from the results by the role `res`, or computed in a cell, is not typed; the few numbers that may be
are in `ALLOWED`, each with the reason.

A score or a difference in words is found too: "fifty-nine percent", "three points", "half a point", "an F1 of
fifty-nine". Words that count are English and pass: "three branches", "six of the eight"; so does "a point or two".
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

REPORTING = (
    "book/intro",
    "book/numbers",
    "book/model_card",
    "notebooks/03_training",
    "notebooks/04_table1",
    "notebooks/05_ablations",
    "notebooks/06_attention",
    "notebooks/07_real_faces",
)

# Numbers in words, as scores are spelt: "fifty-nine", "a hundred", "two and a half", "half a".
DIGIT = "zero|one|two|three|four|five|six|seven|eight|nine"
TENS = rf"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[\s-](?:{DIGIT})\b)?"
TEENS = "ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen"
PARTS = r"half\s+an?|(?:third|quarter|fifth|tenth)\s+of\s+an?"
SPELT = rf"(?:{TENS}|{TEENS}|{DIGIT}|hundred)(?:\s+and\s+a\s+half)?|{PARTS}"

# What looks like a result: a decimal, a share, a difference in points, a score in words, so many of the AUs.
RESULT = re.compile(
    r"\d+[.,]\d+"
    r"|\d+(?:\\,|\s|~|\*)*(?:\\?%|per\s?cent\b|(?:percentage\s)?points?\b)"
    r"|\b(?:F1|accuracy|scores?|average|mean)\s+(?:of|is|was|reaches|to|about|around|nearly|at|:|=)+\s*\**\d+"
    r"|\b\d+\s+of\s+(?:the\s+)?(?:\d+|eight)\b"
    rf"|\b(?:{SPELT})[\s*-]+(?:%|per\s?cent\b|(?:(?:percentage|full|whole|F1)[\s-]+)?points?\b)"
    rf"|\b(?:F1|accuracy|score)\s+(?:of|is|was|reaches|to|about|around|nearly|at)\s+\**{TENS}",
    re.IGNORECASE,
)

# (pages, what may stand there, why): the page's name, or "" for all of them.
ALLOWED = (
    ("", r"95 % (?:intervals?|from)", "the level of an interval, by definition"),
    ("", r"sections? \d\.\d", "a place in the paper"),
    ("", r"Python \d\.\d+", "a version of a program"),
    ("notebooks/06_attention", r"open to 0\.84", "how every map starts: a setting (traunet/model/blocks.py)"),
    ("book/numbers", r"F1 by ± 0\.065", "printed in [43] of other data: no result of this book"),
    ("", r"CC[ -]BY[ -](?:\w+[ -])*\d\.\d", "the name of a licence"),
    (
        "notebooks/04_table1",
        r"if the cell were 8\.5",
        "supposed, not measured; tests/test_published.py recomputes it",
    ),
)

ADVICE = (
    "take it from the results with {res}`key:.1f`, compute it in a cell, or, if it is no result, add it to "
    "ALLOWED in traunet/book/prose.py with the reason"
)
# Not read by anyone, or not typed: roles that insert or point, addresses, options of directives, comments.
SILENT = re.compile(
    r"\{(?:res|numref|ref|doc|download|eq|cite(?::\w+)?)\}`[^`]*`"
    r"|\]\([^)\s]*\)|<?https?://[^\s)>]+>?"
    r"|^[ \t]*:(?!alt|caption)[\w-]+:[^\n]*$"
    r"|<!--(?:.|\n)*?-->|^%[^\n]*$",
    re.MULTILINE,
)
FENCE = re.compile(r"\s*(`{3,}|~{3,}|:{3,})\s*([^`]*?)\s*$")


class TypedNumberError(ValueError):
    """A number that was typed into the prose of a page that reports results."""


def refuse_typed_numbers(source: Path) -> None:
    """Raise TypedNumberError that lists page, line and number of every result typed by hand below `source`."""
    found = [fault for page in REPORTING for fault in faults(source, page)]
    if found:
        raise TypedNumberError(f"a number of a result is typed by hand: {'; '.join(found)}; {ADVICE}")


def faults(source: Path, page: str) -> list[str]:
    """The numbers typed into one page, each with its line; an empty list too if there is no such page."""
    markdown, notebook = source / f"{page}.md", source / f"{page}.ipynb"
    if markdown.is_file():
        text = markdown.read_text(encoding="utf-8")
        return [f"{page}.md, line {line}: {number!r}" for line, number in typed(text, page)]
    return list(_in_notebook(notebook, page)) if notebook.is_file() else []


def _in_notebook(path: Path, page: str) -> Iterator[str]:
    import nbformat

    for count, cell in enumerate(nbformat.read(path, as_version=4).cells, start=1):
        for where, text in _texts(cell):
            for line, number in typed(text, page):
                place = f", line {line}" if where == "text" else f", in its {where}"
                yield f"{page}.ipynb, cell {count}{place}: {number!r}"


def _texts(cell: "NotebookNode") -> Iterator[tuple[str, str]]:
    """What of a cell is read: its text, or the caption, alternative text and words of a cell of code."""
    if cell.cell_type == "markdown":
        yield "text", cell.source
    elif cell.cell_type == "code":
        shown = cell.metadata.get("mystnb", {})
        yield "caption", shown.get("figure", {}).get("caption", "")
        yield "alternative text", shown.get("image", {}).get("alt", "")
        yield from (("words", words) for words in _words(cell.source))


def _words(code: str) -> list[str]:
    """The texts in code that are prose: those of more than one word. What an f-string puts in is computed."""
    lines = ("" if line.startswith(("%", "!")) else line for line in code.splitlines())
    try:
        nodes = list(ast.walk(ast.parse("\n".join(lines))))
    except SyntaxError:
        return []
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in texts if len(text.split()) > 1]


def typed(text: str, page: str = "") -> list[tuple[int, str]]:
    """The line (from 1) and text of every number in a page's source that looks like a result and is typed."""
    text = SILENT.sub(_blank, _without_code(text))
    for pages, allowed, _ in ALLOWED:
        if pages in ("", page):
            text = re.sub(allowed.replace(" ", r"\s+"), _blank, text)
    return [(text.count("\n", 0, found.start()) + 1, found[0]) for found in RESULT.finditer(text)]


def _without_code(text: str) -> str:
    """The text without blocks of code; what stands in a directive, such as a note, is prose."""
    kept, fences = [], []  # those that are open: their marks, and whether code stands within
    for line in text.split("\n"):
        code, found = bool(fences) and fences[-1][1], FENCE.match(line)
        kept.append("" if code else line)
        if found and fences and not found[2] and found[1].startswith(fences[-1][0]):
            fences.pop()
        elif found and not code:
            fences.append((found[1], not found[2].startswith("{")))
    return "\n".join(kept)


def _blank(found: re.Match) -> str:
    """Spaces in the place of what was found, so that lines keep their numbers."""
    return re.sub(r"[^\n]", " ", found[0])
