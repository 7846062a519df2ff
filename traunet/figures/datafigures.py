"""The book's figures of labels: how often, how strongly, together with what, and on whom AUs occur."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from traunet.facs import AUS, INTENSITY_LETTERS, REGION_AUS, REGIONS
from traunet.figures.style import AU_COLOURS, FAINT, INK, PRINTED, drawn, heat_map, region_legend

# Why frames are left out: a colour that is no region's, and a height in points.
REASONS = (("#CC79A7", 8), ("#56B4E9", 5), ("#009E73", 3), (INK, 2), ("#994F00", 11))


def intensity_shares(frames: pd.DataFrame) -> pd.DataFrame:
    """Percent of a table's frames at each intensity 1 to 5 (columns) of each AU (index)."""
    return pd.DataFrame({i: 100 * (frames[list(AUS)] == i).mean() for i in range(1, 6)})


def _positive(shares: pd.DataFrame, threshold: int) -> pd.Series:
    """Percent of frames on which each AU is positive, of `intensity_shares`."""
    return shares.loc[list(AUS), list(range(threshold, 6))].sum(axis=1)


@drawn
def label_distribution(shares: pd.DataFrame, reference: pd.DataFrame | None = None, threshold: int = 3) -> Figure:
    """How often each AU occurs, and how strongly: percent of frames, darker is stronger, letters from A to E.

    Takes `intensity_shares`. What counts as positive, from `threshold` on, stands below the black line; a diamond
    marks the share of it in `reference`, such as DISFA's.
    """
    figure, axes = plt.subplots(figsize=(8, 3.4))
    at, shades, base = np.arange(len(AUS)), dict(zip(range(5, 0, -1), (1, 0.75, 0.5, 0.3, 0.15), strict=True)), 0
    for intensity, shade in shades.items():
        values = shares.loc[list(AUS), intensity].to_numpy(float)
        axes.bar(at, values, bottom=base, color=[(AU_COLOURS[name], shade) for name in AUS], width=0.72)
        base = base + values
    counted = _positive(shares, threshold)
    axes.hlines(counted, at - 0.36, at + 0.36, color=INK, linewidth=1.6)
    legend = region_legend()
    legend += [Patch(color=(INK, shades[i]), label=f"intensity {INTENSITY_LETTERS[i]}") for i in range(5, 0, -1)]
    legend.append(
        Line2D([], [], color=INK, linewidth=1.6, label=f"positive: {INTENSITY_LETTERS[threshold]} or more")
    )
    if reference is not None:
        axes.plot(at, _positive(reference, threshold), markersize=6, **PRINTED)
        legend.append(Line2D([], [], markersize=6, label="positive in DISFA", **PRINTED))
    axes.set_xticks(at, AUS)
    axes.set(ylabel="share of frames, %")
    figure.legend(handles=legend, loc="outside lower center", ncols=5)
    return figure


def _percents(axes: Axes, percent: np.ndarray, rows: Sequence[str], columns: Sequence[str], top: float) -> None:
    heat_map(axes, percent, _percent, cmap="cividis_r", vmin=0, vmax=top)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)


def _percent(value: float) -> str:
    return "<1" if 0 < value < 0.5 else f"{value:.0f}"


def _part_regions(axes: Axes) -> None:
    for edge in np.cumsum([len(REGION_AUS[region]) for region in REGIONS])[:-1] - 0.5:
        axes.axhline(edge, color="white", linewidth=2)
        axes.axvline(edge, color="white", linewidth=2)


@drawn
def co_occurrence(positive: np.ndarray) -> Figure:
    """Which AUs come together: of the frames with the row's AU, the percent that have the column's too.

    Takes labels (N, A). Lines part the regions; a dash stands where the row's AU never occurs.
    """
    together = positive.astype(float).T @ positive
    percent = np.full(together.shape, np.nan)
    np.divide(100 * together, np.diag(together)[:, None], out=percent, where=np.diag(together)[:, None] > 0)
    figure, axes = plt.subplots(figsize=(4.8, 4.2))
    _percents(axes, percent, AUS, AUS, 100)
    _part_regions(axes)
    axes.set(xlabel="also has", ylabel="of the frames with")
    return figure


