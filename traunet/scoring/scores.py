"""From the predictions of runs to the counts and scores of each variant: no torch, no GPU, no faces."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from traunet import metrics
from traunet.config import FOLDS, VARIANTS
from traunet.facs import AUS
from traunet.metrics import Counts

COLUMNS = ("subject", "frame", "fold", "AU", "intensity", "probability")


ROUNDING = 1e-6  # points: to say yes always is the best answer without looking, but for the last digit


class ScoredRun(Protocol):
    """What a score needs of a run: its name, what was trained on which fold by which code, and its predictions.

    `predictions` has the columns `COLUMNS`, one row for each frame of the test fold and each AU.
    """

    @property
    def name(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def fold(self) -> int: ...
    @property
    def code(self) -> str: ...
    @property
    def predictions(self) -> pd.DataFrame: ...


@dataclass(frozen=True)
class VariantScores:
    """Everything that can be said of one variant: the counts of each subject (S, A) and where they came from."""

    variant: str
    runs: tuple[str, ...]
    subjects: np.ndarray  # (S,) names
    folds: np.ndarray  # (S,) the fold in which a subject was tested
    counts: Counts  # (S, A)
    code: tuple[str, ...] = ()  # hashes of the library's source with which the runs were trained

    def score(self, metric: str, averaging: str = "pooled") -> np.ndarray:
        """Scores in percent, the AUs' and their average: (A + 1,)."""
        scores = metrics.AVERAGINGS[averaging](self.counts, self.folds, metrics.METRICS[metric])
        return 100 * metrics.with_average(scores)

    def chance(self, metric: str, averaging: str = "pooled") -> np.ndarray:
        """What the best answer without looking would score on the same frames, in percent: (A + 1,).

        NaN where the network's own score is not defined, so that both averages are of the same AUs and folds.
        """

        def guess(counts: Counts) -> np.ndarray:
            return np.where(np.isnan(metrics.METRICS[metric](counts)), np.nan, metrics.CHANCE[metric](counts))

        return 100 * metrics.with_average(metrics.AVERAGINGS[averaging](self.counts, self.folds, guess))

    def above_chance(self) -> int:
        """For how many of the eight AUs the pooled F1 lies above the best answer without looking, not at it."""
        return int((self.score("f1") > self.chance("f1") + ROUNDING)[: len(AUS)].sum())

    def fold_score(self, metric: str, fold: int) -> np.ndarray:
        """Scores on one test fold alone, in percent: (A + 1,)."""
        counts = self.counts[self.folds == fold].sum()
        return 100 * metrics.with_average(metrics.METRICS[metric](counts))

    def resampled(self, metric: str, seed: int = 0, repetitions: int = 1000) -> np.ndarray:
        """Pooled scores in percent of resampled subjects: (repetitions, A + 1).

        Variants scored on the same frames and resampled with the same seed are paired, draw by draw.
        """
        drawn = metrics.resample(self.counts, np.random.default_rng(seed), repetitions)
        return 100 * metrics.with_average(metrics.METRICS[metric](drawn))


def tally(predictions: pd.DataFrame, threshold: int, name: str, fold: int) -> tuple[np.ndarray, Counts]:
    """Count one run's answers by subject: the subjects (S,) and their counts (S, A).

    Raises ValueError that names the run if columns, AUs or values are missing or a frame is there twice.
    """
    _check(predictions, name, fold)
    subject, subjects = pd.factorize(predictions["subject"].astype(str), sort=True)
    unit = pd.Index(AUS).get_indexer(pd.Index(predictions["AU"].astype(str)))
    actual = predictions["intensity"].to_numpy() >= threshold
    predicted = predictions["probability"].to_numpy() >= metrics.CUT
    shape = (len(subjects), len(AUS))
    flat = metrics.count_by_group(actual, predicted, subject * len(AUS) + unit, len(subjects) * len(AUS))
    return np.asarray(subjects), Counts(*(a.reshape(shape) for a in (flat.tp, flat.fp, flat.fn, flat.tn)))


