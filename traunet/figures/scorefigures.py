"""The book's figures of scores: each takes tables or arrays and returns a closed matplotlib Figure."""

from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from traunet.config import VARIANTS
from traunet.facs import AUS
from traunet.figures.style import AU_COLOURS, FAINT, INK, PRINTED, drawn, heat_map, region_legend
from traunet.scoring.published import SCORES
from traunet.scoring.results import select

CURVES: dict[str, tuple[dict[str, Any], str]] = {
    "f1_held_out": ({"linestyle": "-"}, "held-out subjects"),
    "f1_test": ({"linestyle": ":"}, "test fold"),
}
RING: dict[str, Any] = {"marker": "o", "markersize": 9, "fillstyle": "none", "linestyle": "none"}
# Runs in one figure: seaborn's dark colours that no region has, and the folds' marks of the figures of data.
RUNS = ((7, "o"), (2, "s"), (6, "^"), (9, "D"))
BOUNDS = ("value", "low", "high")


def _values(table: pd.DataFrame) -> np.ndarray:
    return table.loc[:, SCORES].to_numpy(float)


def _score_marks(axes: Axes, ours: np.ndarray, bounds: pd.DataFrame | None, bars: bool) -> None:
    at, colours = np.arange(len(SCORES)), [AU_COLOURS.get(name, FAINT) for name in SCORES]
    if bars:
        axes.bar(at, ours, width=0.72, color=colours)
    else:
        axes.scatter(at, ours, s=70, color=colours, zorder=3)
    if bounds is not None:
        low, high = (_values(select(bounds, bound=name))[0] for name in ("low", "high"))
        axes.vlines(at, low, high, color=INK, linewidth=1, zorder=4)


@drawn
def scores_against_paper(
    table1: pd.DataFrame,
    chance: pd.DataFrame | None = None,
    intervals: pd.DataFrame | None = None,
    metric: str = "f1",
    averaging: str = "pooled",
) -> Figure:
    """Table 1 at a glance: our TRA-Net in colour, with intervals, the paper's as diamonds, its baselines as dots.

    Takes the tables of the same names in `results/`. The dashed line of an AU is the best answer without looking.
    F1 stands as bars on 0; accuracies, which are all high, as discs, and their axis begins where they do.
    """
    figure, axes = plt.subplots(figsize=(8, 3.6))
    ours = select(table1, metric=metric, source="ours", averaging=averaging)
    printed = select(table1, metric=metric, source="paper")
    at, legend = np.arange(len(SCORES)), region_legend()
    bounds = None
    if intervals is not None and averaging == "pooled":
        bounds = select(intervals, variant="tranet", metric=metric)
        legend.append(Line2D([], [], color=INK, linewidth=1, label="95 % interval"))
    if len(ours):
        _score_marks(axes, _values(ours)[0], bounds, bars=metric == "f1")
    for method in _values(printed.loc[printed["method"] != "TRA-Net"]):
        axes.plot(at + 0.2, method, ".", color=INK, markersize=3, alpha=0.6, zorder=3)
    axes.plot(at, _values(select(printed, method="TRA-Net"))[0], markersize=6, **PRINTED)
    if chance is not None:
        guess = _values(select(chance, metric=metric, averaging=averaging))[0]
        axes.hlines(guess, at - 0.42, at + 0.42, color=INK, linestyle=(0, (2, 1.5)), linewidth=1.2, zorder=5)
        legend.append(Line2D([], [], color=INK, linestyle=(0, (2, 1.5)), label="best without looking"))
    legend.append(Line2D([], [], markersize=6, label="TRA-Net, printed", **PRINTED))
    legend.append(
        Line2D([], [], color=INK, marker=".", markersize=3, linestyle="none", label="baselines, printed")
    )
    axes.set_xticks(at, SCORES)
    axes.axvline(len(AUS) - 0.5, color=FAINT, linewidth=0.6)
    axes.set(ylim=(0 if metric == "f1" else None, 100), ylabel=f"{'F1' if metric == 'f1' else metric}, %")
    figure.legend(handles=legend, loc="outside lower center", ncols=4)
    return figure


