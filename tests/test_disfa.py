"""The reader takes sound trees with every official quirk, and names the file when a tree is not sound."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import trees

from traunet.data import disfa
from traunet.data.disfa import BAD_FRAMES, read_tree, warn_of_other_pictures
from traunet.data.original import SUBJECTS
from traunet.data.video import count_frames
from traunet.facs import DISFA_AUS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.write_tree(tmp_path / "DISFA")


def test_the_log_of_bad_frames_covers_4670_frames_of_official_subjects():
    assert sum(last - first + 1 for ranges in BAD_FRAMES.values() for first, last in ranges) == 4670
    assert set(BAD_FRAMES) <= set(SUBJECTS)
    for ranges in BAD_FRAMES.values():
        ends = [end for pair in ranges for end in pair]
        assert ends == sorted(ends)
        assert ends[-1] <= 4845


def test_labels_landmarks_and_videos_come_back_as_they_were_written(root):
    tree = read_tree(root)
    assert tree.subjects == ("SN001", "SN006", "SN031")
    assert tree.frames["usable"].to_numpy().all()
    for subject in tree.subjects:
        rows = tree.frames[tree.frames["subject"] == subject]
        assert rows["frame"].tolist() == [1, 2, 3, 4, 5, 6]
        np.testing.assert_array_equal(rows[list(DISFA_AUS)], trees.intensities_of(subject, 6))
        expected = trees.subject_points(subject, 6, 96, 128)
        np.testing.assert_allclose(tree.landmarks[subject], expected, atol=1e-4)
        assert count_frames(tree.videos[subject]).frames == 6


def test_both_landmark_naming_schemes_put_a_frame_in_the_same_place(root):
    names = {path.name for path in root.glob("Landmark_Points/*/tmp_frame_lm/*.mat")}
    assert {"SN001_0000_lm.mat", "l00001_lm.mat"} <= names
    tree = read_tree(root)
    first = {subject: trees.subject_points(subject, 6, 96, 128)[0] for subject in ("SN001", "SN031")}
    for subject, points in first.items():
        np.testing.assert_allclose(tree.landmarks[subject][0], points, atol=1e-4)


def test_names_match_without_regard_to_case(root):
    (root / "Videos_LeftCamera").rename(root / "video_leftcamera")
    video = root / "video_leftcamera" / "LeftVideoSN001_comp.avi"
    video.rename(video.with_name("leftvideosn001_Comp.AVI"))
    (root / "ActionUnit_Labels" / "SN006").rename(root / "ActionUnit_Labels" / "sn006")
    file = root / "ActionUnit_Labels" / "SN001" / "SN001_au1.txt"
    file.rename(file.with_name("sn001_AU1.txt"))
    (root / "ActionUnit_Labels").rename(root / "actionunit_labels")
    assert read_tree(root).frames["usable"].to_numpy().all()


def test_the_hole_of_sn031_and_one_file_too_many_are_counted_without_a_warning(tmp_path):
    tree = read_tree(trees.write_tree(tmp_path / "DISFA", missing=[("SN031", 4)], extra=["SN001"]))
    assert trees.reasons(tree, "SN031") == {4: "no landmarks"}
    assert np.isnan(tree.landmarks["SN031"][3]).all()
    assert trees.usable(tree, "SN001") == [True] * 6
    assert tree.notes == ()


def test_the_report_counts_every_frame_once(tmp_path):
    root = trees.write_tree(tmp_path / "DISFA", missing=[("SN031", 4)])
    (root / "bad_frames.csv").write_text("subject,first,last\nSN001,2,3\n")
    report = read_tree(root).report()
    assert report.loc["all"].to_dict() == {"frames": 18, "usable": 15, "marked bad": 2, "no landmarks": 1}
    assert report.loc["SN001", "marked bad"] == 2


def test_a_tree_that_ships_a_log_of_bad_frames_is_read_by_it(root):
    (root / "bad_frames.csv").write_text("subject,first,last\nSN001,2,3\nSN006,6,9\n")
    tree = read_tree(root)
    assert trees.reasons(tree, "SN001") == {2: "marked bad", 3: "marked bad"}
    assert trees.reasons(tree, "SN006") == {6: "marked bad"}


def test_the_official_log_counts_frames_from_one_and_includes_both_ends(tmp_path, monkeypatch):
    monkeypatch.setitem(BAD_FRAMES, "SN001", ((2, 4), (6, 600)))
    tree = read_tree(trees.write_tree(tmp_path / "DISFA", subjects=["SN001"]))
    assert trees.usable(tree, "SN001") == [True, False, False, False, True, False]


@pytest.mark.parametrize(
    "content",
    [
        "who,from,to\nSN001,2,3\n",
        "subject,first,last\nSN001,three,4\n",
        "subject,first,last\nSN001,1,99999999999999999999\n",  # beyond 64 bits
    ],
)
def test_a_log_of_bad_frames_that_cannot_be_read_is_an_error(root, content):
    (root / "bad_frames.csv").write_text(content)
    with pytest.raises(ValueError, match=r"bad_frames\.csv: must have the columns"):
        read_tree(root)


def test_a_log_of_bad_frames_whose_range_runs_backwards_is_an_error(root):
    (root / "bad_frames.csv").write_text("subject,first,last\nSN001,5,4\n")
    with pytest.raises(ValueError, match=r"bad_frames\.csv: every range"):
        read_tree(root)


@pytest.mark.parametrize("name", ["1", "001", "SN 1", "subject"])
def test_a_log_of_bad_frames_that_calls_subjects_otherwise_is_an_error(root, name):
    (root / "bad_frames.csv").write_text(f"subject,first,last\n{name},2,3\n")
    with pytest.raises(ValueError, match=rf"bad_frames\.csv: '{name.upper()}' is no subject; write them as SN001"):
        read_tree(root)


def test_blanks_and_small_letters_in_a_log_of_bad_frames_do_no_harm(root):
    (root / "bad_frames.csv").write_text("subject,first,last\n sn001 ,2,3\n")
    assert trees.usable(read_tree(root), "SN001") == [True, False, False, True, True, True]


def test_landmarks_named_after_another_subject_are_an_error(root):
    file = trees.landmark_file(root, "SN001", 3)
    file.rename(file.with_name("SN002_0002_lm.mat"))
    with pytest.raises(ValueError, match=r"SN002_0002_lm\.mat: landmarks of SN002 among those of SN001"):
        read_tree(root)


def test_only_a_tree_with_the_mark_is_called_synthetic(root):
    assert read_tree(root).dataset.startswith("DISFA, ")
    (root / "SYNTHETIC.json").write_text("{}")
    tree = read_tree(root)
    assert tree.synthetic
    assert tree.dataset == "synthetic DISFA"


def test_all_people_with_a_part_of_their_frames_are_a_part_of_disfa(tmp_path, monkeypatch):
    tree = read_tree(trees.write_tree(tmp_path / "part", subjects=SUBJECTS, frames=2))
    assert tree.dataset == "DISFA, 54 of 126144 frames"
    monkeypatch.setattr(disfa, "USABLE", 54)
    assert tree.dataset == "DISFA"


def test_a_rendered_tree_counts_from_one_whatever_the_data_set_does(root, monkeypatch):
    (root / "SYNTHETIC.json").write_text("{}")
    before = read_tree(root).landmarks["SN001"]
    monkeypatch.setattr(disfa, "FIRST_PIXEL", 0)
    np.testing.assert_array_equal(read_tree(root).landmarks["SN001"], before)


@pytest.mark.parametrize(("rate", "refused"), [(15, True), (20, False)])
def test_too_few_frames_at_another_rate_may_lack_anywhere_and_are_refused(tmp_path, rate, refused):
    root = trees.write_tree(tmp_path / "DISFA", subjects=["SN001"], frames=100)
    video = trees.video_file(root, "SN001")
    video.unlink()
    trees.write_video(video, [np.full((48, 64, 3), number, np.uint8) for number in range(75)], fps=rate)
    if refused:
        with pytest.raises(ValueError, match=r"75 frames for 100 labels; was it converted to another rate\? Take"):
            read_tree(root)
    else:
        with pytest.warns(UserWarning, match="the last 25 frames are kept out as 'not decodable'"):
            read_tree(root)


def test_pictures_of_another_size_than_disfas_are_told(root):
    tree = read_tree(root)
    with pytest.warns(UserWarning, match=r"SN001_comp\.avi: pictures, as in 2 more videos, are not of 1024 x 768"):
        warn_of_other_pictures(tree)
    (root / "SYNTHETIC.json").write_text("{}")
    warn_of_other_pictures(tree)


def test_pictures_of_disfas_size_are_not_told(tmp_path):
    warn_of_other_pictures(read_tree(trees.write_tree(tmp_path / "whole", ["SN001"], 1, height=768, width=1024)))


def test_subjects_outside_the_official_27_are_read_and_a_choice_can_be_made(tmp_path):
    root = trees.write_tree(tmp_path / "heads", subjects=["SN100", "SN101"])
    assert read_tree(root).subjects == ("SN100", "SN101")
    assert read_tree(root, subjects=["SN101"]).subjects == ("SN101",)
    with pytest.raises(ValueError, match="no subject SN001; there are SN100, SN101"):
        read_tree(root, subjects=["SN001"])


def test_coordinates_that_count_from_zero_can_be_read_as_such(root):
    shift = read_tree(root, first_pixel=0).landmarks["SN001"] - read_tree(root, first_pixel=1).landmarks["SN001"]
    np.testing.assert_allclose(shift, 1, atol=1e-4)


def test_a_missing_tree_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no such folder"):
        read_tree(tmp_path / "nowhere")


@pytest.mark.parametrize("folder", ["Videos_LeftCamera", "ActionUnit_Labels", "Landmark_Points"])
def test_a_missing_folder_is_named(root, folder):
    shutil.rmtree(root / folder)
    with pytest.raises(FileNotFoundError, match=f"no folder {folder}"):
        read_tree(root)


def test_a_tree_without_subjects_is_an_error(tmp_path):
    for folder in ("Videos_LeftCamera", "ActionUnit_Labels", "Landmark_Points"):
        (tmp_path / folder).mkdir()
    with pytest.raises(FileNotFoundError, match="no subject"):
        read_tree(tmp_path)


def test_a_subject_without_labels_is_an_error(root):
    shutil.rmtree(root / "ActionUnit_Labels" / "SN006")
    with pytest.raises(FileNotFoundError, match=r"SN006 has no labels at all, such as SN006_au1\.txt;"):
        read_tree(root)


def test_a_subject_without_one_of_the_twelve_label_files_is_an_error(root):
    trees.label_file(root, "SN006", "AU12").unlink()
    with pytest.raises(FileNotFoundError, match=r"SN006 has no labels SN006_au12\.txt;"):
        read_tree(root)


def test_a_subject_without_a_video_is_an_error(root):
    trees.video_file(root, "SN006").unlink()
    with pytest.raises(FileNotFoundError, match="no video of SN006"):
        read_tree(root)


def test_a_subject_without_landmarks_is_an_error(root):
    shutil.rmtree(root / "Landmark_Points" / "SN006")
    with pytest.raises(FileNotFoundError, match="no landmarks of SN006"):
        read_tree(root)


def test_a_landmark_folder_without_landmark_files_is_an_error(root):
    folder = root / "Landmark_Points" / "SN006" / "tmp_frame_lm"
    for path in folder.iterdir():
        path.unlink()
    (folder / "readme.txt").write_text("")
    with pytest.raises(FileNotFoundError, match=r"no file such as SN006_0000_lm\.mat"):
        read_tree(root)


def test_two_landmark_files_for_one_frame_are_an_error(root):
    file = trees.landmark_file(root, "SN001", 3)
    shutil.copy(file, file.with_name("l00003_lm.mat"))
    with pytest.raises(ValueError, match="a second file for frame 3"):
        read_tree(root)


@pytest.mark.parametrize("share", [0.0, 0.01])
def test_an_empty_or_beheaded_video_is_an_error(root, share):
    trees.cut(trees.video_file(root, "SN006"), share)
    with pytest.raises(ValueError, match=r"LeftVideoSN006_comp\.avi: empty, truncated or not a video"):
        read_tree(root)


def test_a_file_that_is_no_video_is_an_error(root):
    trees.video_file(root, "SN006").write_text("not a video at all\n" * 1000)
    with pytest.raises(ValueError, match=r"SN006_comp\.avi: empty, truncated or not a video"):
        read_tree(root)


def test_a_video_cut_short_costs_its_lost_frames(root):
    trees.cut(trees.video_file(root, "SN006"), 0.7)
    with pytest.warns(UserWarning, match=r"LeftVideoSN006_comp\.avi: \d frames for 6 labels"):
        tree = read_tree(root)
    kept = trees.usable(tree, "SN006")
    assert kept == sorted(kept, reverse=True)
    assert 1 <= sum(kept) < 6


def test_a_video_of_another_rate_is_refused(tmp_path):
    """As many more frames than labels mean that nearly every frame would have another's label."""
    root = trees.write_tree(tmp_path / "DISFA", subjects=("SN001",), frames=60)
    for au in DISFA_AUS:
        file = trees.label_file(root, "SN001", au)
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:30]))
    with pytest.raises(ValueError, match=r"SN001_comp\.avi: 60 frames for 30 labels; was it converted"):
        read_tree(root)


def test_the_log_of_bad_frames_names_subjects_as_the_videos_do(root):
    (root / "bad_frames.csv").write_text("subject,first,last\nSN1,2,3\n")
    with pytest.raises(ValueError, match="'SN1' is no subject; write them as SN001"):
        read_tree(root)
