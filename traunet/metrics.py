"""Counts of right and wrong answers, and the F1, accuracy and intervals that follow from them. NumPy alone.

Conventions. A frame is positive for an AU when its intensity reaches the threshold, and said to be positive
when its probability is at least `CUT`. Scores are shares between 0 and 1; tables turn them into percent.

The 0/0 rule: where there are neither positive frames nor positive answers, F1 is not defined; it is NaN here and
left out of every average. An AU without positive frames that the network claims to see has F1 = 0: those are
mistakes, and they count. scikit-learn and torchmetrics give 0 in both cases.
"""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import numpy as np

# Decision: "yes" means a probability of at least 0.5. The paper names no cut. The alternative, cuts tuned per
# AU, raises F1, but on its test fold they would be one more choice made on the test set.
CUT = 0.5


@dataclass(frozen=True)
class Counts:
    """True and false positives and negatives: four integer arrays of one shape, (..., A)."""

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    tn: np.ndarray

    def __getitem__(self, index) -> "Counts":
        return Counts(self.tp[index], self.fp[index], self.fn[index], self.tn[index])

    def sum(self, axis: int = 0) -> "Counts":
        """Add the counts along one axis, such as that of the subjects."""
        return Counts(*(array.sum(axis=axis) for array in (self.tp, self.fp, self.fn, self.tn)))

    @property
    def positives(self) -> np.ndarray:
        """Frames on which the AU is present."""
        return self.tp + self.fn

    @property
    def frames(self) -> np.ndarray:
        """All frames."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def positive_rate(self) -> np.ndarray:
        """Share of frames on which the AU is present; NaN where there are no frames."""
        return ratio(self.positives, self.frames)


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; NaN where the whole is 0."""
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole != 0)


