"""From scores to the paper's two tables, ours beside the printed ones, and every number that prose may quote."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from traunet import metrics
from traunet.config import FOLDS
from traunet.facs import AUS
from traunet.records.keeping import whole
from traunet.scoring import claims, order, published, results, verdicts
from traunet.scoring.results import Number, cells, select
from traunet.scoring.scores import ScoredRun, VariantScores, score_runs
from traunet.scoring.verdicts import FULL, VERSION1

SCORES = published.SCORES
TABLE1 = ["metric", "method", "source", "averaging", *SCORES]
TABLE2 = ["variant", "source", "averaging", *SCORES]
HALVES = ("hm_cbam_no_channel", "hm_cbam_no_spatial")


def _row(head: Mapping, values: np.ndarray) -> dict:
    return {**head, **dict(zip(SCORES, np.round(values, 4), strict=True))}


def _reference(scores: Mapping[str, VariantScores]) -> VariantScores:
    """The variant that speaks for the test frames, which are the same for all."""
    return scores.get(FULL) or next(iter(scores.values()))


def table1(scores: Mapping[str, VariantScores]) -> pd.DataFrame:
    """Table 1: the published baselines (nine by F1, five by accuracy) and TRA-Net, and ours in both averagings."""
    printed = published.table1()
    parts = []
    for metric in metrics.METRICS:
        parts.append(select(printed, metric=metric).loc[:, TABLE1])
        head = {"metric": metric, "method": "TRA-Net", "source": "ours"}
        ours = [
            _row({**head, "averaging": averaging}, scores[FULL].score(metric, averaging))
            for averaging in metrics.AVERAGINGS
            if FULL in scores
        ]
        parts.append(pd.DataFrame(ours, columns=TABLE1))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def table2(scores: Mapping[str, VariantScores]) -> pd.DataFrame:
    """Table 2: the F1 of the published variants and full model, and of all of ours in both averagings."""
    ours = [
        _row({"variant": score.variant, "source": "ours", "averaging": averaging}, score.score("f1", averaging))
        for score in scores.values()
        for averaging in metrics.AVERAGINGS
    ]
    return pd.concat([published.table2().loc[:, TABLE2], pd.DataFrame(ours, columns=TABLE2)], ignore_index=True)


def chance(scores: Mapping[str, VariantScores]) -> pd.DataFrame:
    """What the best answer without looking scores on the same frames: columns metric, averaging, AUs, Avg."""
    reference = _reference(scores)
    return pd.DataFrame(
        [
            _row({"metric": metric, "averaging": averaging}, reference.chance(metric, averaging))
            for metric in metrics.METRICS
            for averaging in metrics.AVERAGINGS
        ]
    )


def folds(scores: Mapping[str, VariantScores]) -> pd.DataFrame:
    """Each variant's scores on each test fold: columns variant, metric, fold, AUs, Avg."""
    return pd.DataFrame(
        [
            _row({"variant": score.variant, "metric": metric, "fold": fold}, score.fold_score(metric, fold))
            for score in scores.values()
            for metric in metrics.METRICS
            for fold in FOLDS
        ]
    )


def _bounds(head: Mapping, value: np.ndarray, samples: np.ndarray) -> list[dict]:
    low, high = metrics.interval(samples)
    return [_row({**head, "bound": name}, v) for name, v in (("value", value), ("low", low), ("high", high))]


def intervals(scores: Mapping[str, VariantScores]) -> pd.DataFrame:
    """Pooled scores and their 95 % intervals over resampled subjects: variant, metric, bound, AUs, Avg."""
    rows = []
    for score in scores.values():
        for metric in metrics.METRICS:
            head = {"variant": score.variant, "metric": metric}
            rows += _bounds(head, score.score(metric), score.resampled(metric))
    return pd.DataFrame(rows)


