"""What is half written while frames are aligned: one's own alone, and gone when the next call begins."""

import numpy as np
import pytest
import trees

from traunet.data.aligning import HALF, Part, align_part
from traunet.data.unfinished import Unfinished, unfinished
from traunet.data.video import divide


@pytest.fixture
def work(tmp_path) -> Unfinished:
    (tmp_path / "left").mkdir()
    return Unfinished(tmp_path / "left")


@pytest.fixture
def task(work, tmp_path):
    root = trees.write_tree(tmp_path / "DISFA", subjects=["SN001"], frames=3)
    [stretch] = divide(trees.video_file(root, "SN001"))
    return work.task(stretch, np.tile(np.eye(2, 3), (3, 1, 1)), 64)


def test_two_that_do_the_same_task_at_once_do_not_take_what_the_other_writes(work, task):
    """Where there are no locks two pods may, and the numbers of their processes are the same."""
    align_part(task, lambda frames: align_part(task))
    assert work.holds(task)
    assert all(Part.of(task).lengths)
    assert {path.suffix for path in work.folder.iterdir()} == {".pictures", ".json"}


def test_what_was_half_written_is_swept_and_nothing_else(work, task):
    align_part(task)
    (work.folder / "lock").touch()
    kept = set(work.folder.iterdir())
    for token in ("0badcafe", "a1b2c3d4"):
        task.pictures.with_suffix(f"{HALF}{token}").touch()
    work.clear()
    assert set(work.folder.iterdir()) == kept


def test_a_link_is_not_followed_to_another_folder_whose_files_would_go(work, tmp_path):
    thesis = work.folder / "thesis.json"
    thesis.write_text("years of work")
    (work.folder / "lock").touch()
    (tmp_path / ".store.unfinished").symlink_to(work.folder)
    refused = pytest.raises(FileExistsError, match=r"\.store\.unfinished: is a link.*; remove the link")
    with refused, unfinished(tmp_path / ".store.unfinished") as found:
        found.forget_others()
    assert thesis.read_text() == "years of work"


def test_a_folder_that_something_else_lies_in_is_not_taken(work):
    thesis = work.folder / "thesis.json"
    thesis.write_text("years of work")
    refused = pytest.raises(FileExistsError, match=r"left: holds something else.*; give another folder")
    with refused, unfinished(work.folder) as found:
        found.forget_others()
    assert thesis.read_text() == "years of work"
