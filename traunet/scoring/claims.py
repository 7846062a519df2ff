"""The paper's claims, each recomputed: on its own printed tables where those suffice, else from our trainings.

`data/published/claims.csv` quotes them, says where they stand and what would bear them out, and which numbers of
`results.json` are to be shown. Here stands only how each is judged.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from traunet import metrics
from traunet.facs import AUS
from traunet.model import readings
from traunet.scoring import order, published
from traunet.scoring.results import Number
from traunet.scoring.verdicts import FULL, MISSED, OTHER, REPRODUCED, UNDECIDED, Place, said, tolerance, within

HOLDS, FAILS = "holds", "does not hold"
PRINTED, TRAINING = "printed", "training"
PREFIX = "published.recomputed"
READ = "published.readings"
KEY = re.compile(r"\{([\w.]+)(?::[^}]*)?\}")
Values = Mapping[str, float]
Check = Callable[[Values], bool | None]  # None: the numbers cannot tell


def from_print() -> dict[str, float]:
    """What the claims need of the printed tables, by key: the best other method, gains over it, averages."""
    table = published.table1().set_index(["metric", "method"])[published.SCORES]
    found = {}
    for metric in ("f1", "accuracy"):
        best = table.loc[metric].drop(index="TRA-Net").max()
        found |= {f"{PREFIX}.best.{metric}.{score}": float(best[score]) for score in published.SCORES}
        ahead = table.loc[(metric, "TRA-Net"), list(AUS)] > best[list(AUS)]
        found[f"{PREFIX}.best_alone.{metric}"] = int(ahead.sum())
        gains = 100 * (table.loc[(metric, "TRA-Net")] / best - 1)
        found |= {f"{PREFIX}.gain.{au}": round(float(gains[au]), 4) for au in AUS if metric == "f1"}
    follows = pd.concat([published.audit_averages(table.reset_index()), _variants()])["follows"]
    return {
        **found,
        f"{PREFIX}.pairs": len(order.pairs()),
        f"{PREFIX}.averages.wrong": follows.tolist().count(False),
        f"{PREFIX}.averages.rows": len(follows),
        f"{PREFIX}.negatives": _negatives(table.loc["f1"], table.loc["accuracy"]),
        f"{READ}.parameters": readings.TAKEN.version1 / 1e6,
        f"{READ}.near": sum(bool(reading.near) for reading in readings.READINGS),
        f"{READ}.all": len(readings.READINGS),
    }


def _negatives(f1: Any, accuracy: Any) -> float:
    """What share of TRA-Net's right answers are negatives, mean of the AUs, in percent.

    Its F1 and accuracy of an AU fix that; both are tables of the methods by AU, in percent.
    """
    right, scores = (table.loc["TRA-Net", list(AUS)].to_numpy(float) / 100 for table in (accuracy, f1))
    hits, _ = metrics.positive_rate_bounds(scores, right)
    return round(float(100 * (1 - hits / right).mean()), 4)


def _variants() -> pd.DataFrame:
    """Table 2 as printed, without the row that is Table 1's."""
    return published.audit_averages(published.table2().query("printed_in == 'Table 2'"))


# Decision: a part helps if the 95 % interval over people of the difference without it lies below 0, and does not
# if it lies above; with 0 in it, the claim is undecided: these people are too few to tell. The paper has one
# number a variant and calls drops of 2.7 to 9.1 points a result. The other readings: any drop bears the claim out,
# which is weaker; or 0 in the interval refutes it, which holds against the paper that few people were tested.
# That interval does not hold the chance of training. So where networks were trained from several seeds, what needs
# training has a verdict only if it is the same from each, and is undecided otherwise.
def _loses(variant: str) -> Check:
    def check(values: Values) -> bool | None:
        low, high = (values[f"differences.{variant}.{bound}.Avg"] for bound in ("low", "high"))
        return True if high < 0 else False if low > 0 else None

    return check


def _as_printed(metric: str) -> Check:
    def check(values: Values) -> bool | None:
        verdicts = said(Place(1, metric, FULL, "Avg"), values)
        return True if verdicts == {REPRODUCED} else False if verdicts == {MISSED} else None

    return check


