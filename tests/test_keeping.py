"""Folders are found if they were made from the same inputs, else made, and never half there."""

import errno
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from traunet.records.keeping import (
    KEY,
    digest,
    found_or_made,
    is_fresh,
    listing,
    made_once,
    remembered,
    removed,
    replaced,
)


def writing(text, calls=None):
    def make(folder):
        folder.mkdir()
        (folder / "content").write_text(text)
        if calls is not None:
            calls.append(text)

    return make


def failing(folder):
    folder.mkdir()
    raise ValueError("half way")


def test_equal_inputs_are_found_and_others_made_anew(tmp_path):
    calls = []
    for key in ("a", "a", "b"):
        folder = found_or_made(tmp_path / "kept", key, writing(key, calls))
        assert (folder / "content").read_text() == key
    assert calls == ["a", "b"]


def test_a_sealed_folder_is_made_again_when_a_file_in_it_was_edited_and_another_is_not(tmp_path):
    for sealed, texts in ((True, "a"), (False, "forged")):
        folder = found_or_made(tmp_path / str(sealed), "key", writing("a"), sealed)
        (folder / "content").write_text("forged")
        assert (found_or_made(folder, "key", writing("a"), sealed) / "content").read_text() == texts


@pytest.mark.parametrize("keep", [lambda folder, make: found_or_made(folder, "b", make), replaced])
def test_a_failure_leaves_the_former_folder_and_nothing_else(tmp_path, keep):
    folder = found_or_made(tmp_path / "kept", "a", writing("a"))
    with pytest.raises(ValueError, match="half way"):
        keep(folder, failing)
    assert is_fresh(folder, "a")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["kept"]


def test_what_a_killed_process_left_is_swept_up(tmp_path):
    (tmp_path / ".kept.part-dead").mkdir()
    found_or_made(tmp_path / "kept", "a", writing("a"))
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["kept"]


def test_what_others_left_is_not_swept_up_whatever_the_folder_is_called(tmp_path):
    (tmp_path / ".results.part-of-others").mkdir()
    for name in ("*", "result[s]"):
        replaced(tmp_path / name, writing("a"))
    assert (tmp_path / ".results.part-of-others").is_dir()


def test_what_cannot_be_swept_up_yet_is_in_nobodys_way(tmp_path, monkeypatch):
    """NFS keeps a folder while another node has a file of it open, as it may have one of the former folder."""

    def busy(folder, ignore_errors=False):
        if not ignore_errors:
            raise OSError(errno.EBUSY, "Device or resource busy", folder)

    monkeypatch.setattr(shutil, "rmtree", busy)
    for key in "abc":
        folder = found_or_made(tmp_path / "kept", key, writing(key))
        assert (folder / "content").read_text() == key
    monkeypatch.undo()
    found_or_made(folder, "d", writing("d"))
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["kept"]


def test_a_folder_whose_making_was_not_recorded_is_made_again(tmp_path):
    (tmp_path / "kept").mkdir()
    folder = found_or_made(tmp_path / "kept", "a", writing("a"))
    assert (folder / "content").read_text() == "a"


def test_a_listing_sees_every_change_of_a_file(tmp_path):
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "file"
    seen = set()
    for text in ("a", "bb"):
        file.write_text(text)
        seen.add(digest(listing(tmp_path, [file])))
    other = file.rename(file.with_name("other"))
    assert digest(listing(tmp_path, [other])) not in seen
    assert len(seen) == 2


def test_a_listing_does_not_hang_on_the_order_and_passes_over_what_has_just_vanished(tmp_path):
    files = [tmp_path / name for name in "ab"]
    for file in files:
        file.touch()
    both = listing(tmp_path, files)
    assert both == listing(tmp_path, [*files[::-1], tmp_path / "gone"])
    assert [name for name, *_ in both] == ["a", "b"]


def test_digests_do_not_hang_on_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})


def test_a_key_that_is_no_text_is_no_fresh_folder(tmp_path):
    folder = found_or_made(tmp_path / "kept", "a", writing("a"))
    (folder / KEY).write_bytes(b"\xff\xfe")
    assert not is_fresh(folder, "a")


def test_what_is_there_is_not_made_again_and_what_fails_leaves_nothing_under_the_name(tmp_path):
    calls = []
    with pytest.raises(ValueError, match="half way"):
        made_once(tmp_path / "run", failing)
    assert [path.name for path in tmp_path.iterdir()] == [".run.lock"]
    for text in ("a", "b"):
        assert (made_once(tmp_path / "run", writing(text, calls)) / "content").read_text() == "a"
    assert calls == ["a"]


def at_once(*asking: Callable[[], Path]) -> list[Path]:
    """What all get who ask in the same moment."""
    ready = threading.Barrier(len(asking), timeout=300)

    def ask(one: Callable[[], Path]) -> Path:
        ready.wait()
        return one()

    with ThreadPoolExecutor(len(asking)) as pool:
        return list(pool.map(ask, asking))


