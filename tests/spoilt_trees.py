"""Bad trees of DISFA."""

from pathlib import Path

import numpy as np
import scipy.io
from mishaps import Attempt, command, copy, mishap, warned
from trees import label_file, landmark_file, subject_points

from traunet.facs import CHIN

TREE = "DISFA"
ONE = "SN001"


def prepared(folder: Path) -> tuple[object, ...]:
    return ("prepare", "--disfa", folder / "DISFA", "--out", folder / "store", "--profile", "smoke")


def refused(folder: Path) -> Attempt:
    return command(*prepared(folder))


def reported(folder: Path) -> Attempt:
    return warned(*prepared(folder))


@mishap(TREE)
def the_folder_is_missing(folder):
    return refused(folder)


@mishap(TREE)
def a_folder_was_unpacked_into_one_of_its_own_name(folder):
    labels = copy("tree", folder) / "ActionUnit_Labels"
    labels.rename(folder / "inner")
    labels.mkdir()
    (folder / "inner").rename(labels / labels.name)
    return refused(folder)


@mishap(TREE)
def the_archive_of_landmarks_was_not_unpacked(folder):
    landmarks = copy("tree", folder) / "Landmark_Points"
    landmarks.rename(folder / "elsewhere")
    landmarks.with_suffix(".zip").write_bytes(b"PK\x03\x04")
    return refused(folder)


@mishap(TREE)
def somebody_belongs_to_no_fold(folder):
    label = label_file(copy("tree", folder), ONE, "AU4").parent
    label.rename(label.with_name("SN033"))
    return refused(folder)


@mishap(TREE)
def the_archive_was_not_unpacked(folder):
    (folder / "DISFA").write_bytes(b"PK\x03\x04")
    return refused(folder)


@mishap(TREE)
def the_folder_is_empty(folder):
    (folder / "DISFA").mkdir()
    return refused(folder)


@mishap(TREE)
def the_folder_above_it_is_given(folder):
    copy("tree", folder, "DISFA/unpacked")
    return refused(folder)


@mishap(TREE)
def one_of_its_folders_is_missing(folder):
    (copy("tree", folder) / "Landmark_Points").rename(folder / "elsewhere")
    return refused(folder)


@mishap(TREE)
def its_folders_are_empty(folder):
    for name in ("Videos_LeftCamera", "ActionUnit_Labels", "Landmark_Points"):
        (folder / "DISFA" / name).mkdir(parents=True)
    return refused(folder)


@mishap(TREE)
def a_folder_is_there_twice(folder):
    (copy("tree", folder) / "Video_LeftCamera").mkdir()
    return refused(folder)


def with_labels(folder: Path, content: bytes) -> Attempt:
    label_file(copy("tree", folder), ONE, "AU4").write_bytes(content)
    return refused(folder)


@mishap(TREE)
def a_label_file_is_missing(folder):
    label_file(copy("tree", folder), ONE, "AU4").unlink()
    return refused(folder)


@mishap(TREE)
def a_label_file_is_empty(folder):
    return with_labels(folder, b"")


@mishap(TREE)
def a_line_of_labels_is_broken(folder):
    return with_labels(folder, b"1,0\n2,0\n3;0\n4,0\n5,0\n6,0\n")


@mishap(TREE)
def a_line_of_labels_lacks_its_intensity(folder):
    return with_labels(folder, b"1\n2\n3\n4\n5\n6\n")


@mishap(TREE, "labels were saved as UTF-16")
def other_encoding(folder):
    return with_labels(folder, "1,0\n2,0\n".encode("utf-16"))


@mishap(TREE)
def an_intensity_is_7(folder):
    return with_labels(folder, b"1,0\n2,7\n3,0\n4,0\n5,0\n6,0\n")


@mishap(TREE)
def an_intensity_has_twenty_digits(folder):
    return with_labels(folder, b"1,0\n2,99999999999999999999\n3,0\n4,0\n5,0\n6,0\n")


@mishap(TREE, "the frames of a label file do not count 1, 2, 3, …")
def frames_do_not_count(folder):
    return with_labels(folder, b"1,0\n2,0\n4,0\n5,0\n6,0\n7,0\n")