def _ahead(values: Values, metric: str, score: str) -> float:
    """Points of the printed TRA-Net above the best other method of Table 1."""
    return values[f"published.table1.tranet.{metric}.{score}"] - values[f"{PREFIX}.best.{metric}.{score}"]


# Decision: two networks are alike if the 95 % interval over people of their difference lies within the tolerance
# on either side, are not if it lies outside, and else the claim is undecided. The other reading, that the
# difference itself lies within it, bears a claim of likeness out the more easily the fewer people were tested.
def _alike(values: Values, difference: str, score: str) -> bool | None:
    low, high = (values[f"{difference}.{bound}.{score}"] for bound in ("low", "high"))
    allowed = tolerance("f1", score)
    apart = low > allowed or high < -allowed
    return True if within(low, allowed) and within(high, allowed) else False if apart else None


def _close_on_the_lower_face(values: Values) -> bool | None:
    alike = {_alike(values, "differences.senet", au) for au in ("AU12", "AU25", "AU26")}
    return False if False in alike else None if None in alike else True


def _halves_alike(values: Values) -> bool | None:
    return _alike(values, "halves", "Avg")


def _gains_as_said(values: Values) -> bool:
    return round(values[f"{PREFIX}.gain.AU1"]) == 9 and round(values[f"{PREFIX}.gain.AU2"], 1) == 28.7


def _our_size(values: Values) -> bool | None:
    """Whether version 1 as read here has the printed size; if only other readings come near, nobody can tell."""
    return True if 1 in readings.TAKEN.near else None if values[f"{READ}.near"] else False


CHECKS: dict[str, Check] = {
    "full_f1": _as_printed("f1"),
    "full_accuracy": _as_printed("accuracy"),
    "hard_masks": _loses("senet_cbam"),
    "soft_attention": _loses("senet_hm"),
    "channel_attention": _loses("hm_cbam_no_channel"),
    "spatial_attention": _loses("hm_cbam_no_spatial"),
    "equal_halves": _halves_alike,
    "no_residual": _loses("tranet_residual"),
    "lower_face": _close_on_the_lower_face,
    "order": order.stands,
    "highest_f1": lambda values: all(_ahead(values, "f1", au) > 0 for au in ("AU1", "AU2", "AU4")),
    "gains": _gains_as_said,
    "close_au4": lambda values: within(_ahead(values, "f1", "AU4"), tolerance("f1", "AU")),
    "mean_accuracy": lambda values: _ahead(values, "accuracy", "Avg") > 0,
    "all_accuracies": lambda values: values[f"{PREFIX}.best_alone.accuracy"] == len(AUS),
    "negatives": lambda values: values[f"{PREFIX}.negatives"] > 50,
    "averages": lambda values: values[f"{PREFIX}.averages.wrong"] == 0,
    "size": _our_size,
}


def keys(found: str) -> list[str]:
    """The keys of the numbers that a claim's `found` shows."""
    return KEY.findall(found)


def judge(
    numbers: Mapping[str, Number], papers: bool, others: Sequence[Mapping[str, Number]] = ()
) -> pd.DataFrame:
    """Every claim that can be judged with these numbers: the columns of `claims.csv`, and its verdict.

    `others` are the numbers of the same networks trained from other seeds, which may leave a claim undecided.

    What stands on print alone `holds` or `does not hold`, whatever the data. What needs training is `reproduced`
    or not if the numbers are of the paper's experiment (`papers`), else `not comparable`. Either is `undecided`
    where the numbers cannot tell. A claim about networks that were not trained is left out.
    """
    trainings = [{key: number.number for key, number in trained.items()} for trained in (numbers, *others)]
    claims = published.claims()
    known = claims.loc[[all(key in numbers for key in keys(found)) for found in claims["found"]]]
    rows = known.to_dict("records")
    words = [_verdict(row["claim"], row["rests_on"], trainings, papers) for row in rows]
    return known.assign(verdict=words)


def _verdict(claim: str, rests_on: str, trainings: Sequence[Values], papers: bool) -> str:
    if rests_on == TRAINING and not papers:
        return OTHER
    yes, no = (REPRODUCED, MISSED) if rests_on == TRAINING else (HOLDS, FAILS)
    found = {CHECKS[claim](values) for values in trainings}
    return yes if found == {True} else no if found == {False} else UNDECIDED
