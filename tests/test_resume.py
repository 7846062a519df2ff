"""Killed trainings: they go on from the last whole epoch, and end bit for bit where they would have ended."""

import errno
import hashlib
import multiprocessing
import os
import signal
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import TINY, PaintedStore

from traunet.fitting import unfinished
from traunet.machines.machine import Machine
from traunet.model.senet import SENet
from traunet.model.weights import Normalisation, save_trunk
from traunet.runs import FILES, Run
from traunet.runstore import train_run

KILLS = 20
LONG = replace(TINY, train=replace(TINY.train, max_epochs=6, first_evaluation=2, patience=3))
SPAWNED = multiprocessing.get_context("forkserver")  # killed children start from a parent that has torch loaded
SPAWNED.set_forkserver_preload(["traunet.training", "lightning.pytorch", "pictures"])


def train(root: Path, threads: int = 1) -> Run:
    machine = Machine(device="cpu", threads=threads)
    return train_run(PaintedStore(), root / "trunk.pt", LONG, "tranet", 1, root, machine=machine, progress=False)  # pyright: ignore


def trained_quietly(root: Path) -> None:
    warnings.simplefilter("ignore")
    os.close(2)
    train(root)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("home")
    torch.manual_seed(0)
    save_trunk(root / "trunk.pt", SENet(TINY.model).state_dict(), Normalisation())
    return root


def twin(home: Path, root: Path) -> Path:
    root.mkdir(exist_ok=True)
    (root / "trunk.pt").write_bytes((home / "trunk.pt").read_bytes())
    return root


def hashes(run: Run) -> dict[str, str]:
    return {name: hashlib.sha256((run.path / name).read_bytes()).hexdigest() for name in FILES}


def seconds_of_one(root: Path) -> float:
    started, process = time.perf_counter(), SPAWNED.Process(target=trained_quietly, args=(root,))
    process.start()
    process.join()
    return time.perf_counter() - started


@pytest.fixture(scope="module")
def whole(home) -> Run:
    return train(twin(home, home / "whole"))


def wait_for_epochs(file: Path, process, count: int) -> None:
    """Until so many epochs more than now were written, or the training ended: however fast the machine is."""
    former = stamp(file)
    while count and process.is_alive():
        time.sleep(0.001)
        if (now := stamp(file)) != former:
            count, former = count - 1, now


def stamp(file: Path) -> tuple[int, int] | None:
    try:
        return file.stat().st_ino, file.stat().st_mtime_ns
    except FileNotFoundError:
        return None


def test_twenty_kills_at_random_moments_change_not_one_bit(home, tmp_path, whole):
    generator = np.random.default_rng(7)
    duration, epoch = seconds_of_one(twin(home, tmp_path / "timed")), max(whole.provenance["seconds_of_epochs"])
    kills, taken_up = 0, []
    for root in (twin(home, tmp_path / f"killed{number}") for number in range(5 * KILLS)):
        finished = False
        while not finished:
            process = SPAWNED.Process(target=trained_quietly, args=(root,))
            process.start()
            # Anywhere from its start on, or about an epoch: the start alone may take nearly all the time.
            epochs = int(generator.integers(4))
            wait_for_epochs(root / f".{whole.name}.unfinished", process, epochs)
            process.join(generator.uniform(0, epoch if epochs else duration))
            finished = not process.is_alive()
            if not finished:
                assert process.pid
                try:
                    os.kill(process.pid, signal.SIGKILL)
                    kills += 1
                except ProcessLookupError:
                    pass  # it ended at this very moment
                process.join()
        run = train(root)  # found, not made
        assert hashes(run) == hashes(whole)
        taken_up += run.provenance["taken_up_after_epochs"]
        if kills >= KILLS and len(set(taken_up)) > 1:
            break
    assert kills >= KILLS
    assert len(set(taken_up)) > 1, "no kill hit the training between its epochs"
    assert not list(tmp_path.glob("*/.*.unfinished*"))


@pytest.mark.parametrize("epoch", [1, 3, "last"])
def test_a_training_taken_up_after_any_epoch_ends_the_same(home, tmp_path, whole, epoch, monkeypatch):
    epoch = len(whole.history) if epoch == "last" else epoch

    class StoppedError(Exception):
        pass

    def write_and_stop(path, state):
        write(path, state)
        if len(state["rows"]) == epoch:
            raise StoppedError

    root, write = twin(home, tmp_path), unfinished.write
    monkeypatch.setattr("traunet.fitting.unfinished.write", write_and_stop)
    with pytest.raises(StoppedError):
        train(root)
    monkeypatch.undo()
    run = train(root)
    assert hashes(run) == hashes(whole)
    assert run.provenance["taken_up_after_epochs"] == [epoch]


def test_an_unfinished_file_that_was_cut_short_is_warned_of_and_the_training_begins_anew(home, tmp_path, whole):
    root = twin(home, tmp_path)
    file = root / f".{whole.name}.unfinished"
    unfinished.write(file, {"rows": []})
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.warns(UserWarning, match=r"unfinished: an unfinished training that cannot be read.*begins anew"):
        run = train(root)
    assert hashes(run) == hashes(whole)
    assert file.with_name(f"{file.name}.unreadable").is_file()


@pytest.mark.parametrize("change", [{"rows": "text"}, {"net": {}}, {"optimizer": {}}, {"judge": {"a": 1}}, None])
def test_an_unfinished_file_of_another_kind_is_put_aside_as_a_damaged_one_is(home, tmp_path, whole, change):
    root = twin(home, tmp_path)
    file = root / f".{whole.name}.unfinished"
    noted = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("traunet.fitting.unfinished.write", lambda _, state: noted.update(state))
        train(twin(home, tmp_path / "noted"))
    unfinished.write(file, [1, 2] if change is None else {**noted, **change})  # pyright: ignore
    with pytest.warns(UserWarning, match=r"unfinished: an unfinished training that cannot be read.*begins anew"):
        run = train(root)
    assert hashes(run) == hashes(whole)
    assert file.with_name(f"{file.name}.unreadable").is_file()


def test_a_disk_that_does_not_answer_costs_no_training(tmp_path, monkeypatch):
    def silent(*_, **__):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    file = tmp_path / "run.unfinished"
    unfinished.write(file, {"rows": [1]})
    monkeypatch.setattr(torch, "load", silent)
    with pytest.raises(OSError, match="Input/output"):
        unfinished.read(file)
    monkeypatch.undo()
    assert unfinished.read(file) == {"rows": [1]}


def test_what_is_half_written_is_not_written_through_a_link(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "run.unfinished.part").symlink_to(tmp_path / "thesis.txt")
    unfinished.write(tmp_path / "run.unfinished", {"rows": [1]})
    assert unfinished.read(tmp_path / "run.unfinished") == {"rows": [1]}
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert not (tmp_path / "run.unfinished").is_symlink()


def test_no_code_runs_from_an_unfinished_file(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save({"rows": Malicious()}, tmp_path / "run.unfinished")
    with pytest.warns(UserWarning, match="cannot be read"):
        assert unfinished.read(tmp_path / "run.unfinished") is None
    assert not (tmp_path / "ran").exists()


def test_a_run_that_was_not_interrupted_says_so(whole):
    assert whole.provenance["taken_up_after_epochs"] == []
    assert len(whole.provenance["seconds_of_epochs"]) == len(whole.history)
