"""Alignment holds the paper's two rules exactly, and recovers transformations that the test made itself."""

import cv2
import numpy as np
import pytest
import trees

from traunet.config import AlignConfig
from traunet.data.align import can_align, face_transform, nose_midpoint, target_points, transform_points
from traunet.data.resampling import warp
from traunet.facs import CHIN, FLIP

SIZES = (64, 96, 224)


def poses(count: int = 20, seed: int = 0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        center = tuple(rng.uniform(-50, 400, 2))
        yield trees.face_points(center, rng.uniform(20, 200), rng.uniform(-np.pi, np.pi))


@pytest.mark.parametrize("size", SIZES)
def test_the_nose_goes_to_the_centre_and_the_chin_near_the_bottom(size):
    config = AlignConfig(size=size)
    for landmarks in poses():
        aligned = transform_points(landmarks, face_transform(landmarks, config))
        np.testing.assert_allclose(nose_midpoint(aligned), [size / 2 - 0.5] * 2, atol=1e-9)
        np.testing.assert_allclose(aligned[CHIN], [size / 2 - 0.5, 0.95 * size - 0.5], atol=1e-9)


def test_the_transformation_is_a_similarity_so_the_face_keeps_its_shape():
    for landmarks in poses():
        linear = face_transform(landmarks, AlignConfig())[:, :2]
        scale = np.sqrt(np.linalg.det(linear))
        np.testing.assert_allclose(linear @ linear.T, scale**2 * np.eye(2), atol=1e-9)


def test_a_face_moved_turned_and_scaled_is_aligned_to_the_same_place():
    config = AlignConfig()
    upright = trees.face_points((0, 0), 1.0)
    expected = transform_points(upright, face_transform(upright, config))
    for landmarks in poses():
        aligned = transform_points(landmarks, face_transform(landmarks, config))
        np.testing.assert_allclose(aligned, expected, atol=1e-6)


def test_an_aligned_face_is_left_alone():
    config = AlignConfig(size=96)
    nose, chin = target_points(config)
    landmarks = trees.face_points(tuple(nose), chin[1] - nose[1])
    np.testing.assert_allclose(face_transform(landmarks, config), [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_flipping_the_landmarks_flips_the_aligned_landmarks():
    config = AlignConfig(size=96)
    for landmarks in poses():
        mirrored = (landmarks * [-1, 1] + [639, 0])[FLIP]
        aligned = transform_points(landmarks, face_transform(landmarks, config))
        aligned_mirrored = transform_points(mirrored, face_transform(mirrored, config))
        np.testing.assert_allclose(aligned_mirrored, (aligned * [-1, 1] + [95, 0])[FLIP], atol=1e-6)


@pytest.mark.parametrize("reach", [15.0, 50.0, 160.0])
@pytest.mark.parametrize("size", SIZES)
def test_picture_and_landmarks_move_together(size, reach):
    landmarks = trees.face_points((211.3, 180.7), reach, tilt=0.4)
    picture = trees.draw(1, landmarks, 400, 480)
    matrix = face_transform(landmarks, AlignConfig(size=size))
    aligned, points = warp(picture, matrix, size).astype(int), transform_points(landmarks, matrix)
    assert aligned.shape == (size, size, 3)
    for colour, point in ((trees.RED, nose_midpoint(points)), (trees.GREEN, points[CHIN])):
        near = np.abs(aligned - colour).sum(axis=2) < 120
        if near.sum() >= 5:  # a disc smaller than that is gone after the averaging
            rows, columns = np.nonzero(near)
            margin = 1.0 if point[1] + 5 * 0.45 * size / reach < size else np.inf  # the chin's disc may be cut
            assert abs(columns.mean() - point[0]) < 1.0
            assert abs(rows.mean() - point[1]) < margin


def sampled_plainly(image: np.ndarray, matrix: np.ndarray, size: int, samples: int = 12) -> np.ndarray:
    """The oracle: the mean of 12 x 12 samples under every new pixel."""
    finer = matrix * samples
    finer[:, 2] += (samples - 1) / 2
    warped = cv2.warpAffine(image, finer, (size * samples, size * samples), flags=cv2.INTER_LINEAR)
    return cv2.resize(warped, (size, size), interpolation=cv2.INTER_AREA)


def decibels(one: np.ndarray, other: np.ndarray) -> float:
    """The peak signal-to-noise ratio."""
    return 20 * np.log10(255 / np.sqrt(np.mean((one.astype(float) - other) ** 2)))


@pytest.fixture(scope="module")
def fine_detail() -> np.ndarray:
    """Smooth shapes with detail down to two or three pixels, as lenses show the world."""
    noise = np.random.default_rng(0).normal(size=(600, 800, 3)).astype(np.float32)
    layers = [cv2.GaussianBlur(noise, (0, 0), sigma) * sigma * 18 for sigma in (1.2, 4, 20)]
    return np.clip(128 + np.sum(layers, axis=0), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [40, 64, 96, 128, 160, 200, 224, 300, 400])
@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_one_sample_of_a_smoothed_picture_is_as_good_as_a_hundred(fine_detail, size, tilt):
    landmarks = trees.face_points((400, 250), 220.0, tilt)  # shrunk by 0.8 to 12
    matrix = face_transform(landmarks, AlignConfig(size=size))
    seen, plain = warp(fine_detail, matrix, size), sampled_plainly(fine_detail, matrix, size)
    assert decibels(seen, plain) > 38
    assert np.abs(seen.mean((0, 1)) - plain.mean((0, 1))).max() < 0.3


def test_shrinking_averages_instead_of_skipping_pixels():
    noise = np.random.default_rng(0).integers(0, 2, (400, 400), dtype=np.uint8) * 255
    for shrink in (2, 3, 5, 10):
        small = warp(noise, np.array([[1 / shrink, 0, 0], [0, 1 / shrink, 0]]), 400 // shrink)
        assert small[1:-1, 1:-1].std() < 1.2 * 127.5 / shrink
        assert small.mean() == pytest.approx(noise.mean(), abs=3)


def test_a_plane_is_aligned_as_it_would_be_within_a_picture(fine_detail):
    matrix = face_transform(trees.face_points((400, 250), 220.0, 0.2), AlignConfig(size=96))
    together = warp(fine_detail, matrix, 96)
    apart = np.dstack([warp(np.ascontiguousarray(fine_detail[..., c]), matrix, 96) for c in range(3)])
    np.testing.assert_allclose(together, apart, atol=1)


def test_the_transformations_of_many_frames_are_those_of_each():
    config, many = AlignConfig(size=96), np.stack(list(poses()))
    matrices = face_transform(many, config)
    np.testing.assert_allclose(matrices, [face_transform(own, config) for own in many])
    aligned = [transform_points(own, matrix) for own, matrix in zip(many, matrices, strict=True)]
    np.testing.assert_allclose(transform_points(many, matrices), aligned)


def test_without_shrinking_the_warp_is_opencv_s_own():
    picture = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    matrix = np.array([[1.3, -0.2, 3.0], [0.2, 1.3, -5.0]])
    np.testing.assert_array_equal(warp(picture, matrix, 64), cv2.warpAffine(picture, matrix, (64, 64)))


def test_what_lies_outside_the_picture_is_black():
    landmarks = trees.face_points((0, 0), 40.0)
    aligned = warp(np.full((100, 100, 3), 200, np.uint8), face_transform(landmarks, AlignConfig(size=64)), 64)
    assert (aligned[:28, :28] == 0).all()
    assert (aligned[36:60, 36:60] == 200).all()


def test_a_wildly_large_face_does_not_cost_memory():
    landmarks = trees.face_points((50, 50), 1e7)
    assert warp(np.zeros((100, 100), np.uint8), face_transform(landmarks, AlignConfig(size=64)), 64).shape == (
        64,
        64,
    )


@pytest.mark.parametrize("landmarks", [np.zeros((66, 2)), np.full((66, 2), np.nan)])
def test_landmarks_that_are_no_face_are_refused(landmarks):
    assert not can_align(landmarks)
    with pytest.raises(ValueError, match="no face to align"):
        face_transform(landmarks, AlignConfig())


def test_many_frames_are_judged_at_once():
    good = trees.face_points((50, 50), 20.0)
    np.testing.assert_array_equal(can_align(np.stack([good, good * np.nan, good * 0])), [True, False, False])
