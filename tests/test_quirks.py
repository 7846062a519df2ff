"""DISFA as it lies on disk: every oddity of the real tree, and of what users make of it, in a small one."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import trees

from traunet.data.disfa import BAD_FRAMES, marked_bad, read_tree
from traunet.data.layout import frame_of
from traunet.data.original import SUBJECTS

FULL_LENGTH = {subject: 4845 - (subject == "SN010") for subject in SUBJECTS}
STRAYS = (
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "readme.txt",
    "._{name}",
    "{name}.md5",
    "{name}~",
    "{name}.part",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.write_tree(tmp_path / "DISFA")


def is_whole(root: Path) -> bool:
    tree = read_tree(root)
    rows = tree.frames[tree.frames["subject"] == "SN001"]
    points = trees.subject_points("SN001", 6, 96, 128)
    return bool(
        tree.frames["usable"].to_numpy().all()
        and np.array_equal(rows[[*trees.DISFA_AUS]], trees.intensities_of("SN001", 6))
        and np.allclose(tree.landmarks["SN001"], points, atol=1e-4)
    )


def test_at_full_length_126144_of_130814_frames_are_left_unmarked():
    marked = {subject: marked_bad(BAD_FRAMES.get(subject, ()), n) for subject, n in FULL_LENGTH.items()}
    assert sum(FULL_LENGTH.values()) == 130_814
    assert sum(int((~bad).sum()) for bad in marked.values()) == 126_144
    assert len(marked["SN010"]) == 4844
    first, last = BAD_FRAMES["SN001"][0]
    assert (first, last) == (398, 420)
    assert not marked["SN001"][first - 2]
    assert marked["SN001"][first - 1 : last].all()
    assert not marked["SN001"][last]


def test_both_landmark_schemes_name_the_first_frame_1():
    assert frame_of("SN001_0000_lm.mat") == frame_of("l00001_lm.mat") == 1
    assert frame_of("sn031_4844_LM.MAT") == frame_of("L04845_lm.mat") == 4845
    assert frame_of("._SN001_0000_lm.mat") is None
    assert frame_of("._l00001_lm.mat") is None


def test_the_subject_that_is_one_frame_shorter_is_whole(root):
    trees.write_tree(root, subjects=["SN010"], frames=5)
    assert read_tree(root).report()["usable"].to_dict() == {
        "SN001": 6,
        "SN006": 6,
        "SN010": 5,
        "SN031": 6,
        "all": 23,
    }


@pytest.mark.parametrize("spelling", ["Videos_LeftCamera", "Video_LeftCamera", "video_leftcamera"])
def test_the_video_folder_is_found_in_every_spelling(root, spelling):
    (root / "Videos_LeftCamera").rename(root / spelling)
    (root / "Video_RightCamera").mkdir()
    shutil.copy(
        root / spelling / "LeftVideoSN001_comp.avi", root / "Video_RightCamera" / "RightVideoSN001_Comp.avi"
    )
    assert is_whole(root)


@pytest.mark.parametrize("name", ["LeftVideoSN001_Comp.AVI", "leftvideosn001.avi", "LeftVideo_SN001_comp.mp4"])
def test_a_renamed_video_is_found(root, name):
    video = trees.video_file(root, "SN001")
    video.rename(video.with_name(name))
    assert is_whole(root)


def test_files_that_systems_and_archives_leave_behind_are_no_data(root):
    folders = [folder for folder in root.rglob("*") if folder.is_dir()]
    for folder in [root, *folders]:
        name = next((path.name for path in sorted(folder.iterdir()) if path.is_file()), "x")
        for stray in STRAYS:
            (folder / stray.format(name=name)).write_bytes(b"\x00\x05\x16\x07 no data")
    shutil.copytree(root / "ActionUnit_Labels", root / "__MACOSX" / "ActionUnit_Labels")
    (root / "ActionUnit_Labels" / "__MACOSX" / "SN099").mkdir(parents=True)
    assert is_whole(root)


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n\n",
        lambda text: text.rstrip("\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace(",", ", ").replace("\n", " \n"),
    ],
    ids=["CRLF", "blank lines at the end", "no last line end", "byte order mark", "spaces"],
)
def test_labels_read_the_same_however_an_editor_left_them(root, rewrite):
    for path in (root / "ActionUnit_Labels").rglob("*.txt"):
        path.write_bytes(rewrite(path.read_text()).encode())
    assert is_whole(root)


def test_a_label_file_that_lacks_a_frame_is_named_with_the_line(root):
    path = trees.label_file(root, "SN001", "AU9")
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("3,")))
    with pytest.raises(ValueError, match=r"SN001_au9\.txt: line 3 reads 4,\d, but frames must count 1, 2, 3"):
        read_tree(root)


def test_every_wrong_label_file_is_counted(root):
    for au in ("AU2", "AU4", "AU26"):
        trees.label_file(root, "SN001", au).write_text("nothing\n")
    with pytest.raises(ValueError, match=r"SN001_au2\.txt: .*3 label files of SN001 are wrong, this is the first"):
        read_tree(root)


def test_landmarks_without_their_inner_folder_are_read(root):
    inner = root / "Landmark_Points" / "SN001" / "tmp_frame_lm"
    for path in list(inner.iterdir()):
        path.rename(inner.parent / path.name)
    inner.rmdir()
    assert is_whole(root)


@pytest.mark.parametrize(("subject", "by"), [("SN001", 1), ("SN031", -1)])
def test_landmark_files_that_were_renumbered_are_warned_of(root, subject, by):
    folder = trees.landmark_file(root, subject, 1).parent
    for frame in sorted(range(1, 7), reverse=by > 0):
        source = trees.landmark_file(root, subject, frame)
        number = frame - (subject == "SN001")
        source.rename(folder / source.name.replace(f"{number:04d}", f"{number + by:04d}"))
    with pytest.warns(UserWarning, match=rf"first landmark file of {subject}, though .* neighbour's landmarks"):
        read_tree(root)


def test_a_landmark_file_that_would_unpack_into_gigabytes_is_not_unpacked(root):
    path = trees.landmark_file(root, "SN001", 3)
    scipy.io.savemat(path, {"pts": np.zeros((5_000_000, 2))}, do_compression=True)
    with pytest.warns(UserWarning, match=r"SN001_0002_lm\.mat: cannot be read as landmarks \(\d+ bytes, where"):
        assert read_tree(root).report().loc["SN001", "damaged landmarks"] == 1


def test_a_tree_one_folder_deeper_is_pointed_at(root):
    with pytest.raises(FileNotFoundError, match=r"no folder Videos_LeftCamera or .*; it seems to be .*DISFA$"):
        read_tree(root.parent)


@pytest.mark.parametrize("name", ["Video_LeftCamera", "landmark_points"])
def test_a_folder_that_is_there_twice_is_named(root, name):
    (root / name).mkdir()
    with pytest.raises(ValueError, match=r"stands beside .*only one can be read"):
        read_tree(root)


def test_two_videos_of_a_subject_are_named(root):
    video = trees.video_file(root, "SN001")
    shutil.copy(video, video.with_suffix(".mp4"))
    with pytest.raises(ValueError, match=r"LeftVideoSN001_comp\.mp4: a second video of SN001"):
        read_tree(root)
