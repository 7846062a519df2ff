"""One rendered head, straight before the camera, that shows what each action unit (AU) does, alone or with others.

It is the book's teaching aid, whatever the data set: no recording shows an AU alone, at a known strength, and with
the way that each of its pixels goes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import pandas as pd

from traunet.config import AlignConfig
from traunet.data import align
from traunet.data.resampling import warp
from traunet.facs import AUS, MAX_INTENSITY, interocular_distance
from traunet.synth.head import Head, Moment
from traunet.synth.mesh import _resource as mesh_resource  # a new name there would render and train all anew
from traunet.synth.mesh import face_mesh
from traunet.synth.scene import Scene

SITTER = 16  # the head of the synthetic DISFA's SN016: even light, nothing before the brows
# The muscles of `facs.ACTION_UNITS` by the names of py-feat's map, which leaves the depressor supercilii out.
MUSCLES = {
    "AU1": ("frontalis_inner",),
    "AU2": ("frontalis_outer",),
    "AU4": ("corrugator",),
    "AU6": ("orb_oculi_orbital",),
    "AU9": ("llsan",),
    "AU12": ("zygomaticus_major",),
    "AU25": ("depressor_labii", "mentalis"),
    "AU26": ("masseter",),
}


@dataclass(frozen=True, eq=False)
class Portrait:
    """A head that keeps still but for its AUs, and the similarity that aligns it by its face at rest.

    Decision: the face at rest fixes the alignment of all pictures, so that what moves is seen to move. In the data
    set each frame has an alignment of its own, which follows the chin.
    """

    scene: Scene
    matrix: np.ndarray  # (2, 3), from the rendered picture to the aligned one
    size: int

    @classmethod
    def of(cls, sitter: int = SITTER, size: int = 448) -> "Portrait":
        """The head and the light of one of the synthetic DISFA's people, facing the camera; `size` in pixels."""
        head = Head(np.random.default_rng([0, 2, sitter]))
        scene = Scene(head, np.random.default_rng([0, 4, sitter, 0]), round(1.4 * size), round(1.4 * size))
        scene.tilt = np.zeros(3)
        return cls(scene, align.face_transform(scene.landmarks(Moment()), AlignConfig(size=size)), size)

    @property
    def eyes(self) -> float:
        """Pixels of the aligned picture between the outer eye corners: the unit of all distances here."""
        return float(interocular_distance(align.transform_points(self.landmarks(), self.matrix)))

    def landmarks(self, intensities: Mapping[str, float] | None = None) -> np.ndarray:
        """The 66 landmarks of the face with these AUs, before alignment: (66, 2)."""
        return self.scene.landmarks(Moment(dict(intensities or {})))

    def picture(self, intensities: Mapping[str, float] | None = None) -> np.ndarray:
        """The face with these AUs at these intensities, 0 to 5: uint8 RGB (size, size, 3)."""
        acting = {au: float(intensity) for au, intensity in (intensities or {}).items() if intensity}
        known = frozenset(acting.items())
        if known not in self._rendered:
            self._rendered[known] = warp(self.scene.render(Moment(acting))[0], self.matrix, self.size)
        return self._rendered[known].copy()

    @cached_property
    def _rendered(self) -> dict[frozenset, np.ndarray]:
        """The pictures that were asked for, by what acts in them: rendering one takes a third of a second."""
        return {}

    def movement(self, au: str, intensity: float = MAX_INTENSITY) -> np.ndarray:
        """How far one AU moves what each pixel shows: (size, size, 2), right and down, in eyes' distances."""
        moved = self._reach(au, intensity).astype(np.float32)
        planes = (warp(np.ascontiguousarray(moved[..., k]), self.matrix, self.size) for k in (0, 1))
        return np.stack(list(planes), axis=-1) @ self.matrix[:, :2].T / self.eyes

    def moved(self, au: str) -> np.ndarray:
        """The pixels that an AU moves by a quarter of its largest movement or more: (size, size) bool."""
        return moved_pixels(self._reach(au, MAX_INTENSITY), self.matrix, self.size)

    def _reach(self, au: str, intensity: float) -> np.ndarray:
        """How far one AU moves what each pixel of the rendered picture shows; at the maximum it is kept."""
        if intensity != MAX_INTENSITY:
            return self.scene.displacement(Moment({au: float(intensity)}), au)
        if au not in self._reaches:
            self._reaches[au] = self.scene.displacement(Moment({au: float(intensity)}), au)
        return self._reaches[au]

    @cached_property
    def _reaches(self) -> dict[str, np.ndarray]:
        return {}

    def muscle(self, au: str) -> np.ndarray:
        """The skin over the muscle of an AU, as py-feat's map of the mesh has it: (size, size) bool."""
        known = json.loads(mesh_resource("muscle_to_mesh_map.json").read_text(encoding="utf-8"))["muscles"]
        own = [part["mp478_vertices"] for name, part in known.items() if name.rstrip("_LR") in MUSCLES[au]]
        drawn = np.zeros((self.size, self.size), dtype=np.uint8)
        for vertices in own:
            triangles = face_mesh().triangles[np.isin(face_mesh().triangles, vertices).all(axis=1)]
            cv2.fillPoly(drawn, np.round(self._vertices[triangles]).astype(np.int32), 1)  # pyright: ignore
        return drawn.astype(bool)

    @property
    def _vertices(self) -> np.ndarray:
        """The control mesh at rest on the aligned picture: (468, 2)."""
        solid = self.scene._solid(self.scene.head.face(Moment()), Moment())
        return align.transform_points(self.scene._project(solid)[: len(face_mesh().vertices), :2], self.matrix)


def moved_pixels(displacement: np.ndarray, matrix: np.ndarray, size: int, least: float = 0.25) -> np.ndarray:
    """Where an AU moves the face by at least `least` of its largest movement: (H, W, 2) -> (size, size) bool.

    `matrix` aligns the frame, so that the result lies over the aligned picture. All False where nothing moves.
    """
    reach = warp(np.linalg.norm(displacement, axis=-1).astype(np.float32), matrix, size)
    return (reach > 0) & (reach >= least * reach.max())


def largest_movements(
    portrait: Portrait, intensities: Iterable[int] = range(1, MAX_INTENSITY + 1)
) -> pd.DataFrame:
    """How far the most moved pixel goes, in distances of the eyes: one row an AU, a column an intensity."""
    lengths = {
        i: [float(np.linalg.norm(portrait.movement(au, i), axis=-1).max()) for au in AUS] for i in intensities
    }
    return pd.DataFrame(lengths, index=list(AUS))


def overlaps(moved: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Of the pixels that the row's AU moves, the share that the column's moves too: masks (H, W) -> (A, A)."""
    flat = np.stack([mask.ravel() for mask in moved.values()]).astype(float)
    shared = flat @ flat.T
    return pd.DataFrame(shared / np.maximum(np.diag(shared)[:, None], 1), index=list(moved), columns=list(moved))


def inside_bands(movements: Mapping[str, np.ndarray], bands: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The share of each AU's movement, summed over pixels, within each region's band; bands overlap.

    Takes movements (H, W, 2) by AU and bands (H, W) bool by region.
    """
    lengths = {au: np.linalg.norm(movement, axis=-1) for au, movement in movements.items()}
    shares = {
        au: {region: float(length[band].sum() / length.sum()) for region, band in bands.items()}
        for au, length in lengths.items()
    }
    return pd.DataFrame(shares).T
