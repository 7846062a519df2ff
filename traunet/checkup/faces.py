"""Landmarks held against the pictures: is there a face where they say?

The judge is dlib's detector and shape model, which never saw DISFA. It looks at a sample of each subject's frames:
*calm* ones, one in the middle of each stretch of the video, each also in the mirror, and the *fast* ones in which
the landmarks move most, which tell frames apart that follow each other.
"""

from dataclasses import dataclass, field

import numpy as np

from traunet.faces.landmarks import Box, DlibLandmarks, Face, landmark_error
from traunet.facs import FLIP, LEFT_IMAGE_EYE, RIGHT_IMAGE_EYE

CALM, FAST = 12, 16  # frames of each subject
FITS = 0.15  # of the inter-ocular distance: the median error up to which landmarks belong to the picture


@dataclass(frozen=True)
class Sample:
    """The frames (from 1) of a subject to look at."""

    calm: tuple[int, ...] = ()
    fast: tuple[int, ...] = ()

    @classmethod
    def of(cls, landmarks: np.ndarray) -> "Sample":
        """Choose among the frames that have landmarks: (frames, 66, 2), NaN where there are none."""
        moved = np.full(len(landmarks), np.nan)
        moved[1:-1] = np.linalg.norm(landmarks[2:] - landmarks[:-2], axis=-1).mean(axis=-1)
        present = np.isfinite(landmarks).all(axis=(1, 2))
        moving = np.flatnonzero(np.isfinite(moved) & present)
        calm = [part[len(part) // 2] for part in np.array_split(np.flatnonzero(present), CALM) if len(part)]
        fast = [part[moved[part].argmax()] for part in np.array_split(moving, FAST) if len(part)]
        return cls(tuple(int(i) + 1 for i in calm), tuple(int(i) + 1 for i in fast))


@dataclass
class Sightings:
    """What dlib sees in a subject's sample: the faces of each frame, and the landmarks found in its mirror."""

    width: int = 0
    height: int = 0
    faces: dict[int, list[Face]] = field(default_factory=dict)
    mirrored: dict[int, np.ndarray] = field(default_factory=dict)  # turned back into the picture's pixels

    def look(self, finder: DlibLandmarks, number: int, picture: np.ndarray, mirror: bool) -> None:
        """Search one picture, and, for `mirror`, its mirror image too."""
        self.height, self.width = picture.shape[:2]
        self.faces[number] = finder.faces(picture, 0) or finder.faces(picture, 1)
        found = finder.faces(picture[:, ::-1], 0) if mirror and len(self.faces[number]) == 1 else []
        if len(found) == 1:
            self.mirrored[number] = mirror_points(found[0].landmarks, self.width)[FLIP]


def mirror_points(points: np.ndarray, width: int) -> np.ndarray:
    """Points (..., 2), in pixels from 0, of a picture seen in a mirror; their order stays."""
    return np.stack([width - 1 - points[..., 0], points[..., 1]], axis=-1)


def error_of(faces: list[Face], points: np.ndarray) -> float:
    """Mean distance of 49 points (66, 2), jaw aside, from the nearest face's, in its inter-ocular distances.

    In the found face's measure, not in the landmarks' own: those may be of any size. NaN without a face.
    """
    return min((landmark_error(points, face.landmarks) for face in faces), default=np.nan)


def errors(sightings: Sightings, numbers: tuple[int, ...], landmarks: np.ndarray) -> np.ndarray:
    """The error of the landmarks of each of these frames; NaN where unknown."""
    out = np.full(len(numbers), np.nan)
    for i, number in enumerate(numbers):
        if number <= len(landmarks):
            out[i] = error_of(sightings.faces.get(number, []), landmarks[number - 1])
    return out


def in_a_face(sightings: Sightings, numbers: tuple[int, ...], landmarks: np.ndarray) -> np.ndarray:
    """Whether the midpoint of the eyes lies in a face that was found: (frames,) float, NaN where none was."""
    out = np.full(len(numbers), np.nan)
    for i, number in enumerate(numbers):
        if faces := sightings.faces.get(number):
            out[i] = any(_inside(face.box, eyes_midpoint(landmarks[number - 1])) for face in faces)
    return out


def eyes_midpoint(points: np.ndarray) -> np.ndarray:
    """(66, 2) -> (2,)"""
    return (points[LEFT_IMAGE_EYE].mean(axis=0) + points[RIGHT_IMAGE_EYE].mean(axis=0)) / 2


def _inside(box: Box, point: np.ndarray) -> bool:
    return bool(box.left <= point[0] <= box.right and box.top <= point[1] <= box.bottom)


def median(values: np.ndarray) -> float:
    """The median of those that are known; NaN if none is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
