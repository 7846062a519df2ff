"""The Facial Action Coding System as this project uses it: action units, regions, landmarks, intensities.

Shape letters, used throughout: B batch, C channels, H W pixels, A action units, L landmarks, R regions.
"""

from dataclasses import dataclass

import numpy as np

REGIONS = ("upper", "middle", "lower")


@dataclass(frozen=True)
class ActionUnit:
    """One action unit (AU): its FACS number and name, the muscle that makes it, and the branch that reads it."""

    number: int
    title: str
    muscle: str
    region: str

    def __post_init__(self):
        if self.region not in REGIONS:
            raise ValueError(f"{self.name}: unknown region {self.region!r}; choose one of: {', '.join(REGIONS)}")

    @property
    def name(self) -> str:
        """The name used in every table and column, such as ``AU12``."""
        return f"AU{self.number}"


# "Upper region branch is responsible for detecting AU1, AU2, AU4, middle region branch is for AU6, AU9
# and lower region branch is for AU12, AU25, AU 26." (section 3)
_LISTED = (
    ActionUnit(1, "inner brow raiser", "frontalis, medial part", "upper"),
    ActionUnit(2, "outer brow raiser", "frontalis, lateral part", "upper"),
    ActionUnit(4, "brow lowerer", "corrugator supercilii, depressor supercilii", "upper"),
    ActionUnit(6, "cheek raiser", "orbicularis oculi, orbital part", "middle"),
    ActionUnit(9, "nose wrinkler", "levator labii superioris alaeque nasi", "middle"),
    ActionUnit(12, "lip corner puller", "zygomaticus major", "lower"),
    ActionUnit(25, "lips part", "depressor labii inferioris, or relaxed mentalis", "lower"),
    ActionUnit(26, "jaw drop", "masseter, relaxed", "lower"),
)

# A network's answers stand branch by branch, so labels and all else do too, however the AUs are listed.
ACTION_UNITS = tuple(sorted(_LISTED, key=lambda unit: REGIONS.index(unit.region)))
AUS = tuple(unit.name for unit in ACTION_UNITS)
REGION_AUS = {region: tuple(u.name for u in ACTION_UNITS if u.region == region) for region in REGIONS}

# DISFA codes twelve; the paper detects eight of them.
DISFA_AUS = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU9", "AU12", "AU15", "AU17", "AU20", "AU25", "AU26")

# FACS scores intensity with letters, A (trace) to E (maximum); DISFA writes them as 1 to 5, and 0 for absent.
INTENSITY_LETTERS = ("", "A", "B", "C", "D", "E")
MAX_INTENSITY = 5

# The 66 landmarks of DISFA are iBUG's 68 without the inner mouth corners 60 and 64 (all indices 0-based).
N_LANDMARKS = 66
DROPPED_FROM_68 = (60, 64)
JAW = slice(0, 17)
BROWS = slice(17, 27)
NOSE = slice(27, 36)
LEFT_IMAGE_EYE = slice(36, 42)
RIGHT_IMAGE_EYE = slice(42, 48)
OUTER_LIP = slice(48, 60)
INNER_LIP = slice(60, 66)
CHIN = 8
NOSE_ROOT = 27
NOSE_TIP = 30


def _mirror_of_68() -> np.ndarray:
    pairs = [(i, 16 - i) for i in range(17)]
    pairs += [(i, 43 - i) for i in range(17, 27)]
    pairs += [(i, i) for i in range(27, 31)] + [(i, 66 - i) for i in range(31, 36)]
    pairs += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [(48, 54), (49, 53), (50, 52), (51, 51), (55, 59), (56, 58), (57, 57)]
    pairs += [(60, 64), (61, 63), (62, 62), (65, 67), (66, 66)]
    mirror = np.zeros(68, dtype=np.intp)
    for left, right in pairs:
        mirror[left], mirror[right] = right, left
    return mirror


KEPT_FROM_68 = np.array([i for i in range(68) if i not in DROPPED_FROM_68])
# The permutation that a horizontal flip of the picture needs: flipped[i] = mirrored(points[FLIP[i]]).
FLIP = np.searchsorted(KEPT_FROM_68, _mirror_of_68()[KEPT_FROM_68])


def landmarks_from_68(points: np.ndarray) -> np.ndarray:
    """Keep DISFA's 66 of iBUG's 68 landmarks: (..., 68, 2) -> (..., 66, 2)."""
    return points[..., KEPT_FROM_68, :]


def interocular_distance(landmarks: np.ndarray) -> np.ndarray:
    """Distance between the outer eye corners, in the landmarks' unit: (..., 66, 2) -> (...)."""
    return np.linalg.norm(landmarks[..., 36, :] - landmarks[..., 45, :], axis=-1)
