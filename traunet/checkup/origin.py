"""Whether landmarks count pixels from 0 or from 1, as far as the pictures can tell."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from traunet.checkup.faces import Sample, Sightings
from traunet.facs import NOSE_TIP, interocular_distance

EXPECTED = {1: 0.0, 0: -1.0}  # first pixel: pixels by which landmarks, read as counting from 1, are then off
FEWEST = 8  # subjects


@dataclass(frozen=True)
class Origin:
    """How far right of dlib's the landmarks lie, in pixels, when read as counting from 1.

    Detector and annotation may place a point differently, but the left eye's as the right's: a picture and its
    mirror image together show no such difference from left to right, and what remains is where counting begins.
    A head turned aside breaks the symmetry, so the offset is taken where a line through all subjects' offsets
    meets the frontal head. Nothing comparable holds from top to bottom, so y is not measured.
    """

    offset: float
    error: float  # standard error, across subjects
    subjects: int

    @property
    def first_pixel(self) -> int | None:
        """0 or 1; None unless one is at least 3 standard errors away, and the other within 2."""
        away = {first: abs(self.offset - expected) / self.error for first, expected in EXPECTED.items()}
        likely = [first for first in EXPECTED if away[first] < 2 and away[1 - first] > 3]
        return likely[0] if likely and self.subjects >= FEWEST else None


def measure_origin(subjects: Iterable[tuple[Sightings, Sample, np.ndarray]]) -> Origin:
    """From every subject's sightings, sample and landmarks (frames, 66, 2), read as counting from 1."""
    found = [offset_and_turn(*subject) for subject in subjects]
    table = np.array([pair for pair in found if pair is not None]).reshape(-1, 2)
    if len(table) < FEWEST:
        return Origin(float("nan"), float("nan"), len(table))
    offset, turn = table.T
    design = np.column_stack([np.ones(len(turn)), turn])
    fitted, *_ = np.linalg.lstsq(design, offset, rcond=None)
    variance = np.sum((offset - design @ fitted) ** 2) / (len(offset) - 2)
    return Origin(
        float(fitted[0]), float((variance * np.linalg.pinv(design.T @ design)[0, 0]) ** 0.5), len(offset)
    )


def offset_and_turn(sightings: Sightings, sample: Sample, landmarks: np.ndarray) -> tuple[float, float] | None:
    """Medians over the calm frames: x offset from dlib's in pixels, and how far the head is turned aside."""
    rows = []
    for number in sample.calm:
        faces, mirrored = sightings.faces.get(number), sightings.mirrored.get(number)
        if faces and mirrored is not None:
            detected, ours = (faces[0].landmarks + mirrored) / 2, landmarks[number - 1]
            rows.append((np.mean(ours[:, 0] - detected[:, 0]), turn_of(detected)))
    if not rows:
        return None
    offset, turn = np.median(rows, axis=0)
    return float(offset), float(turn)


def turn_of(points: np.ndarray) -> float:
    """How far the tip of the nose lies right of the middle of the jaw's ends, in inter-ocular distances."""
    middle = (points[0, 0] + points[16, 0]) / 2
    return float((points[NOSE_TIP, 0] - middle) / interocular_distance(points))