def test_those_who_ask_at_once_make_it_once(tmp_path):
    made = []

    def make(folder: Path) -> None:
        folder.mkdir()
        made.append(folder)
        time.sleep(0.2)
        (folder / "whole").touch()

    at_once(*[partial(made_once, tmp_path / "run", make)] * 3)
    assert len(made) == 1
    assert (tmp_path / "run" / "whole").exists()


def answering(answers):
    """Something to ask, which notes that it was asked and answers as given."""
    asked = []

    def compute():
        asked.append(answers[len(asked)])
        return asked[-1]

    return compute, asked


def test_an_answer_is_computed_once_for_equal_inputs_and_again_for_others(tmp_path):
    compute, asked = answering([{"a": 1}, {"a": 2}, {"a": 3}])
    got = [remembered(tmp_path / "kept", lambda given=given: given, compute) for given in (1, 1, 2, 1)]
    assert got == [{"a": 1}, {"a": 1}, {"a": 2}, {"a": 3}]
    assert len(asked) == 3
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("text", ["", "[]", "null", '{"key": 1}', "\0"])
def test_a_kept_answer_that_cannot_be_read_is_computed_anew(tmp_path, text):
    (tmp_path / "kept").write_text(text)
    assert remembered(tmp_path / "kept", lambda: 1, lambda: "new") == "new"
    assert remembered(tmp_path / "kept", lambda: 1, lambda: "newer") == "new"


def test_where_no_folder_is_an_answer_is_computed_and_none_is_made(tmp_path):
    assert remembered(tmp_path / "none" / "kept", lambda: 1, lambda: "new") == "new"
    assert not list(tmp_path.iterdir())


def test_an_answer_is_not_kept_if_its_inputs_were_edited_meanwhile(tmp_path):
    edits = iter(["before", "after", "before", "before"])
    assert remembered(tmp_path / "kept", lambda: next(edits), lambda: "of whichever") == "of whichever"
    assert remembered(tmp_path / "kept", lambda: next(edits), lambda: "of before") == "of before"


def test_a_read_only_disk_is_not_asked_to_remove_what_is_not_there(tmp_path, monkeypatch):
    """Linux refuses before it looks."""
    (tmp_path / "there").touch()
    removed(tmp_path / "there")
    assert not (tmp_path / "there").exists()

    def refuse(path, missing_ok=False):
        raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr(Path, "unlink", refuse)
    removed(tmp_path / "there")


@pytest.mark.parametrize("there", ["nothing", "empty", "stale"])
def test_a_link_stays_and_what_it_leads_to_is_made_anew(tmp_path, there):
    """So that a store, say, can lie on another disk than the rest of build/."""
    folder, elsewhere = tmp_path / "build" / "store", tmp_path / "scratch" / "store"
    folder.parent.mkdir()
    folder.symlink_to(elsewhere)
    if there == "empty":
        elsewhere.mkdir(parents=True)
    if there == "stale":
        found_or_made(elsewhere, "k", writing("old"))
    assert found_or_made(folder, "l", writing("new")) == folder
    assert folder.is_symlink()
    assert (elsewhere / "content").read_text() == "new"
    assert is_fresh(folder, "l")
    assert found_or_made(folder, "l", failing) == folder
    assert not list(elsewhere.parent.glob(".store.part-*"))


def test_what_a_link_leads_to_is_not_thrown_away_if_it_is_another_s(tmp_path):
    folder, elsewhere = tmp_path / "build" / "store", tmp_path / "photographs"
    folder.parent.mkdir()
    writing("of a holiday")(elsewhere)
    folder.symlink_to(elsewhere)
    with pytest.raises(FileExistsError, match=r"store: leads to .*photographs, which holds something else; empty"):
        found_or_made(folder, "k", writing("new"))
    assert (elsewhere / "content").read_text() == "of a holiday"


def test_what_is_made_anew_each_time_goes_again_to_where_a_link_leads(tmp_path):
    (tmp_path / "html").symlink_to(tmp_path / "www")
    for text in ("a", "b"):
        assert (replaced(tmp_path / "html", writing(text)) / "content").read_text() == text
    assert (tmp_path / "html").is_symlink()


def test_two_links_to_one_place_wait_for_each_other(tmp_path):
    links, at_work = [tmp_path / name for name in "ab"], []

    def make(folder: Path) -> None:
        at_work.append(folder)
        assert len(at_work) == 1
        writing("whole")(folder)
        time.sleep(0.2)
        at_work.clear()

    for link in links:
        link.symlink_to(tmp_path / "there")
    for made in at_once(*(partial(found_or_made, link, "key", make) for link in links)):
        assert (made / "content").read_text() == "whole"


def test_a_link_to_a_place_that_cannot_be_put_aside_is_refused_at_once(tmp_path, monkeypatch):
    (tmp_path / "store").symlink_to(tmp_path / "mine")
    monkeypatch.setattr("os.path.ismount", lambda path: path == tmp_path / "mine")
    with pytest.raises(
        OSError, match=r"store: leads to .*mine, beside which nothing can be made; link to a folder"
    ):
        found_or_made(tmp_path / "store", "k", writing("new"))
    assert [path.name for path in tmp_path.iterdir()] == ["store"]
