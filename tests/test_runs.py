import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pictures import TINY, PaintedStore

from traunet.config import AlignConfig
from traunet.data import folds
from traunet.facs import AUS
from traunet.machines.machine import Machine
from traunet.model.senet import SENet
from traunet.model.tranet import build
from traunet.model.weights import Normalisation, save_trunk
from traunet.records.provenance import file_sha256
from traunet.runs import FILES, DamagedRunError, Run
from traunet.runstore import prediction_table, run_inputs, run_name, train_run
from traunet.training import predict

ONE = Machine(device="cpu", threads=1)
STORE = PaintedStore()


def trunk_file(folder: Path, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    path = folder / f"trunk{seed}.pt"
    save_trunk(path, SENet(TINY.model).state_dict(), Normalisation("BGR", (1.0, 2.0, 3.0), 50.0))
    return path


def trained(root: Path, trunk: Path, profile=TINY, variant="tranet", fold=1, store=STORE) -> Run:
    return train_run(store, trunk, profile, variant, fold, root, machine=ONE, progress=False)  # pyright: ignore


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def trunk(home) -> Path:
    return trunk_file(home)


@pytest.fixture(scope="module")
def run(home, trunk) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        return trained(home / "runs", trunk)


def test_every_usable_frame_of_the_test_fold_is_predicted_once_for_each_au(run):
    split = folds.split(STORE.frames, 1, 3)
    table = run.predictions
    assert list(table.columns) == ["subject", "frame", "fold", "AU", "intensity", "probability"]
    assert len(table) == 8 * len(split.test)
    assert not table.duplicated(["subject", "frame", "AU"]).any()
    assert set(table["subject"]) == set(folds.TEST_SUBJECTS[1])
    assert 7 not in set(table["frame"])  # those frames are not usable
    assert set(table["fold"]) == {1}


def test_predictions_carry_the_intensities_of_the_labels():
    rows, probabilities = STORE.usable[5:9], np.arange(32).reshape(4, 8) / 32
    table = prediction_table(STORE.frames, rows, 2, probabilities)
    wide = table.pivot(index=["subject", "frame"], columns="AU", values=["intensity", "probability"])
    expected = STORE.frames.iloc[rows].set_index(["subject", "frame"])
    for column, au in enumerate(AUS):
        assert np.array(wide["intensity"][au]) == pytest.approx(expected[au].to_numpy())
        assert np.array(wide["probability"][au]) == pytest.approx(probabilities[:, column])


def test_the_checkpoint_gives_the_predictions_again(run):
    normalisation = Normalisation(**run.normalisation)
    net = build(run.variant, run.model, run.align, normalisation)
    net.load_state_dict(run.state_dict())
    rows = folds.split(STORE.frames, run.fold, run.train.held_out_subjects).test
    again = predict(net, STORE, rows, machine=ONE)  # pyright: ignore
    assert run.predictions["probability"].to_numpy() == pytest.approx(again.ravel(), abs=1e-6)
    assert normalisation == Normalisation("BGR", (1.0, 2.0, 3.0), 50.0)


def test_a_run_gives_its_settings_back(run):
    assert (run.align, run.model, run.train) == (TINY.align, TINY.model, TINY.train)
    assert (run.variant, run.fold) == ("tranet", 1)
    assert list(run.history.columns) == ["epoch", "loss", "learning_rate", "f1_held_out", "f1_test"]


def test_the_provenance_says_where_every_number_came_from(run, trunk, home):
    facts = run.provenance
    assert facts["trunk_sha256"] == file_sha256(trunk)
    assert facts["data_fingerprint"] == "painted"
    assert facts["synthetic"] is True
    assert facts["selected_on"] == "held-out subjects"
    parts = [set(part) for part in facts["subjects"].values()]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 27
    assert str(home) not in json.dumps(facts)


def test_a_run_that_exists_is_used_and_not_made_again(home, trunk, run, monkeypatch):
    monkeypatch.setattr("traunet.training.train", lambda *_, **__: pytest.fail("trained again"))
    again = trained(home / "runs", trunk)
    assert again.path == run.path
    renamed = trained(home / "runs", trunk, replace(TINY, name="other", departures=(("a", "b"),)))
    assert renamed.path == run.path


def test_two_runs_of_one_seed_have_equal_predictions(tmp_path, trunk, run):
    again = trained(tmp_path, trunk)
    assert again.name == run.name
    pd.testing.assert_frame_equal(again.predictions, run.predictions)


def test_whatever_a_result_depends_on_is_in_the_name():
    inputs = run_inputs(TINY, "data", "trunk")
    names = {
        run_name("tranet", 1, inputs),
        run_name("tranet", 2, inputs),
        run_name("senet", 1, inputs),
        run_name("tranet", 1, run_inputs(TINY, "other data", "trunk")),
        run_name("tranet", 1, run_inputs(TINY, "data", "other trunk")),
        run_name("tranet", 1, run_inputs(replace(TINY, train=replace(TINY.train, seed=1)), "data", "trunk")),
        run_name("tranet", 1, run_inputs(replace(TINY, align=AlignConfig(size=65)), "data", "trunk")),
        run_name("tranet", 1, run_inputs(replace(TINY, model=replace(TINY.model, width=9)), "data", "trunk")),
        run_name("tranet", 1, {**inputs, "code": "other"}),
        run_name("tranet", 1, {**inputs, "packages": {"torch": "9"}}),
    }
    assert len(names) == 10
    assert run_name("tranet", 1, dict(reversed(inputs.items()))) in names
    assert sum(name.startswith("tranet-fold1-") for name in names) == 8


def test_an_unknown_variant_or_fold_is_refused_before_any_work(tmp_path, trunk):
    with pytest.raises(ValueError, match=r"unknown variant 'resnet'; choose one of: senet, "):
        trained(tmp_path / "runs", trunk, variant="resnet")
    with pytest.raises(ValueError, match="unknown fold 4; choose one of: 1, 2, 3"):
        trained(tmp_path / "runs", trunk, fold=4)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", [*FILES, "provenance.json"])
def test_a_run_without_one_of_its_files_is_refused_by_name(name, tmp_path, run):
    copy = tmp_path / run.name
    subprocess.run(["cp", "-r", run.path, copy], check=True)
    (copy / name).unlink()
    with pytest.raises(DamagedRunError, match=rf"{name} is missing; delete the folder"):
        Run.open(copy)


def test_a_run_without_its_answers_is_open_to_who_does_not_ask_for_them(tmp_path, run):
    copied = Path(shutil.copytree(run.path, tmp_path / run.name))
    (copied / "predictions.parquet").unlink()
    passed_on = Run.open(copied, answers=False)
    assert passed_on.state_dict().keys() == run.state_dict().keys()
    with pytest.raises(FileNotFoundError, match=r"predictions\.parquet"):
        _ = passed_on.predictions
    (copied / "history.csv").unlink()
    with pytest.raises(DamagedRunError, match=r"history\.csv is missing"):
        Run.open(copied, answers=False)


@pytest.mark.parametrize("name", [*FILES, "provenance.json"])
def test_a_run_with_a_truncated_file_is_refused_by_name(name, tmp_path, run):
    copy = tmp_path / run.name
    subprocess.run(["cp", "-r", run.path, copy], check=True)
    (copy / name).write_bytes((copy / name).read_bytes()[:-9])
    with pytest.raises(DamagedRunError, match=rf"{name}.*delete the folder"):
        Run.open(copy)


def test_a_checkpoint_that_was_changed_at_the_same_size_is_noticed_by_who_reads_it(tmp_path, run):
    copied = Path(shutil.copytree(run.path, tmp_path / run.name))
    content = bytearray((copied / "checkpoint.pt").read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4] = bytes(255 - byte for byte in content[middle : middle + 4])
    (copied / "checkpoint.pt").write_bytes(content)
    with pytest.raises(DamagedRunError, match=r"checkpoint\.pt is not as it was written"):
        Run.open(copied).state_dict()


@pytest.mark.parametrize("files", [None, [], "text", {}, {"config.json": "text"}, {"config.json": {}}])
def test_a_provenance_that_vouches_for_nothing_is_refused(files, tmp_path, run):
    copied = Path(shutil.copytree(run.path, tmp_path / run.name))
    (copied / "provenance.json").write_text(json.dumps({**run.provenance, "files": files}))
    with pytest.raises(DamagedRunError, match=r"config\.json"):
        Run.open(copied)


def test_a_run_of_an_older_version_is_refused_when_its_settings_are_asked_for(run):
    older = replace(run, config={**run.config, "train": {"epochs": 3}})
    with pytest.raises(DamagedRunError, match=r"config\.json: written by another version.*'epochs'"):
        _ = older.train


def test_a_run_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="traunet train"):
        Run.open(tmp_path / "tranet-fold1-0123456789ab")


def test_a_broken_trunk_file_leaves_no_run_behind(tmp_path):
    broken = tmp_path / "trunk.pt"
    broken.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"trunk\.pt"):
        trained(tmp_path / "runs", broken)
    assert not [path for path in (tmp_path / "runs").iterdir() if path.is_dir()]


def test_reading_runs_needs_no_torch():
    code = "import sys, traunet.runs; assert 'torch' not in sys.modules and 'lightning' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
