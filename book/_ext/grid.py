"""A table for the book's own directives: a head, rows, and in each cell words or nodes."""

from collections.abc import Iterable, Sequence

from docutils import nodes

Content = str | list[nodes.Node]


def table(head: Sequence[str], body: Iterable[Iterable[Content]], *classes: str) -> nodes.table:
    """A table with a head; the class `sortable` lets readers sort it."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, body))
    return nodes.table("", group, classes=list(classes))


def _row(cells: Iterable[Content]) -> nodes.row:
    made = ([nodes.Text(cell)] if isinstance(cell, str) else cell for cell in cells)
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *content)) for content in made))