@mishap(TREE)
def one_action_unit_has_fewer_labels(folder):
    return with_labels(folder, b"1,0\n2,0\n3,0\n")


@mishap(TREE)
def a_subject_has_no_landmarks(folder):
    landmark_file(copy("tree", folder), ONE, 1).parent.parent.rename(folder / "landmarks")
    return refused(folder)


@mishap(TREE)
def the_landmark_files_are_not_unpacked(folder):
    inner = landmark_file(copy("tree", folder), ONE, 1).parent
    for file in inner.iterdir():
        file.unlink()
    (inner / "landmarks.zip").write_bytes(b"PK\x03\x04")
    return refused(folder)


@mishap(TREE)
def some_landmark_files_are_missing(folder):
    tree = copy("tree", folder)
    for frame in (2, 4, 5):
        landmark_file(tree, ONE, frame).unlink()
    return reported(folder)


def with_landmarks(folder: Path, content: object) -> Attempt:
    file = landmark_file(copy("tree", folder), ONE, 3)
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        scipy.io.savemat(file, {"pts": content})
    return reported(folder)


@mishap(TREE)
def a_landmark_file_is_damaged(folder):
    return with_landmarks(folder, b"no MATLAB file")


@mishap(TREE)
def a_landmark_file_is_empty(folder):
    return with_landmarks(folder, b"")


@mishap(TREE)
def a_landmark_file_has_68_points(folder):
    return with_landmarks(folder, np.ones((68, 2)))


@mishap(TREE)
def a_landmark_is_not_a_number(folder):
    points = subject_points(ONE, 6, 96, 128)[2]
    points[7] = np.nan
    return with_landmarks(folder, points)


@mishap(TREE)
def a_landmark_file_holds_objects(folder):
    return with_landmarks(folder, np.array([["a", {"b": 1}]], dtype=object))


@mishap(TREE)
def the_landmarks_of_a_frame_are_no_face(folder):
    return with_landmarks(folder, np.full((66, 2), 5.0))


@mishap(TREE)
def the_landmarks_of_a_frame_lie_beside_the_picture(folder):
    points = subject_points(ONE, 6, 96, 128)[2]
    points[CHIN] = (-800, 20)
    return with_landmarks(folder, points)


@mishap(TREE)
def a_landmark_lies_beyond_any_picture(folder):
    points = subject_points(ONE, 6, 96, 128)[2]
    points[40] = 2.45e40
    return with_landmarks(folder, points)


@mishap(TREE)
def landmarks_lie_in_the_folder_of_another_subject(folder):
    tree = copy("tree", folder)
    inner = landmark_file(tree, ONE, 1).parent
    for file in inner.iterdir():
        file.rename(file.with_name(file.name.replace(ONE, "SN002")))
    return refused(folder)


@mishap(TREE)
def a_frame_has_two_landmark_files(folder):
    file = landmark_file(copy("tree", folder), ONE, 3)
    file.with_name("l00003_lm.mat").write_bytes(file.read_bytes())
    return refused(folder)


@mishap(TREE, "bad_frames.csv has other columns")
def other_columns(folder):
    (copy("tree", folder) / "bad_frames.csv").write_text("name,from,to\nSN001,2,3\n")
    return refused(folder)


@mishap(TREE, "bad_frames.csv has a range that ends before it begins")
def backward_range(folder):
    (copy("tree", folder) / "bad_frames.csv").write_text("subject,first,last\nSN001,5,2\n")
    return refused(folder)


@mishap(TREE, "bad_frames.csv has a number of twenty digits")
def endless_range(folder):
    (copy("tree", folder) / "bad_frames.csv").write_text("subject,first,last\nSN001,1,99999999999999999999\n")
    return refused(folder)


@mishap(TREE, "bad_frames.csv calls its subjects otherwise")
def other_subjects(folder):
    (copy("tree", folder) / "bad_frames.csv").write_text("subject,first,last\n1,2,5\n")
    return refused(folder)


@mishap(TREE)
def not_one_frame_can_be_used(folder):
    (copy("tree", folder) / "bad_frames.csv").write_text("subject,first,last\nSN001,1,6\n")
    return refused(folder)
