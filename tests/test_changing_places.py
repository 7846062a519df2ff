"""A new folder takes the former one's place, or the former one stays there, whenever it ends."""

import shutil
from pathlib import Path

import pytest
from test_keeping import failing, writing

from traunet.machines.ending import Terminated
from traunet.records.keeping import found_or_made, is_fresh


def test_a_new_folder_that_cannot_take_its_place_leaves_the_former_one_there(tmp_path, monkeypatch):
    folder = found_or_made(tmp_path / "kept", "a", writing("a"))
    rename = Path.rename

    def refuse(path, target):
        if path.parent.name.startswith(".kept.part-") and path.name == "kept":
            raise OSError("no")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="no"):
        found_or_made(folder, "b", writing("b"))
    assert is_fresh(folder, "a")
    assert (folder / "content").read_text() == "a"


@pytest.mark.parametrize("told", [Terminated(15), KeyboardInterrupt()])
@pytest.mark.parametrize(("renames", "left"), [(1, "a"), (2, "b")])
def test_who_is_told_to_end_while_folders_change_places_leaves_one_there(
    tmp_path, monkeypatch, renames, left, told
):
    folder = found_or_made(tmp_path / "kept", "a", writing("a"))
    rename, done = Path.rename, []

    def told_then(path, target):
        done.append(rename(path, target))
        if len(done) == renames:
            raise told

    monkeypatch.setattr(Path, "rename", told_then)
    with pytest.raises(type(told)):
        found_or_made(folder, "b", writing("b"))
    assert is_fresh(folder, left)
    assert (folder / "content").read_text() == left
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["kept"]


def test_what_cannot_go_back_to_its_place_now_does_so_the_next_time(tmp_path, monkeypatch):
    folder, rename = found_or_made(tmp_path / "kept", "a", writing("a")), Path.rename

    def put_aside_only(path, target):
        if target == folder:
            raise OSError("no")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", put_aside_only)
    with pytest.raises(OSError, match="no"):
        found_or_made(folder, "b", writing("b"))
    monkeypatch.undo()
    found_or_made(folder, "a", lambda _: pytest.fail("was made again"))
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["kept"]


def test_a_former_folder_that_is_half_removed_never_goes_back(tmp_path, monkeypatch):
    folder = found_or_made(tmp_path / "kept", "a", writing("a"))

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        found_or_made(folder, "b", writing("b"))
    monkeypatch.undo()
    assert is_fresh(folder, "b")
    shutil.rmtree(folder)
    made = []
    found_or_made(folder, "a", lambda new: made.append(writing("a")(new)))
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["kept"]


@pytest.mark.parametrize("name", ["old", "former"])
def test_half_a_folder_is_not_taken_for_a_former_one_whatever_it_is_called(tmp_path, name):
    with pytest.raises(ValueError, match="half way"):
        found_or_made(tmp_path / name, "a", failing)
    assert not (tmp_path / name).exists()
    for text in "ab":
        assert (found_or_made(tmp_path / name, text, writing(text)) / "content").read_text() == text
