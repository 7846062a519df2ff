"""The book's own directive: the figures of `make bench`, as a table; or a word on how to measure them.

```{bench}
```
"""

import json
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from grid import Content, table
from sphinx.application import Sphinx

COLUMNS = ("what", "measured", "beside", "ratio", "bar", "took")
UNMEASURED = (
    "Nothing was measured on the machine that built this book: ",
    "make bench",
    ", then ",
    "make book",
    " again.",
)


class Bench(Directive):
    """The table of `bench_file`, a caption that names the machine, and no number typed by hand."""

    def run(self) -> list[nodes.Node]:
        environment = self.state.document.settings.env
        path = Path(environment.srcdir, environment.config.bench_file)
        environment.note_dependency(str(path))
        if not path.is_file():
            return [nodes.note("", unmeasured())]
        found = json.loads(path.read_text(encoding="utf-8"))
        return [nodes.paragraph("", where(found["machine"])), table(COLUMNS, map(line, found["figures"]), "bench")]


def unmeasured() -> nodes.paragraph:
    """What stands in place of the table: words and commands in turn."""
    kinds = (nodes.Text, lambda text: nodes.literal(text, text))
    return nodes.paragraph("", "", *(kinds[number % 2](text) for number, text in enumerate(UNMEASURED)))


def where(machine: dict) -> str:
    """On what machine, in a sentence."""
    gpu = machine["gpu"] or "no GPU"
    memory = f"{machine['memory'] / 2**30:.0f} GiB"
    torch = machine["versions"]["torch"]
    return (
        f"Measured on {machine['processor']}, {machine['cores']} cores, {memory}, {gpu}; Python "
        f"{machine['python']}, torch {torch}."
    )


def line(row: dict) -> list[Content]:
    """One figure as a row of the table, its note in small letters below what it is of."""
    what, *others = cells(row)
    note = [nodes.inline("", f" {row['note']}", classes=["quote"])] if row["note"] else []
    return [[nodes.Text(what), *note], *others]


def cells(row: dict) -> list[str]:
    """One figure as text: its value, what stands beside it, the ratio, the bar, and what measuring it took."""
    ratio = "" if row["ratio"] is None else f"{row['ratio']:#.3g}".rstrip(".")
    seconds = "" if row["seconds"] is None else f"{row['seconds']:.0f} s"
    memory = "" if row["memory"] is None else amount(row["memory"], "bytes")
    value, beside = (amount(row[name], row["unit"]) for name in ("value", "reference"))
    took = ", ".join(filter(None, (seconds, memory)))
    return [row["what"], value, f"{row['against']}: {beside}", ratio, bar(row), took]


def amount(number: float, unit: str) -> str:
    """A number with its unit; bytes by the thousand million."""
    return f"{number / 1e9:.3g} GB" if unit == "bytes" else f"{number:.4g} {unit}".rstrip()


def bar(row: dict) -> str:
    """What was asked for beforehand, and whether it holds."""
    unit, met = "" if row["of_ratio"] else row["unit"], "met" if row["holds"] else "missed"
    if row["at_least"] is not None:
        return f"at least {amount(row['at_least'], unit)}: {met}"
    return "" if row["at_most"] is None else f"at most {amount(row['at_most'], unit)}: {met}"


def setup(app: Sphinx) -> dict:
    app.add_config_value("bench_file", "results/bench.json", "env")
    app.add_directive("bench", Bench)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
