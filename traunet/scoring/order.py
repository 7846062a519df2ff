"""The order of Table 2's rows: which pairs of them the print parts, and whether ours stand so.

The printed rows are put in order by their own means: one printed average is not that of its row, so that whoever
reproduced all cells would not have the order of the averages.
"""

import math
from collections.abc import Mapping
from itertools import permutations

import numpy as np
import pandas as pd

from traunet import metrics
from traunet.facs import AUS
from traunet.scoring import published
from traunet.scoring.results import select
from traunet.scoring.verdicts import tolerance, within


# Decision: only pairs of rows whose printed means lie further apart than the tolerance of an average are judged:
# the order is reproduced if all of them stand as printed in both averagings, and not if in both some pair is
# turned by more than the tolerance. So nobody whose averages are all within the tolerance has missed the order.
# The other reading, that all rows stand exactly as printed, hangs on a step of a quarter of a point.
def pairs() -> list[tuple[str, str]]:
    """The pairs of networks, the better one first, that the print of Table 2 parts by more than the tolerance."""
    means = _means(published.table2())
    allowed = tolerance("f1", "Avg")
    ahead = [(better, worse) for better, worse in permutations(means, 2) if means[better] > means[worse]]
    return [(better, worse) for better, worse in ahead if not within(means[better] - means[worse], allowed)]


def stands(values: Mapping[str, float]) -> bool | None:
    """Whether our averages, by key, have the order of these pairs; None if they cannot tell, or not in unison."""
    found = {_stands(values, averaging) for averaging in metrics.AVERAGINGS}
    return found.pop() if len(found) == 1 else None


def _stands(values: Mapping[str, float], averaging: str) -> bool | None:
    def ours(variant: str) -> float:
        return values[f"table2.{variant}.{averaging}.Avg"]

    leads = [ours(better) - ours(worse) for better, worse in pairs()]
    allowed = tolerance("f1", "Avg")
    turned = any(lead < 0 and not within(lead, allowed) for lead in leads)
    return True if all(lead > 0 for lead in leads) else False if turned else None


def summary(table: pd.DataFrame) -> dict[str, float]:
    """What prose may quote of our pooled averages: how many of the pairs stand, and the rank correlation."""
    ours = _pooled(table)
    kept = sum(ours[better] > ours[worse] for better, worse in pairs())
    return {"summary.order_kept": kept, "summary.order_agreement": agreement(table)}


def agreement(table: pd.DataFrame) -> float:
    """Spearman's rank correlation of the averages of Table 2's variants, printed against ours pooled.

    NaN with fewer than three variants, or if all of them score the same.
    """
    printed, ours = _means(select(table, source="paper")), _pooled(table)
    both = [(printed[variant], ours[variant]) for variant in printed if variant in ours]
    ranks = pd.DataFrame(both).rank().to_numpy()
    if len(ranks) < 3 or (np.ptp(ranks, axis=0) == 0).any():
        return math.nan
    return float(np.corrcoef(ranks.T)[0, 1])


def _means(printed: pd.DataFrame) -> dict[str, float]:
    return dict(zip(printed["variant"], printed[list(AUS)].mean(axis=1), strict=True))


def _pooled(table: pd.DataFrame) -> dict[str, float]:
    ours = select(table, source="ours", averaging="pooled")
    return dict(zip(ours["variant"], ours["Avg"], strict=True))
