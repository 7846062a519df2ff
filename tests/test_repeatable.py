"""The same seed twice: from the rendered heads to the tables not one bit differs."""

import hashlib
import multiprocessing
import os
from pathlib import Path

import pytest

from traunet.workspace import Workspace


def make_tables(root: Path) -> None:
    """The whole way with the smoke profile's settings, one variant on its three folds; on a CPU, as GPUs round."""
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    from traunet import report

    workspace = Workspace.of("smoke", root=root)
    runs = workspace.runs(["tranet"])
    facts = {"profile": "smoke", "dataset": workspace.dataset, "threshold": workspace.profile.train.threshold}
    report.write(runs, root / "results", **facts)  # pyright: ignore


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "provenance.json")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def twice(tmp_path_factory) -> list[Path]:
    context, roots = multiprocessing.get_context("spawn"), [tmp_path_factory.mktemp(name) for name in "ab"]
    for root in roots:
        process = context.Process(target=make_tables, args=(root,))
        process.start()
        process.join()
        assert process.exitcode == 0
    return roots


@pytest.mark.parametrize("part", ["results", "smoke/disfa", "smoke/store", "smoke/trunk", "smoke/runs"])
def test_the_same_seed_twice_gives_the_same_bytes(twice, part):
    first, second = (hashes(root / part) for root in twice)
    if part == "smoke/trunk":  # beside it lies how long it took
        del first["trunk.json"], second["trunk.json"]
    assert len(first) >= 2
    assert first == second


def test_the_tables_that_agree_hold_scores(twice):
    assert "ours" in (twice[0] / "results" / "table1.csv").read_text()
