"""The book's figures of labels: how often, how strongly, together with what, and on whom AUs occur."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from traunet.facs import AUS, INTENSITY_LETTERS, REGION_AUS, REGIONS
from traunet.figures import AU_COLOURS, INK, PRINTED, drawn, heat_map, region_legend


def intensity_shares(frames: pd.DataFrame) -> pd.DataFrame:
    """Percent of a table's frames at each intensity 1 to 5 (columns) of each AU (index)."""
    return pd.DataFrame({i: 100 * (frames[list(AUS)] == i).mean() for i in range(1, 6)})


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
    counted = shares.loc[list(AUS), list(range(threshold, 6))].sum(axis=1)
    axes.hlines(counted, at - 0.36, at + 0.36, color=INK, linewidth=1.6)
    legend = region_legend()
    legend += [Patch(color=(INK, shades[i]), label=f"intensity {INTENSITY_LETTERS[i]}") for i in range(5, 0, -1)]
    legend.append(
        Line2D([], [], color=INK, linewidth=1.6, label=f"positive: {INTENSITY_LETTERS[threshold]} or more")
    )
    if reference is not None:
        rates = reference.loc[list(AUS), list(range(threshold, 6))].sum(axis=1)
        axes.plot(at, rates, markersize=6, **PRINTED)
        legend.append(Line2D([], [], markersize=6, label="positive in DISFA", **PRINTED))
    axes.set_xticks(at, AUS)
    axes.set(ylabel="share of frames, %")
    figure.legend(handles=legend, loc="outside lower center", ncols=5)
    return figure


def _percents(axes: Axes, percent: np.ndarray, rows: Sequence[str], columns: Sequence[str], top: float) -> None:
    heat_map(axes, percent, ".0f", cmap="cividis_r", vmin=0, vmax=top)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)


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
    for edge in np.cumsum([len(REGION_AUS[region]) for region in REGIONS])[:-1] - 0.5:
        axes.axhline(edge, color="white", linewidth=2)
        axes.axvline(edge, color="white", linewidth=2)
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
