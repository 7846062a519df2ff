"""A head before a camera: light, lens, background, and one rendered frame with all that is known about it."""

from dataclasses import replace

import cv2
import numpy as np

from traunet.facs import landmarks_from_68
from traunet.synth import texture
from traunet.synth.head import MOVING, Head, Moment, fine_topology
from traunet.synth.mesh import IBUG_68, INNER_LIP, face_mesh
from traunet.synth.render import interpolate, rasterize, shade, vertex_normals

SUPERSAMPLING = 2
MOUTH_DEPTH = 26.0  # units from the lips to the back of the mouth
FOLLOWING = 0.35  # the share of the head's turn that the neck and the shoulders follow


class Scene:
    """A head, and everything else that does not change during a video."""

    def __init__(self, head: Head, rng: np.random.Generator, height: int, width: int) -> None:
        self.head = head
        self.height, self.width = height, width
        self.distance = rng.uniform(750, 1300)
        self.face_height = rng.uniform(0.50, 0.58) * height  # pixels that 200 units take
        self.center = np.array([width * rng.uniform(0.46, 0.54), height * rng.uniform(0.44, 0.5)])
        self.tilt = rng.normal(0, [0.07, 0.05, 0.03])
        lamp = np.array([rng.normal(0, 0.55), rng.uniform(0.1, 0.8), 1.0])
        self.light = (rng.uniform(0.55, 0.85) * lamp / np.linalg.norm(lamp)).astype(np.float32)
        self.tint = 1 + rng.normal(0, 0.04, 3)
        self.ambient = np.float32(rng.uniform(0.32, 0.5))
        self.exposure = rng.uniform(0.8, 1.02)
        self.background = _background(rng, height, width)
        self.noise = rng.normal(0, rng.uniform(0.8, 2.2), (height + 64, width + 64, 1)).astype(np.float32)
        self.folds = texture.folds()
        self._assemble()

    def _assemble(self) -> None:
        """Number all vertices and triangles: the face, the mouth behind the lips, then the rigid parts."""
        matrix, triangles = fine_topology()
        uv = [matrix @ texture.face_uv(face_mesh().vertices)]
        n_face, n_ring = len(uv[0]), len(INNER_LIP)
        back = n_face + np.arange(n_ring)
        ring, following = np.array(INNER_LIP), np.roll(np.array(INNER_LIP), -1)
        bag = [np.stack([ring, following, back], 1), np.stack([following, np.roll(back, -1), back], 1)]
        bag.append(np.stack([back, np.roll(back, -1), np.full(n_ring, n_face + n_ring)], 1))
        faces, start = [triangles, *bag], n_face + n_ring + 1
        mouth_uv = np.full((n_ring + 1, 2), [texture.PLAIN[0] + 41.0, texture.PLAIN[1] + 9.0])
        uv.append(mouth_uv)
        shadow, gloss = [np.ones(n_face), np.full(n_ring + 1, 0.3)], [np.full(n_face, 0.07), np.zeros(n_ring + 1)]
        self.spans = {}
        for name, part in self.head.parts.items():
            faces.append(part.triangles + start)
            self.spans[name] = slice(start, start + len(part.vertices))
            start += len(part.vertices)
            uv.append(part.uv)
            shadow.append(part.shadow)
            gloss.append(np.full(len(part.vertices), part.gloss))
        self.triangles = np.concatenate(faces).astype(np.int32)
        self.uv = np.clip(np.concatenate(uv), 0, np.array(texture.ATLAS[::-1]) - 1.01).astype(np.float32)
        self.shadow = np.concatenate(shadow).astype(np.float32)
        self.gloss = np.concatenate(gloss).astype(np.float32)
        self.n_vertices, self.n_face = start, n_face

    def _solid(self, control: np.ndarray, moment: Moment) -> np.ndarray:
        """All vertices in camera axes, the head turned: (V, 3)."""
        head, n = self.head, self.n_face
        solid = np.empty((self.n_vertices, 3))
        solid[:n] = head.fine_face(control)
        lips = solid[np.array(INNER_LIP)]
        solid[n : n + len(lips)] = lips * [0.85, 1, 1] - [0, 0, MOUTH_DEPTH]
        solid[n + len(lips)] = lips.mean(axis=0) - [0, 0, MOUTH_DEPTH]
        for name, span in self.spans.items():
            solid[span] = head.parts[name].vertices
        jaw = moment.intensities.get("AU26", 0) / 5 * head.movements["AU26"][17]
        solid[self.spans["lower teeth"]] += jaw
        for name, center in zip(("eye 0", "eye 1"), head.eyes, strict=True):
            looking = _rotation(moment.gaze[0], moment.gaze[1], 0)
            solid[self.spans[name]] = (solid[self.spans[name]] - center) @ looking.T + center
        turn = np.array(moment.turn) + self.tilt
        pivot = np.array([0, -70.0, -60.0])
        turned = (solid - pivot) @ _rotation(*turn).T + pivot
        for name in MOVING:
            span = self.spans[name]
            turned[span] = (solid[span] - pivot) @ _rotation(*(FOLLOWING * turn)).T + pivot
        return turned + np.array([*moment.shift, 0.0])

    def _project(self, solid: np.ndarray, scale: float = 1.0) -> np.ndarray:
        """Camera axes -> x, y in pixels of a picture `scale` times as large, and depth."""
        depth = self.distance - solid[:, 2]
        zoom = self.face_height / 200 * self.distance / depth
        x = self.center[0] + solid[:, 0] * zoom
        y = self.center[1] - solid[:, 1] * zoom
        return np.stack([(x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5, depth], 1).astype(np.float32)

    def landmarks(self, moment: Moment) -> np.ndarray:
        """DISFA's 66 landmarks, (66, 2), pixels from 0."""
        solid = self._solid(self.head.face(moment), moment)
        return landmarks_from_68(self._project(solid)[IBUG_68, :2])

    def _seen(self, points: np.ndarray, scale: int):
        size = self.height * scale, self.width * scale
        return rasterize(points, self.triangles, self.uv, self.head.opaque, *size)

    def render(self, moment: Moment, frame: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """One frame: uint8 RGB (H, W, 3), and its landmarks (66, 2) in pixels from 0. `frame` shifts the noise."""
        solid = self._solid(self.head.face(moment), moment)
        points = self._project(solid, SUPERSAMPLING)
        seen, weights = self._seen(points, SUPERSAMPLING)
        size = self.width * SUPERSAMPLING, self.height * SUPERSAMPLING
        picture = cv2.resize(self.background, size, interpolation=cv2.INTER_LINEAR)
        normals = vertex_normals(solid.astype(np.float32), self.triangles)
        surface = self._folded_atlas(moment)
        lights = self.light, self.ambient
        shade(seen, weights, self.triangles, self.uv, normals, self.shadow, self.gloss, surface, *lights, picture)
        picture = cv2.resize(picture, (self.width, self.height), interpolation=cv2.INTER_AREA)
        landmarks = landmarks_from_68((points[IBUG_68, :2] + 0.5) / SUPERSAMPLING - 0.5)
        return self._developed(picture, frame), landmarks

    def _folded_atlas(self, moment: Moment) -> np.ndarray:
        lost = np.zeros((texture.FACE, texture.FACE), np.float32)
        for name, intensity in moment.intensities.items():
            if intensity > 0 and name in self.folds:
                lost += np.float32(intensity / 5) * self.folds[name]
        atlas = self.head.atlas.copy()
        atlas[: texture.FACE, : texture.FACE] *= np.clip(1 - lost, 0.1, 1)[..., None]
        return atlas

    def _developed(self, linear: np.ndarray, frame: int) -> np.ndarray:
        """Linear light -> sRGB, with the sensor's noise."""
        exposed = np.clip(linear * (self.exposure * self.tint).astype(np.float32), 0, 1)
        dy, dx = (frame * 29) % 64, (frame * 47) % 64
        noise = self.noise[dy : dy + self.height, dx : dx + self.width]
        return np.clip(255 * cv2.pow(exposed, 1 / 2.2) + noise, 0, 255).astype(np.uint8)

    def displacement(self, moment: Moment, au: str) -> np.ndarray:
        """How far this AU moves what each pixel shows, against the same moment without it.

        Returns (H, W, 2), pixels to the right and down.
        """
        others = {name: value for name, value in moment.intensities.items() if name != au}
        without = replace(moment, intensities=others)
        here = self._project(self._solid(self.head.face(moment), moment))
        there = self._project(self._solid(self.head.face(without), without))
        seen, weights = self._seen(here, 1)
        return interpolate(seen, weights, self.triangles, (here - there)[:, :2])


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Turn to the right of the picture, then up, then clockwise as seen: radians -> (3, 3)."""
    (cy, cp, cr), (sy, sp, sr) = np.cos([yaw, -pitch, -roll]), np.sin([yaw, -pitch, -roll])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def _muted(rng: np.random.Generator, darkest: float, lightest: float) -> tuple[float, float, float]:
    """A colour as rooms have them: a grey with a little hue."""
    r, g, b = np.clip(rng.uniform(darkest, lightest) + rng.normal(0, 22, 3), 0, 255)
    return float(r), float(g), float(b)


def _background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A wall out of focus, in linear light, float32."""
    wall = np.tile(_muted(rng, 50, 205), (height, width, 1))
    for _ in range(rng.integers(2, 6)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        w, h = rng.uniform(0.1, 0.6, 2) * [width, height]
        cv2.rectangle(
            wall,
            (int(x - w), int(y - h)),
            (int(x + w), int(y + h)),
            _muted(rng, 35, 215),
            -1,
        )
    wall = cv2.GaussianBlur(wall, (0, 0), 0.035 * height)
    return texture.to_linear(wall * np.linspace(1.05, 0.85, height)[:, None, None]).astype(np.float32)