@drawn
def variants_against_paper(
    table2: pd.DataFrame, intervals: pd.DataFrame, chance: pd.DataFrame | None = None
) -> Figure:
    """Table 2's averages at a glance: each variant printed (diamond) and ours pooled (disc, 95 % interval).

    Takes the tables of the same names in `results/`. The dashed line is the best answer without looking.
    """
    figure, axes = plt.subplots(figsize=(7.5, 3.2))
    ours = select(table2, source="ours", averaging="pooled").set_index("variant")["Avg"]
    printed = select(table2, source="paper").set_index("variant")["Avg"]
    names = [name for name in VARIANTS if name in ours.index or name in printed.index]
    at = pd.Series(range(len(names)), index=names)
    bounds = select(intervals, metric="f1")
    low, high = (select(bounds, bound=name).set_index("variant")["Avg"] for name in ("low", "high"))
    axes.hlines(at.reindex(low.index), low, high, color=INK, linewidth=1.5)
    axes.plot(ours, at.reindex(ours.index), "o", color=INK, label="ours, 95 % interval")
    axes.plot(printed, at.reindex(printed.index), label="printed", **PRINTED)
    if chance is not None:
        guess = select(chance, metric="f1", averaging="pooled")["Avg"].iloc[0]
        axes.axvline(guess, color=INK, linestyle=(0, (2, 1.5)), linewidth=1.2, label="best without looking")
    axes.set_yticks(at, [VARIANTS[name].title for name in names])
    axes.set(xlabel="mean F1 of eight AUs, %", ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="x", color="#e5e5e5")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _difference_map(axes: Axes, table: pd.DataFrame, names: Sequence[str], sure: pd.DataFrame | None) -> None:
    values = _values(table.reindex(names))
    strong = _values(sure.reindex(names)).astype(bool) if sure is not None else None
    heat_map(axes, values, "{:+.1f}".format, strong, cmap="PuOr", vmin=-40, vmax=40)
    axes.set_xticks(range(len(SCORES)), SCORES)
    axes.axvline(len(AUS) - 0.5, color="white", linewidth=2)


@drawn
def ablation_differences(differences: pd.DataFrame) -> Figure:
    """What each variant's F1 lacks or gains against the full model, in points: printed above, ours below.

    Bold: the 95 % interval over subjects excludes 0. Brown has lost, violet has won; the numbers say the same.
    """
    parts = {source: select(differences, source=source) for source in ("paper", "ours")}
    parts = {source: table for source, table in parts.items() if len(table)}
    rows = [len(set(part["variant"])) for part in parts.values()]
    size = (8.5, 1.2 + 0.32 * sum(rows))
    figure, axes = plt.subplots(len(parts), 1, squeeze=False, figsize=size, height_ratios=rows)
    for (source, table), panel in zip(parts.items(), axes[:, 0], strict=True):
        value, low, high = (select(table, bound=b).set_index("variant").loc[:, SCORES] for b in BOUNDS)
        names = [name for name in VARIANTS if name in value.index]
        _difference_map(panel, value, names, (low > 0) | (high < 0) if len(low) else None)
        panel.set_yticks(range(len(names)), [VARIANTS[name].title for name in names])
        panel.set_title("printed" if source == "paper" else "ours, pooled", loc="left")
    return figure


