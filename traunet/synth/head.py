"""One head: the shape of a person, and where all its surfaces lie at one moment."""

import functools
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import sparse
from scipy.spatial import KDTree

from traunet.synth import texture
from traunet.synth.mesh import INNER_LIP, LEFT_EYE, RIGHT_EYE, Pull, face_mesh, pull_skin, subdivide

# How people differ: where the mean face is pulled, and by how much (one standard deviation), in units.
SHAPE = (
    Pull(172, 30, (4.5, 0, 0)),  # width of the jaw
    Pull(152, 26, (0, 4.5, 0)),  # length of the chin
    Pull(152, 20, (0, 0, 4.0)),  # its prominence
    Pull(4, 15, (0, 0, 3.5)),  # length of the nose
    Pull(4, 16, (0, 2.5, 0)),  # where its tip is
    Pull(49, 8, (1.8, 0, 0)),  # width of the nostrils
    Pull(197, 11, (0, 0, 2.2)),  # its bridge
    Pull(105, 18, (0, 2.2, 0)),  # height of the brows
    Pull(105, 16, (0, 0, 1.8)),  # ridge of the brows
    Pull(117, 24, (3.0, 0, 2.0)),  # cheekbones
    Pull(205, 22, (1.5, 0, 2.0)),  # fullness of the cheeks
    Pull(0, 9, (0, 1.3, 1.0)),  # upper lip
    Pull(17, 9, (0, 1.5, 1.0)),  # lower lip
    Pull(61, 12, (2.2, 0, 0)),  # width of the mouth
    Pull(13, 34, (0, 2.2, 0)),  # height of the mouth
    Pull(159, 13, (1.5, 0, 0)),  # distance of the eyes
    Pull(33, 10, (0, 1.2, 0)),  # slant of the eyes
    Pull(10, 40, (0, 4.0, 0)),  # height of the forehead
)
EYE_RADIUS = 20.0
MOVING = ("neck", "cloth")  # parts that follow the head only in part


@dataclass(frozen=True)
class Moment:
    """What a head does in one frame: intensities 0 to 5, lids 0 (open) to 1 (shut), angles in radians."""

    intensities: dict[str, float] = field(default_factory=dict)
    blink: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)  # to the right of the picture, up
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)  # yaw to the right, pitch up, roll clockwise
    shift: tuple[float, float] = (0.0, 0.0)  # units to the right, up


@dataclass(frozen=True)
class Part:
    """A surface that keeps its shape: vertices (V, 3), triangles (F, 3), texels (V, 2), shadow (V,); one gloss."""

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    shadow: np.ndarray
    gloss: float


@functools.cache
def fine_topology() -> tuple[sparse.csr_array, np.ndarray]:
    """Two rounds of subdivision: the matrix (V, 468) and the fine triangles (F, 3)."""
    triangles = face_mesh().triangles
    once, finer = subdivide(triangles, len(face_mesh().vertices))
    twice, finest = subdivide(finer, int(finer.max()) + 1)
    return sparse.csr_array(twice @ once), finest


@functools.cache
def shape_directions() -> np.ndarray:
    """(K, 468, 3): what one standard deviation of each entry of SHAPE does."""
    mesh = face_mesh()
    return np.stack([pull_skin(mesh.vertices, mesh.mirror, pull) for pull in SHAPE])


