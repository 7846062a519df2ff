"""Subject-exclusive folds, and the sampling that evens out rare action units."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from traunet.data.original import SUBJECTS
from traunet.facs import AUS, MAX_INTENSITY

# Decision: "Following the settings of [11], I used a 3-fold cross-validation scheme" names no folds; these three
# parts are the ones that most of the literature shares. Their numbering differs between repositories. The
# alternative is any other way to part 27 people by nine.
_PARTS = {
    1: (1, 2, 9, 10, 16, 26, 27, 30, 32),
    2: (6, 11, 12, 13, 18, 21, 24, 28, 31),
    3: (3, 4, 5, 7, 8, 17, 23, 25, 29),
}
TEST_SUBJECTS = {fold: tuple(f"SN{number:03d}" for number in part) for fold, part in _PARTS.items()}


@dataclass(frozen=True)
class Split:
    """Row indices of the usable frames of one fold; no subject is in two of the three parts."""

    train: np.ndarray
    held_out: np.ndarray  # training subjects kept aside to choose the epoch; empty if none are
    test: np.ndarray
    held_out_subjects: tuple[str, ...] = ()


def labels(frames: pd.DataFrame, threshold: int = 3) -> np.ndarray:
    """Which of the paper's AUs are positive: (frames, A) bool, A in the order of `facs.AUS`.

    "the frame with AU intensity equal or higher than C-level was regarded as positive" (section 4.1), C being 3.
    """
    if not 1 <= threshold <= MAX_INTENSITY:
        raise ValueError(f"the threshold is {threshold}; give 1 to {MAX_INTENSITY} (the paper's is 3, which is C)")
    return frames[list(AUS)].to_numpy() >= threshold


def split(frames: pd.DataFrame, fold: int, held_out: int = 0, threshold: int = 3) -> Split:
    """Divide the usable frames by subject: "frames from 18 individuals were used as the training set, and frames
    from the other 9 individuals were treated as the testing set" (section 4.1).

    `held_out` training subjects are kept aside, chosen by `held_out_subjects`.
    """
    if fold not in TEST_SUBJECTS:
        raise ValueError(f"unknown fold {fold}; choose one of {', '.join(map(str, TEST_SUBJECTS))}")
    strangers = sorted(set(frames["subject"]) - set(SUBJECTS))
    if strangers:
        raise ValueError(
            f"{', '.join(strangers)} belong to no fold, and are none of DISFA's people; leave them out"
        )
    usable = frames["usable"].to_numpy(dtype=bool)
    tested = frames["subject"].isin(TEST_SUBJECTS[fold]).to_numpy()
    if not (usable & tested).any() or not (usable & ~tested).any():
        raise ValueError(f"fold {fold} has no usable frame to train or to test on; add subjects of every fold")
    aside = held_out_subjects(frames.loc[usable & ~tested], held_out, threshold)
    kept_aside = frames["subject"].isin(aside).to_numpy()
    parts = (usable & ~tested & ~kept_aside, usable & kept_aside, usable & tested)
    return Split(*(np.flatnonzero(part) for part in parts), held_out_subjects=aside)


def held_out_subjects(frames: pd.DataFrame, count: int, threshold: int = 3) -> tuple[str, ...]:
    """Choose `count` subjects of these training frames to select the epoch on.

    Decision: the paper selects on the test fold. To select honestly we keep training subjects aside, and since the
    positives are concentrated in few people, we take the set of subjects that leaves the fewest AUs without
    positives on either side, and among those the one whose share of every AU's positives comes nearest to its
    share of the subjects. The test fold does not enter the choice. The alternative, a random choice, would often
    hold no AU9 at all.
    """
    if count == 0:
        return ()
    subjects, owner = np.unique(frames["subject"].to_numpy(dtype=str), return_inverse=True)
    if not 0 < count < len(subjects):
        raise ValueError(f"cannot hold out {count} of {len(subjects)} training subjects; hold out fewer")
    positives = np.zeros((len(subjects), len(AUS)), dtype=np.int64)
    np.add.at(positives, owner, labels(frames, threshold))
    choices = np.array(list(combinations(range(len(subjects)), count)))
    inside, total = positives[choices].sum(axis=1), positives.sum(axis=0)  # (choices, A), (A,)
    lacking = ((inside == 0) | (inside == total)).sum(axis=1)
    uneven = np.abs(inside / np.maximum(total, 1) - count / len(subjects)).sum(axis=1)
    best = np.lexsort((uneven.round(9), lacking))[0]
    return tuple(str(subject) for subject in subjects[choices[best]])


def sampling_weights(positive: np.ndarray) -> np.ndarray:
    """The probability of drawing each training frame: labels (N, A) bool -> (N,), which sum to 1.

    "Firstly the weight for each positive AU label was calculated for the training set, then the probability for
    choosing a frame with a positive label for a specific AU was calculated based on its weight." (section 4.1)

    Decision: an AU's weight is one over its number of positive frames, and a frame's probability is the sum of the
    weights of its AUs, so that every AU accounts for the same share of the draws. Frames without any AU, of which
    the paper says nothing, are drawn as if "none" were one AU more.
    Others considered: the weight of the rarest AU alone (frames with several AUs are drawn less often), and
    weight 1 for frames without AU (nearly the same as ours).
    """
    frames = len(positive)
    counts = positive.sum(axis=0)
    none = ~positive.any(axis=1)
    present = int((counts > 0).sum())
    if present == 0 or not frames:
        return np.full(frames, 1 / max(frames, 1))
    acting = positive @ (1 / np.maximum(counts, 1)) / present
    if not none.any():
        return acting / acting.sum()
    share = 1 / (present + 1)
    return (1 - share) * acting / acting.sum() + share * none / none.sum()