@drawn
def positives_by_subject(positive: np.ndarray, subjects: np.ndarray, folds: Mapping[int, Sequence[str]]) -> Figure:
    """Who shows what: the percent of each subject's frames on which an AU is positive, a block a test fold.

    Takes labels (N, A), each frame's subject (N,), and each fold's test subjects.
    """
    rates = {name: 100 * positive[subjects == name].mean(axis=0) for name in np.unique(subjects)}
    order = {fold: [name for name in sorted(members) if name in rates] for fold, members in folds.items()}
    size = (8.5, 0.9 + 0.2 * max(map(len, order.values())))
    figure, axes = plt.subplots(1, len(order), squeeze=False, figsize=size)
    top = max(1.0, *(rate.max() for rate in rates.values()))
    for (fold, names), panel in zip(order.items(), axes[0], strict=True):
        _percents(panel, np.stack([rates[name] for name in names]), names, [name[2:] for name in AUS], top)
        panel.set_title(f"test fold {fold}", loc="left")
        panel.set_xlabel("AU")
    return figure


@drawn
def overlap(shares: pd.DataFrame) -> Figure:
    """Which AUs move the same skin: of the pixels that the row's AU moves, the percent the column's moves too.

    Takes `portraits.overlaps`. Lines part the regions.
    """
    figure, axes = plt.subplots(figsize=(4.8, 4.2))
    _percents(axes, 100 * shares.to_numpy(), list(shares.index), list(shares.columns), 100)
    _part_regions(axes)
    axes.set(xlabel="also moved by", ylabel="of the pixels moved by")
    return figure


@drawn
def movement_by_intensity(lengths: pd.DataFrame, eyes: float, size: int, threshold: int = 3) -> Figure:
    """How far the most moved pixel goes at each intensity, an AU a line, in percent of the eyes' distance.

    Takes lengths in distances of the eyes (an AU a row, columns 1 to 5), and that distance as a share of the
    aligned picture; the axis on the right counts pixels of one of `size`. Right of the line an AU is positive.
    """
    figure, axes = plt.subplots(figsize=(7, 3.8))
    styles = dict(zip(AUS, ("-o", "--s", ":^", "-o", "--s", "-o", "--s", ":^"), strict=True))
    for name in lengths.index:
        values = 100 * lengths.loc[name]
        axes.plot(lengths.columns, values, styles[name], color=AU_COLOURS[name], label=name, markersize=5)
    axes.axvline(threshold - 0.5, color=INK, linewidth=1)
    axes.set_xticks(range(1, 6), INTENSITY_LETTERS[1:])
    axes.set(xlabel="intensity", ylabel="way, % of the eyes' distance", ylim=(0, None))
    percent = eyes * size / 100  # pixels
    scales = (lambda y: np.multiply(y, percent), lambda y: np.divide(y, percent))
    pixels = axes.secondary_yaxis("right", scales)
    pixels.set_ylabel(f"pixels of {size} x {size}")
    axes.legend(loc="upper left", ncols=2)
    return figure


@drawn
def positives_by_threshold(shares: pd.DataFrame, rates: pd.DataFrame | None = None, used: int = 3) -> Figure:
    """What a threshold makes of the positives: percent of frames at 1, 2 or 3 and more; the one used is full.

    Takes `intensity_shares`, and the published percent by threshold (the index) and AU, drawn as diamonds.
    """
    figure, axes = plt.subplots(figsize=(8, 3.4))
    at, legend = np.arange(len(AUS)), region_legend()
    thresholds = sorted({1, 2, 3, used})
    for place, threshold in enumerate(thresholds):
        x = at + 0.8 * ((place + 0.5) / len(thresholds) - 0.5)
        alpha = 1.0 if threshold == used else 0.35
        colours = [(AU_COLOURS[name], alpha) for name in AUS]
        axes.bar(x, _positive(shares, threshold), width=0.74 / len(thresholds), color=colours)
        if rates is not None and threshold in rates.index:
            axes.plot(x, rates.loc[threshold, list(AUS)].astype(float), markersize=4, **PRINTED)
    letters = [f"{INTENSITY_LETTERS[t]} or more" for t in thresholds]
    legend.append(Patch(color=(INK, 0.35), label="from left to right: " + ", ".join(letters)))
    legend.append(Patch(color=INK, label=f"counted here: {INTENSITY_LETTERS[used]} or more"))
    if rates is not None:
        legend.append(Line2D([], [], markersize=5, label="published for DISFA", **PRINTED))
    axes.set_xticks(at, AUS)
    axes.set(ylabel="share of frames, %")
    figure.legend(handles=legend, loc="outside lower center", ncols=3)
    return figure


