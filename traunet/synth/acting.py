"""What the heads do: action units that rise, hold and fall, blinks, glances and turns of the head.

The share of frames at each intensity follows DISFA's: the events of all subjects give every AU a raw course, and
one monotone map per AU takes the raw values to intensities so that the counts over the whole data set come out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from traunet.config import EXPRESSIONS, Expression
from traunet.facs import DISFA_AUS, MAX_INTENSITY
from traunet.synth.head import Moment

# Frames per intensity 1 to 5 of DISFA's 130,814: data/published/intensity_counts.csv says from where, and a test
# holds them equal. AU5, AU15, AU17 and AU20 are not scored by the paper; they distract, as often as a rare AU.
DISFA_FRAMES = 130_814
DISFA_COUNTS: dict[str, tuple[int, int, int, int, int]] = {
    "AU1": (2272, 1749, 2809, 1393, 555),
    "AU2": (1720, 934, 3505, 836, 369),
    "AU4": (4661, 7636, 6586, 4328, 1383),
    "AU5": (1600, 700, 300, 100, 20),
    "AU6": (9157, 5986, 3599, 601, 141),
    "AU9": (1659, 2035, 3045, 316, 77),
    "AU12": (13943, 6869, 7233, 2577, 172),
    "AU15": (5000, 2000, 700, 100, 10),
    "AU17": (7000, 4000, 1500, 300, 20),
    "AU20": (3000, 1200, 500, 100, 10),
    "AU25": (9805, 13935, 15693, 5580, 1039),
    "AU26": (13443, 7473, 3529, 314, 217),
}


EVENT_SECONDS = (0.4, 0.3, 0.7)  # rise, least hold, fall
HOLD_SECONDS = 1.5  # on average, beyond the least
EVENTS_PER_SECOND = 0.45  # times the share factor: more positive frames come from more events
SPREAD = 0.6  # how unevenly a subject shares out the expressions (log-normal)


@dataclass(frozen=True)
class Performance:
    """One subject's whole video: courses of intensities 0 to 5, (frames, 12), and one moment per frame."""

    intensities: np.ndarray
    moments: list[Moment]

    @property
    def labels(self) -> np.ndarray:
        """What a coder would write: the intensity rounded, (frames, 12), 0 to 5."""
        return np.clip(np.round(self.intensities), 0, MAX_INTENSITY).astype(np.int8)


def perform(
    frames: Sequence[int],
    fps: int,
    share_factor: float,
    rng: np.random.Generator,
    expressions: Sequence[Expression] = EXPRESSIONS,
) -> list[Performance]:
    """Let every subject act: one performance for each entry of `frames`, a video's length."""
    raw = [_raw_courses(n, fps, EVENTS_PER_SECOND * share_factor, rng, expressions) for n in frames]
    mapped = _to_shares(np.concatenate(raw), share_factor)
    courses = np.split(mapped, np.cumsum(frames)[:-1])
    return [Performance(course, _moments(course, fps, rng)) for course in courses]


def _raw_courses(
    frames: int, fps: int, rate: float, rng: np.random.Generator, expressions: Sequence[Expression]
) -> np.ndarray:
    """The strongest event at each moment, (frames, 12): only the order of these values matters."""
    rates = np.array([e.rate for e in expressions]) * np.exp(rng.normal(0, SPREAD, len(expressions)))
    vigour = np.exp(rng.normal(0, 0.15, len(DISFA_AUS)))
    course = np.zeros((frames, len(DISFA_AUS)))
    seconds = np.arange(frames) / fps
    for _ in range(rng.poisson(rate * frames / fps) + 2):
        expression = expressions[rng.choice(len(expressions), p=rates / rates.sum())]
        shape, strength = _event(seconds, rng), rng.uniform(0.35, 1.0)
        for au, part in expression.parts:
            column = DISFA_AUS.index(au)
            height = strength * part * vigour[column] * rng.uniform(0.75, 1.0)
            course[:, column] = np.maximum(course[:, column], height * shape)
    return course


