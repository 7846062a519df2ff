import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from pictures import TINY, PaintedStore

from traunet.machines.machine import Machine
from traunet.model.senet import SENet
from traunet.model.weights import fill_trunk, load_trunk
from traunet.pretraining import ShuffledPlan, hold_out, measured_normalisation, pretrain

ONE = Machine(device="cpu", threads=1)
HEADS = tuple(f"SN{number}" for number in range(100, 104))
STORE = PaintedStore(frames=16, subjects=HEADS)
TRUNK = replace(TINY.trunk, epochs=8, batch_size=8, learning_rate=0.05)  # pyright: ignore


def train_trunk(out, store=STORE, config=TRUNK):
    return pretrain(store, config, TINY.model, out, machine=ONE, progress=False)  # pyright: ignore


@pytest.fixture(scope="module")
def trunk(tmp_path_factory):
    return train_trunk(tmp_path_factory.mktemp("trunk") / "new" / "trunk.pt")


def test_faces_are_told_apart_on_frames_that_were_not_trained_on(trunk):
    assert trunk.identities == 4
    assert trunk.accuracy > 0.6  # 0.25 by chance
    assert trunk.history["loss"].iloc[-1] < trunk.history["loss"].iloc[0]


def test_the_file_holds_a_whole_trunk_and_how_its_pixels_are_normalised(trunk):
    state, normalisation = load_trunk(trunk.path)
    fill_trunk(SENet(TINY.model), state, trunk.path)
    assert normalisation == measured_normalisation(STORE)  # pyright: ignore


def test_history_and_facts_stand_beside_the_trunk(trunk):
    assert sorted(path.name for path in trunk.path.parent.iterdir()) == ["trunk.csv", "trunk.json", "trunk.pt"]
    history = pd.read_csv(trunk.path.with_suffix(".csv"))
    assert list(history.columns) == ["epoch", "loss", "learning_rate", "accuracy"]
    facts = json.loads(trunk.path.with_suffix(".json").read_text())
    assert facts["accuracy"] == trunk.accuracy
    assert facts["chance"] == 0.25
    assert facts["dataset"] == "painted pictures"


def test_equal_seeds_give_equal_trunks(tmp_path):
    short = replace(TRUNK, epochs=1)
    (one, _), (two, _) = (load_trunk(train_trunk(tmp_path / name, config=short).path) for name in ("a.pt", "b.pt"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_every_fourth_usable_frame_of_each_subject_is_kept_aside():
    train, aside = hold_out(STORE)  # pyright: ignore
    assert sorted([*train, *aside]) == STORE.usable.tolist()
    assert STORE.frames.iloc[aside].groupby("subject")["frame"].apply(list).tolist() == [[4, 9, 13]] * 4


def test_an_epoch_shows_each_row_once():
    plan = ShuffledPlan(np.arange(10), 4)
    first, second = (list(plan(np.random.default_rng(seed))) for seed in (0, 1))
    assert [len(batch) for batch in first] == [4, 4]
    assert len(set(np.concatenate(first))) == 8
    assert not np.array_equal(np.concatenate(first), np.concatenate(second))


def test_normalised_pixels_have_mean_zero_and_spread_one():
    normalisation = measured_normalisation(STORE, sample=1000)  # pyright: ignore
    pixels = STORE.images(STORE.usable).reshape(-1, 3)
    assert ((pixels - np.array(normalisation.mean)) / normalisation.scale).mean() == pytest.approx(0, abs=0.01)
    assert pixels.std(axis=0).mean() / normalisation.scale == pytest.approx(1, abs=0.01)


def test_one_face_alone_is_no_lesson(tmp_path):
    with pytest.raises(ValueError, match="a trunk needs at least 2 faces"):
        train_trunk(tmp_path / "trunk.pt", store=PaintedStore(subjects=("SN100",)))
    assert not list(tmp_path.iterdir())
