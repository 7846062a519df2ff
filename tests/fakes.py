"""Runs without training: made-up answers to made-up labels, three folds a variant."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from traunet.config import FOLDS, VARIANTS
from traunet.facs import AUS
from traunet.metrics import AVERAGINGS
from traunet.scoring import verdicts
from traunet.scoring.results import Number

DATASET = "synthetic DISFA"


@dataclass(frozen=True)
class FakeRun:
    name: str
    variant: str
    fold: int
    predictions: pd.DataFrame
    code: str = "c0de"
    provenance: Mapping[str, str] = field(default_factory=lambda: {"dataset": DATASET})


def fake_predictions(fold: int, skill: float, subjects: int = 3, frames: int = 40) -> pd.DataFrame:
    """Answers that are right with a probability of `skill`; the truth depends on the fold alone."""
    names = [f"SN{100 * fold + number:03d}" for number in range(subjects)]
    index = pd.MultiIndex.from_product([names, range(1, frames + 1), AUS], names=["subject", "frame", "AU"])
    intensity = np.random.default_rng(fold).choice(6, p=[0.6, 0.08, 0.08, 0.08, 0.08, 0.08], size=len(index))
    rng = np.random.default_rng(10 * fold + round(100 * skill))
    right = rng.random(len(index)) < skill
    probability = np.where(
        right == (intensity >= 3), 0.5 + 0.5 * rng.random(len(index)), 0.49 * rng.random(len(index))
    )
    return index.to_frame(index=False).assign(fold=fold, intensity=intensity, probability=probability)


def fake_runs(variants=tuple(VARIANTS)) -> list[FakeRun]:
    return [
        FakeRun(f"{variant}-fold{fold}-abc", variant, fold, fake_predictions(fold, 0.75 + 0.02 * number))
        for number, variant in enumerate(variants)
        for fold in FOLDS
    ]


def runs_with_a_rare_au(false_alarms: bool) -> list[FakeRun]:
    """Right answers, but for AU9, which one person of nine shows, on half of the frames and nobody sees."""
    runs = []
    for fold in FOLDS:
        answers = fake_predictions(fold, 1.0)
        rare = answers["AU"] == "AU9"
        shown = rare & (answers["subject"] == "SN100") & (answers["frame"] > 20)
        answers.loc[rare, "intensity"] = np.where(shown[rare], 5, 0)
        answers.loc[rare, "probability"] = np.where(answers.loc[rare, "frame"] == 1, 0.9 * false_alarms, 0)
        runs.append(FakeRun(f"{false_alarms}{fold}", "tranet" if false_alarms else "senet", fold, answers))
    return runs


def as_printed(numbers: Mapping[str, Number]) -> dict[str, Number]:
    """Numbers of ours that equal the printed ones, pooled and as means of the folds; version 1's are far off."""
    changed = dict(numbers)
    for place in verdicts.places():
        for averaging in AVERAGINGS:
            key = place.averaged(averaging)
            changed[key] = replace(numbers[key], value=numbers[place.printed].value)
    for key in [key for key in numbers if key.startswith("table2.tranet.")]:
        changed[key] = replace(numbers[key], value=numbers[f"published.table2.tranet.{key.split('.')[-1]}"].value)
    version1 = {key: replace(one, value=0.0) for key, one in numbers.items() if key.startswith("table1.tranet_v1")}
    return changed | version1


def moved(numbers: Mapping[str, Number], key: str, off: float) -> dict[str, Number]:
    """The numbers with one of them so many points off; with `*` in its key, in both averagings."""
    keys = [key.replace("*", averaging) for averaging in AVERAGINGS]
    return {**numbers, **{one: replace(numbers[one], value=numbers[one].number + off) for one in keys}}