class Head:
    """A person drawn at random: shape, paints, hair, and how strongly each muscle shows."""

    def __init__(self, rng: np.random.Generator) -> None:
        mesh = face_mesh()
        scale = 1 + rng.normal(0, [0.035, 0.035, 0.05])
        shape = np.clip(rng.normal(size=len(SHAPE)), -2, 2)
        self.neutral = (mesh.vertices + np.tensordot(shape, shape_directions(), 1)) * scale
        strength = {name: rng.uniform(0.85, 1.15) for name in mesh.movements}
        self.movements = {name: strength[name] * scale * m for name, m in mesh.movements.items()}
        self.hairline = _random_hairline(rng)
        self.volume = rng.uniform(1.04, 1.14)
        self.lid = rng.uniform(0.0, 0.14)
        self.colors = texture.random_colors(rng)
        self.atlas, self.opaque = texture.paint(self.colors, self.hairline, rng)
        self.eyes = [self.neutral[list(ring)].mean(axis=0) - [0, 0, 15.5] for ring in (LEFT_EYE, RIGHT_EYE)]
        self.parts = _rigid_parts(self)

    def face(self, moment: Moment) -> np.ndarray:
        """The control mesh at this moment, before the head turns: (468, 3)."""
        moved = self.neutral.copy()
        for name, intensity in moment.intensities.items():
            moved += intensity / 5 * self.movements[name]
        shut = self.lid + (1 - self.lid) * moment.blink
        for ring in (LEFT_EYE, RIGHT_EYE):
            _close_lid(moved, ring, shut)
        return moved

    def fine_face(self, control: np.ndarray) -> np.ndarray:
        """The subdivided face (V, 3), its lids lying on the eyeballs."""
        matrix, _ = fine_topology()
        fine = matrix @ control
        for center in self.eyes:
            offset = fine - center
            distance = np.linalg.norm(offset, axis=1)
            inside = (distance < EYE_RADIUS + 0.8) & (offset[:, 2] > 0)
            fine[inside] = center + offset[inside] * ((EYE_RADIUS + 0.8) / distance[inside])[:, None]
        return fine


def _random_hairline(rng: np.random.Generator) -> np.ndarray:
    """How far down the hair reaches around the head, from front over the right side and back to front."""
    around = np.linspace(0, 2 * np.pi, texture.HAIR[2])
    front, side, back = rng.uniform(0.20, 0.31), rng.uniform(0.46, 0.58), rng.uniform(0.62, 0.8)
    if rng.random() < 0.45:
        side = back = rng.uniform(0.75, 0.95)
    turned = (1 - np.cos(around)) / 2
    reach = np.interp(turned, [0, 0.22, 0.36, 0.55, 1], [front, front + 0.05, side, side, back])
    return np.clip(reach + rng.uniform(-0.02, 0.02) * np.sin(around), 0.05, 0.98)


def _close_lid(face: np.ndarray, ring: tuple[int, ...], shut: float) -> None:
    """Lower the upper lid by the share `shut` of the way down; the skin above it follows by less than half."""
    upper, lower = list(ring[1:8]), list(ring[:8:-1])
    way = shut * (face[lower] - face[upper])
    above = _second_row(ring)
    nearest = np.abs(face[above, 0][:, None] - face[upper, 0][None]).argmin(axis=1)
    face[upper] += way
    face[above] += 0.4 * way[nearest]


@functools.cache
def _second_row(ring: tuple[int, ...]) -> list[int]:
    triangles = face_mesh().triangles
    touching = np.unique(triangles[np.isin(triangles, ring[1:8]).any(axis=1)])
    return [int(v) for v in touching if v not in ring]


# --- the surfaces that keep their shape ---------------------------------------------------------------------


def _rigid_parts(head: Head) -> dict[str, Part]:
    low, high = head.neutral.min(axis=0), head.neutral.max(axis=0)
    half = (high[0] - low[0]) / 2
    crown, chin = high[1], low[1]
    middle = np.array([0.0, crown - 64, -60.0])
    radii = np.array([half * 0.99, 98.0, 80.0])
    hair = _ellipsoid(middle + np.array([0.0, 1, -3]), radii * head.volume + np.array([2.0, 0, 3]), texture.HAIR)
    parts = {
        "skull": _ellipsoid(middle - np.array([0.0, 0, 40]), radii, texture.PLAIN, patch=0),
        "hair": replace(hair, vertices=_before_the_face(hair.vertices, head.neutral)),
        "neck": _tube(np.array([0, chin + 40, -62.0]), np.array([0, chin - 90, -72.0]), half * 0.60),
        "cloth": _ellipsoid(np.array([0, chin - 128, -84.0]), np.array([190.0, 84, 70]), texture.PLAIN, patch=2),
    }
    for side in (-1, 1):
        ear = np.array([side * (half + 1), 8.0, -84.0])
        parts[f"ear {side}"] = _ellipsoid(ear, np.array([7.0, 24, 14]), texture.PLAIN, patch=0)
    for k, center in enumerate(head.eyes):
        parts[f"eye {k}"] = _eyeball(center)
    mouth = head.neutral[list(INNER_LIP)].mean(axis=0)
    parts["upper teeth"] = _teeth(mouth, top=5.0, bottom=-5.5)
    parts["lower teeth"] = _teeth(mouth - [0, 0, 1.5], top=-6.5, bottom=-14.0)
    return parts


