"""Tables as pages show them: a reader can sort them, and the best of each column is marked."""

import re
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from IPython.core.display import HTML

from traunet.figures.style import ABSENT
from traunet.scoring.published import SCORES

NAMED = re.compile(r"<style.*?</style>\s*|(?<=<table) id=\"[^\"]*\"", re.DOTALL)  # random, and of no use


def sortable(
    table: pd.DataFrame, digits: int | Mapping[Hashable, int] = 1, best: pd.DataFrame | None = None
) -> HTML:
    """A table that sorts, with so many digits behind the point; cells that are true in `best` are in bold.

    Rows keep all of their names, also where they repeat the row above, since sorting may part them. The page's
    script sorts what has the class `sortable`; its style marks what has the class `best`.
    """
    plain = table.reset_index() if isinstance(table.index, pd.MultiIndex) or table.index.name else table
    styler: Any = plain.style.format(_words(plain, digits), na_rep=ABSENT, escape="html")
    styler = styler.format_index(escape="html").format_index(escape="html", axis=1)
    if isinstance(plain.index, pd.RangeIndex):
        styler = styler.hide(axis="index")
    if best is not None:
        marks = best.map(lambda good: "best" if good else "").set_axis(plain.index)
        styler = styler.set_td_classes(marks.reindex(columns=plain.columns, fill_value=""))
    styler.cell_ids = False
    html = styler.set_table_attributes('class="sortable dataframe"').to_html()
    return HTML(NAMED.sub("", html))


def beside_printed(rows: pd.DataFrame, name: str) -> HTML:
    """Scores as printed of DISFA, ours pooled, and ours as means of the folds; the best of each in bold.

    `rows` has the columns `averaging`, `name`, what a score is of, and the scores in percent.
    """
    words = {"printed": "printed, DISFA", "pooled": "ours, pooled", "fold_mean": "ours, fold mean"}
    ordered = pd.concat([rows.loc[rows["averaging"] == way] for way in words])
    table = ordered.assign(scores=ordered["averaging"].replace(words)).set_index([name, "scores"]).loc[:, SCORES]
    return sortable(table, 1, highest(table, within="scores"))


def highest(table: pd.DataFrame, within: str | list[str] | None = None) -> pd.DataFrame:
    """Where each column of numbers has its best: of the whole table, or of the rows that share an index level."""
    numbers = table.select_dtypes("number")
    groups = numbers.groupby(level=within) if within else None
    extreme = groups.transform("max") if groups else numbers.max()
    return numbers.eq(extreme) & numbers.notna()


def _words(table: pd.DataFrame, digits: int | Mapping[Hashable, int]):
    floats = table.select_dtypes("float").columns
    places = dict.fromkeys(floats, digits) if isinstance(digits, int) else digits
    return {column: f"{{:,.{number}f}}" for column, number in places.items()}
