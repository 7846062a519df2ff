"""Pictures that stay on a device are the store's own, and train the same network; tried on the CPU."""

import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
import trees
from pictures import TINY, PaintedStore

from traunet.config import AlignConfig
from traunet.data import folds
from traunet.data.disfa import read_tree
from traunet.data.preparing import prepare
from traunet.data.store import AlignedStore
from traunet.fitting import resident as module
from traunet.fitting.feeding import Draws, loader
from traunet.fitting.resident import ResidentStore, answered_at_once, resident
from traunet.machines.machine import Machine
from traunet.model.senet import SENet
from traunet.model.tranet import build
from traunet.model.weights import Normalisation, save_trunk
from traunet.training import fit, predict, train

ONE = Machine(device="cpu", threads=1)
STORE = PaintedStore()


@pytest.fixture
def held(monkeypatch) -> ResidentStore:
    monkeypatch.setattr(module, "room", lambda device: 10**9)
    made = resident(STORE, ONE, shown=False)  # pyright: ignore
    assert isinstance(made, ResidentStore)
    return made


def test_each_row_has_its_own_picture(held):
    rows = STORE.usable[::-1]
    np.testing.assert_array_equal(held.pictures[held.places(rows)].numpy(), STORE.images(rows))
    assert len(held) == len(STORE)


@pytest.mark.parametrize("chance", [0, 0.5, 1])
def test_batches_are_those_of_the_store_mirrored_or_not(held, chance):
    labels = folds.labels(STORE.frames, 3)

    def batches(store):
        draws = Draws(lambda generator: generator.choice(STORE.usable, (3, 6)), 3, chance, seed=1)
        return list(loader(store, labels, draws, ONE))

    for ours, theirs in zip(batches(held), batches(STORE), strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            assert torch.equal(mine, other)
        assert ours[0].stride() == theirs[0].stride()


def test_a_training_ends_with_the_same_bits(held):
    split = folds.split(STORE.frames, 1, TINY.train.held_out_subjects)

    def trained(store):
        torch.manual_seed(0)
        net = build("tranet", TINY.model, TINY.align, Normalisation())
        result = fit(net, store, split, TINY.train, machine=ONE, progress=None)
        return result, predict(net, store, split.test, machine=ONE)

    (ours, answers), (theirs, expected) = trained(held), trained(STORE)
    assert ours.history.equals(theirs.history)
    assert all(torch.equal(ours.state_dict[name], value) for name, value in theirs.state_dict.items())
    np.testing.assert_array_equal(answers, expected)


def test_only_what_fits_is_held_and_by_one_device(monkeypatch):
    need = len(STORE.usable) * STORE.size**2 * 3
    for bytes_, machine, fits in (
        (need, ONE, True),
        (need - 1, ONE, False),
        (need, replace(ONE, devices=2), False),
    ):
        monkeypatch.setattr(module, "room", lambda device, bytes_=bytes_: bytes_)
        assert isinstance(resident(STORE, machine, shown=False), ResidentStore) is fits  # pyright: ignore


def test_a_cpu_holds_none_and_answers_as_many_as_ever():
    assert resident(STORE, ONE) is STORE  # pyright: ignore


def test_more_are_answered_at_once_where_no_process_must_hand_them_over(held):
    assert (answered_at_once(held), answered_at_once(STORE)) == (256, 64)  # pyright: ignore


def test_a_gpu_that_another_process_has_filled_meanwhile_holds_none(monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(module, "room", lambda device: 10**9)
    monkeypatch.setattr(torch, "empty", full)
    assert resident(STORE, ONE, shown=False) is STORE  # pyright: ignore


def test_the_pictures_of_a_training_make_room_for_the_next(monkeypatch, tmp_path):
    held, alive = [], []

    def room(device) -> int:
        module.tidied()
        alive.append([picture() is not None for picture in held])
        return 10**9

    def noting(*given, **more):
        store = resident(*given, **more)
        assert isinstance(store, ResidentStore)
        held.append(weakref.ref(store.pictures))
        return store

    monkeypatch.setattr(module, "room", room)
    monkeypatch.setattr("traunet.training.resident", noting)
    trunk = tmp_path / "trunk.pt"
    save_trunk(trunk, SENet(TINY.model).state_dict(), Normalisation())
    for fold in (1, 2):
        train(STORE, trunk, TINY, "senet", fold, machine=ONE, progress=False)  # pyright: ignore
    assert alive == [[], [False]]


def test_a_gpu_gives_half_of_what_is_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (90, 100))
    assert module.room(torch.device("cuda")) == 45


@pytest.fixture
def store(tmp_path) -> AlignedStore:
    folder = trees.write_tree(tmp_path / "DISFA", missing=[("SN031", 4)])
    return prepare(read_tree(folder), tmp_path / "store", AlignConfig(size=32), workers=1, progress=False)


def test_a_row_without_a_picture_is_refused_as_the_store_does(store, monkeypatch):
    monkeypatch.setattr(module, "room", lambda device: 10**9)
    rows = np.append(store.usable[:1], np.flatnonzero(~store.frames["usable"]))
    with pytest.raises(ValueError, match=r"has no picture \(no landmarks\)"):
        resident(store, ONE, shown=False).places(rows)  # pyright: ignore


def test_a_damaged_picture_is_named(store, monkeypatch):
    monkeypatch.setattr(module, "room", lambda device: 10**9)
    (store.path / "images.bin").write_bytes(bytes((store.path / "images.bin").stat().st_size))
    with pytest.raises(ValueError, match=r"images\.bin: picture \d+ is damaged"):
        resident(store, ONE, shown=False)


def test_it_says_how_far_it_has_come(held, capsys):
    resident(STORE, ONE)  # pyright: ignore
    assert f"on the GPU {len(STORE.usable)} of {len(STORE.usable)} frames" in capsys.readouterr().err
