"""The book's own directives: the paper's claims and numbers beside ours, read from the results folder.

```{scoreboard} highest_f1 hard_masks
```
the named claims (none named: all, with what each is held to); `traunet/scoring/claims.py` judged them.

```{reproduced}
```
every printed number with ours, the difference, the tolerance and the verdict of `traunet/scoring/verdicts.py`.

```{sidebyside} table1 f1
```
a whole table, printed and ours, the best of each marked; `table1 f1`, `table1 accuracy` or `table2`.

```{tolerances}
```
the tolerances, and what they rest on. No number here is typed by hand; ours say where they come from.
"""

import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path

from docutils import nodes
from grid import Content, table
from results import result, results_file
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from traunet.config import VARIANTS
from traunet.scoring import published
from traunet.scoring.results import slug

METRICS = {"f1": "F1", "accuracy": "accuracy"}
AVERAGINGS = {"printed": "printed", "pooled": "pooled", "fold_mean": "fold mean"}
NUMBER = re.compile(r"\{([\w.]+)(?::([^}]*))?\}")
UNDEFINED = "undefined"
Numbers = dict[str, dict]


class Tables(SphinxDirective):
    """What the directives share: the numbers, and the tables beside them."""

    def numbers(self) -> Numbers:
        return json.loads(results_file(self.env).read_text(encoding="utf-8"))

    def rows(self, name: str) -> list[dict[str, str]]:
        """A table of the results folder; the page is made again when it changes."""
        path = results_file(self.env).with_name(f"{name}.csv")
        if not path.is_file():
            raise self.error(f"{path.name} is not among the results; make them again: traunet tables")
        self.env.note_dependency(str(path))
        return read(path)


class Scoreboard(Tables):
    """The paper's claim, what came out, the verdict."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        wanted = " ".join(self.arguments).split()
        claims, numbers = {row["claim"]: row for row in self.rows("claims")}, self.numbers()
        unknown = [name for name in wanted if name not in claims]
        if unknown:
            raise self.error(f"no claim {', '.join(unknown)} in claims.csv; it has: {', '.join(claims)}")
        head = ["The paper's claim", "Recomputed", "Verdict"]
        body = [
            [quoted(row), filled(row["found"], numbers), verdict(row["verdict"])]
            for row in ([claims[name] for name in wanted] or claims.values())
        ]
        if not wanted:
            head.append("Held to")
            body = [[*cells, row["holds_when"]] for cells, row in zip(body, claims.values(), strict=True)]
        return [table(head, body, "sortable", "scoreboard")]


class Reproduced(Tables):
    """Every reproduced number, a row each."""

    def run(self) -> list[nodes.Node]:
        numbers = self.numbers()
        head = ("Table", "Network", "AU", "Printed", "Ours", "Difference", "Tolerance", "Verdict")
        body = []
        for row in self.rows("verdicts"):
            place = [f"{row['table']}, {METRICS[row['metric']]}", VARIANTS[row["variant"]].title, row["score"]]
            pair = [f"{float(row['published']):.1f}", shown(row["key"], numbers)]
            difference = f"{float(row['difference']):+.2f}" if row["difference"] else UNDEFINED
            body.append([*place, *pair, difference, row["tolerance"], verdict(row["verdict"])])
        return [table(head, body, "sortable", "reproduced")]


class SideBySide(Tables):
    """Table 1 or Table 2, printed and ours, the best score of each column marked in either."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        name, metric = (*self.arguments, "f1")[:2]
        if name not in ("table1", "table2") or metric not in METRICS:
            raise self.error(f"no table {name} {metric}; choose table1 f1, table1 accuracy or table2")
        found = [row for row in self.rows(name) if row.get("metric", metric) == metric]
        rows = [row for averaging in AVERAGINGS for row in found if row["averaging"] == averaging]
        numbers = self.numbers()
        body = [[*heading(row), *scores(row, best(row, rows), numbers)] for row in rows]
        return [table(("Method", "Source", "Folds", *published.SCORES), body, "sortable", "sidebyside")]


class Tolerances(Tables):
    """By how much ours may differ, and why."""

    def run(self) -> list[nodes.Node]:
        head = ("Score", "Of", "Tolerance, points", "What it rests on")
        of = {"Avg": "the mean over AUs", "AU": "one AU"}
        file = published.FOLDER / "tolerances.csv"
        self.env.note_dependency(str(file))
        body = [
            [METRICS[row["metric"]], of[row["score"]], f"{float(row['tolerance']):.1f}", row["reason"]]
            for row in read(file)
        ]
        return [table(head, body, "sortable", "tolerances")]


def read(path: Path) -> list[dict[str, str]]:
    """A CSV file's rows by column."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shown(key: str, numbers: Numbers, style: str = ".1f") -> list[nodes.Node]:
    """A number as a cell shows it, with where it comes from; one without a value in words."""
    if numbers[key]["value"] is None:
        return [nodes.Text(UNDEFINED)]
    return [result(key, numbers[key], style)]


def filled(text: str, numbers: Numbers) -> list[nodes.Node]:
    """A text in which `{key:format}` stands for a number: prose and numbers in turn."""
    found, at = [], 0
    for match in NUMBER.finditer(text):
        found += [nodes.Text(text[at : match.start()]), *shown(match[1], numbers, match[2] or "")]
        at = match.end()
    return [*found, nodes.Text(text[at:])]


def quoted(row: dict[str, str]) -> list[nodes.Node]:
    """A claim in our words, and the paper's own with their place."""
    title, place = nodes.strong("", row["title"]), f" ({row['version']}, {row['section']})"
    return [title, nodes.inline("", f" “{row['quote']}”{place}", classes=["quote"])]


def verdict(words: str) -> list[nodes.Node]:
    return [nodes.inline("", words, classes=["verdict", f"verdict-{words.replace(' ', '-')}"])]


def heading(row: dict[str, str]) -> list[str]:
    """Whose scores a row holds: the method, printed or ours, and how its folds became one number."""
    method = row.get("method") or VARIANTS[row["variant"]].title
    return [method, {"paper": "paper", "ours": "this book"}[row["source"]], AVERAGINGS[row["averaging"]]]


def best(row: dict[str, str], rows: list[dict[str, str]]) -> dict[str, float]:
    """The highest score of each column among the rows of this source and averaging; none for a row alone."""
    like = [one for one in rows if (one["source"], one["averaging"]) == (row["source"], row["averaging"])]
    columns = {score: [float(one[score]) for one in like if one[score]] for score in published.SCORES}
    return {score: max(values) for score, values in columns.items() if len(like) > 1 and values}


def scores(row: dict[str, str], highest: dict[str, float], numbers: Numbers) -> Iterable[Content]:
    """The cells of a row, the best in bold: ours with where they come from, as the row says it of printed ones."""
    for score in published.SCORES:
        cell = shown(key_of(row, score), numbers) if row["source"] == "ours" else [nodes.Text(row[score])]
        top = bool(row[score]) and float(row[score]) == highest.get(score)
        yield [nodes.strong("", "", *cell, classes=["best"])] if top else cell


def key_of(row: dict[str, str], score: str) -> str:
    """The key in `results.json` of a cell of ours in Table 1 or 2."""
    named = f"table1.{slug(row['method'])}.{row['metric']}" if "method" in row else f"table2.{row['variant']}"
    return f"{named}.{row['averaging']}.{score}"


def setup(app: Sphinx) -> dict:
    for directive in (Scoreboard, Reproduced, SideBySide, Tolerances):
        app.add_directive(directive.__name__.lower(), directive)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
