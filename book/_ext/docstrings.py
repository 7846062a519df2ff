"""Docstrings as paragraphs of a page: plain text in which `names` are code and lead to their entry.

Nothing in a docstring is markup beyond that, so that no formula or star in it can spoil a page.
"""

import re
import textwrap

from docutils import nodes
from sphinx import addnodes

CODE = re.compile(r"`+([^`]+)`+")
ARROW, DRAWN = "->", "\N{RIGHTWARDS ARROW}"  # as Sphinx draws it; the two signs would part at a line's end


def body(doc: str, known: dict[str, str]) -> list[nodes.Node]:
    """A docstring's paragraphs; indented ones are code. `known` leads from short names to full ones."""
    return [_block(block, known) for block in blocks(doc)]


def blocks(doc: str) -> list[str]:
    """The paragraphs of a docstring; a `Decision:` that begins a line begins a paragraph."""
    parted = re.sub(r"\n(?=Decision:)", "\n\n", doc)
    return [block for block in re.split(r"\n\s*\n", parted) if block.strip()]


def _block(block: str, known: dict[str, str]) -> nodes.Node:
    if all(line.startswith("    ") for line in block.splitlines() if line.strip()):
        text = textwrap.dedent(block)
        return nodes.literal_block(text, text, language="text")
    if block.lstrip().startswith(">>>"):
        return nodes.literal_block(block, block, language="pycon")
    text = " ".join(block.split())
    if re.match(r"- ", text):
        points = re.split(r"\n\s*- ", "\n" + block.strip())[1:]
        return nodes.bullet_list("", *(nodes.list_item("", _block(point, known)) for point in points))
    return nodes.paragraph("", "", *inline(text, known))


def inline(text: str, known: dict[str, str]) -> list[nodes.Node]:
    """Words, with what stands in backquotes as code."""
    found: list[nodes.Node] = []
    for number, part in enumerate(CODE.split(text)):
        if number % 2:
            found.append(link(known[part], part) if part in known else nodes.literal(part, part))
        elif part:
            found.append(words(part))
    return found


def words(text: str) -> nodes.Text:
    """Text outside code, its arrows drawn."""
    return nodes.Text(text.replace(ARROW, DRAWN))


def link(name: str, text: str) -> nodes.Node:
    """A name as code that leads to its entry; a name without one is a warning, which stops the build."""
    options = {"refdomain": "py", "reftype": "obj", "reftarget": name, "refexplicit": True, "refwarn": True}
    return addnodes.pending_xref("", nodes.literal(text, text), **options)
