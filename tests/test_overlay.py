"""The overlay shows what was found, beside the faces and not on them."""

import numpy as np
import pytest
from PIL import ImageColor

from traunet.faces.landmarks import Box, Face
from traunet.faces.overlay import draw, place_panel
from traunet.facs import AUS, N_LANDMARKS
from traunet.figures.colours import REGION_COLOURS

PICTURE = (400, 300)


def face_at(box):
    centre = np.array([(box.left + box.right) / 2, (box.top + box.bottom) / 2], np.float32)
    return Face(box, np.tile(centre, (N_LANDMARKS, 1)))


def covered(image, colour):
    return int((image == ImageColor.getrgb(colour)).all(axis=2).sum())


@pytest.mark.parametrize(
    "box", [Box(0, 0, 90, 90), Box(309, 0, 399, 90), Box(150, 100, 240, 190), Box(0, 209, 90, 299)]
)
def test_a_panel_lies_in_the_picture_and_leaves_the_face_free(box):
    panel = place_panel(box, (70, 90), PICTURE, [box])
    assert panel.overlap(box) == 0
    assert panel.left >= 0
    assert panel.top >= 0
    assert panel.right < PICTURE[0]
    assert panel.bottom < PICTURE[1]


def test_a_panel_avoids_the_neighbours_face():
    box, neighbour = Box(150, 100, 240, 190), Box(245, 100, 335, 190)
    assert place_panel(box, (70, 90), PICTURE, [box, neighbour]).overlap(neighbour) == 0


def test_a_panel_without_a_free_place_stays_in_the_picture():
    box = Box(-20, -20, 420, 320)
    panel = place_panel(box, (70, 90), PICTURE, [box])
    assert panel == Box(330, 0, 399, 89)


def test_higher_probabilities_have_longer_bars():
    image, face = np.zeros((300, 400, 3), np.uint8), face_at(Box(50, 50, 150, 150))
    low, high = (draw(image, [(1, face, np.full(len(AUS), p))]) for p in (0.2, 0.9))
    for colour in REGION_COLOURS.values():
        assert covered(low, colour) < covered(high, colour)


def test_each_region_has_its_own_colour():
    image, face = np.zeros((300, 400, 3), np.uint8), face_at(Box(50, 50, 150, 150))
    only_upper = draw(image, [(1, face, np.array([1, 1, 1, 0, 0, 0, 0, 0]))])
    bars = {region: covered(only_upper, colour) for region, colour in REGION_COLOURS.items()}
    assert bars["upper"] > 3 * max(bars["middle"], bars["lower"])


def test_drawing_leaves_the_picture_itself_alone():
    image = np.zeros((300, 400, 3), np.uint8)
    draw(image, [(1, face_at(Box(50, 50, 150, 150)), np.full(len(AUS), 0.5))])
    assert not image.any()


def test_a_note_adds_the_same_strip_with_and_without_faces():
    image, face = np.zeros((300, 400, 3), np.uint8), face_at(Box(50, 50, 150, 150))
    without, with_face = draw(image, [], "note"), draw(image, [(1, face, np.full(len(AUS), 0.5))], "note")
    assert without.shape == with_face.shape
    assert without.shape[0] > 300
    np.testing.assert_array_equal(without[300:], with_face[300:])
    np.testing.assert_array_equal(without[:300], image)
