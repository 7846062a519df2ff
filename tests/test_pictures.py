"""A picture made from a video's planes is the one that the long way over RGB makes, in every format and range."""

import av
import cv2
import numpy as np
import pytest
import trees

from traunet.config import AlignConfig
from traunet.data import pictures
from traunet.data.align import face_transform
from traunet.data.pictures import PLANAR, aligned_planes, encode_aligned
from traunet.data.resampling import warp

HEIGHT, WIDTH = 300, 400
MATRIX = face_transform(trees.face_points((210, 120), 130.0, 0.2), AlignConfig(size=96))


@pytest.fixture(scope="module")
def colourful() -> np.ndarray:
    """Smooth patches of every colour, light and dark: colour is kept at half the sharpness."""
    noise = np.random.default_rng(3).normal(size=(HEIGHT, WIDTH, 3)).astype(np.float32)
    layers = [cv2.GaussianBlur(noise, (0, 0), sigma) * sigma * weight for sigma, weight in ((6, 60), (25, 200))]
    return np.clip(128 + np.sum(layers, axis=0), 5, 250).astype(np.uint8)


def frame_of(image: np.ndarray, name: str) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=name)


def decoded(data: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    return picture


@pytest.mark.parametrize("name", [*PLANAR, "gray", "yuv410p", "yuv420p10le", "rgb24", "bgra"])
def test_the_picture_is_that_of_the_way_over_rgb(colourful, name):
    frame = frame_of(colourful, name)
    expected = warp(frame.reformat(format="rgb24").to_ndarray(), MATRIX, 96)
    picture = decoded(encode_aligned(frame, MATRIX, 96))
    lost = np.abs(decoded(encode_aligned(frame_of(expected, "rgb24"), np.eye(2, 3), 96)).astype(int) - expected)
    assert np.abs(picture.astype(int) - expected).mean() < lost.mean() + 0.5  # what any JPEG loses, and a little
    assert np.abs(picture.mean((0, 1)) - expected.mean((0, 1))).max() < 2  # FFmpeg rounds down


@pytest.mark.parametrize("name", PLANAR)
def test_the_planes_are_those_of_the_picture(colourful, name):
    frame = frame_of(colourful, name)
    image = warp(frame.reformat(format="rgb24").to_ndarray(), MATRIX, 96).astype(np.float32)
    luma, red, blue = cv2.split(cv2.cvtColor(image / 255, cv2.COLOR_RGB2YCrCb) * 255)
    inside = warp(np.full((HEIGHT, WIDTH), 255, np.uint8), MATRIX, 96) == 255
    for plane, full in zip(aligned_planes(frame, MATRIX, 96), (luma, blue, red), strict=True):
        wanted = cv2.resize(full, plane.shape, interpolation=cv2.INTER_AREA)
        sure = cv2.resize(inside.astype(np.uint8), plane.shape, interpolation=cv2.INTER_AREA) == 1
        assert np.abs(plane - wanted)[sure].mean() < 1.5
        assert abs((plane - wanted)[sure].mean()) < 1.5  # FFmpeg rounds down


@pytest.mark.parametrize(("said", "grey"), [(0, 139), (1, 139), (2, 135)])
def test_a_frame_that_says_its_range_is_believed(said, grey):
    frame = frame_of(np.zeros((HEIGHT, WIDTH, 3), np.uint8), "yuv420p")
    for plane, value in zip(frame.planes, (135, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.color_range = said
    np.testing.assert_array_equal(aligned_planes(frame, np.eye(2, 3), 64)[0], grey)


def test_other_matrices_of_colour_take_the_way_over_rgb(colourful, monkeypatch):
    frame = frame_of(colourful, "yuv420p")
    monkeypatch.setattr(pictures, "aligned_planes", lambda *_: pytest.fail("the planes are not those of a JPEG"))
    frame.colorspace = 1  # of high-definition television
    assert decoded(encode_aligned(frame, MATRIX, 96)).shape == (96, 96, 3)


@pytest.mark.parametrize("name", ["yuvj420p", "yuv420p", "yuv422p", "rgb24"])
@pytest.mark.parametrize("size", [97, 64, 1])
def test_beyond_the_frame_all_is_black_and_odd_sizes_do(name, size):
    frame = frame_of(np.full((75, 101, 3), 200, np.uint8), name)
    away = np.array([[1.0, 0, -500], [0, 1.0, 0]])
    picture = decoded(encode_aligned(frame, away, size))
    assert picture.shape == (size, size, 3)
    assert picture.max() <= 3
    assert np.abs(decoded(encode_aligned(frame, np.eye(2, 3), 64)).astype(int) - 200).max() <= 3


def test_colour_lies_where_brightness_lies():
    image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    cv2.circle(image, (210, 120), 40, (230, 60, 60), thickness=-1, lineType=cv2.LINE_AA)
    for name in PLANAR:
        luma, _, red = aligned_planes(frame_of(image, name), MATRIX, 96)
        centers = []
        for plane, scale in ((luma, 1), (red, 2)):
            rows, columns = np.nonzero(plane.astype(int) > (int(plane.max()) + int(np.median(plane))) / 2)
            centers.append(np.array([columns.mean(), rows.mean()]) * scale + (scale - 1) / 2)
        np.testing.assert_allclose(*centers, atol=0.4)


@pytest.mark.parametrize("size", [97, 98, 96])
def test_a_picture_is_always_the_same_bytes(colourful, size):
    frame, rng, seen = frame_of(colourful, "yuv420p"), np.random.default_rng(0), set()
    for _ in range(20):
        litter = [rng.bytes(size * (size + k) // 4) for k in range(20)]
        del litter
        seen.add(encode_aligned(frame, MATRIX, size))
    assert len(seen) == 1
