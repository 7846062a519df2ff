"""What the surfaces of one head look like: a painted atlas, and the wrinkles that its action units fold.

One picture, the atlas, holds every surface: the face as seen from the front, and below it the eye, teeth, hair
and plain patches. Colours are painted as sRGB and handed over in linear light.
"""

import functools
from dataclasses import dataclass

import cv2
import numpy as np

from traunet.synth.mesh import INNER_LIP, LEFT_BROW, LEFT_EYE, OUTER_LIP, RIGHT_BROW, RIGHT_EYE, face_mesh

FACE = 512  # pixels, height and width of the face's part of the atlas
ATLAS = (FACE + 257, FACE + 1)  # one more row and column, for interpolation at the edge
HALF_WIDTH, HALF_HEIGHT = 96.0, 106.0  # units of the face mesh that the face's part shows, from its middle
# (left, top, width, height) of the other surfaces; right of PLAIN, the skin's, lie the mouth's and the cloth's
EYE, TEETH, PLAIN, HAIR = (0, 512, 128, 128), (128, 512, 128, 128), (256, 512, 32, 32), (0, 640, 512, 128)


@dataclass(frozen=True)
class Colors:
    """The paints of one head: sRGB, 0 to 255."""

    skin: np.ndarray
    lips: np.ndarray
    hair: np.ndarray
    brows: np.ndarray
    iris: np.ndarray
    cloth: np.ndarray
    teeth: np.ndarray
    brow_thickness: float
    beard: float
    freckles: float
    blush: float


TONES = np.array([[242, 208, 190], [226, 182, 155], [198, 148, 116], [150, 104, 76], [98, 66, 50]], float)
HAIR_TONES = np.array([[30, 24, 22], [62, 42, 30], [110, 74, 44], [176, 138, 84], [140, 136, 134]], float)
IRIS_TONES = np.array([[70, 44, 26], [104, 74, 40], [84, 104, 70], [88, 124, 156]], float)


def random_colors(rng: np.random.Generator) -> Colors:
    """Draw the paints of one head."""
    tone = rng.uniform(0, len(TONES) - 1)
    skin = _at(TONES, tone) + rng.normal(0, 5, 3)
    dark = tone / (len(TONES) - 1)
    hair = _at(HAIR_TONES, rng.uniform(0, 4 if dark < 0.5 else 1.2)) + rng.normal(0, 5, 3)
    return Colors(
        skin=skin,
        lips=skin * rng.uniform(0.72, 0.85) * [1.06, 0.78, 0.78],
        hair=np.clip(hair, 8, 250),
        brows=np.clip(hair * rng.uniform(0.5, 0.85), 8, 250),
        iris=_at(IRIS_TONES, rng.uniform(0, 3 if dark < 0.5 else 0.8)),
        cloth=np.clip(rng.uniform(30, 190) + rng.normal(0, 30, 3), 5, 250),
        teeth=np.array([226, 220, 206]) * rng.uniform(0.88, 1.0),
        brow_thickness=rng.uniform(0.6, 1.25),
        beard=max(0.0, rng.uniform(-0.5, 0.45)),
        freckles=max(0.0, rng.uniform(-0.6, 0.5)) * (1 - dark),
        blush=rng.uniform(0, 0.10),
    )


def _at(line: np.ndarray, position: float) -> np.ndarray:
    """What lies at a position, 0 to N - 1, between the neighbours of a line (N, C) -> (C,)."""
    low = min(int(position), len(line) - 2)
    return line[low] + (position - low) * (line[low + 1] - line[low])


