"""How often each action unit occurs: beside the published counts, and in each fold."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from traunet.checkup.subject import Examined
from traunet.data.folds import TEST_SUBJECTS
from traunet.data.original import SUBJECTS
from traunet.facs import AUS, DISFA_AUS, MAX_INTENSITY
from traunet.scoring import published

INTENSITIES = range(1, MAX_INTENSITY + 1)


def count_intensities(labels: pd.DataFrame) -> pd.DataFrame:
    """Frames at each intensity 1 to 5 (columns) of each of the twelve AUs (index)."""
    codes = labels[list(DISFA_AUS)].to_numpy()
    counts = np.stack([(codes == intensity).sum(axis=0) for intensity in INTENSITIES], axis=1)
    return pd.DataFrame(counts, index=list(DISFA_AUS), columns=list(INTENSITIES))


def intensity_lines(subjects: Sequence[Examined], synthetic: bool) -> Iterator[str]:
    """Counts per intensity beside the published ones, base rates likewise, and a verdict."""
    labelled = [one for one in subjects if one.frames]
    if not labelled:
        return
    labels = pd.concat([one.labels for one in labelled], ignore_index=True)
    ours, known = count_intensities(labels), published.intensity_counts().loc[:, list(INTENSITIES)]
    table = ours.join(known.add_prefix("publ. "), how="left").rename(columns=str)
    yield "intensities: labelled frames, marked-bad ones too; published counts (recalled) are of eight AUs"
    yield from printed(table.astype("Int64").astype(object).where(table.notna(), "-"))
    yield from _verdict(ours, known, {one.subject for one in labelled}, synthetic)
    yield ""
    yield from _rate_lines(labels)


def _verdict(ours: pd.DataFrame, known: pd.DataFrame, subjects: set[str], synthetic: bool) -> Iterator[str]:
    differing = [
        f"{au} at {intensity}: {ours.loc[au, intensity]}, not {known.loc[au, intensity]}"
        for au in known.index
        for intensity in INTENSITIES
        if ours.loc[au, intensity] != known.loc[au, intensity]
    ]
    if synthetic:
        yield "verdict: not compared; a synthetic tree has counts of its own"
    elif subjects != set(SUBJECTS):
        here = f"all {len(SUBJECTS)} subjects, and here are {len(subjects)}"
        yield f"verdict: not compared; the published counts are of {here}"
    elif not differing:
        yield "verdict: same, at every intensity of every published AU"
    else:
        yield f"verdict: differs in {len(differing)} of {known.size} counts"
        yield (
            f"odd: label counts differ from the published ones, {some(differing)}; were label files edited, or "
            f"swapped? (the published ones are recalled: equal shares at 2 and above weigh more)"
        )


def _rate_lines(labels: pd.DataFrame) -> Iterator[str]:
    rates = published.base_rates()
    table = pd.DataFrame(
        {
            name: values
            for threshold in rates.index
            for name, values in (
                (f">= {threshold}", (labels[list(AUS)] >= threshold).mean() * 100),
                (f"published >= {threshold}", rates.loc[threshold, list(AUS)].astype(float)),
            )
        }
    ).T
    yield "base rates: percent of labelled frames; the published ones at 2 were computed, the others recalled"
    yield from printed(table.round(2))


def fold_lines(subjects: Sequence[Examined], threshold: int) -> Iterator[str]:
    """Each fold's positives per AU among usable frames, and what F1 means where there are none."""
    yield ""
    yield f"folds: usable frames at intensity {threshold} or more, and how many subjects have any"
    rows, lacking, empty = {}, [], []
    for fold, names in TEST_SUBJECTS.items():
        parts = [one for one in subjects if one.subject in names and one.frames]
        positive = np.array([_positives(one, threshold) for one in parts]).reshape(-1, len(AUS))
        frames = sum(int(one.usable.sum()) for one in parts)
        rows[f"fold {fold}"] = {
            "subjects": str(len(parts)),
            "frames": str(frames),
            **{au: f"{n} in {k}" for au, n, k in zip(AUS, positive.sum(0), (positive > 0).sum(0), strict=True)},
        }
        empty += [] if frames else [str(fold)]
        lacking += [f"{au} in fold {fold}" for au, n in zip(AUS, positive.sum(0), strict=True) if not n]
    yield from printed(pd.DataFrame(rows).T)
    if empty:
        yield (
            f"missing: a usable frame in fold {', '.join(empty)}, and training needs some in each; add "
            f"its subjects, or restore their landmarks and videos"
        )
    if lacking:
        yield (
            f"odd: no positive frame of {some(lacking, 8)}: F1 is 0 there if the network claims one, and not "
            f"defined, so left out of every average, if it claims none"
        )


def _positives(one: Examined, threshold: int) -> np.ndarray:
    assert one.frames
    return (one.labels.loc[one.usable, list(AUS)] >= threshold).sum().to_numpy()


def printed(table: pd.DataFrame) -> Iterator[str]:
    """A table line by line, moved in."""
    yield from ("  " + line for line in table.to_string().splitlines())


def some(items: Sequence[str], most: int = 4) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more
