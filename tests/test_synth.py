"""The synthetic DISFA: its faces, its labels, its tree."""

import dataclasses
import os
from pathlib import Path

import av
import numpy as np
import pytest
import scipy.io

from traunet.config import SMOKE, Expression, SynthConfig
from traunet.faces.landmarks import DlibLandmarks
from traunet.facs import ACTION_UNITS, AUS, CHIN, DISFA_AUS, FLIP, INNER_LIP, JAW, interocular_distance
from traunet.scoring import published
from traunet.synth import tree
from traunet.synth.acting import DISFA_COUNTS, DISFA_FRAMES, perform
from traunet.synth.head import Head, Moment
from traunet.synth.mesh import face_mesh, subdivide
from traunet.synth.scene import Scene

TINY = SynthConfig(frames=6, height=64, width=64, fps=4, share_factor=1.0)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(Head(np.random.default_rng(3)), np.random.default_rng(3), 256, 256)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("synth") / "tree"
    tree.write_tree(root, TINY, ("SN002", "SN010", "SN030", "SN031"), progress=False)
    return root


def video_frames(root: Path, subject: str) -> np.ndarray:
    with av.open(str(root / "Videos_LeftCamera" / f"LeftVideo{subject}_comp.avi")) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize("threshold", [2, 3])
@pytest.mark.parametrize(("frames", "fps", "factor"), [(4845, 20, 1.0), (200, 2, 2.5)])
def test_the_share_of_positive_frames_follows_disfa_within_a_third(frames, fps, factor, threshold):
    performed = perform([frames] * 27, fps, factor, np.random.default_rng(0))
    labels = np.concatenate([p.labels for p in performed])
    for au in AUS:
        expected = sum(DISFA_COUNTS[au][threshold - 1 :]) / DISFA_FRAMES * factor
        share = (labels[:, DISFA_AUS.index(au)] >= threshold).mean()
        assert expected * 2 / 3 < share < expected * 4 / 3, au


def test_the_acting_aims_at_the_published_counts():
    counts = published.intensity_counts()
    assert DISFA_FRAMES == published.FRAMES
    assert {au: DISFA_COUNTS[au] for au in AUS} == {au: tuple(counts.loc[au, [1, 2, 3, 4, 5]]) for au in AUS}


def test_a_share_that_would_exceed_all_frames_is_refused():
    with pytest.raises(ValueError, match="share_factor 5"):
        perform([100] * 3, 4, 5.0, np.random.default_rng(0))


def test_intensities_rise_and_fall_rather_than_jump():
    course = perform([400] * 4, 20, 1.0, np.random.default_rng(0))[0].intensities
    steps = np.abs(np.diff(course, axis=0))
    assert np.percentile(steps[steps > 0], 95) < 1.5


def test_which_units_go_together_is_a_setting():
    pairs = [Expression((("AU1", 1.0), ("AU9", 1.0)), 1.0), Expression((("AU12", 1.0),), 1.0)]
    performed = perform([400] * 8, 4, 1.0, np.random.default_rng(0), pairs)
    course = np.concatenate([p.intensities for p in performed])
    inner, wrinkler, puller = (course[:, DISFA_AUS.index(au)] for au in ("AU1", "AU9", "AU12"))
    assert np.corrcoef(inner, wrinkler)[0, 1] > 0.3 + abs(np.corrcoef(inner, puller)[0, 1])


def test_the_same_seed_gives_the_same_pixels_labels_and_landmarks(written, tmp_path):
    again = tmp_path / "again"
    tree.write_tree(again, TINY, ("SN002", "SN010", "SN030", "SN031"), workers=1, progress=False)
    files = [p.relative_to(written) for p in sorted(written.rglob("*")) if p.is_file()]
    assert files == [p.relative_to(again) for p in sorted(again.rglob("*")) if p.is_file()]
    for name in files:
        if name.suffix == ".mat":  # a .mat file carries the time of its writing
            left, right = (scipy.io.loadmat(root / name)["pts"] for root in (written, again))
            np.testing.assert_array_equal(left, right)
        elif name.suffix == ".avi":
            subject = name.stem[9:14]
            np.testing.assert_array_equal(video_frames(written, subject), video_frames(again, subject))
        else:
            assert (written / name).read_bytes() == (again / name).read_bytes()


def test_another_seed_gives_another_face():
    other = dataclasses.replace(TINY, seed=1)
    pictures = [tree.scene(config, "SN001").render(Moment())[0].astype(int) for config in (TINY, other)]
    assert np.abs(pictures[0] - pictures[1]).mean() > 5


def test_the_tree_has_the_quirks_of_disfa(written):
    names = {
        s: sorted(p.name for p in (written / "Landmark_Points" / s).rglob("*.mat")) for s in ("SN002", "SN031")
    }
    assert names["SN002"][0] == "SN002_0000_lm.mat"
    assert len(names["SN002"]) == TINY.frames + 1
    assert names["SN031"][0] == "l00001_lm.mat"
    assert len(names["SN031"]) == TINY.frames - 1
    assert len(video_frames(written, "SN010")) == TINY.frames - 1
    labels = (written / "ActionUnit_Labels" / "SN002" / "SN002_au12.txt").read_text().splitlines()
    assert labels[0].startswith("1,")
    assert len(labels) == TINY.frames
    assert len(list((written / "ActionUnit_Labels" / "SN002").iterdir())) == len(DISFA_AUS)