def face_uv(vertices: np.ndarray) -> np.ndarray:
    """Texture coordinates, in texels, of vertices of the neutral mean face: (V, 3) -> (V, 2)."""
    s = (vertices[:, 0] / HALF_WIDTH + 1) / 2 * (FACE - 1)
    t = (1 - vertices[:, 1] / HALF_HEIGHT) / 2 * (FACE - 1)
    return np.stack([s, t], 1)


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB 0 to 255 -> linear light 0 to 1, with the plain 2.2 power."""
    return (np.clip(srgb, 0, 255) / 255) ** 2.2


def paint(colors: Colors, hairline: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The atlas (T, S, 3) float32 in linear light, and where it is opaque (T, S) bool.

    hairline: (512,) how far down the hair reaches, 0 crown to 1 underside, around the head from front to front.
    """
    atlas = np.zeros((*ATLAS, 3), np.float32)
    atlas[:FACE, :FACE] = _paint_face(colors, rng)
    _patch(atlas, EYE)[:] = _paint_eye(colors, rng)
    _patch(atlas, TEETH)[:] = _paint_teeth(colors)
    _patch(atlas, HAIR)[:] = _paint_hair(colors, rng)
    left, top, width, height = PLAIN
    for k, color in enumerate((colors.skin, np.array([70.0, 22, 22]), colors.cloth)):
        atlas[top : top + height, left + k * width : left + (k + 1) * width] = color
    opaque = np.ones(ATLAS, dtype=bool)
    _patch(opaque, HAIR)[:] = _hair_shape(hairline, rng)
    atlas[:, -1], atlas[-1] = atlas[:, -2], atlas[-2]
    return to_linear(atlas), opaque


def _patch(atlas: np.ndarray, place: tuple[int, int, int, int]) -> np.ndarray:
    left, top, width, height = place
    return atlas[top : top + height, left : left + width]


def _noise(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), grain)
    return noise / noise.std()


@functools.cache
def _blob(center: tuple[float, float], spread: tuple[float, float]) -> np.ndarray:
    """A soft spot of height 1 on the face's picture; centre and spread in units of the mesh."""
    (s, t), *_ = face_uv(np.array([[*center, 0.0]]))
    y, x = np.mgrid[:FACE, :FACE]
    du, dv = (x - s) * 2 * HALF_WIDTH / FACE, (y - t) * 2 * HALF_HEIGHT / FACE
    return np.exp(-0.5 * ((du / spread[0]) ** 2 + (dv / spread[1]) ** 2)).astype(np.float32)


def _line(points: np.ndarray, thickness: int, softness: float) -> np.ndarray:
    """A soft line of height 1 through points (N, 2), in texels."""
    canvas = np.zeros((FACE, FACE), np.float32)
    cv2.polylines(canvas, [np.round(points * 8).astype(np.int32)], False, 1.0, thickness, cv2.LINE_AA, 3)
    return cv2.GaussianBlur(canvas, (0, 0), softness)


@functools.cache
def _area(vertices: tuple[int, ...], softness: float) -> np.ndarray:
    canvas = np.zeros((FACE, FACE), np.float32)
    cv2.fillPoly(canvas, [np.round(_texels(vertices)).astype(np.int32)], 1.0, cv2.LINE_AA)
    return cv2.GaussianBlur(canvas, (0, 0), softness)


def _texels(vertices: tuple[int, ...]) -> np.ndarray:
    return face_uv(face_mesh().vertices[list(vertices)])


def _blend(picture: np.ndarray, color: np.ndarray, cover: np.ndarray) -> None:
    picture += cover[..., None] * (color.astype(np.float32) - picture)


def _paint_face(colors: Colors, rng: np.random.Generator) -> np.ndarray:
    face = np.tile(colors.skin.astype(np.float32), (FACE, FACE, 1))
    face *= (1 + 0.018 * _noise(rng, (FACE, FACE), 2) + 0.02 * _noise(rng, (FACE, FACE), 14))[..., None]
    cheeks = _blob((-48, -8), (18, 16)) + _blob((48, -8), (18, 16)) + 0.7 * _blob((0, -2), (12, 14))
    _blend(face, colors.skin * [1.08, 0.74, 0.74], colors.blush * 3 * np.clip(cheeks, 0, 1))
    spots = (_noise(rng, (FACE, FACE), 1.6) > 2.1) * np.clip(cheeks, 0, 1)
    _blend(face, colors.skin * [0.74, 0.6, 0.5], colors.freckles * cv2.GaussianBlur(spots, (0, 0), 1.0))
    _paint_beard(face, colors, rng)
    _blend(face, colors.lips, 0.9 * _area(OUTER_LIP, 2.0))
    seam = np.concatenate([_texels(INNER_LIP[:11]), _texels(OUTER_LIP[10:11])])
    _blend(face, colors.lips * 0.45, 0.75 * np.clip(_line(seam, 3, 1.4), 0, 1))
    _paint_eye_surroundings(face, colors)
    for brow in (LEFT_BROW, RIGHT_BROW):
        _paint_brow(face, colors, _texels(brow), rng)
    nostrils = _blob((-9.5, -13), (4.2, 2.0)) + _blob((9.5, -13), (4.2, 2.0))
    _blend(face, colors.skin * 0.25, np.clip(0.9 * nostrils, 0, 1))
    return face