@drawn
def training_curves(histories: Mapping[str, pd.DataFrame], chosen: Mapping[str, int] | None = None) -> Figure:
    """Loss and mean F1 by epoch, a colour and a mark a run: on held-out subjects solid, on the test fold dotted.

    Takes runs' `history` tables by the name to show; `chosen` marks each run's chosen epoch.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.3))
    dark, shown = sns.color_palette("dark").as_hex(), islice(cycle(RUNS), len(histories))
    looks = [{"color": dark[number], "marker": mark, "markersize": 4} for number, mark in shown]
    keys: list[Artist] = [Line2D([], [], label=name, **look) for name, look in zip(histories, looks, strict=True)]
    seen = set()
    for (name, history), look in zip(histories.items(), looks, strict=True):
        left.plot(history["epoch"], history["loss"], **look)
        there = [column for column in CURVES if column in history and not np.isnan(history[column]).all()]
        for column in there:
            right.plot(history["epoch"], 100 * history[column], **look, **CURVES[column][0])
        if chosen and name in chosen and there:
            at = history.loc[history["epoch"] == chosen[name], there[0]]
            right.plot([chosen[name]] * len(at), 100 * at, color=look["color"], **RING)
        seen.update(there)
    keys += [Line2D([], [], color=INK, label=label, **style) for c, (style, label) in CURVES.items() if c in seen]
    keys += [Line2D([], [], color=INK, label="chosen epoch", **RING)] if chosen else []
    left.set(xlabel="epoch", ylabel="loss, three branches summed", ylim=(0, None))
    right.set(xlabel="epoch", ylabel="mean F1 of eight AUs, %", ylim=(0, 100), xlim=left.get_xlim())
    for panel in (left, right):
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(handles=keys, loc="outside lower center", ncols=6)
    return figure


@drawn
def attention_shares(shares: pd.DataFrame) -> Figure:
    """How much of the AUs' attention falls on the pixels they move: columns AU, share, untrained, chance (0 to 1).

    The dashed line is what a map that is even everywhere would get, the ring what the network before its training
    gets. All are means over an AU's rows, without those whose map is empty and has no share; the ring's rows lack
    neither map.
    """
    figure, axes = plt.subplots(figsize=(7, 3.3))
    at, groups = np.arange(len(AUS)), [select(shares.dropna(subset="share"), AU=name) for name in AUS]
    share, chance = (np.array([100 * group[column].mean() for group in groups]) for column in ("share", "chance"))
    untrained = [100 * group["untrained"].mean() for group in groups]
    low, high = (np.array([100 * group["share"].quantile(q) for group in groups]) for q in (0.25, 0.75))
    axes.bar(at, share, width=0.72, color=[AU_COLOURS[name] for name in AUS])
    axes.vlines(at, low, high, color=INK, linewidth=1)
    axes.hlines(chance, at - 0.42, at + 0.42, color=INK, linestyle=(0, (2, 1.5)), linewidth=1.2)
    axes.plot(at, untrained, color=INK, **RING)
    axes.set_xticks(at, AUS)
    axes.set(ylabel="attention on moved pixels, %", ylim=(0, None))
    legend = [*region_legend(), Line2D([], [], color=INK, linewidth=1, label="middle half of the frames")]
    legend.append(Line2D([], [], color=INK, linestyle=(0, (2, 1.5)), label="an even map"))
    legend.append(Line2D([], [], color=INK, label="before training", **RING))
    figure.legend(handles=legend, loc="outside lower center", ncols=3)
    return figure


@drawn
def epoch_choices(choices: pd.DataFrame) -> Figure:
    """What choosing the epoch on the test fold would have claimed: a line a run, from the kept epoch to the best.

    Takes columns network, fold, kept and best, in percent; networks come in the order of the table. A run whose
    kept epoch is the best one anyway has a ring around its disc and no line.
    """
    names = list(dict.fromkeys(choices["network"]))
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.42 * len(names)))
    at = choices["network"].map(names.index) + 0.24 * (choices["fold"] - choices["fold"].median())
    axes.hlines(at, choices["kept"], choices["best"], color=INK, linewidth=1.4)
    axes.plot(choices["kept"], at, "o", color=INK, markersize=4.5, label="epoch that was kept")
    axes.plot(choices["best"], at, color=INK, label="best epoch on the test fold", **{**RING, "markersize": 8})
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="mean F1 of eight AUs on the test fold, %", ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="x", color="#e5e5e5")
    axes.margins(x=0.04)
    figure.legend(loc="outside lower center", ncols=2)
    return figure
