"""What the chapter on the ablations says of the chance of training, from one seed and from several."""

import io
import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from fakes import DATASET, fake_runs
from IPython.core.interactiveshell import InteractiveShell

from traunet import report
from traunet.config import VARIANTS
from traunet.facs import AUS
from traunet.workspace import PROJECT

PAGE = json.loads((PROJECT / "notebooks" / "05_ablations.ipynb").read_text())
TITLES = {name: variant.title for name, variant in VARIANTS.items()}


def shown(folder, *cells) -> list[Any]:
    """What these cells of the page show, with the results of a folder; None for a figure."""
    text = {cell["id"]: "".join(cell["source"]) for cell in PAGE["cells"]}
    made = SimpleNamespace(
        results=lambda: folder, runs=fake_runs, dataset=DATASET
    )  # nothing is trained for a test
    setup = text["setup"].replace("Workspace.of(profile)", "made")
    shell: Any = InteractiveShell(user_ns={"profile": "smoke", "made": made})
    results = [shell.run_cell(source) for source in (setup, *(text[cell] for cell in cells))]
    for result in results:
        result.raise_error()
    return [getattr(result.result, "data", None) for result in results[1:]]


def exchanged(*pair):
    """The networks from another seed: of two, each answers as the other did."""
    by_fold = {(run.variant, run.fold): run for run in fake_runs()}
    answers = dict(zip(VARIANTS, VARIANTS, strict=True)) | dict(zip(pair, pair[::-1], strict=True))
    return [
        replace(run, name=f"{run.name}-other", predictions=by_fold[answers[variant], fold].predictions)
        for (variant, fold), run in by_fold.items()
    ]


def write(out, *others):
    return report.write(fake_runs(), out, profile="smoke", dataset=DATASET, others=others)


def test_from_one_seed_the_page_says_that_chance_is_not_known(tmp_path):
    table, said = shown(write(tmp_path / "results"), "tab-seeds", "seeds")
    assert "trained **once**" in said
    assert "SEEDS=3" in said
    assert table.count("<tr") == 1 + len(VARIANTS)


def test_from_several_seeds_it_sorts_the_differences_by_their_signs(tmp_path):
    folder = write(tmp_path / "results", exchanged(), exchanged("tranet", "hm_cbam_no_spatial"))
    table, said = shown(folder, "tab-seeds", "seeds")
    average = pd.read_csv(folder / "seeds.csv").pivot(index="variant", columns="training", values="Avg")
    average = average.reindex(list(VARIANTS))
    assert average[1].equals(average[2])
    rows = pd.read_html(io.StringIO(table))[0].set_index("network")
    assert float(rows.loc["TRA-Net", "F1, min"]) == pytest.approx(average.loc["tranet"].min(), abs=0.05)
    behind = average.sub(average.loc["tranet"]).drop(index="tranet")
    assert float(rows.loc["SENet-50", "minus TRA-Net, max"]) == pytest.approx(behind.loc["senet"].max(), abs=0.05)
    plain = re.sub("<[^>]*>", "", said)
    low, high = average.loc["tranet"].min(), average.loc["tranet"].max()
    assert f"From 3 seeds, TRA-Net's average lies between {low:.1f} and {high:.1f}." in plain
    for words, signs in (("Below TRA-Net from every seed", {-1}), ("Above it", {1}), ("Now above", {-1, 1})):
        line = next(line for line in plain.splitlines() if words in line)
        chosen = [name for name, row in behind.iterrows() if {1 if value > 0 else -1 for value in row} == signs]
        assert chosen, f"the runs were made up so that some are {words.lower()}"
        assert line.partition(": ")[2] == ", ".join(TITLES[str(name)] for name in chosen)


def test_where_one_network_has_no_score_of_an_au_every_difference_is_of_the_others(tmp_path):
    """Nobody shows AU9, and one network alone has a false alarm: an F1 of 0, where the others have none."""
    runs = fake_runs()
    for run in runs:
        ninth = run.predictions["AU"] == "AU9"
        run.predictions.loc[ninth, "intensity"] = 0
        alarm = (run.predictions["frame"] == 1) & (run.variant == "senet")
        run.predictions.loc[ninth, "probability"] = 0.9 * alarm[ninth]
    folder = report.write(runs, tmp_path / "results", profile="smoke", dataset=DATASET)
    cells = [cell["id"] for cell in PAGE["cells"] if cell["cell_type"] == "code"]
    cells = cells[cells.index("setup") + 1 :]
    table = dict(zip(cells, shown(folder, *cells), strict=True))["tab-seeds"]
    scores: Any = pd.read_csv(folder / "seeds.csv").set_index("variant")[list(AUS)]
    assert scores["AU9"].dropna().to_dict() == {"senet": 0}
    behind = (scores.loc["senet"] - scores.loc["tranet"]).drop("AU9").mean()
    rows = pd.read_html(io.StringIO(table))[0].set_index("network")
    assert float(rows.loc["SENet-50", "minus TRA-Net, mean"]) == pytest.approx(behind, abs=0.05)
    differences = pd.read_csv(folder / "differences.csv").query("source == 'ours'")
    ours: Any = differences.set_index(["variant", "bound"])["Avg"]
    assert ours["senet", "value"] == pytest.approx(behind, abs=1e-3)
    assert ours["senet", "low"] <= behind <= ours["senet", "high"]