def test_a_tree_tells_the_settings_it_was_written_with(written):
    assert tree.read_config(written) == TINY
    assert hash(tree.read_config(written)) == hash(TINY)


def test_a_folder_that_holds_something_is_not_overwritten(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        tree.write_tree(tmp_path, TINY, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]


def test_an_interrupted_writing_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="invalid literal"):
        tree.write_tree(tmp_path / "tree", TINY, ("SNxyz",), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_who_writes_the_same_tree_later_spares_what_the_first_is_rendering(tmp_path, monkeypatch):
    """In two pods both may have the same process number."""
    real = tree._write_root_files

    def meanwhile(*given):
        monkeypatch.setattr(tree, "_write_root_files", real)
        with pytest.raises(ValueError, match="invalid literal"):
            tree.write_tree(tmp_path / "tree", TINY, ("SNxyz",), progress=False)
        real(*given)

    monkeypatch.setattr(tree, "_write_root_files", meanwhile)
    tree.write_tree(tmp_path / "tree", TINY, ("SN010",), workers=1, progress=False)
    assert tree.read_config(tmp_path / "tree") == TINY
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_a_tree_may_be_read_by_whom_the_umask_lets_and_its_parents_are_made(tmp_path):
    before = os.umask(0o002)
    try:
        tree.write_tree(tmp_path / "new" / "tree", TINY, ("SN010",), workers=1, progress=False)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new", tmp_path / "new" / "tree")} == {0o775}


@pytest.mark.parametrize("au", AUS)
def test_every_unit_is_seen_at_intensity_three_near_its_own_muscles(scene, au):
    moment = Moment({au: 3.0})
    moved = np.linalg.norm(scene.displacement(moment, au), axis=2)
    difference = np.abs(scene.render(moment)[0].astype(int) - scene.render(Moment())[0]).mean(axis=2)
    landmarks = scene.landmarks(Moment())
    assert moved.max() > 0.03 * interocular_distance(landmarks)
    assert (difference > 12).sum() > 60
    center, quarter = (
        landmarks[[27, 30], 1].mean(),
        0.25 * 2 * (landmarks[CHIN, 1] - landmarks[[27, 30], 1].mean()),
    )
    rows = np.arange(256)
    region = {"upper": rows < center, "middle": abs(rows - center) < quarter, "lower": rows > center}
    own = next(unit.region for unit in ACTION_UNITS if unit.name == au)
    assert moved[region[own]].sum() / moved.sum() > 0.85


def test_the_displacement_is_what_the_landmarks_do(scene):
    moment = Moment({"AU26": 4.0, "AU25": 3.0, "AU12": 2.0}, turn=(0.1, 0.05, 0.03))
    here, without = scene.landmarks(moment), scene.landmarks(Moment({"AU25": 3.0, "AU12": 2.0}, turn=moment.turn))
    field = scene.displacement(moment, "AU26")
    x, y = np.round(here[CHIN] - [0, 3]).astype(int)
    np.testing.assert_allclose(field[y, x], (here - without)[CHIN], atol=1.0)


def test_an_absent_unit_displaces_nothing(scene):
    assert np.abs(scene.displacement(Moment({"AU12": 4.0}), "AU1")).max() < 1e-4


def test_jaw_drop_and_parted_lips_open_the_mouth(scene):
    gap = [np.ptp(scene.landmarks(Moment({au: 5.0}))[INNER_LIP, 1]) for au in ("AU25", "AU26", "AU1")]
    assert gap[0] > 2 * gap[2]
    assert gap[1] > 2 * gap[2]


def test_the_neutral_mean_face_is_symmetric():
    mesh = face_mesh()
    flipped = mesh.vertices[mesh.mirror] * [-1, 1, 1]
    assert np.abs(mesh.vertices - flipped).max() < 2.5  # units; a face is 200 high
    front = Scene(Head(np.random.default_rng(0)), np.random.default_rng(0), 256, 256)
    front.tilt = np.zeros(3)
    points = front.landmarks(Moment())
    mirrored = points[FLIP] * [-1, 1] + [points[27:31, 0].mean() * 2, 0]
    assert np.abs(points - mirrored).max() < 4


def test_subdivision_keeps_a_plane_a_plane():
    mesh = face_mesh()
    matrix, finer = subdivide(mesh.triangles, len(mesh.vertices))
    plane = mesh.vertices[:, :2] @ np.array([0.3, -0.2]) + 1.0
    fine = matrix @ np.c_[mesh.vertices[:, :2], plane]
    np.testing.assert_allclose(fine[:, :2] @ np.array([0.3, -0.2]) + 1.0, fine[:, 2], atol=1e-9)
    assert len(finer) == 4 * len(mesh.triangles)


def test_dlib_that_never_saw_them_takes_the_heads_for_faces():
    """The issue's bar: one face in 97 % of the frames, landmarks within 8 % of the eyes' distance."""
    config, detector = SMOKE.synth, DlibLandmarks()
    performances = tree.performances(config)
    found, errors = [], []
    for k, subject in enumerate(tree.OFFICIAL_SUBJECTS):
        moment = performances[subject].moments[(5 * k) % (config.frames - 1)]
        picture, landmarks = tree.scene(config, subject).render(moment)
        faces = detector.faces(picture)
        found.append(len(faces) == 1)
        if found[-1]:
            distance = np.linalg.norm(faces[0].landmarks - landmarks, axis=1) / interocular_distance(landmarks)
            errors.append(distance[JAW.stop :].mean())
    assert np.mean(found) >= 0.97
    assert np.mean(errors) <= 0.08