def differences(scores: Mapping[str, VariantScores]) -> pd.DataFrame:
    """Each variant's F1 minus the full model's, printed and ours: variant, source, bound, AUs, Avg.

    Negative: the variant lost something. Ours come with 95 % intervals over the same resampled subjects, which
    say how far other faces could move the difference, and nothing of how far another seed of training could.
    """
    printed = published.table2().set_index("variant").loc[:, SCORES]
    rows = [
        _row({"variant": name, "source": "paper", "bound": "value"}, (line - printed.loc[FULL]).to_numpy(float))
        for name, line in printed.iterrows()
        if name != FULL
    ]
    for score in scores.values():
        if FULL in scores and score.variant != FULL:
            rows += _between(score, scores[FULL], {"variant": score.variant, "source": "ours"})
    return pd.DataFrame(rows)


def halves(scores: Mapping[str, VariantScores]) -> pd.DataFrame:
    """F1 without attention's channel half minus F1 without its spatial half, with its 95 % interval over people.

    Columns bound, AUs, Avg; no row if one of the two networks was not trained.
    """
    one, other = (scores.get(name) for name in HALVES)
    rows = _between(one, other, {}) if one and other else []
    return pd.DataFrame(rows, columns=["bound", *SCORES])


def _between(score: VariantScores, other: VariantScores, head: Mapping) -> list[dict]:
    """F1 minus another's F1, and its 95 % interval over the same resampled subjects."""
    samples = metrics.difference(score.resampled("f1"), other.resampled("f1"))
    return _bounds(head, metrics.difference(score.score("f1"), other.score("f1")), samples)


def seeds(trainings: Sequence[Mapping[str, VariantScores]]) -> pd.DataFrame:
    """Pooled F1 of each variant in each training, the first of which all other tables are of.

    Columns variant, training (from 1), AUs, Avg. Nothing else tells the chance of training from what a part of the
    network is worth: all trainings have the same data and settings, and each has a seed of its own.
    """
    rows = [
        _row({"variant": score.variant, "training": number}, score.score("f1"))
        for number, scores in enumerate(trainings, 1)
        for score in scores.values()
    ]
    return pd.DataFrame(rows)


def make_tables(scores: Mapping[str, VariantScores]) -> dict[str, pd.DataFrame]:
    """All tables of one training by the name of their file."""
    return {
        "table1": table1(scores),
        "table2": table2(scores),
        "chance": chance(scores),
        "folds": folds(scores),
        "intervals": intervals(scores),
        "differences": differences(scores),
        "halves": halves(scores),
    }


