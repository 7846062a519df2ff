"""Labels and landmarks that are not as they should be are named, and cost no more than they must."""

import os
import signal
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import trees

from traunet.data.disfa import read_tree


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.write_tree(tmp_path / "DISFA")


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
        ("1,0\n2,99999999999999999999\n", "every line must read"),  # beyond 64 bits
        ("1,0\n2,0\n", "2 lines where another AU of SN001 has 6"),
    ],
)
def test_labels_that_do_not_read_frame_comma_intensity_are_named(root, text, complaint):
    trees.label_file(root, "SN001", "AU4").write_text(text)
    with pytest.raises(ValueError, match=rf"SN001_au4\.txt: .*{complaint}"):
        read_tree(root)


@pytest.fixture
def in_time():
    """Half a minute for what could wait forever."""

    def stop(*_):
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", ["SN001_au4.txt", "bad_frames.csv"])
def test_a_pipe_in_the_place_of_a_file_is_named_and_not_waited_for(root, in_time, name):
    path = trees.label_file(root, "SN001", "AU4") if "au4" in name else root / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(
        ValueError, match=rf"{name}: is no file but a folder, a pipe or a device; restore the file"
    ):
        read_tree(root)


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir])
def test_a_landmark_file_that_is_none_is_damaged(root, in_time, make):
    path = trees.landmark_file(root, "SN001", 2)
    path.unlink()
    make(path)
    with pytest.warns(UserWarning, match=rf"{path.name}: is no file .* 1 such frames of SN001"):
        tree = read_tree(root)
    assert trees.reasons(tree, "SN001") == {2: "damaged landmarks"}


def test_frames_past_the_end_of_a_short_video_are_kept_out_and_warned_of(root):
    points = trees.subject_points("SN001", 4, 96, 128)
    images = [trees.draw(number, own, 96, 128) for number, own in enumerate(points, start=1)]
    trees.write_video(trees.video_file(root, "SN001"), images)
    with pytest.warns(UserWarning, match=r"LeftVideoSN001_comp\.avi: 4 frames for 6 labels; the last 2 frames"):
        tree = read_tree(root)
    assert trees.reasons(tree, "SN001") == {5: "not decodable", 6: "not decodable"}


@pytest.mark.parametrize(
    ("labelled", "told"), [(7, "the last frame is kept out as"), (5, "the last frame is ignored")]
)
def test_a_single_frame_is_told_in_the_singular(root, labelled, told):
    trees.write_labels(root, "SN001", trees.intensities_of("SN001", labelled))
    with pytest.warns(UserWarning, match=rf"LeftVideoSN001_comp\.avi: 6 frames for {labelled} labels; {told}"):
        read_tree(root)


def test_frames_without_labels_are_warned_of(root):
    trees.write_labels(root, "SN001", trees.intensities_of("SN001", 3))
    with pytest.warns(UserWarning, match="are ignored") as warned:
        tree = read_tree(root)
    assert [str(one.message) for one in warned] == list(tree.notes)
    assert "3 landmark files of SN001 belong to no labelled frame and are ignored" in tree.notes[0]
    assert "6 frames for 3 labels; the last 3 frames are ignored" in tree.notes[1]
    assert trees.usable(tree, "SN001") == [True] * 3


def test_many_missing_landmark_files_are_counted_and_warned_of(root):
    for frame in (2, 5):
        trees.landmark_file(root, "SN006", frame).unlink()
    with pytest.warns(UserWarning, match=r"2 frames of SN006 have no landmark file \(the first is frame 2\)"):
        tree = read_tree(root)
    assert trees.reasons(tree, "SN006") == {2: "no landmarks", 5: "no landmarks"}


def spoil_shape(path: Path) -> None:
    scipy.io.savemat(path, {"pts": np.zeros((68, 2))})


def spoil_values(path: Path) -> None:
    trees.write_landmarks(path, np.full((66, 2), np.nan))


def spoil_name(path: Path) -> None:
    scipy.io.savemat(path, {"points": np.zeros((66, 2))})


def spoil_kind(path: Path) -> None:
    scipy.io.savemat(path, {"pts": "no numbers"})


def _element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def _head(kind: int, shape: tuple[int, int], name: bytes) -> bytes:
    """How a matrix of MATLAB's begins: its class, its shape, its name; the size of all of it is claimed."""
    about = (_element(6, struct.pack("<II", kind, 0)), _element(5, struct.pack("<ii", *shape)))
    return struct.pack("<II", 14, 0x7FFFFFF0) + b"".join(about) + _element(1, name)


def _write_matlab(path: Path, content: bytes) -> None:
    packed = zlib.compress(content)
    version = struct.pack("<HH", 0x0100, 0x4D49)
    path.write_bytes(b"MATLAB 5.0".ljust(124) + version + struct.pack("<II", 15, len(packed)) + packed)


def nest(path: Path) -> None:
    _write_matlab(path, _head(1, (1, 1), b"pts") + _head(1, (1, 1), b"") * 500)


def claim_text(path: Path) -> None:
    _write_matlab(path, _head(4, (2**20, 1), b"pts") + _element(16, b""))


def claim_numbers(path: Path) -> None:
    _write_matlab(path, _head(6, (2**31 - 1, 1), b"pts") + _element(9, b""))


def repeat_otherwise(path: Path) -> None:
    sound = path.read_bytes()
    scipy.io.savemat(path, {"pts": np.array([["a", {"b": 1}]], dtype=object)})
    path.write_bytes(sound + path.read_bytes()[128:])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def halve(path: Path) -> None:
    trees.cut(path, 0.5)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (spoil_shape, r"'pts' has the shape \(68, 2\)"),
        (spoil_values, "holds 132 values that are no place in a picture"),
        (spoil_name, "cannot be read as landmarks .it holds no 'pts'"),
        (spoil_kind, "cannot be read as landmarks .'pts' is of the class char"),
        (nest, "cannot be read as landmarks .'pts' is of the class cell"),
        (claim_text, "cannot be read as landmarks .'pts' is of the class char"),
        (claim_numbers, r"'pts' has the shape \(2147483647, 1\)"),
        (repeat_otherwise, "cannot be read as landmarks .'pts' is of the class cell"),
        (empty, "cannot be read as landmarks"),
        (halve, "cannot be read as landmarks"),
    ],
)
def test_a_damaged_landmark_file_costs_its_frame_and_is_named(root, spoil, complaint):
    spoil(trees.landmark_file(root, "SN001", 3))
    with pytest.warns(UserWarning, match=rf"SN001_0002_lm\.mat: .*{complaint}.*1 such frames of SN001") as warned:
        tree = read_tree(root)
    assert trees.reasons(tree, "SN001") == {3: "damaged landmarks"}
    assert [str(one.message) for one in warned] == list(tree.notes)


def test_a_marked_frame_without_landmarks_is_counted_as_marked(root):
    trees.landmark_file(root, "SN001", 2).unlink()
    (root / "bad_frames.csv").write_text("subject,first,last\nSN001,2,2\n")
    assert trees.reasons(read_tree(root), "SN001") == {2: "marked bad"}