def _paint_beard(face: np.ndarray, colors: Colors, rng: np.random.Generator) -> None:
    lower = (
        _blob((0, -72), (46, 28))
        + _blob((0, -30), (26, 7))
        + _blob((-62, -52), (16, 34))
        + _blob((62, -52), (16, 34))
    )
    stubble = 0.7 + 0.3 * _noise(rng, (FACE, FACE), 1.0)
    _blend(face, colors.hair, np.clip(colors.beard * np.clip(lower, 0, 1) * stubble, 0, 0.85))


def _paint_eye_surroundings(face: np.ndarray, colors: Colors) -> None:
    for ring in (LEFT_EYE, RIGHT_EYE):
        points = _texels(ring)
        _blend(face, colors.skin * 0.68, 0.5 * np.clip(_area(ring, 12.0) * 1.6, 0, 1))
        upper, lower = points[:9], np.concatenate([points[8:], points[:1]])
        _blend(face, colors.skin * 0.5, 0.5 * np.clip(2 * _line(upper - [0, 13], 2, 2.0), 0, 1))
        _blend(face, colors.hair * 0.3, np.clip(1.3 * _line(upper, 7, 1.3), 0, 0.95))
        _blend(face, colors.skin * 0.4, 0.6 * np.clip(_line(lower, 3, 1.3), 0, 1))


def _paint_brow(face: np.ndarray, colors: Colors, points: np.ndarray, rng: np.random.Generator) -> None:
    """Hairs from the inner to the outer end, each a short stroke along the brow."""
    upper, lower = points[:5][::-1], points[5:]
    middle, half = (upper + lower) / 2, (lower - upper) / 2
    cover = np.zeros((FACE, FACE), np.float32)
    for _ in range(260):
        along, across = rng.uniform(0, 4), rng.normal(0, 0.33) * colors.brow_thickness
        start = _at(middle, along) + across * _at(half, along) * (1 - 0.12 * along)
        end = _at(middle, min(along + 0.55, 4.2)) + (across - 0.25) * _at(half, min(along + 0.55, 4.0)) * 0.8
        ends = [tuple(int(v) for v in np.round(p * 8)) for p in (start, end)]
        cv2.line(cover, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 3)
    cover = cv2.GaussianBlur(cover, (0, 0), 1.3)
    _blend(face, colors.brows, np.clip(1.35 * cover, 0, 0.92))


def _paint_eye(colors: Colors, rng: np.random.Generator) -> np.ndarray:
    """Around the axis of gaze: rows from the pupil's centre (0 degrees) to 90 degrees, columns once around."""
    angle = np.linspace(0, 90, EYE[3])[:, None]
    streaks = 1 + 0.12 * rng.normal(size=(1, EYE[2]))
    iris = colors.iris * streaks[..., None] * (0.75 + 0.5 * (angle / 23))[..., None]
    eye = np.tile(np.array([222.0, 214, 208]), (EYE[3], EYE[2], 1))
    eye = np.where((angle < 23)[..., None], iris, eye)
    eye = np.where(((angle > 20) & (angle < 24))[..., None], colors.iris * 0.4, eye)
    return np.where((angle < 9.5)[..., None], 10.0, eye)


