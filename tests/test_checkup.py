"""A tree is read whole, and what is odd or missing is said, each in a line."""

import errno
import os
import shutil
from pathlib import Path

import chunks
import numpy as np
import pytest
import trees

from traunet.checkup.films import watch
from traunet.checkup.subject import examine_subject
from traunet.checkup.tree import examine_tree, ranges
from traunet.config import SynthConfig
from traunet.data.disfa import BAD_FRAMES
from traunet.data.layout import find_folders
from traunet.facs import DISFA_AUS
from traunet.synth.tree import write_tree as render_tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.write_tree(tmp_path / "DISFA", subjects=("SN001", "SN031"), missing=[("SN031", 4)])


def report(root: Path, **settings) -> list[str]:
    return list(examine_tree(root, workers=1, progress=False, **settings))


def remarks(lines: list[str]) -> str:
    return "\n".join(line for line in lines if line.startswith(("odd:", "missing:")))


def test_each_subject_has_a_line_with_its_counts_and_its_naming_scheme(root):
    (root / "bad_frames.csv").write_text("subject,first,last\nSN001,2,3\n")
    lines = report(root)
    assert "DISFA: DISFA with 2 subjects" in lines[0]
    rows = {line.split()[0]: line.split() for line in lines if line.startswith("  SN") or line.startswith("  all")}
    assert rows["SN001"] == ["SN001", "6", "6", "0", "6", "SN001_0000", "(from", "0)", "0", "2", "4"]
    assert rows["SN031"] == ["SN031", "6", "6", "0", "5", "l00001", "(from", "1)", "1", "0", "5"]
    assert rows["all"] == ["all", "12", "12", "0", "11", "1", "2", "9"]
    assert "videos: 2 of 128 x 96, 20 frames/s, mjpeg" in lines


def test_missing_and_unknown_subjects_are_named(root):
    trees.write_tree(root, subjects=("SN099",))
    text = remarks(report(root))
    assert "odd: 25 of the 27 subjects are not here: SN002, SN003" in text
    assert "SN099: SN099 belong to no fold" in text


def test_who_has_no_usable_frame_is_named(root):
    for path in (root / "Landmark_Points" / "SN031").rglob("*.mat"):
        path.write_bytes(b"cut")
    text = remarks(report(root))
    assert "odd: not one frame of SN031 can be used; a book is made without them, and passes no verdict" in text
    assert "not one frame of SN001" not in text


def test_damaged_and_lost_frames_are_told_by_number(root):
    trees.spoil_frame(trees.video_file(root, "SN001"), 4)
    video = trees.video_file(root, "SN031")
    video.write_bytes(video.read_bytes()[: int(video.stat().st_size * 0.7)])
    text = remarks(report(root))
    assert "LeftVideoSN001_comp.avi: 1 frames do not decode: 4;" in text
    assert "LeftVideoSN031_comp.avi: does not decode to its end: 6 frames are promised, " in text


def test_a_file_that_may_not_be_read_is_told_without_advice_on_where_to_write(root, monkeypatch):
    file = trees.label_file(root, "SN001", "AU1")

    def refuse(*_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))

    monkeypatch.setattr("traunet.checkup.subject.read_labels", refuse)
    found = examine_subject(root, find_folders(root), "SN001")
    assert found.problems == [f"{file}: you may not read it; ask its owner"]


def test_a_film_tells_what_is_in_it_and_shows_the_frames_that_are_asked_for(root):
    video, shown = trees.video_file(root, "SN001"), {}
    trees.spoil_frame(video, 3)
    film = watch(video, {2, 3, 5}, lambda number, picture: shown.update({number: picture.mean()}))
    assert (film.width, film.height, film.fps, film.codec) == (128, 96, 20.0, "mjpeg")
    assert (film.promised, film.stored, film.damaged, film.decoded) == (6, 6, (3,), 5)
    assert set(shown) == {2, 5}
    assert shown[5] - shown[2] == pytest.approx(trees.grey_of(5) - trees.grey_of(2), abs=6)


def spoil_labels(root: Path) -> None:
    trees.label_file(root, "SN001", "AU4").write_text("1;0\n")


