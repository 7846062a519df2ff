"""Which folders and files of a tree count, however they were unpacked, and what is said if they are not found."""

import os
import shutil
from pathlib import Path

import pytest
import trees

from traunet.config import SMOKE
from traunet.data.disfa import read_tree
from traunet.data.layout import files_read, find_folders, refuse_strangers
from traunet.data.original import SUBJECTS
from traunet.keys import stage_keys
from traunet.workspace import Workspace


@pytest.fixture
def root(tmp_path) -> Path:
    return trees.write_tree(tmp_path / "DISFA", subjects=("SN001", "SN031"))


def key(root: Path) -> str:
    return stage_keys(SMOKE, root, None, 1)["tree"]


def test_what_reading_hangs_on_is_listed_and_nothing_else(root):
    """Two people: of each a video, twelve files of labels, and landmarks."""
    names = sorted(path.name for path in files_read(root))
    assert sum(name.endswith(".avi") for name in names) == 2
    assert sum(name.endswith(".txt") for name in names) == 24
    assert sum(name.endswith(".mat") for name in names) == len(names) - 26 >= 10


def test_other_files_in_a_tree_make_nothing_stale(root):
    """A colleague's features, archives, what file managers leave, a build/ of ours, or the whole checkout."""
    before = key(root)
    folders = find_folders(root)
    for folder in (root, folders.videos, folders.labels / "SN001", folders.landmarks / "SN001", root / "build"):
        folder.mkdir(exist_ok=True)
        for name in (
            "Thumbs.db",
            ".DS_Store",
            "openface.csv",
            "Videos.zip",
            "RightVideoSN001_comp.avi",
            "._l00001_lm",
        ):
            (folder / name).write_text("a")
    assert key(root) == before


@pytest.mark.parametrize("place", ["Videos_LeftCamera", "ActionUnit_Labels/SN031", "Landmark_Points/SN031"])
def test_every_file_that_is_read_counts_behind_a_link_too(root, tmp_path, place):
    """Videos often lie on another disk."""
    moved = (root / place).rename(tmp_path / "elsewhere")
    (root / place).symlink_to(moved)
    seen = {key(root)}
    for file in [path for path in files_read(root) if place in str(path)][:3]:
        told = file.stat()
        os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns + 10**9))
        seen.add(key(root))
        file.unlink()
        seen.add(key(root))
    assert len(seen) >= 3
    assert len(seen) % 2


def test_a_log_of_bad_frames_and_the_mark_of_rendered_heads_count(root):
    seen = {key(root)}
    for name in ("bad_frames.csv", "SYNTHETIC.json"):
        (root / name).write_text("subject,first,last\n")
        seen.add(key(root))
    assert len(seen) == 3


def test_a_log_of_bad_frames_counts_in_whatever_letters_it_is_named(root):
    log = root / "Bad_Frames.csv"
    seen = {key(root)}
    for line in ("", "SN001,2,3\n", "SN001,2,13\n"):
        log.write_text(f"subject,first,last\n{line}")
        seen.add(key(root))
    assert len(seen) == 4
    assert trees.reasons(read_tree(root), "SN001") == dict.fromkeys(range(2, 7), "marked bad")


def doubled(folder: Path) -> None:
    folder.rename(folder.with_name("inner"))
    folder.mkdir()
    folder.with_name("inner").rename(folder / folder.name)


@pytest.mark.parametrize("name", ["Videos_LeftCamera", "ActionUnit_Labels", "Landmark_Points"])
def test_a_folder_that_was_unpacked_into_one_of_its_own_name_is_told(root, name):
    doubled(root / name)
    with pytest.raises(FileNotFoundError, match=rf"{name}: holds another {name}; move what is in that one up"):
        find_folders(root)


@pytest.mark.parametrize("deeper", ["", "DISFA/"])
def test_a_tree_that_lies_deeper_is_pointed_to(root, tmp_path, deeper):
    (tmp_path / "lab" / deeper).mkdir(parents=True)
    root.rename(tmp_path / "lab" / deeper / "data")
    with pytest.raises(FileNotFoundError, match=rf"no folder Videos_LeftC.*; it seems to be .*/lab/{deeper}data$"):
        find_folders(tmp_path / "lab")


@pytest.mark.parametrize("name", ["Landmark_Points.zip", "landmark_points.rar", "Landmark_Points.tar.gz"])
def test_an_archive_that_was_not_unpacked_is_told(root, name):
    shutil.rmtree(root / "Landmark_Points")
    (root / name).write_bytes(b"PK")
    with pytest.raises(FileNotFoundError, match=f"no folder Landmark_Points; unpack {name} there"):
        find_folders(root)


def test_a_link_to_a_disk_that_is_not_mounted_is_told(root, tmp_path):
    shutil.rmtree(root / "Videos_LeftCamera")
    (root / "Videos_LeftCamera").symlink_to(tmp_path / "unplugged")
    with pytest.raises(
        FileNotFoundError, match="Videos_LeftCamera is a link that leads nowhere; is its disk mounted"
    ):
        find_folders(root)


@pytest.mark.parametrize("read", [key, read_tree])
def test_landmarks_on_a_disk_that_is_not_mounted_are_told(root, tmp_path, read):
    inner = root / "Landmark_Points" / "SN001" / "tmp_frame_lm"
    shutil.rmtree(inner)
    inner.symlink_to(tmp_path / "unplugged")
    with pytest.raises(FileNotFoundError, match=r"^\S+/tmp_frame_lm: is a link that leads nowhere; is its disk"):
        read(root)


def test_who_belongs_to_no_fold_is_refused_before_anything_is_prepared(root):
    trees.write_tree(root, subjects=("SN033",))
    with pytest.raises(ValueError, match=r"ActionUnit_Labels/SN033: SN033 belong to no fold, .* elsewhere"):
        refuse_strangers(find_folders(root), SUBJECTS)
    with pytest.raises(ValueError, match="SN033"):
        Workspace.of("smoke", disfa=root, root=root.parent / "build").check()


def test_a_folder_that_is_no_disfa_is_refused_before_anything_is_planned(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder Videos_LeftCamera or ActionUnit_Labels or Landmark"):
        _ = Workspace.of("smoke", disfa=tmp_path, root=tmp_path / "build").keys


def test_a_person_of_whom_no_frame_can_be_used_is_not_counted(root):
    assert read_tree(root).dataset == "DISFA, 2 of 27 people"
    for path in files_read(root):
        if path.name.endswith("_lm.mat") and "SN031" in str(path):
            path.write_bytes(b"cut")
    with pytest.warns(UserWarning, match="SN031"):
        assert read_tree(root).dataset == "DISFA, 1 of 27 people"
