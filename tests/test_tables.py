"""Tables of the pages: they can be sorted, and the best is marked."""

import numpy as np
import pandas as pd
from bs4 import BeautifulSoup
from nbformat.v4 import new_output

from traunet.book.active import is_active
from traunet.facs import AUS
from traunet.figures.tables import beside_printed, highest, sortable

SCORES = pd.DataFrame(
    {"AU1": [10.04, 20.0, np.nan], "AU2": [5.0, 5.0, 70.0]},
    index=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y"), ("b", "x")], names=["data", "method"]),
)


def rows(shown) -> list[list[str]]:
    soup = BeautifulSoup(shown.data, "html.parser")
    return [[cell.get_text(strip=True) for cell in row.find_all(["th", "td"])] for row in soup.find_all("tr")]


def test_every_row_keeps_its_names_and_every_column_one_head():
    shown = sortable(SCORES)
    assert rows(shown)[0] == ["data", "method", "AU1", "AU2"]
    assert rows(shown)[1:] == [["a", "x", "10.0", "5.0"], ["a", "y", "20.0", "5.0"], ["b", "x", "–", "70.0"]]
    assert "rowspan" not in shown.data  # pyright: ignore
    assert "sortable" in BeautifulSoup(shown.data, "html.parser").table["class"]  # pyright: ignore


def test_the_best_of_each_group_is_marked_and_what_is_missing_is_not():
    soup = BeautifulSoup(sortable(SCORES, 1, highest(SCORES, within="data")).data or "", "html.parser")
    assert [cell.get_text() for cell in soup.select("td.best")] == ["5.0", "20.0", "5.0", "70.0"]


def test_the_best_of_the_whole_table_is_one_a_column():
    assert highest(SCORES).sum().tolist() == [1, 1]


def test_ours_stand_below_the_printed_ones_pooled_first():
    scores = dict.fromkeys([*AUS, "Avg"], 50.0)
    ways = [("ours", "fold_mean", 40.0), ("ours", "pooled", 45.0), ("paper", "printed", 59.0)]
    given = [{"source": s, "averaging": way, "method": "TRA-Net", **scores, "Avg": avg} for s, way, avg in ways]
    head, *shown = rows(beside_printed(pd.DataFrame(given), "method"))
    assert head == ["method", "scores", *AUS, "Avg"]
    assert [row[:2] for row in shown] == [
        ["TRA-Net", "printed, DISFA"],
        ["TRA-Net", "ours, pooled"],
        ["TRA-Net", "ours, fold mean"],
    ]
    assert [row[-1] for row in shown] == ["59.0", "45.0", "40.0"]


def test_nothing_in_a_table_runs_in_a_browser():
    table = sortable(pd.DataFrame({"name": ["<script>x</script>"]}))
    assert not is_active(new_output("display_data", {"text/html": table.data}))