def remove_labels(root: Path) -> None:
    shutil.rmtree(root / "ActionUnit_Labels" / "SN001")


def remove_landmarks(root: Path) -> None:
    shutil.rmtree(root / "Landmark_Points" / "SN001")


def remove_video(root: Path) -> None:
    trees.video_file(root, "SN001").unlink()


def spoil_video(root: Path) -> None:
    trees.video_file(root, "SN001").write_text("404 not found")


def quicken_video(root: Path) -> None:
    images = [np.full((96, 128, 3), number, np.uint8) for number in range(60)]
    trees.write_video(trees.video_file(root, "SN001"), images)


def spoil_every_frame(root: Path) -> None:
    for number in range(1, 7):
        trees.spoil_frame(trees.video_file(root, "SN001"), number)


def lose_a_frame(root: Path) -> None:
    trees.lose_frame(trees.video_file(root, "SN001"), 3)


def double_video(root: Path) -> None:
    shutil.copy(trees.video_file(root, "SN001"), trees.video_file(root, "SN001").with_suffix(".mkv"))


def spoil_log(root: Path) -> None:
    (root / "bad_frames.csv").write_text("who\n")


def remove_folder(root: Path) -> None:
    shutil.rmtree(root / "Landmark_Points")


def remove_everything(root: Path) -> None:
    shutil.rmtree(root)


def empty_folders(root: Path) -> None:
    for path in [path for path in root.rglob("*") if path.is_file()]:
        path.unlink()
    shutil.rmtree(root / "ActionUnit_Labels" / "SN001")
    shutil.rmtree(root / "ActionUnit_Labels" / "SN031")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (spoil_labels, "SN001_au4.txt: every line must read"),
        (remove_labels, "SN001 has no labels"),
        (remove_landmarks, "no landmarks of SN001"),
        (remove_video, "no video of SN001"),
        (spoil_video, "LeftVideoSN001_comp.avi: empty, truncated or not a video"),
        (quicken_video, "LeftVideoSN001_comp.avi: 60 frames for 6 labels; was it converted to another rate?"),
        (spoil_every_frame, "LeftVideoSN001_comp.avi: no frame in it can be decoded"),
        (lose_a_frame, "LeftVideoSN001_comp.avi: 1 of the frames in its index cannot be found"),
        (double_video, "a second video of SN001"),
        (spoil_log, "bad_frames.csv: must have the columns"),
        (remove_folder, "no folder Landmark_Points"),
        (remove_everything, "no such folder"),
        (empty_folders, "no subject"),
    ],
)
def test_a_bad_tree_is_a_line_and_never_an_exception(root, spoil, told):
    spoil(root)
    found = [line for line in report(root) if line.startswith("missing:") and told in line]
    assert len(found) == 1


def test_frames_that_the_video_lacks_or_has_more_are_told_as_reading_tells_them(root):
    trees.write_labels(root, "SN001", trees.intensities_of("SN001", 7))
    trees.write_labels(root, "SN031", trees.intensities_of("SN031", 4))
    text = remarks(report(root))
    assert "LeftVideoSN001_comp.avi: 6 frames for 7 labels; the last frame is kept out" in text
    assert "LeftVideoSN031_comp.avi: 6 frames for 4 labels; the last 2 frames are ignored" in text


def test_a_fold_of_which_no_frame_can_be_used_is_missing(root):
    assert "missing: a usable frame in fold 3, and training" in remarks(report(root))  # none of its people is here
    for path in (root / "Landmark_Points" / "SN001").rglob("*.mat"):
        trees.scipy.io.savemat(path, {"pts": np.ones((68, 2))})
    assert "missing: a usable frame in fold 1, 3, and training" in remarks(report(root))
    for path in (root / "Landmark_Points" / "SN031").rglob("*.mat"):
        trees.scipy.io.savemat(path, {"pts": np.ones((68, 2))})
    assert "missing: a usable frame in fold 1, 2, 3, and training" in remarks(report(root))