@drawn
def positives_by_fold(positive: np.ndarray, rows: Mapping[int, np.ndarray]) -> Figure:
    """How uneven the folds are: percent of each test fold's frames on which an AU is positive, a mark a fold.

    Takes labels (N, A) of all frames, and the rows of each test fold.
    """
    figure, axes = plt.subplots(figsize=(8, 3.2))
    at, marks = np.arange(len(AUS)), "os^Dv"
    rates = np.array([100 * positive[chosen].mean(axis=0) for chosen in rows.values()])
    axes.vlines(at, rates.min(axis=0), rates.max(axis=0), color=FAINT, linewidth=1.5, zorder=1)
    for rate, fold, mark in zip(rates, rows, marks, strict=False):
        axes.scatter(
            at, rate, s=46, marker=mark, color=[AU_COLOURS[name] for name in AUS], edgecolor=INK, linewidth=0.6
        )
        axes.plot([], [], mark, color=FAINT, markeredgecolor=INK, label=f"test fold {fold}")
    axes.set_xticks(at, AUS)
    axes.set(ylabel="positive test frames, %", ylim=(0, None))
    axes.legend(loc="upper left")
    return figure


@drawn
def frames_left_out(frames: pd.DataFrame) -> Figure:
    """Which frames are not used, and why: a line a person who lacks some, from the first frame to the last.

    Takes a table with `subject`, `frame`, `usable` and `reason`.
    """
    lost = frames[~frames["usable"]]
    people = sorted(set(lost["subject"]))
    reasons = sorted(set(lost["reason"]))
    looks = dict(zip(reasons, REASONS[: len(reasons)], strict=True))
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.26 * max(len(people), 1)))
    ends = [frames.loc[frames["subject"] == name, "frame"].to_numpy().max() + 0.5 for name in people]
    axes.hlines(range(len(people)), 0.5, ends, color=FAINT, linewidth=1)
    for reason, (colour, height) in looks.items():
        chosen = lost[lost["reason"] == reason]
        y = [people.index(name) for name in chosen["subject"]]
        axes.hlines(y, chosen["frame"] - 0.5, chosen["frame"] + 0.5, color=colour, linewidth=height, label=reason)
    axes.set_yticks(range(len(people)), people)
    axes.set(xlabel="frame", xlim=(0, frames["frame"].max() + 1), ylim=(max(len(people), 1) - 0.5, -0.5))
    if reasons:
        figure.legend(loc="outside lower center", ncols=len(REASONS), handlelength=1.2, columnspacing=1.4)
    else:
        axes.text(0.5, 0.5, "every frame is used", transform=axes.transAxes, ha="center")
    return figure


@drawn
def batch_contents(batches: Mapping[str, np.ndarray]) -> Figure:
    """What a batch holds: percent of its frames on which each AU is positive, by the way of drawing.

    Takes shares (batches, A) from 0 to 1 by name. A mark is the mean; a line reaches over nine batches in ten.
    """
    figure, axes = plt.subplots(figsize=(8, 3.4))
    at, colours = np.arange(len(AUS)), [AU_COLOURS[name] for name in AUS]
    legend = region_legend()
    for place, (name, shares) in enumerate(batches.items()):
        x = at + 0.36 * ((place + 0.5) / len(batches) - 0.5)
        low, high = np.quantile(100 * shares, [0.05, 0.95], axis=0)
        mark = "os^D"[place]
        axes.vlines(x, low, high, color=colours, linewidth=2.2)
        face = ["white"] * len(AUS) if place == 0 else colours
        axes.scatter(x, 100 * shares.mean(axis=0), s=38, marker=mark, c=face, edgecolor=INK, zorder=3)
        mean: dict[str, Any] = {
            "color": "white" if place == 0 else FAINT,
            "markeredgecolor": INK,
            "linestyle": "none",
        }
        legend.append(Line2D([], [], marker=mark, label=name, **mean))
    axes.set_xticks(at, AUS)
    axes.set(ylabel="share of a batch, %", ylim=(0, None))
    figure.legend(handles=legend, loc="outside lower center", ncols=3)
    return figure


def landmark_spread(points: np.ndarray, eyes: float) -> float:
    """How far landmarks lie from their own mean over frames: root mean square of all, in distances of the eyes.

    Shapes: points (N, L, 2), of N frames; `eyes` in the same unit.
    """
    return float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=-1).mean()) / eyes)
