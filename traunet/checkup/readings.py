"""What landmarks that do not fit their pictures may be instead: mirrored, swapped, scaled, another's, or late."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from traunet.checkup.faces import FITS, Sample, Sightings, errors, median, mirror_points
from traunet.facs import FLIP, JAW, interocular_distance

LAGS = (-3, -2, -1, 1, 2, 3)  # frames
BETTER = 0.8  # another reading must leave less than this share of the error to be believed
SLOW = 0.005  # of the inter-ocular distance a frame: slower than that, neighbouring frames cannot be told apart
CLEAR = 4.0  # frames' worth of evidence


def other_readings(
    sightings: Sightings, sample: Sample, landmarks: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """(what may be wrong, the landmarks were it put right), to be tried where landmarks do not fit."""
    flipped = mirror_points(landmarks, sightings.width)
    yield "x and y are swapped", landmarks[..., ::-1]
    yield "they are mirrored", flipped[:, FLIP]
    yield "they are mirrored, and left and right are named as before", flipped
    yield "left and right are swapped in their order", landmarks[:, FLIP]
    if scale := _scale(sightings, sample, landmarks):
        yield f"they belong to pictures of {1 / scale:.2f} times this size", landmarks * scale


def _scale(sightings: Sightings, sample: Sample, landmarks: np.ndarray) -> float | None:
    """The factor by which landmarks lie nearest to the faces, if it is far from 1."""
    seen = [number for number in sample.calm if sightings.faces.get(number)]
    found = np.array([sightings.faces[number][0].landmarks for number in seen], dtype=float).ravel()
    ours = landmarks[np.array(seen, dtype=int) - 1].astype(float).ravel()
    scale = np.sum(found * ours) / np.sum(ours * ours) if seen else 1.0
    return float(scale) if abs(np.log(max(scale, 1e-9))) > 0.15 else None


def explanation(
    subject: str, sightings: Sightings, sample: Sample, everyone: Mapping[str, np.ndarray]
) -> tuple[str, float] | None:
    """The reading that fits the pictures clearly better than the landmarks as written: (its name, its error)."""
    own = everyone[subject]
    readings = [
        *other_readings(sightings, sample, own),
        *((f"they are {name}'s", theirs) for name, theirs in everyone.items() if name != subject),
    ]
    found = [(name, median(errors(sightings, sample.calm, points))) for name, points in readings]
    best = min(found, key=lambda one: np.nan_to_num(one[1], nan=np.inf))
    return best if best[1] < min(FITS, BETTER * median(errors(sightings, sample.calm, own))) else None


def twins(everyone: Mapping[str, np.ndarray]) -> Iterator[tuple[str, str]]:
    """Pairs of subjects that have the same landmarks in most frames, number for number."""
    for one, other in combinations(everyone, 2):
        length = min(len(everyone[one]), len(everyone[other]))
        same = (everyone[one][:length] == everyone[other][:length]).all(axis=(1, 2))
        if same.mean() > 0.5:
            yield one, other


@dataclass(frozen=True)
class Shift:
    """From about `frame` on, the landmarks of `lag` frames later belong to the picture."""

    frame: int
    lag: int


def shift(sightings: Sightings, sample: Sample, landmarks: np.ndarray) -> Shift | None:
    """Whether, from some frame on, the landmarks of another frame fit better; None if not, or if heads are still.

    Each moving frame tells its lag; the break and the lag that explain all of them best are taken. A frame counts
    for one at most, so that landmarks that jump decide nothing.
    """
    numbers, lags = lags_of(sightings, sample, landmarks)
    asis = np.minimum(np.abs(lags), 1)
    found, most = None, CLEAR
    for lag in LAGS:
        gains = asis - np.minimum(np.abs(lags - lag), 1)
        for start in range(len(gains)):
            if gains[start:].sum() > most and gains[start:].mean() > 0.4:
                found, most = Shift(int(numbers[start]), lag), float(gains[start:].sum())
    return found


def lags_of(sightings: Sightings, sample: Sample, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moving frames (from 1), and by how many frames the landmarks of each come too early (float).

    What dlib sees, less our landmarks and a difference that is always there, divided by how fast they move.
    """
    seen = {number for number in {*sample.calm, *sample.fast} if len(sightings.faces.get(number, ())) == 1}
    numbers = np.array(sorted(seen & set(range(2, len(landmarks)))), dtype=int)
    if not len(numbers):
        return numbers, np.empty(0)
    found = np.stack([sightings.faces[number][0].landmarks for number in numbers])
    behind = np.delete(found - landmarks[numbers - 1], JAW, axis=1)
    behind = (behind - np.nanmedian(behind, axis=0)).mean(axis=1)
    speed = np.delete(landmarks[numbers] - landmarks[numbers - 2], JAW, axis=1).mean(axis=1) / 2
    moving = np.linalg.norm(speed, axis=1) > SLOW * np.median(interocular_distance(found))
    numbers, behind, speed = numbers[moving], behind[moving], speed[moving]
    return numbers, np.sum(behind * speed, axis=1) / np.sum(speed * speed, axis=1)