def test_a_log_that_replaces_the_data_sets_is_told_with_how_far_it_differs(root, monkeypatch):
    monkeypatch.setitem(BAD_FRAMES, "SN001", ((2, 3),))
    log = root / "bad_frames.csv"
    log.write_text("subject,first,last\nSN001,2,3\n")
    assert "bad_frames.csv" not in remarks(report(root))
    log.write_text("subject,first,last\nSN001,3,4\nSN031,6,6\n")
    told = "bad_frames.csv replaces the data set's log, and marks 3 frames otherwise, of SN001, SN031;"
    assert told in remarks(report(root))
    (root / "SYNTHETIC.json").write_text("{}")
    assert "bad_frames.csv" not in remarks(report(root))


def test_what_is_wrong_with_one_part_of_a_subject_does_not_hide_the_next(root):
    spoil_labels(root)
    remove_landmarks(root)
    spoil_video(root)
    found = examine_subject(root, find_folders(root), "SN001")
    assert len(found.problems) == 3


def test_frames_that_a_recorder_left_out_are_told_apart_from_damaged_ones(root):
    video = trees.video_file(root, "SN001")
    chunks.write_avi(video, chunks.without(chunks.chunks_of(video), [2, 4]), b"MJPG", 128, 96)
    said = remarks(report(root))
    assert "LeftVideoSN001_comp.avi: holds nothing for 2 frames: 2, 4" in said
    assert "do not decode" not in said
    row = next(line for line in report(root) if line.startswith("  SN001"))
    assert row.split()[-1] == "4"  # of 6, as many as are stored


def test_a_synthetic_tree_may_be_of_any_length_and_size(root):
    assert "not as many labels as DISFA's" in remarks(report(root))
    (root / "SYNTHETIC.json").write_text("{}")
    assert "DISFA's" not in remarks(report(root))


def test_an_au_without_positives_in_a_fold_is_told_with_what_f1_means_then(root):
    for subject in ("SN001", "SN031"):
        codes = trees.intensities_of(subject, 6)
        codes[:, DISFA_AUS.index("AU9")] = 2
        trees.write_labels(root, subject, codes)
    at_three, at_two = (remarks(report(root, threshold=threshold)) for threshold in (3, 2))
    assert "AU9 in fold 1" in at_three
    assert "not defined, so left out of every average, if it claims none" in at_three
    assert "AU9 in fold 1" not in at_two


@pytest.mark.parametrize(("numbers", "text"), [((), ""), ((4,), "4"), ((1, 2, 3, 7, 9, 10), "1-3, 7, 9-10")])
def test_numbers_are_written_as_stretches(numbers, text):
    assert ranges(numbers) == text


@pytest.fixture(scope="module")
def rendered(tmp_path_factory) -> Path:
    """Two rendered heads, the landmarks of one of them mirrored."""
    root = tmp_path_factory.mktemp("rendered") / "DISFA"
    config = SynthConfig(frames=8, height=256, width=256, fps=2, share_factor=2.5)
    render_tree(root, config, ("SN001", "SN002"), workers=1, progress=False)
    for path in (root / "Landmark_Points" / "SN002" / "tmp_frame_lm").iterdir():
        points = trees.scipy.io.loadmat(path)["pts"] - 1
        trees.write_landmarks(path, np.column_stack([255 - points[:, 0], points[:, 1]]))
    return root


def test_landmarks_are_held_against_the_pictures(rendered):
    lines = report(rendered)
    assert "DISFA: synthetic DISFA with 2 subjects" in lines[0]
    assert any(line.startswith("landmarks: the midpoint of the eyes lies in a face in ") for line in lines)
    assert any(
        line.startswith("coordinates: cannot tell whether they start at 0 or 1; 2 subjects") for line in lines
    )
    odd = [line for line in lines if line.startswith("odd: landmarks of")]
    assert len(odd) == 1
    assert "landmarks of SN002" in odd[0]
    assert "if they are mirrored" in odd[0]


def test_side_by_side_or_alone_the_report_is_the_same(root):
    assert list(examine_tree(root, workers=2, progress=False)) == report(root)


def test_the_name_of_a_tree_makes_no_line_of_its_own(tmp_path):
    root = trees.write_tree(tmp_path / "DISFA\x1b[2J\nfit for paper", subjects=("SN001",), frames=6)
    (told,) = [line for line in report(root) if line.startswith("DISFA: ")]
    assert told.endswith("DISFA [2J fit for paper")