def _printed(made: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    return {
        **cells(select(made["table1"], source="paper"), "published.table1", ("method", "metric")),
        **cells(select(made["table2"], source="paper"), "published.table2", ("variant",)),
        **cells(select(made["differences"], source="paper"), "published.differences", ("variant",)),
        **claims.from_print(),
    }


def _ours(made: Mapping[str, pd.DataFrame], variant: str) -> dict[str, float]:
    return {
        **cells(select(made["table2"], source="ours", variant=variant), "table2", ("variant", "averaging")),
        **cells(select(made["folds"], variant=variant), "folds", ("variant", "metric", "fold")),
        **cells(select(made["intervals"], variant=variant), "intervals", ("variant", "metric", "bound")),
    }


def _to_full(made: Mapping[str, pd.DataFrame], variant: str) -> dict[str, float]:
    return cells(select(made["differences"], source="ours", variant=variant), "differences", ("variant", "bound"))


def _full(made: Mapping[str, pd.DataFrame], scores: VariantScores) -> dict[str, float]:
    ours = cells(select(made["table1"], source="ours"), "table1", ("method", "metric", "averaging"))
    return {**ours, "summary.above_chance": scores.above_chance()}


def _version1(scores: VariantScores) -> dict[str, float]:
    """What version 1 would have in Table 1, where the paper prints one row for both versions."""
    ways = [(metric, averaging) for metric in metrics.METRICS for averaging in metrics.AVERAGINGS]
    rows = [_row({"metric": metric, "averaging": how}, scores.score(metric, how)) for metric, how in ways]
    return cells(pd.DataFrame(rows), f"table1.{VERSION1}", ("metric", "averaging"))


def _facts(scores: VariantScores, threshold: int) -> dict[str, float]:
    counts = scores.counts.sum()
    shares = {f"data.positives.{name}": 100 * share for name, share in zip(AUS, counts.positive_rate, strict=True)}
    return {
        "data.frames": int(counts.frames[0]),
        "data.subjects": len(scores.subjects),
        "data.threshold": threshold,
        **{key: round(float(share), 4) for key, share in shares.items()},
    }


def make_numbers(
    scores: Mapping[str, VariantScores],
    made: Mapping[str, pd.DataFrame],
    profile: str,
    dataset: str,
    threshold: int,
) -> dict[str, Number]:
    """Every number with its runs, by key, such as `table2.tranet.pooled.Avg` or `table1.tranet.f1.pooled.AU1`."""
    reference = _reference(scores)
    groups = [(_ours(made, score.variant), (score,)) for score in scores.values()]
    if FULL in scores:
        full = scores[FULL]
        groups += [(_full(made, full), (full,))]
        groups += [(_to_full(made, score.variant), (score, full)) for score in scores.values()]
    if VERSION1 in scores:
        first = scores[VERSION1]
        groups += [(_version1(first), (first,))]
    groups += [
        (cells(made["halves"], "halves", ("bound",)), [scores[name] for name in HALVES if name in scores]),
        (cells(made["chance"], "chance", ("metric", "averaging")), (reference,)),
        (_facts(reference, threshold), (reference,)),
    ]
    if set(published.table2()["variant"]) <= set(scores):
        groups += [(order.summary(made["table2"]), tuple(scores.values()))]
    found = {key: Number(value, (), "DISFA", "published") for key, value in _printed(made).items()}
    for values, behind in groups:
        found |= _from_runs(values, behind, profile, dataset)
    return found


def _of_seeds(
    table: pd.DataFrame, trainings: Sequence[Mapping[str, VariantScores]], profile: str, dataset: str
) -> dict[str, Number]:
    found: dict[str, Number] = {}
    for number, scores in enumerate(trainings, 1):
        for score in scores.values():
            row = select(table.loc[table["training"] == number], variant=score.variant)
            found |= _from_runs(cells(row, "seeds", ("variant", "training")), (score,), profile, dataset)
    return found


def _from_runs(
    values: Mapping[str, float], behind: Iterable[VariantScores], profile: str, dataset: str
) -> dict[str, Number]:
    """Numbers with the runs of the variants behind them, and the code of those runs."""
    runs = tuple(run for score in behind for run in score.runs)
    code = tuple(sorted({code for score in behind for code in score.code}))
    return {key: Number(value, runs, dataset, profile, code) for key, value in values.items()}


def write(
    runs: Iterable[ScoredRun],
    out: Path,
    *,
    profile: str,
    dataset: str,
    papers: bool = False,
    threshold: int = 3,
    others: Sequence[Iterable[ScoredRun]] = (),
) -> Path:
    """Score the runs and write all tables and `results.json` into a folder; return the folder.

    `papers` says that this is the paper's experiment; nothing else is judged by the printed numbers.

    `others` are the same networks trained from other seeds: the table `seeds` tells of them, and a claim on which
    they do not agree is undecided.

    Everything is computed before the first file is replaced, so an error leaves the former results whole.
    """
    trainings = [score_runs(trained, threshold) for trained in (runs, *others)]
    tables = [make_tables(scores) for scores in trainings]
    numbers, *of_others = (
        make_numbers(scores, made, profile, dataset, threshold)
        for scores, made in zip(trainings, tables, strict=True)
    )
    made = tables[0]
    made["seeds"] = seeds(trainings)
    numbers |= _of_seeds(made["seeds"], trainings, profile, dataset)
    made["verdicts"] = verdicts.judge(numbers, papers, of_others)
    made["claims"] = claims.judge(numbers, papers, of_others)
    of_all = {"summary.seeds": len(trainings), **verdicts.counts(made["verdicts"])}
    every = [score for scores in trainings for score in scores.values()]
    numbers |= _from_runs(of_all, every, profile, dataset)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in made.items():
        with whole(out / f"{name}.csv") as part:
            table.to_csv(part, index=False)
    results.write(out / "results.json", numbers)
    return out