def _event(seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rise, hold and fall, between 0 and 1."""
    rise, hold, fall = np.array(EVENT_SECONDS) * rng.uniform(0.7, 1.6, 3)
    hold += rng.exponential(HOLD_SECONDS)
    start = rng.uniform(-hold, seconds[-1])
    up = np.clip((seconds - start) / rise, 0, 1)
    down = np.clip((start + rise + hold + fall - seconds) / fall, 0, 1)
    return _eased(up) * _eased(down)


def _eased(x: np.ndarray) -> np.ndarray:
    return x * x * (3 - 2 * x)


def _to_shares(raw: np.ndarray, share_factor: float) -> np.ndarray:
    """Map each AU's raw values to intensities such that rounding them gives DISFA's counts, times the factor."""
    intensities = np.zeros_like(raw)
    for column, au in enumerate(DISFA_AUS):
        shares = np.array(DISFA_COUNTS[au]) / DISFA_FRAMES * share_factor
        at_least = np.cumsum(shares[::-1])[::-1]
        if at_least[0] >= 1:
            raise ValueError(
                f"share_factor {share_factor} would make {au} present in every frame; use a smaller one"
            )
        rank = np.argsort(np.argsort(-raw[:, column], kind="stable"), kind="stable")
        strongest = (rank + 0.5) / len(raw)
        # rank 0 is intensity 5.49; the borders lie half-way between the letters
        borders = np.concatenate([[0], at_least[::-1], [min(1.0, at_least[0] + 2 * shares[0])]])
        intensities[:, column] = np.interp(strongest, borders, [5.49, 4.5, 3.5, 2.5, 1.5, 0.5, 0.0])
    return np.where(raw > 0, intensities, 0)


def _moments(course: np.ndarray, fps: int, rng: np.random.Generator) -> list[Moment]:
    frames = len(course)
    turn = np.stack([_drift(frames, fps, s, 1.5, rng) for s in (0.10, 0.06, 0.05)], 1)
    shift = np.stack([_drift(frames, fps, s, 2.5, rng) for s in (7.0, 4.0)], 1)
    gaze = np.stack([_drift(frames, fps, s, 0.7, rng) for s in (0.16, 0.08)], 1) - 0.5 * turn[:, :2]
    blink = _blinks(frames, fps, rng)
    return [
        Moment(
            dict(zip(DISFA_AUS, map(float, course[i]), strict=True)),
            float(blink[i]),
            (float(gaze[i, 0]), float(gaze[i, 1])),
            (float(turn[i, 0]), float(turn[i, 1]), float(turn[i, 2])),
            (float(shift[i, 0]), float(shift[i, 1])),
        )
        for i in range(frames)
    ]


def _drift(frames: int, fps: int, spread: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A smooth random course about 0 that forgets itself within `seconds` and is held within 2.2 times `spread`.

    Its standard deviation is 1.1 to 1.4 times `spread`: the more, the more frames a second.
    """
    keep = np.exp(-1 / (fps * seconds))
    value, velocity = rng.normal(), 0.0
    course = np.empty(frames)
    for i, kick in enumerate(rng.normal(size=frames)):
        velocity = 0.5 * velocity + 0.5 * kick
        value = keep * value + np.sqrt(3 * (1 - keep**2)) * velocity
        course[i] = value
    return spread * np.clip(course, -2.2, 2.2)


def _blinks(frames: int, fps: int, rng: np.random.Generator) -> np.ndarray:
    """About fifteen a minute, a third of a second each."""
    seconds = np.arange(frames) / fps
    shut = np.zeros(frames)
    for _ in range(rng.poisson(0.25 * frames / fps)):
        shut = np.maximum(shut, np.clip(1.2 - np.abs(seconds - rng.uniform(0, seconds[-1])) / 0.14, 0, 1))
    return shut
