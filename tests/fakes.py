"""Runs without training: made-up answers to made-up labels, three folds a variant."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from traunet.config import FOLDS, VARIANTS
from traunet.facs import AUS


@dataclass(frozen=True)
class FakeRun:
    name: str
    variant: str
    fold: int
    predictions: pd.DataFrame
    code: str = "c0de"


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
