"""What the network says, drawn onto the picture: box, landmarks and a bar per action unit beside each face."""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from traunet.faces.landmarks import Box, Face
from traunet.facs import ACTION_UNITS, AUS
from traunet.figures.colours import REGION_COLOURS

LINE = (240, 228, 66)
PANEL = (0, 0, 0, 170)

NumberedFace = tuple[int, Face, np.ndarray]  # its number, the face, its probabilities (A,)


def draw(image: np.ndarray, faces: Sequence[NumberedFace], note: str = "") -> np.ndarray:
    """A copy of the picture with every face's box, number, landmarks and probabilities; `note` stands below.

    Shapes: image (H, W, 3) uint8 RGB; probabilities (A,) in the order of `facs.AUS`. With a note the
    result is a strip higher than the picture, always by the same amount.
    """
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas, "RGBA")
    taken = [face.box for _, face, _ in faces]
    for number, face, probabilities in faces:
        _draw_face(pen, number, face)
        panel = place_panel(face.box, _panel_size(face.box), canvas.size, taken)
        taken.append(panel)
        _draw_panel(pen, panel, probabilities)
    return np.array(_with_note(canvas, note) if note else canvas)


def _panel_size(box: Box) -> tuple[int, int]:
    row = min(max((box.bottom - box.top) // len(AUS), 11), 26)
    return 6 * row, len(AUS) * row + 4


def place_panel(box: Box, size: tuple[int, int], picture: tuple[int, int], taken: Iterable[Box]) -> Box:
    """The first free place for a face's panel, of size (width, height): right, left, below or above the face.

    Where there is none, the right one, pushed back into the picture, which then covers something.
    """
    width, height = size
    spots = (
        (box.right + 3, box.top),
        (box.left - width - 3, box.top),
        (box.left, box.bottom + 3),
        (box.left, box.top - height - 3),
    )
    places = [_inside(x, y, size, picture) for x, y in spots]
    taken = list(taken)
    free = (place for place in places if not any(place.overlap(other) for other in taken))
    return next(free, places[0])


def _inside(x: int, y: int, size: tuple[int, int], picture: tuple[int, int]) -> Box:
    left = max(0, min(x, picture[0] - size[0]))
    top = max(0, min(y, picture[1] - size[1]))
    return Box(left, top, left + size[0] - 1, top + size[1] - 1)


def _draw_face(pen: ImageDraw.ImageDraw, number: int, face: Face) -> None:
    pen.rectangle(tuple(face.box), outline=LINE, width=2)
    radius = max(1.0, (face.box.right - face.box.left) / 160)
    for x, y in face.landmarks.tolist():
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=LINE)
    pen.text((face.box.left + 4, face.box.top + 2), str(number), fill=LINE, font=ImageFont.load_default(14))


def _draw_panel(pen: ImageDraw.ImageDraw, panel: Box, probabilities: np.ndarray) -> None:
    pen.rectangle(tuple(panel), fill=PANEL)
    row = (panel.bottom - panel.top - 3) // len(AUS)
    font = ImageFont.load_default(row * 0.75)
    for index, (unit, probability) in enumerate(zip(ACTION_UNITS, probabilities.tolist(), strict=True)):
        top = panel.top + 2 + index * row
        colour = REGION_COLOURS[unit.region]
        pen.text((panel.left + 3, top), unit.name, fill="white", font=font)
        left, right = panel.left + 2.4 * row, panel.right - 0.3 * row
        middle = (left + right) / 2  # from here on the answer is yes
        pen.rectangle((left, top + 2, left + (right - left) * probability, top + row - 3), fill=colour)
        pen.rectangle((left, top + 2, right, top + row - 3), outline=colour)
        pen.line((middle, top + 2, middle, top + row - 3), fill="white")


def _with_note(canvas: Image.Image, note: str) -> Image.Image:
    size = min(max(1.8 * canvas.width / len(note), 7), 22)
    strip = Image.new("RGB", (canvas.width, canvas.height + round(1.6 * size)), "white")
    strip.paste(canvas)
    pen = ImageDraw.Draw(strip)
    pen.text((4, canvas.height + 0.2 * size), note, fill="black", font=ImageFont.load_default(size))
    return strip
