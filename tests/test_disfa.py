"""The reader takes sound trees with every official quirk, and names the file when a tree is not sound."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import trees

from traunet.data.disfa import BAD_FRAMES, read_tree
from traunet.data.folds import SUBJECTS
from traunet.data.video import count_frames, decode, numbered_frames
from traunet.facs import DISFA_AUS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.write_tree(tmp_path / "DISFA")


def usable(tree, subject: str) -> list[bool]:
    return tree.frames.loc[tree.frames["subject"] == subject, "usable"].tolist()


def reasons(tree, subject: str) -> dict[int, str]:
    kept_out = tree.frames[(tree.frames["subject"] == subject) & ~tree.frames["usable"]]
    return dict(zip(kept_out["frame"], kept_out["reason"], strict=True))


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


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
        assert count_frames(tree.videos[subject]) == 6


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
    assert reasons(tree, "SN031") == {4: "no landmarks"}
    assert np.isnan(tree.landmarks["SN031"][3]).all()
    assert usable(tree, "SN001") == [True] * 6
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
    assert reasons(tree, "SN001") == {2: "marked bad", 3: "marked bad"}
    assert reasons(tree, "SN006") == {6: "marked bad"}


def test_the_official_log_counts_frames_from_one_and_includes_both_ends(tmp_path, monkeypatch):
    monkeypatch.setitem(BAD_FRAMES, "SN001", ((2, 4), (6, 600)))
    tree = read_tree(trees.write_tree(tmp_path / "DISFA", subjects=["SN001"]))
    assert usable(tree, "SN001") == [True, False, False, False, True, False]


@pytest.mark.parametrize("content", ["who,from,to\nSN001,2,3\n", "subject,first,last\nSN001,three,4\n"])
def test_a_log_of_bad_frames_that_cannot_be_read_is_an_error(root, content):
    (root / "bad_frames.csv").write_text(content)
    with pytest.raises(ValueError, match=r"bad_frames\.csv: must have the columns"):
        read_tree(root)


def test_a_log_of_bad_frames_whose_range_runs_backwards_is_an_error(root):
    (root / "bad_frames.csv").write_text("subject,first,last\nSN001,5,4\n")
    with pytest.raises(ValueError, match=r"bad_frames\.csv: every range"):
        read_tree(root)


def test_only_a_tree_with_the_mark_is_called_synthetic(root):
    assert read_tree(root).dataset == "DISFA"
    (root / "SYNTHETIC.json").write_text("{}")
    tree = read_tree(root)
    assert tree.synthetic
    assert tree.dataset == "synthetic DISFA"


def test_subjects_outside_the_official_27_are_read_and_a_choice_can_be_made(tmp_path):
    root = trees.write_tree(tmp_path / "heads", subjects=["SN100", "SN101"])
    assert read_tree(root).subjects == ("SN100", "SN101")
    assert read_tree(root, subjects=["SN101"]).subjects == ("SN101",)
    with pytest.raises(ValueError, match="no subject SN001; there are SN100, SN101"):
        read_tree(root, subjects=["SN001"])


def test_coordinates_that_count_from_zero_can_be_read_as_such(root):
    shift = read_tree(root, first_pixel=0).landmarks["SN001"] - read_tree(root).landmarks["SN001"]
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
    with pytest.raises(FileNotFoundError, match=r"SN006 has no labels SN006_au1\.txt, SN006_au2\.txt"):
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


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "every line must read"),
        ("1,0\n2,high\n", "every line must read"),
        ("1,0\n2,\n", "every line must read"),
        ("1;0\n2;0\n", "every line must read"),
        ("1\n2\n", "1 columns where"),
        ("0,0\n1,0\n", "line 1 reads 0,0"),
        ("1,0\n3,0\n", "line 2 reads 3,0"),
        ("1,0\n2,6\n", "line 2 reads 2,6"),
        ("1,0\n2,-1\n", "line 2 reads 2,-1"),
        ("1,0\n2,0\n", "2 lines where another AU of SN001 has 6"),
    ],
)
def test_labels_that_do_not_read_frame_comma_intensity_are_named(root, text, complaint):
    trees.label_file(root, "SN001", "AU4").write_text(text)
    with pytest.raises(ValueError, match=rf"SN001_au4\.txt: .*{complaint}"):
        read_tree(root)


def test_frames_past_the_end_of_a_short_video_are_kept_out_and_warned_of(root):
    points = trees.subject_points("SN001", 4, 96, 128)
    images = [trees.draw(number, own, 96, 128) for number, own in enumerate(points, start=1)]
    trees.write_video(trees.video_file(root, "SN001"), images)
    with pytest.warns(UserWarning, match=r"LeftVideoSN001_comp\.avi: 4 frames for 6 labels; the last 2 frames"):
        tree = read_tree(root)
    assert reasons(tree, "SN001") == {5: "not decodable", 6: "not decodable"}


def test_frames_without_labels_are_warned_of(root):
    trees.write_labels(root, "SN001", trees.intensities_of("SN001", 3))
    with pytest.warns(UserWarning, match="are ignored") as warned:
        tree = read_tree(root)
    assert [str(one.message) for one in warned] == list(tree.notes)
    assert "3 landmark files of SN001 belong to no labelled frame and are ignored" in tree.notes[0]
    assert "6 frames for 3 labels; the last 3 frames are ignored" in tree.notes[1]
    assert usable(tree, "SN001") == [True] * 3


def test_many_missing_landmark_files_are_counted_and_warned_of(root):
    for frame in (2, 5):
        trees.landmark_file(root, "SN006", frame).unlink()
    with pytest.warns(UserWarning, match=r"2 frames of SN006 have no landmark file \(the first is frame 2\)"):
        tree = read_tree(root)
    assert reasons(tree, "SN006") == {2: "no landmarks", 5: "no landmarks"}


def spoil_shape(path: Path) -> None:
    scipy.io.savemat(path, {"pts": np.zeros((68, 2))})


def spoil_values(path: Path) -> None:
    trees.write_landmarks(path, np.full((66, 2), np.nan))


def spoil_name(path: Path) -> None:
    scipy.io.savemat(path, {"points": np.zeros((66, 2))})


def spoil_kind(path: Path) -> None:
    scipy.io.savemat(path, {"pts": "no numbers"})


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    cut(path, 0.5)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (spoil_shape, r"'pts' has the shape \(68, 2\)"),
        (spoil_values, "holds 132 values that are not finite"),
        (spoil_name, "cannot be read as landmarks"),
        (spoil_kind, "cannot be read as landmarks"),
        (empty, "cannot be read as landmarks"),
        (halve, "cannot be read as landmarks"),
    ],
)
def test_a_damaged_landmark_file_costs_its_frame_and_is_named(root, spoil, complaint):
    spoil(trees.landmark_file(root, "SN001", 3))
    with pytest.warns(UserWarning, match=rf"SN001_0002_lm\.mat: .*{complaint}.*1 such frames of SN001") as warned:
        tree = read_tree(root)
    assert reasons(tree, "SN001") == {3: "damaged landmarks"}
    assert [str(one.message) for one in warned] == list(tree.notes)


def test_a_marked_frame_without_landmarks_is_counted_as_marked(root):
    trees.landmark_file(root, "SN001", 2).unlink()
    (root / "bad_frames.csv").write_text("subject,first,last\nSN001,2,2\n")
    assert reasons(read_tree(root), "SN001") == {2: "marked bad"}


@pytest.mark.parametrize("share", [0.0, 0.01])
def test_an_empty_or_beheaded_video_is_an_error(root, share):
    cut(trees.video_file(root, "SN006"), share)
    with pytest.raises(ValueError, match=r"LeftVideoSN006_comp\.avi: empty, truncated or not a video"):
        read_tree(root)


def test_a_file_that_is_no_video_is_an_error(root):
    trees.video_file(root, "SN006").write_text("not a video at all\n" * 1000)
    with pytest.raises(ValueError, match=r"SN006_comp\.avi: empty, truncated or not a video"):
        read_tree(root)


def test_a_video_cut_short_costs_its_lost_frames(root):
    cut(trees.video_file(root, "SN006"), 0.7)
    with pytest.warns(UserWarning, match=r"LeftVideoSN006_comp\.avi: \d frames for 6 labels"):
        tree = read_tree(root)
    kept = usable(tree, "SN006")
    assert kept == sorted(kept, reverse=True)
    assert 1 <= sum(kept) < 6


@pytest.fixture
def pictures() -> list[np.ndarray]:
    grain = np.random.default_rng(0).integers(-9, 10, (20, 48, 64, 3))
    return [(trees.grey_of(number) + own).astype(np.uint8) for number, own in enumerate(grain, start=1)]


@pytest.mark.parametrize(("codec", "options"), [("mjpeg", {}), ("mpeg4", {}), ("mpeg4", {"bf": "2"})])
def test_decoding_gives_every_frame_once_and_in_order(tmp_path, pictures, codec, options):
    video = trees.write_video(tmp_path / "v.avi", pictures, codec=codec, options=options)
    decoded = list(decode(video))
    assert count_frames(video) == len(decoded) == 20
    assert all(image.shape == (48, 64, 3) and image.dtype == np.uint8 for image in decoded)
    np.testing.assert_allclose([image.mean() for image in decoded], [image.mean() for image in pictures], atol=4)


def test_colours_are_red_green_blue(tmp_path):
    image = np.full((48, 64, 3), (220, 120, 20), np.uint8)
    decoded = next(decode(trees.write_video(tmp_path / "v.avi", [image])))
    np.testing.assert_allclose(decoded.mean(axis=(0, 1)), (220, 120, 20), atol=4)


@pytest.mark.parametrize("codec", ["mjpeg", "mpeg4"])
def test_a_damaged_frame_keeps_its_number_from_the_next(tmp_path, pictures, codec):
    video = trees.write_video(tmp_path / "v.avi", pictures, codec=codec)
    trees.spoil_frame(video, 4)
    decoded = dict(numbered_frames(video))
    assert set(decoded) == set(range(1, 21)) - {4}
    means = {number: image.mean() for number, image in decoded.items() if codec == "mjpeg" or number > 13}
    assert means == pytest.approx({number: trees.grey_of(number) for number in means}, abs=4)


def test_a_video_without_a_single_good_frame_is_an_error(tmp_path, pictures):
    video = trees.write_video(tmp_path / "v.avi", pictures[:3])
    for number in (1, 2, 3):
        trees.spoil_frame(video, number)
    with pytest.raises(ValueError, match=r"v\.avi: no frame in it can be decoded"):
        list(numbered_frames(video))


def test_a_missing_video_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"v\.avi: no such video"):
        count_frames(tmp_path / "v.avi")