def _before_the_face(hair: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Bring hair that would lie just inside the forehead before it."""
    distance, nearest = KDTree(face[:, :2]).query(hair[:, :2])
    depth = hair[:, 2] - face[nearest, 2]
    sunk = (distance < 14) & (depth > -45) & (depth < 4) & (hair[:, 1] > 40)
    return np.where(sunk[:, None] & [False, False, True], (face[nearest, 2] + 4)[:, None], hair)


def _grid_triangles(rows: int, columns: int) -> np.ndarray:
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    return np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, c, b), (b, c, d))])


def _place_uv(s: np.ndarray, t: np.ndarray, place: tuple[int, int, int, int]) -> np.ndarray:
    left, top, width, height = place
    return np.stack([left + s * (width - 1.01), top + t * (height - 1.01)], -1).reshape(-1, 2)


def _ellipsoid(center, radii, place, patch: int | None = None) -> Part:
    """A closed ellipsoid; with `patch` in one plain colour."""
    t, s = np.meshgrid(np.linspace(0, 1, 28), np.linspace(0, 1, 49), indexing="ij")
    theta, phi = t * np.pi, s * 2 * np.pi
    unit = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), np.sin(theta) * np.cos(phi)], -1)
    if patch is not None:
        left, top, width, height = place
        place = (left + patch * width, top, width, height)
    uv = _place_uv(s, t, place) if patch is None else np.full((t.size, 2), [place[0] + 9.0, place[1] + 9.0])
    shadow = np.ones(t.size)
    return Part((center + unit * radii).reshape(-1, 3), _grid_triangles(28, 49), uv, shadow, 0.02)


def _tube(top, bottom, radius) -> Part:
    """The neck: darker under the chin."""
    t, s = np.meshgrid(np.linspace(0, 1, 16), np.linspace(0, 2 * np.pi, 33), indexing="ij")
    axis = top + t[..., None] * (bottom - top)
    wide = radius * (1 + 0.25 * t**3)
    ring = np.stack([np.sin(s) * wide, np.zeros_like(s), np.cos(s) * wide * 0.9], -1)
    uv = np.full((t.size, 2), [texture.PLAIN[0] + 9.0, texture.PLAIN[1] + 9.0])
    return Part((axis + ring).reshape(-1, 3), _grid_triangles(16, 33), uv, (0.45 + 0.5 * t).ravel(), 0.02)


def _eyeball(center) -> Part:
    """The front half of an eye, around its axis of gaze."""
    t, s = np.meshgrid(np.linspace(0, 1, 14), np.linspace(0, 1, 25), indexing="ij")
    angle, around = t * np.pi / 2, s * 2 * np.pi
    unit = np.stack([np.sin(angle) * np.cos(around), np.sin(angle) * np.sin(around), np.cos(angle)], -1)
    shadow = np.clip(1.0 - 0.55 * np.clip(unit[..., 1] * 2.2, 0, 1) - 0.35 * np.abs(unit[..., 0]), 0.3, 1)
    uv = _place_uv(s, t, texture.EYE)
    return Part((center + EYE_RADIUS * unit).reshape(-1, 3), _grid_triangles(14, 25), uv, shadow.ravel(), 0.10)


def _teeth(mouth, top: float, bottom: float) -> Part:
    """A row of teeth on the arch of a jaw, behind the lips; heights from the line between the lips."""
    t, s = np.meshgrid(np.linspace(0, 1, 4), np.linspace(0, 1, 21), indexing="ij")
    x = (s - 0.5) * 48
    y = top + t * (bottom - top)
    z = -7.0 - 0.022 * x**2
    shadow = np.clip(1 - (np.abs(x) / 30) ** 2, 0.25, 1).ravel()
    return Part(
        (mouth + np.stack([x, y, z], -1)).reshape(-1, 3),
        _grid_triangles(4, 21),
        _place_uv(s, t, texture.TEETH),
        shadow,
        0.15,
    )
