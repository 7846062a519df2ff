"""Printed numbers and claims beside ours: what is judged, what is not, and that nobody judges kindly."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fakes import as_printed, fake_runs, moved

from traunet import metrics, report
from traunet.facs import AUS
from traunet.scoring import claims, published, results, verdicts
from traunet.scoring.verdicts import COLUMNS, VERDICTS
from traunet.workspace import PROJECT

PAPERS: dict[str, Any] = {"profile": "paper", "dataset": "DISFA", "papers": True}


def written(tmp_path_factory, **where):
    return report.write(fake_runs(), tmp_path_factory.mktemp("out") / "results", **where)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return written(tmp_path_factory, profile="smoke", dataset="synthetic DISFA")


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    return written(tmp_path_factory, **PAPERS)


@pytest.fixture(scope="module")
def numbers(papers):
    return results.read(papers / "results.json")


def test_every_printed_number_of_the_papers_own_networks_is_judged(papers):
    table = pd.read_csv(papers / "verdicts.csv")
    assert list(table.columns) == list(COLUMNS)
    assert table.groupby(["table", "metric"]).size().to_dict() == {(1, "f1"): 9, (1, "accuracy"): 9, (2, "f1"): 54}
    assert not table.duplicated(["table", "metric", "variant", "score"]).any()
    printed = published.table2().set_index("variant")
    for row in table.query("table == 2").to_dict("records"):
        assert row["published"] == printed.loc[row["variant"], row["score"]]


def test_a_metric_that_the_paper_does_not_print_is_scored_and_not_judged(papers, tmp_path, monkeypatch):
    monkeypatch.setitem(
        metrics.METRICS, "precision", lambda counts: metrics.ratio(counts.tp, counts.tp + counts.fp)
    )
    monkeypatch.setitem(metrics.CHANCE, "precision", lambda counts: counts.positive_rate)
    out = report.write(fake_runs(), tmp_path / "results", **PAPERS)
    scored = pd.read_csv(out / "table1.csv").query("metric == 'precision'")
    assert set(scored["averaging"]) == set(metrics.AVERAGINGS)
    assert scored[published.SCORES].notna().to_numpy().all()
    assert "table1.tranet.precision.pooled.Avg" in results.read(out / "results.json")
    assert (out / "verdicts.csv").read_text() == (papers / "verdicts.csv").read_text()


def test_what_is_not_the_papers_experiment_is_never_judged(numbers):
    assert set(verdicts.judge(as_printed(numbers), papers=False)["verdict"]) == {"not comparable"}
    judged = claims.judge(as_printed(numbers), papers=False)
    assert set(judged.query("rests_on == 'training'")["verdict"]) == {"not comparable"}


def test_what_came_out_is_shown_though_it_is_not_judged(here):
    table = pd.read_csv(here / "verdicts.csv")
    assert table[["ours", "difference"]].notna().to_numpy().all()
    off = (table["ours"] - table["published"] - table["difference"]).to_numpy()
    assert np.abs(off).max() < 1e-3


def test_the_printed_numbers_themselves_are_reproduced(numbers):
    assert set(verdicts.judge(as_printed(numbers), papers=True)["verdict"]) == {"reproduced"}


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_number_just_outside_its_tolerance_is_not_reproduced(numbers, sign):
    changed = as_printed(numbers)
    for key, off, expected in (
        ("AU1", 3.6, "reproduced"),
        ("AU2", 3.7, "not reproduced"),
        ("Avg", 1.4, "not reproduced"),
    ):
        changed = moved(changed, f"table2.senet.*.{key}", sign * off)
        judged = verdicts.judge(changed, papers=True).set_index("key")
        assert judged.loc[f"table2.senet.pooled.{key}", "verdict"] == expected


def test_a_score_that_is_not_defined_is_undecided(numbers):
    key = "table2.senet.pooled.AU9"
    judged = verdicts.judge(as_printed(numbers) | {key: replace(numbers[key], value=None)}, papers=True)
    assert judged.set_index("key").loc[key, "verdict"] == "undecided"


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [((0.2, -0.4), "reproduced"), ((0.2, -4.0), "undecided"), ((5.0, -4.0), "not reproduced")],
)
def test_a_number_on_which_seeds_do_not_agree_is_undecided_as_the_claim_is(numbers, seeds, expected):
    key = "table1.tranet.f1.pooled.Avg"
    first, *others = [moved(as_printed(numbers), "table1.tranet.f1.*.Avg", off) for off in seeds]
    judged = verdicts.judge(first, papers=True, others=others).set_index("key")
    assert judged.loc[key, "verdict"] == expected
    assert claims.judge(first, True, others).set_index("claim").loc["full_f1", "verdict"] == expected


def test_the_verdicts_are_counted_for_the_prose(papers, numbers):
    table = pd.read_csv(papers / "verdicts.csv")
    counted = {name: numbers[f"summary.verdicts.{name.replace(' ', '_')}"].value for name in VERDICTS}
    assert counted == {name: table["verdict"].tolist().count(name) for name in VERDICTS}
    assert sum(counted.values()) == numbers["summary.verdicts.all"].value == 72


def test_every_tolerance_has_its_reason_and_separates_what_the_paper_separates():
    table = published.tolerances()
    assert {(m, s) for m, s in zip(table["metric"], table["score"], strict=True)} == set(verdicts.tolerances())
    assert min(len(reason) for reason in table["reason"]) > 60
    printed = published.table2().set_index("variant")["Avg"]
    step = np.min(printed["tranet"] - printed.drop("tranet").to_numpy(float))
    assert 2 * verdicts.tolerance("f1", "Avg") < step
    margin = published.table1().query("metric == 'accuracy' and method == 'TRA-Net'")["Avg"].item()
    margin -= 100 - published.base_rates().loc[3, list(AUS)].astype(float).mean()
    assert 2 * verdicts.tolerance("accuracy", "Avg") < margin


def test_always_no_is_within_the_tolerance_of_exactly_the_accuracies_that_the_reason_names():
    printed = published.table1().query("metric == 'accuracy' and method == 'TRA-Net'").iloc[0]
    always_no = 100 - published.base_rates().loc[3, list(AUS)].astype(float)
    near = {au for au in AUS if abs(printed[au] - always_no[au]) <= verdicts.tolerance("accuracy", au)}
    reason = published.tolerances().query("metric == 'accuracy' and score == 'AU'")["reason"].item()
    assert near == set(re.findall(r"AU\d+", reason))


def test_what_can_be_checked_on_print_alone_is_the_same_on_any_data(here, papers):
    found = [pd.read_csv(folder / "claims.csv").query("rests_on == 'printed'") for folder in (here, papers)]
    assert found[0].equals(found[1])
    assert dict(zip(found[0]["claim"], found[0]["verdict"], strict=True)) == {
        "highest_f1": "does not hold",
        "gains": "holds",
        "close_au4": "holds",
        "mean_accuracy": "holds",
        "all_accuracies": "does not hold",
        "negatives": "holds",
        "averages": "does not hold",
        "size": "undecided",
    }


def test_every_claim_is_quoted_placed_and_judged():
    table = published.claims()
    assert set(table["claim"]) == set(claims.CHECKS)
    assert table.notna().all(axis=None)
    assert set(table["rests_on"]) == {claims.PRINTED, claims.TRAINING}
    assert table["section"].str.match(r"abstract|section \d|Tables? \d").all()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-9.0, -0.1, "reproduced"),
        (-9.0, 0.0, "undecided"),
        (-0.1, 9.0, "undecided"),
        (0.0, 9.0, "undecided"),
        (0.1, 9.0, "not reproduced"),
        (None, None, "undecided"),
    ],
)
def test_a_part_helps_or_does_not_only_if_the_whole_interval_says_so(numbers, low, high, expected):
    keys = {f"differences.senet_cbam.{bound}.Avg": value for bound, value in (("low", low), ("high", high))}
    changed = numbers | {key: replace(numbers[key], value=value) for key, value in keys.items()}
    assert claims.judge(changed, papers=True).set_index("claim").loc["hard_masks", "verdict"] == expected
    elsewhere = claims.judge(changed, papers=False).set_index("claim")
    assert elsewhere.loc["hard_masks", "verdict"] == "not comparable"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-1.3, 1.3, "reproduced"),
        (0.2, 0.9, "reproduced"),
        (-1.4, 1.3, "undecided"),
        (-9.0, 9.0, "undecided"),
        (1.2, 9.0, "undecided"),
        (1.4, 9.0, "not reproduced"),
        (-9.0, -1.4, "not reproduced"),
        (None, None, "undecided"),
    ],
)
def test_the_halves_are_alike_or_not_only_if_the_whole_interval_says_so(numbers, low, high, expected):
    keys = {f"halves.{bound}.Avg": value for bound, value in (("low", low), ("high", high))}
    changed = numbers | {key: replace(numbers[key], value=value) for key, value in keys.items()}
    assert claims.judge(changed, papers=True).set_index("claim").loc["equal_halves", "verdict"] == expected


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (((-3.6, 3.6), (-1, 1), (0, 2)), "reproduced"),
        (((-3.7, 3.6), (-1, 1), (0, 2)), "undecided"),
        (((-1, 1), (-9, -3.7), (-9, 9)), "not reproduced"),
    ],
)
def test_the_trunk_alone_is_as_good_on_the_lower_face_only_on_each_of_its_units(numbers, bounds, expected):
    changed = dict(numbers)
    for au, ends in zip(("AU12", "AU25", "AU26"), bounds, strict=True):
        for bound, value in zip(("low", "high"), ends, strict=True):
            key = f"differences.senet.{bound}.{au}"
            changed[key] = replace(numbers[key], value=value)
    assert claims.judge(changed, papers=True).set_index("claim").loc["lower_face", "verdict"] == expected


def test_the_difference_of_the_halves_is_that_of_their_networks(papers, numbers):
    table = pd.read_csv(papers / "halves.csv").set_index("bound")
    assert (table.loc["low"] <= table.loc["value"]).all()
    assert (table.loc["value"] <= table.loc["high"]).all()
    for score in (*AUS, "Avg"):
        no_channel, no_spatial = (
            numbers[f"table2.hm_cbam_no_{half}.pooled.{score}"] for half in ("channel", "spatial")
        )
        assert table.loc["value", score] == pytest.approx(no_channel.number - no_spatial.number, abs=2e-4)


@pytest.mark.parametrize(
    ("highs", "expected"),
    [
        ((-0.1, -3.0, -0.2), "reproduced"),
        ((-0.1, -3.0, 0.2), "undecided"),
        ((0.2, -3.0), "undecided"),
        ((-0.1, None), "undecided"),
    ],
)
def test_networks_from_several_seeds_must_agree_on_a_claim(numbers, highs, expected):
    key = "differences.senet_cbam.high.Avg"
    first, *others = [numbers | {key: replace(numbers[key], value=high)} for high in highs]
    judged = claims.judge(first, papers=True, others=others).set_index("claim")
    assert judged.loc["hard_masks", "verdict"] == expected
    alone = claims.judge(first, papers=True).set_index("claim")
    assert judged.drop("hard_masks").equals(alone.drop("hard_masks"))


def test_one_seed_from_which_a_part_harms_leaves_the_part_undecided(papers, tmp_path):
    better = {run.fold: run.predictions for run in fake_runs() if run.variant == "tranet_v1"}
    other = [
        replace(run, predictions=better[run.fold]) if run.variant == "senet_cbam" else run for run in fake_runs()
    ]
    out = report.write(fake_runs(), tmp_path / "out", **PAPERS, others=[fake_runs(), other])
    before, after = (pd.read_csv(folder / "claims.csv").set_index("claim")["verdict"] for folder in (papers, out))
    assert (before["hard_masks"], after["hard_masks"]) == ("reproduced", "undecided")
    changed = [claim for claim, was, now in zip(before.index, before, after, strict=True) if was != now]
    assert changed == ["hard_masks", "order"]


@pytest.mark.parametrize(("near", "expected"), [(3, "undecided"), (0, "does not hold")])
def test_a_size_that_only_other_readings_have_is_undecided(numbers, near, expected):
    key = "published.readings.near"
    judged = claims.judge(numbers | {key: replace(numbers[key], value=near)}, papers=True).set_index("claim")
    assert judged.loc["size", "verdict"] == expected


def test_every_verdict_has_its_sign_or_colour():
    style = (PROJECT / "book" / "_static" / "results.css").read_text()
    for words in (*VERDICTS, claims.HOLDS, claims.FAILS, claims.UNDECIDED):
        assert re.search(rf"\.verdict-{words.replace(' ', '-')}\b(?!-)", style), words


def test_every_number_that_a_claim_shows_is_among_the_results(papers, numbers):
    table = pd.read_csv(papers / "claims.csv")
    assert len(table) == len(claims.CHECKS)
    for found in table["found"]:
        assert claims.keys(found)
        assert set(claims.keys(found)) <= set(numbers)
        assert not re.search(r"\d\.\d", claims.KEY.sub("", found))


def test_claims_about_networks_that_were_not_trained_are_left_out(tmp_path):
    out = report.write(fake_runs(("tranet",)), tmp_path / "results", profile="paper", dataset="DISFA")
    left = set(published.claims()["claim"]) - set(pd.read_csv(out / "claims.csv")["claim"])
    assert {"hard_masks", "no_residual", "lower_face", "order"} <= left
    assert "full_f1" not in left
    assert set(pd.read_csv(out / "verdicts.csv")["variant"]) == {"tranet"}