def mean(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Average the scores that are defined: NaNs are left out, and a mean of nothing is NaN."""
    defined = ~np.isnan(scores)
    return ratio(np.where(defined, scores, 0).sum(axis=axis), defined.sum(axis=axis))


def count(actual: np.ndarray, predicted: np.ndarray) -> Counts:
    """Compare answers with the truth over the first axis: two boolean arrays (N, A) -> counts (A,).

    1 and 0 stand for true and false; ValueError for other values, and for arrays of two shapes.
    """
    actual, predicted = np.asarray(actual), np.asarray(predicted)
    if actual.shape != predicted.shape:
        raise ValueError(f"truth has shape {actual.shape} and answers {predicted.shape}; they must be equal")
    return Counts(*(mask.sum(axis=0) for mask in _outcomes(actual, predicted)))


def count_by_group(actual: np.ndarray, predicted: np.ndarray, group: np.ndarray, n_groups: int) -> Counts:
    """Count per group: flat arrays (N,), with group numbers from 0 -> counts (n_groups,); values as in `count`."""
    return Counts(*(np.bincount(group[mask], minlength=n_groups) for mask in _outcomes(actual, predicted)))


def _outcomes(actual: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, ...]:
    """Where answers are true and false positives and negatives, in the order of `Counts`."""
    actual, predicted = _yes_or_no(actual), _yes_or_no(predicted)
    return actual & predicted, ~actual & predicted, actual & ~predicted, ~actual & ~predicted


def _yes_or_no(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    if values.dtype == bool:
        return values
    if values.dtype == object and all(isinstance(value, Real | np.bool_) for value in values.flat):
        values = values.astype(float)  # pandas gives such, of tables that were pivoted or joined
    if values.dtype.kind not in "iuf" or not np.isin(values, (0, 1)).all():
        raise ValueError(
            "only yes and no are counted (booleans, or 1 and 0), and other values were given; give intensity >= "
            "threshold as the truth, and probability >= CUT as the answers"
        )
    return values.astype(bool)


def f1(counts: Counts) -> np.ndarray:
    """F1 = 2 TP / (2 TP + FP + FN), frame by frame ("F1-frame", Table 1); NaN by the 0/0 rule."""
    return ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn)


def accuracy(counts: Counts) -> np.ndarray:
    """The share of frames answered rightly."""
    return ratio(counts.tp + counts.tn, counts.frames)


METRICS: dict[str, Callable[[Counts], np.ndarray]] = {"f1": f1, "accuracy": accuracy}


def pooled(counts: Counts, folds: np.ndarray, score: Callable[[Counts], np.ndarray]) -> np.ndarray:
    """Score the counts of all test folds taken together: (S, A) -> (A,). Each frame weighs the same."""
    return score(counts.sum())


def fold_mean(counts: Counts, folds: np.ndarray, score: Callable[[Counts], np.ndarray]) -> np.ndarray:
    """Score each test fold, then average the folds that have a score: (S, A), folds (S,) -> (A,).

    An AU that hardly occurs in one fold pulls this mean about; the pooled score it barely moves.
    """
    return mean(np.stack([score(counts[folds == fold].sum()) for fold in np.unique(folds)]), axis=0)


# Decision: `pooled`, all folds' answers counted together, is the first, because it is defined whenever an AU
# occurs at all; the paper does not say how its three folds became one number. The other reading, the mean over
# folds, is computed too, and both are always named.
AVERAGINGS: dict[str, Callable[..., np.ndarray]] = {"pooled": pooled, "fold_mean": fold_mean}


def with_average(scores: np.ndarray) -> np.ndarray:
    """Append the mean over AUs, the tables' last entry "Avg": (..., A) -> (..., A + 1)."""
    return np.concatenate([scores, mean(scores)[..., None]], axis=-1)


def difference(ours: np.ndarray, others: np.ndarray) -> np.ndarray:
    """By what scores lie above others, both with their averages: (..., A + 1) each.

    The last is the mean over the AUs for which both are defined: where nobody shows an AU, one false alarm defines
    its F1.
    """
    return with_average((ours - others)[..., :-1])


def chance_f1(counts: Counts) -> np.ndarray:
    """The best F1 that an answer without looking can expect.

    Whoever says yes on a share q of the frames at random expects about 2pq / (p + q) where a share p is positive.
    That grows with q, so the best is to say yes always: 2p / (1 + p).
    """
    rate = counts.positive_rate
    return ratio(2 * rate, 1 + rate)


def chance_accuracy(counts: Counts) -> np.ndarray:
    """The best accuracy that an answer without looking can have: always the more frequent one."""
    rate = counts.positive_rate
    return np.maximum(rate, 1 - rate)


CHANCE: dict[str, Callable[[Counts], np.ndarray]] = {"f1": chance_f1, "accuracy": chance_accuracy}


def resample(counts: Counts, rng: np.random.Generator, repetitions: int) -> Counts:
    """Draw subjects with replacement and add up their counts: (S, A) -> (repetitions, A).

    Subjects are drawn and not frames, as the frames of one video are nearly copies of each other. Two sets of
    counts resampled with generators in the same state are paired: they see the same subjects.
    """
    subjects = counts.tp.shape[0]
    weights = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=repetitions)
    return Counts(*(weights @ array for array in (counts.tp, counts.fp, counts.fn, counts.tn)))


def interval(samples: np.ndarray, level: float = 0.95) -> np.ndarray:
    """The central interval of samples (repetitions, ...) -> (2, ...): low and high; NaN samples are left out.

    What no sample defines has the interval (NaN, NaN).
    """
    samples = np.asarray(samples, dtype=float)
    columns = samples.reshape(len(samples), -1)
    tails = [(1 - level) / 2, (1 + level) / 2]
    bounds = np.full((2, columns.shape[1]), np.nan)
    for column in np.flatnonzero(~np.isnan(columns).all(axis=0)):
        bounds[:, column] = np.nanquantile(columns[:, column], tails)
    return bounds.reshape(2, *samples.shape[1:])


def positive_rate_bounds(f1_score: np.ndarray, accuracy_score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shares of positive frames that an F1 and an accuracy of the same answers allow.

    With e = 1 - accuracy, the true positives are a share TP = F1 e / (2 (1 - F1)) of the frames, and the positives
    lie between TP (all errors are false alarms) and TP + e (all errors are misses). F1 must be below 1.
    """
    error = 1 - np.asarray(accuracy_score, dtype=float)
    hits = np.asarray(f1_score) * error / (2 * (1 - np.asarray(f1_score)))
    return hits, hits + error
