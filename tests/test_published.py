"""The typed tables against the paper's text, and what does not add up in them."""

import re
from pathlib import Path

import numpy as np
import pytest

from traunet import metrics
from traunet.config import VARIANTS
from traunet.facs import AUS
from traunet.scoring import published
from traunet.scoring.published import SCORES

TEXT = Path(__file__).with_name("paper_tables.txt").read_text(encoding="utf-8").splitlines()
PRINTED_NAMES = {"TRA": "TRA-Net"}


def lines_between(first: str, last: str) -> list[list[str]]:
    start = next(i for i, line in enumerate(TEXT) if line.startswith(first))
    end = next(i for i, line in enumerate(TEXT) if line.startswith(last))
    return [line.split("\t") for line in TEXT[start:end] if line]


def test_table_1_holds_what_the_paper_prints():
    _, methods, *body = lines_between("AU\t", "Table 1.")
    names = [PRINTED_NAMES.get(name, name) for name in methods[1:]]
    columns = list(zip(["f1"] * 10 + ["accuracy"] * 6, names, strict=True))
    table = published.table1().set_index(["metric", "method"])
    assert list(table.index) == columns
    for line in body:
        name = line[0] if line[0] == "Avg" else f"AU{line[0]}"
        assert table[name].tolist() == [float(score) for score in line[1:]]


def test_table_2_holds_what_the_paper_prints():
    header, *body = lines_between("Methods\t", "Table 2.")
    assert [name.replace(" ", "") for name in header[1:]] == SCORES
    table = published.table2().set_index("printed_as")
    for title, *printed in body:
        assert table.loc[title, SCORES].tolist() == [float(score) for score in printed]
        assert VARIANTS[str(table.loc[title, "variant"])].title == title


def test_table_2_ends_with_the_full_model_of_table_1():
    full = published.table1().query("metric == 'f1' and method == 'TRA-Net'")
    assert published.table2().iloc[-1][SCORES].tolist() == full.iloc[0][SCORES].tolist()
    assert len(published.table2()) == 7


def test_every_row_says_where_it_was_printed():
    for table in (published.table1(), published.table2()):
        assert table.notna().all(axis=None)
        assert set(table["source"]) == {"paper"}
        assert set(table["averaging"]) == {"printed"}
        assert all(re.fullmatch(r"Table [12]", place) for place in table["printed_in"])


def test_exactly_four_printed_averages_do_not_follow_from_their_rows():
    first = published.audit_averages(published.table1()).query("not follows")
    second = published.audit_averages(published.table2()).query("not follows")
    wrong = {(row["metric"], row["method"]): (row["Avg"], row["recomputed"]) for row in first.to_dict("records")}
    assert wrong == {
        ("f1", "DRML"): (26.7, 26.05),
        ("f1", "EAC"): (48.5, 57.41),
        ("accuracy", "EAC"): (80.6, 80.26),
    }
    assert second[["variant", "Avg", "recomputed"]].to_numpy().tolist() == [["hm_cbam_no_spatial", 56.2, 56.55]]


def test_the_average_of_eac_would_come_within_a_tenth_if_its_au9_were_misprinted():
    row = published.table1().query("metric == 'f1' and method == 'EAC'").assign(AU9=8.5)
    assert published.audit_averages(row)["recomputed"].item() == pytest.approx(48.41)
    assert abs(row["Avg"].item() - 48.41) < 0.1


def test_the_gains_on_au1_and_au2_are_relative_and_those_on_au4_do_not_exist():
    table = published.table1().query("metric == 'f1'").set_index("method")
    best = table.drop(index="TRA-Net")[list(AUS)].max()
    gain = 100 * (table.loc["TRA-Net", list(AUS)] / best - 1)
    assert round(gain["AU1"]) == 9
    assert round(gain["AU2"], 1) == 28.7
    assert gain["AU4"] < 0


def rates_that_fit(method: str, threshold: int, slack: float = 0.0) -> set[str]:
    table = published.table1().set_index(["method", "metric"])[list(AUS)] / 100
    f1, accuracy = (table.loc[(method, metric)].to_numpy(float) for metric in ("f1", "accuracy"))
    low, _ = metrics.positive_rate_bounds(f1 - slack, accuracy + slack)
    _, high = metrics.positive_rate_bounds(f1 + slack, accuracy - slack)
    rate = published.base_rates().loc[threshold, list(AUS)].to_numpy(float) / 100
    return {name for name, fits in zip(AUS, (low <= rate) & (rate <= high), strict=True) if fits}


def test_the_papers_scores_fit_a_threshold_of_three_and_its_baselines_one_of_two():
    assert rates_that_fit("TRA-Net", 2) == set()
    assert rates_that_fit("TRA-Net", 3) == set(AUS) - {"AU25"}
    for method in ("JAA", "ARL", "STRAL"):
        assert rates_that_fit(method, 2) == set(AUS)
        assert rates_that_fit(method, 3).isdisjoint({"AU12", "AU25", "AU26"})


def test_of_all_that_round_to_the_papers_scores_some_fit_a_threshold_of_two_for_au4_alone():
    assert rates_that_fit("TRA-Net", 2, slack=0.0005) == {"AU4"}
    for method in ("TRA-Net", "JAA", "ARL", "STRAL"):
        assert rates_that_fit(method, 3, slack=0.0005) == rates_that_fit(method, 3)


@pytest.mark.parametrize(("threshold", "accuracy"), [(2, 89.25), (3, 93.70)])
def test_always_saying_no_has_a_high_accuracy(threshold, accuracy):
    rates = published.base_rates().loc[threshold, list(AUS)].to_numpy(float)
    assert 100 - rates.mean() == pytest.approx(accuracy, abs=0.005)


@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_base_rates_agree_with_the_counts_of_intensities(threshold):
    shares = published.intensity_shares().loc[list(AUS), list(range(threshold, 6))].sum(axis=1)
    rates = published.base_rates().loc[threshold, list(AUS)].to_numpy(float)
    assert np.allclose(shares.to_numpy(), rates, rtol=0, atol=0.011)


def test_a_missing_table_says_where_it_should_be(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"table1\.csv is missing.*checkout"):
        published.read("table1", tmp_path)
