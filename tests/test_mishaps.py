"""Every kind of bad input gets the message that the book's table shows, and what was good stays as it was."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import spoilt
import torch
from mishaps import MISHAPS, Mishap, as_code, at_home, command, contents, copy, neutral, run, shown, sound

from traunet.machines.advice import advice, concerns_writing

assert spoilt.AREAS  # importing them enters their kinds

third_party_noise = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@third_party_noise
@pytest.mark.parametrize("mishap", MISHAPS, ids=lambda mishap: f"{mishap.area}: {mishap.kind}")
def test_bad_input_is_answered_as_the_table_says_and_leaves_what_was_there(mishap: Mishap, tmp_path):
    with at_home(tmp_path):
        attempt = mishap.spoil(tmp_path)
        before = contents(tmp_path)
        said = neutral(attempt.said(), tmp_path)
        after = contents(tmp_path)
    assert {name: after.get(name) for name in before} == before
    assert attempt.goes_on or after.keys() == before.keys()
    assert shown()[mishap.area, mishap.kind] == as_code(said), "python tests/mishaps.py writes the table anew"


def test_the_table_holds_every_kind_once_and_no_other():
    kinds = [(mishap.area, mishap.kind) for mishap in MISHAPS]
    assert len(kinds) == len(set(kinds)) >= 30
    assert list(shown()) == kinds


@pytest.mark.parametrize("message", shown().values())
def test_a_message_is_one_line_for_people(message):
    assert message.isprintable()
    assert not any(word in message for word in ("Errno", "Traceback", "object at 0x", "/tmp/", "not handled"))


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 kB, which a test may make larger."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=64k", "tmpfs") as disk:
        yield disk


class mounted:  # noqa: N801
    """A mounted folder; the test is skipped where only the machine's owner may mount."""

    def __init__(self, folder: Path, *options: str):
        self.folder, self.options = folder, options

    def __enter__(self) -> Path:
        self.folder.mkdir()
        if subprocess.run(["mount", *self.options, self.folder], capture_output=True).returncode:
            pytest.skip("mounting a disk is not allowed here")
        return self.folder

    def __exit__(self, *_) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)


def preparing(tree: Path, store: Path) -> tuple[object, ...]:
    return ("prepare", "--disfa", tree, "--out", store, "--profile", "smoke")


def test_a_full_disk_is_named_and_the_same_command_goes_on_when_there_is_room(small_disk):
    (small_disk / "thesis.txt").write_text("all of it")
    filler = small_disk / "filler"
    filler.write_bytes(bytes(60_000))
    said = command(*preparing(sound("tree"), small_disk / "store")).said()
    assert said.startswith(f"{small_disk}: the disk is full (0.0 GB free here)")
    assert not (small_disk / "store").exists()
    filler.unlink()
    assert run(*preparing(sound("tree"), small_disk / "store"))[0] == 0
    assert (small_disk / "thesis.txt").read_text() == "all of it"


def test_numpys_word_for_a_full_disk_is_understood(small_disk):
    with pytest.raises(OSError, match="requested and") as full:
        np.save(small_disk / "landmarks.npy", np.zeros((200, 200)))
    assert "the disk is full" in advice(full.value, small_disk)


def test_torchs_word_for_a_full_disk_is_not_taken_for_that_for_a_damaged_file(small_disk, tmp_path):
    with pytest.raises(RuntimeError) as full:
        torch.save({"weight": torch.rand(200, 200)}, small_disk / "checkpoint.pt")
    assert concerns_writing(full.value)
    content = (sound("run") / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(RuntimeError) as damaged:
        torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert not concerns_writing(damaged.value)


def test_a_read_only_disk_is_named_and_nothing_on_it_changes(tmp_path):
    copy("store", tmp_path, "disk/store")
    with_content = contents(tmp_path / "disk")
    (tmp_path / "disk").rename(tmp_path / "content")
    with mounted(tmp_path / "disk", "--bind", str(tmp_path / "content")) as disk:
        subprocess.run(["mount", "-o", "remount,ro,bind", disk], check=True)
        said = command(*preparing(sound("tree"), disk / "new")).said()
    assert said.startswith(f"{disk}/")
    assert "read-only; choose a folder where you may write" in said
    assert contents(tmp_path / "content") == with_content


def test_a_data_set_that_is_deleted_between_two_commands_leaves_the_store_made_from_it(tmp_path):
    tree = copy("tree", tmp_path)
    assert run(*preparing(tree, tmp_path / "store"))[0] == 0
    before = contents(tmp_path / "store")
    shutil.rmtree(tree)
    assert "no such folder" in command(*preparing(tree, tmp_path / "other")).said()
    assert contents(tmp_path / "store") == before
