"""Predictions in, tables and quotable numbers out."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fakes import FakeRun, fake_predictions, fake_runs, runs_with_a_rare_au
from sklearn.metrics import f1_score

from traunet import report
from traunet.config import FOLDS, VARIANTS
from traunet.facs import AUS
from traunet.scoring import order, published, results
from traunet.scoring.published import SCORES
from traunet.scoring.results import Number
from traunet.scoring.scores import score_runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return report.write(
        fake_runs(), tmp_path_factory.mktemp("out") / "results", profile="smoke", dataset="synthetic"
    )


@pytest.fixture(scope="module")
def numbers(folder):
    return results.read(folder / "results.json")


def test_importing_the_report_imports_no_torch():
    program = "import sys, traunet.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_table_1_has_the_published_methods_and_ours(folder):
    table = pd.read_csv(folder / "table1.csv")
    assert list(table.columns) == ["metric", "method", "source", "averaging", *SCORES]
    sizes = table.groupby(["metric", "source", "averaging"]).size().to_dict()
    assert sizes == {
        ("accuracy", "ours", "fold_mean"): 1,
        ("accuracy", "ours", "pooled"): 1,
        ("accuracy", "paper", "printed"): 6,
        ("f1", "ours", "fold_mean"): 1,
        ("f1", "ours", "pooled"): 1,
        ("f1", "paper", "printed"): 10,
    }


def test_table_2_has_seven_published_rows_and_all_variants_of_ours(folder):
    table = pd.read_csv(folder / "table2.csv")
    assert list(table.columns) == ["variant", "source", "averaging", *SCORES]
    assert table.query("source == 'paper'")["variant"].tolist() == [
        name for name in VARIANTS if name != "tranet_v1"
    ]
    for averaging in ("pooled", "fold_mean"):
        assert table.query(f"averaging == '{averaging}'")["variant"].tolist() == list(VARIANTS)


def test_pooled_scores_equal_those_of_scikit_learn(folder):
    table = pd.read_csv(folder / "table2.csv").set_index(["variant", "averaging"])
    runs = [run.predictions for run in fake_runs() if run.variant == "senet_hm"]
    together = pd.concat(runs).groupby("AU")[["intensity", "probability"]]
    for unit, rows in together:
        expected = 100 * f1_score(rows["intensity"] >= 3, rows["probability"] >= 0.5)
        assert table.loc[("senet_hm", "pooled"), unit] == pytest.approx(expected, abs=1e-3)


def test_the_fold_mean_is_the_mean_of_the_folds(folder):
    table = pd.read_csv(folder / "table2.csv").query("variant == 'tranet' and averaging == 'fold_mean'")
    folds = pd.read_csv(folder / "folds.csv").query("variant == 'tranet' and metric == 'f1'")
    assert np.allclose(table[SCORES].to_numpy(float), folds[SCORES].mean().to_numpy(), rtol=0, atol=1e-3)


def test_every_number_names_its_runs_data_set_and_profile(numbers):
    ours = numbers["table2.senet.pooled.Avg"]
    assert ours.runs == tuple(f"senet-fold{fold}-abc" for fold in FOLDS)
    assert (ours.dataset, ours.profile, ours.code) == ("synthetic", "smoke", ("c0de",))
    assert numbers["published.table1.tranet.f1.AU2"] == Number(61.5, (), "DISFA", "published")
    assert len(numbers["differences.senet.value.Avg"].runs) == 6
    assert all(number.runs for key, number in numbers.items() if not key.startswith("published."))


def test_numbers_of_runs_by_different_code_name_both(tmp_path):
    first, *others = fake_runs(("tranet",))
    out = report.write(
        [replace(first, code="0dd"), *others], tmp_path / "out", profile="smoke", dataset="synthetic"
    )
    assert results.read(out / "results.json")["table2.tranet.pooled.Avg"].code == ("0dd", "c0de")


def test_every_cell_of_both_tables_can_be_quoted(folder, numbers):
    for row in pd.read_csv(folder / "table2.csv").query("source == 'ours'").to_dict("records"):
        for score in SCORES:
            assert numbers[f"table2.{row['variant']}.{row['averaging']}.{score}"].value == row[score]
    for row in pd.read_csv(folder / "table1.csv").query("source == 'ours'").to_dict("records"):
        for score in SCORES:
            assert numbers[f"table1.tranet.{row['metric']}.{row['averaging']}.{score}"].value == row[score]


def test_intervals_hold_their_value(folder):
    table = pd.read_csv(folder / "intervals.csv").set_index(["variant", "metric", "bound"])
    value, low, high = (table.xs(bound, level="bound")[SCORES].to_numpy() for bound in ("value", "low", "high"))
    assert ((low <= value) & (value <= high)).all()


def test_differences_to_the_full_model_are_paper_and_ours(folder):
    table = pd.read_csv(folder / "differences.csv").set_index(["variant", "source", "bound"])
    assert table.loc[("senet", "paper", "value"), "AU1"] == pytest.approx(27.4 - 56.9)
    scores = pd.read_csv(folder / "table2.csv").query("averaging == 'pooled'").set_index("variant")["Avg"]
    expected = scores["senet"] - scores["tranet"]
    assert table.loc[("senet", "ours", "value"), "Avg"] == pytest.approx(expected, abs=1e-3)
    assert "tranet" not in table.index.get_level_values("variant")


def test_a_draw_without_an_au_compares_averages_of_the_same_aus():
    """One false alarm gives an F1 of 0 where a network without one has none: that is no difference of the two."""
    scores = score_runs([*runs_with_a_rare_au(False), *runs_with_a_rare_au(True)])
    alone = scores["senet"].resampled("f1")
    assert np.isnan(alone).any()
    other = scores["tranet"].resampled("f1")
    assert not np.isnan(other).any()
    assert (alone[:, -1] > other[:, -1]).any()
    table = report.differences(scores).query("source == 'ours'").set_index("bound")
    assert table["Avg"].tolist() == [0, 0, 0]


def test_a_better_skill_lies_above_chance_and_a_coin_does_not():
    good = score_runs([FakeRun(f"good{k}", "good", k, fake_predictions(k, 0.95)) for k in FOLDS])["good"]
    coin = score_runs([FakeRun(f"coin{k}", "coin", k, fake_predictions(k, 0.5)) for k in FOLDS])["coin"]
    assert good.above_chance() == 8
    assert coin.above_chance() <= 1


def test_who_always_says_yes_is_never_above_chance():
    for seed in range(20):
        runs = [FakeRun(f"yes{k}", "yes", k, fake_predictions(k + 3 * seed, 0.5)) for k in FOLDS]
        runs = [replace(run, predictions=run.predictions.assign(fold=run.fold, probability=1.0)) for run in runs]
        assert score_runs(runs)["yes"].above_chance() == 0


def test_chance_is_averaged_over_the_aus_that_have_a_score():
    runs = fake_runs(("tranet",))
    for run in runs:
        run.predictions.loc[run.predictions["AU"] == "AU9", ["intensity", "probability"]] = (0, 0.1)
    scores = score_runs(runs)["tranet"]
    for averaging in ("pooled", "fold_mean"):
        guess = scores.chance("f1", averaging)
        assert np.isnan(guess[AUS.index("AU9")])
        assert guess[-1] == pytest.approx(np.nanmean(guess[:-1]))
        assert np.isfinite(scores.chance("accuracy", averaging)).all()


def test_the_order_agrees_with_itself_and_not_with_its_reverse():
    printed = published.table2()
    cells = printed[list(AUS)].mean(axis=1)  # one printed average is not that of its row
    ours = printed.assign(source="ours", averaging="pooled", Avg=cells)
    assert order.agreement(pd.concat([printed, ours])) == pytest.approx(1)
    assert order.agreement(pd.concat([printed, ours.assign(Avg=-ours["Avg"])])) == pytest.approx(-1)
    assert np.isnan(order.agreement(pd.concat([printed, ours.assign(Avg=0.0)])))


def test_the_report_is_a_function_of_its_runs(folder, tmp_path):
    again = report.write(reversed(fake_runs()), tmp_path / "again", profile="smoke", dataset="synthetic")
    for path in folder.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_an_au_that_never_occurs_is_an_empty_cell_and_null(tmp_path):
    runs = fake_runs(("tranet",))
    for run in runs:
        run.predictions.loc[run.predictions["AU"] == "AU9", ["intensity", "probability"]] = (0, 0.1)
    out = report.write(runs, tmp_path / "results", profile="smoke", dataset="synthetic")
    assert json.loads((out / "results.json").read_text())["table2.tranet.pooled.AU9"]["value"] is None
    row = pd.read_csv(out / "table2.csv").query("source == 'ours' and averaging == 'pooled'").iloc[0]
    assert np.isnan(row["AU9"])
    assert row["Avg"] == pytest.approx(np.nanmean(row[list(AUS)].to_numpy(float)), abs=1e-3)


def test_without_the_full_model_the_tables_hold_what_there_is(tmp_path):
    out = report.write(fake_runs(("senet",)), tmp_path / "results", profile="smoke", dataset="synthetic")
    assert set(pd.read_csv(out / "table1.csv")["source"]) == {"paper"}
    assert "table2.senet.pooled.Avg" in results.read(out / "results.json")


def test_other_seeds_are_a_table_of_their_own_and_change_no_other(folder, tmp_path):
    others = [
        [replace(run, name=f"{run.name}{n}", predictions=weaker(run, n)) for run in fake_runs()] for n in (1, 2)
    ]
    out = report.write(fake_runs(), tmp_path / "out", profile="smoke", dataset="synthetic", others=others)
    table = pd.read_csv(out / "seeds.csv")
    assert list(table.columns) == ["variant", "training", *SCORES]
    assert table.groupby("training")["variant"].apply(list).tolist() == [list(VARIANTS)] * 3
    first = table.loc[table["training"] == 1, ["variant", *SCORES]].to_numpy().tolist()
    ours = pd.read_csv(out / "table2.csv").query("source == 'ours' and averaging == 'pooled'")
    assert first == ours[["variant", *SCORES]].to_numpy().tolist()
    for training, trained in enumerate(others, 2):
        scores = score_runs(trained, 3)["senet"].score("f1")
        row = table.loc[(table["variant"] == "senet") & (table["training"] == training), SCORES]
        assert row.to_numpy()[0] == pytest.approx(scores, abs=1e-4)
    numbers = results.read(out / "results.json")
    judged = [number for key, number in numbers.items() if key.startswith("summary.verdicts.")]
    assert judged
    assert all(set(number.runs) == set(numbers["summary.seeds"].runs) for number in judged)
    assert len(numbers["summary.seeds"].runs) == 3 * len(fake_runs())
    assert numbers["seeds.senet.3.AU4"].runs == tuple(f"senet-fold{fold}-abc2" for fold in FOLDS)
    assert numbers["seeds.senet.3.AU4"].value == table.query("variant == 'senet' and training == 3")["AU4"].item()
    for path in folder.glob("*.csv"):
        assert path.name == "seeds.csv" or (out / path.name).read_bytes() == path.read_bytes()


def weaker(run: FakeRun, step: int) -> pd.DataFrame:
    """As if trained from another seed: every few answers are forgotten."""
    table = run.predictions.copy()
    table.loc[:: 5 + step, "probability"] = 0.1
    return table


def spoiled(run: FakeRun, how: str) -> FakeRun:
    table = run.predictions
    return replace(
        run,
        predictions={
            "column": table.drop(columns="probability"),
            "empty": table.iloc[:0],
            "unit": table[table["AU"] != "AU9"],
            "nan": table.assign(probability=np.nan),
            "twice": pd.concat([table, table.iloc[:8]]),
            "ragged": table.iloc[1:],
            "fold": table.assign(fold=9),
        }[how],
    )


@pytest.mark.parametrize("how", ["column", "empty", "unit", "nan", "twice", "ragged", "fold"])
def test_damaged_predictions_are_refused_by_the_name_of_their_run(how, tmp_path):
    first, *others = fake_runs(("tranet",))
    out = tmp_path / "results"
    with pytest.raises(ValueError, match=r"tranet-fold1-abc.*train it again"):
        report.write([spoiled(first, how), *others], out, profile="smoke", dataset="synthetic")
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: [], "no runs to score"),
        (lambda runs: runs[:2], "tranet needs one run for each of the folds"),
        (lambda runs: [*runs, replace(runs[0], name="other")], "tranet needs one run for each of the folds"),
        (lambda runs: [*runs, *other_frames()], "senet and tranet were tested on different frames"),
        (lambda runs: [*runs[:2], same_subjects(runs[2])], "a subject is in two test folds"),
    ],
)
def test_sets_of_runs_that_do_not_compare_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        score_runs(change(fake_runs(("tranet",))))


def other_frames() -> list[FakeRun]:
    return [FakeRun(f"senet{k}", "senet", k, fake_predictions(k, 0.8, frames=39)) for k in FOLDS]


def same_subjects(run: FakeRun) -> FakeRun:
    return replace(run, predictions=fake_predictions(1, 0.8).assign(fold=run.fold))


def test_a_failing_report_leaves_the_former_results_whole(tmp_path):
    out = report.write(fake_runs(("tranet",)), tmp_path / "results", profile="smoke", dataset="synthetic")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ValueError, match="no runs"):
        report.write([], out, profile="smoke", dataset="synthetic")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_numbers_survive_the_file(tmp_path):
    there = {
        "a.b": Number(1.5, ("run",), "synthetic", "demo", ("c0de",)),
        "a.c": Number(None, (), "DISFA", "published"),
    }
    results.write(tmp_path / "results.json", there)
    assert results.read(tmp_path / "results.json") == there


def test_a_file_that_holds_no_results_is_named(tmp_path):
    (tmp_path / "results.json").write_text('{"a": 1}')
    with pytest.raises(ValueError, match=r"results\.json is not a results file"):
        results.read(tmp_path / "results.json")