def _check(predictions: pd.DataFrame, name: str, fold: int) -> None:
    missing = [column for column in COLUMNS if column not in predictions.columns]
    if missing:
        raise ValueError(
            f"run {name}: its predictions lack {', '.join(missing)}; delete the run and train it again"
        )
    wrong = (
        ("holds no predictions", predictions.empty),
        ("is not about the eight AUs " + " ".join(AUS), set(predictions["AU"].astype(str)) != set(AUS)),
        ("holds empty values", bool(predictions[["intensity", "probability"]].isna().to_numpy().any())),
        (f"is not of fold {fold}", bool((predictions["fold"] != fold).any())),
        ("lacks AUs of some frames", predictions["AU"].value_counts().nunique() != 1),
        ("holds a frame twice", bool(predictions.duplicated(["subject", "frame", "AU"]).any())),
    )
    for problem, present in wrong:
        if present:
            raise ValueError(f"run {name}: its predictions.parquet {problem}; delete the run and train it again")


def score_runs(runs: Iterable[ScoredRun], threshold: int = 3) -> dict[str, VariantScores]:
    """Score complete sets of three folds: variant -> scores, in the order of `VARIANTS`.

    "the frame with AU intensity equal or higher than C-level was regarded as positive" (section 4.1): 3.
    Raises ValueError if a variant lacks a fold or has it twice, if a subject is tested twice, or if the variants
    were tested on different frames: such scores would not compare.
    """
    by_variant: dict[str, list[ScoredRun]] = defaultdict(list)
    for run in runs:
        by_variant[run.variant].append(run)
    if not by_variant:
        raise ValueError("there are no runs to score; train some first: 'traunet train --variant tranet --fold 1'")
    order = [name for name in VARIANTS if name in by_variant] + sorted(set(by_variant) - set(VARIANTS))
    scores = {variant: _score_variant(variant, by_variant[variant], threshold) for variant in order}
    _check_same_frames(list(scores.values()))
    return scores


def _score_variant(variant: str, runs: list[ScoredRun], threshold: int) -> VariantScores:
    runs = sorted(runs, key=lambda run: run.fold)
    if [run.fold for run in runs] != list(FOLDS):
        there = ", ".join(f"{run.fold} ({run.name})" for run in runs)
        raise ValueError(
            f"variant {variant} needs one run for each of the folds {FOLDS} and has folds {there}: train the "
            f"missing ones with 'traunet train --variant {variant} --fold K', or leave out the double ones"
        )
    parts = [tally(run.predictions, threshold, run.name, run.fold) for run in runs]
    subjects = np.concatenate([names for names, _ in parts])
    if len(set(subjects)) < len(subjects):
        raise ValueError(f"variant {variant}: a subject is in two test folds of {', '.join(r.name for r in runs)}")
    folds = np.repeat([run.fold for run in runs], [len(names) for names, _ in parts])
    arrays = zip(*((c.tp, c.fp, c.fn, c.tn) for _, c in parts), strict=True)
    counts = Counts(*(np.concatenate(array) for array in arrays))
    code = tuple(sorted({run.code for run in runs}))
    return VariantScores(variant, tuple(run.name for run in runs), subjects, folds, counts, code)


def _check_same_frames(scores: list[VariantScores]) -> None:
    first = scores[0]
    for other in scores[1:]:
        pairs = (
            (first.subjects, other.subjects),
            (first.folds, other.folds),
            (first.counts.frames, other.counts.frames),
            (first.counts.positives, other.counts.positives),
        )
        if not all(np.array_equal(left, right) for left, right in pairs):
            raise ValueError(
                f"{first.variant} and {other.variant} were tested on different frames or labels: their scores "
                f"do not compare; train both on one store: {', '.join(first.runs)} against {', '.join(other.runs)}"
            )