def _paint_teeth(colors: Colors) -> np.ndarray:
    x = np.linspace(0, 10, TEETH[2])
    gaps = 1 - 0.45 * np.exp(-0.5 * ((x - np.round(x)) / 0.035) ** 2)
    return colors.teeth * gaps[None, :, None] * np.linspace(0.8, 1.0, TEETH[3])[:, None, None]


def _paint_hair(colors: Colors, rng: np.random.Generator) -> np.ndarray:
    strands = cv2.GaussianBlur(rng.normal(size=(HAIR[3], HAIR[2])), (0, 0), sigmaX=1.2, sigmaY=14)
    return np.clip(colors.hair * (1 + 0.28 * strands / strands.std())[..., None], 4, 255)


def _hair_shape(hairline: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    ragged = cv2.GaussianBlur(rng.normal(size=(1, HAIR[2])), (0, 0), 2.0)[0]
    reach = hairline + 0.02 * ragged / ragged.std()
    return np.linspace(0, 1, HAIR[3])[:, None] < reach[None]


# The folds of each action unit, as lines of the mean face: ((x, y), ...) in units on the right of the picture,
# mirrored to the left; width in texels and depth (the share of light that the fold loses at intensity 5).
FOLDS: dict[str, tuple[tuple[tuple[tuple[float, float], ...], int, float], ...]] = {
    "AU1": (
        (((-24, 78), (0, 75), (24, 78)), 6, 0.70),
        (((-20, 69), (0, 66), (20, 69)), 6, 0.65),
        (((-22, 87), (0, 85), (22, 87)), 6, 0.55),
    ),
    "AU2": ((((28, 76), (46, 79), (62, 70)), 6, 0.75), (((32, 84), (48, 87), (64, 78)), 6, 0.65)),
    "AU4": (
        (((5, 44), (6, 54), (9, 62)), 7, 0.90),
        (((9, 42), (16, 47)), 7, 0.65),
        (((-9, 42), (0, 40), (9, 42)), 6, 0.55),
    ),
    "AU6": (
        (((66, 36), (76, 40), (84, 44)), 6, 0.75),
        (((66, 31), (77, 31), (86, 31)), 6, 0.75),
        (((65, 26), (75, 22), (83, 18)), 6, 0.65),
        (((22, 20), (40, 13), (60, 19)), 7, 0.70),
    ),
    "AU9": (
        (((6, 32), (14, 22), (18, 12)), 6, 0.75),
        (((-8, 30), (0, 27), (8, 30)), 6, 0.80),
        (((-8, 22), (0, 19), (8, 22)), 6, 0.70),
        (((21, -2), (28, -10), (33, -20)), 7, 0.75),
    ),
    "AU12": ((((25, -12), (38, -26), (47, -44)), 8, 0.75), (((45, -40), (50, -46), (50, -54)), 7, 0.55)),
    "AU15": ((((33, -48), (39, -57), (42, -66)), 7, 0.65),),
    "AU17": ((((-12, -68), (0, -65), (12, -68)), 7, 0.65),),
    "AU20": ((((38, -42), (46, -50), (47, -62)), 6, 0.55),),
}


@functools.cache
def folds() -> dict[str, np.ndarray]:
    """Action unit -> (FACE, FACE) float32, the share of light lost in its folds at intensity 5."""
    return {name: _folds_of(lines) for name, lines in FOLDS.items()}


def _folds_of(lines) -> np.ndarray:
    lost = np.zeros((FACE, FACE), np.float32)
    for points, width, depth in lines:
        one_side = np.array([[x, y, 0.0] for x, y in points])
        for side in (1, -1):
            line = _smooth_line(face_uv(one_side * [side, 1, 1]))
            groove = _line(line, width, 0.6 * width)
            lost = np.maximum(lost, depth * groove / max(groove.max(), 1e-6))
    return lost


def _smooth_line(points: np.ndarray) -> np.ndarray:
    """A parabola through three points, or the straight line through two, in 24 steps."""
    t = np.linspace(0, 1, len(points))
    return np.stack([np.polyval(np.polyfit(t, p, len(points) - 1), np.linspace(0, 1, 24)) for p in points.T], 1)
