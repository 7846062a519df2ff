"""The book's figures of the network: drawn from what `model.anatomy` measured, so that they are never outdated.

A stage is as high as its map, on either side, and as wide as it has channels, both on a compressed scale; lengths
are in tenths of an inch. A hatched stage is frozen; an arc over a stage is its residual connection.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc, FancyArrowPatch, Patch, Polygon, Rectangle

from traunet.config import VARIANTS
from traunet.facs import AUS, REGION_AUS
from traunet.figures.colours import REGION_COLOURS
from traunet.figures.style import FAINT, INK, drawn
from traunet.model.anatomy import Stage

TALLEST, WIDTH = 17.0, 96.0  # of the picture, and of the whole figure, in tenths of an inch
NEUTRAL, DEEP, PAPER = "#c9cdd2", "#8d97a3", "white"
ROW, LINE = 13.5, 1.2  # the height of a branch, and of a line of text
SMALL, TINY = 8, 7  # points
MASK, HEAD = 5.0, 5.0  # how wide these are
Place = tuple[float, float]


def _height(length: int, size: int) -> float:
    return TALLEST * (length / size) ** 0.4


def _width(channels: int) -> float:
    return 0.4 + 0.42 * np.log2(channels)


def _readable(colour: str) -> str:
    """Ink or white, whichever can be read on a colour."""
    return "white" if colour == REGION_COLOURS["upper"] else INK


def _colour(stage: Stage) -> str:
    if stage.part in REGION_COLOURS:
        return REGION_COLOURS[stage.part]
    return DEEP if stage.part == "decoder" else NEUTRAL


def _canvas(height: float) -> tuple[Figure, Axes]:
    figure, axes = plt.subplots(figsize=(WIDTH / 10, height / 10))
    axes.set(xlim=(0, WIDTH), ylim=(0, height), aspect="equal")
    axes.set_axis_off()
    return figure, axes


def _box(axes: Axes, stage: Stage, left: float, middle: float, size: int) -> float:
    """A stage from `left` on, around the height `middle`: as high as what enters and what leaves it."""
    width = _width(stage.shape[0])
    before, after = (_height(shape[1], size) / 2 for shape in (stage.given, stage.shape))
    right = left + width
    corners = [(left, middle - before), (right, middle - after), (right, middle + after), (left, middle + before)]
    hatch = "////" if stage.frozen else None
    axes.add_patch(Polygon(corners, facecolor=_colour(stage), edgecolor=INK, linewidth=0.8, hatch=hatch))
    return right


def _attention(axes: Axes, stage: Stage, left: float, middle: float, size: int) -> float:
    """A CBAM: one bar for each half that it has, with its name."""
    high, colour = _height(stage.shape[1], size), _colour(stage)
    halves = [half for half in ("channel", "spatial") if half in stage.traits]
    for half in halves:
        axes.add_patch(
            Rectangle((left, middle - high / 2), 1.6, high, facecolor=PAPER, edgecolor=INK, linewidth=0.8)
        )
        axes.add_patch(Rectangle((left, middle - high / 2), 1.6, high, facecolor=colour, alpha=0.35, linewidth=0))
        text = {"rotation": 90, "fontsize": TINY - 0.5, "color": INK, "ha": "center", "va": "center"}
        axes.text(left + 0.85, middle, half, **text)
        left += 1.6
    return left


def _head(axes: Axes, stage: Stage, left: float, middle: float) -> float:
    colour = _colour(stage)
    axes.add_patch(Rectangle((left, middle - 2), HEAD, 4, facecolor=colour, edgecolor=INK, linewidth=0.8))
    words = {"ha": "center", "va": "center", "fontsize": SMALL, "color": _readable(colour)}
    axes.text(left + 2.5, middle, "mean,\n2 FC", **words)
    names = REGION_AUS.get(stage.part, AUS)
    lines = [" ".join(names[n : n + 4]) for n in range(0, len(names), 4)] if len(names) > 3 else [" ".join(names)]
    axes.text(
        left + 5.8, middle, "\n".join(lines), ha="left", va="center", fontsize=SMALL, weight="bold", color=INK
    )
    return left + HEAD


def _arrow(axes: Axes, *places: Place) -> None:
    for start, end in pairwise(places[:-1]):
        axes.plot(*zip(start, end, strict=True), color=INK, linewidth=0.9, solid_capstyle="projecting")
    style = {"arrowstyle": "-|>", "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0, "linewidth": 0.9}
    axes.add_patch(FancyArrowPatch(places[-2], places[-1], color=INK, **style))


def _shortcut(axes: Axes, left: float, right: float, top: float) -> None:
    axes.add_patch(Arc(((left + right) / 2, top), right - left + 1.2, 2.6, theta1=0, theta2=180, color=INK))


def _named(axes: Axes, stage: Stage, centre: float, bottom: float) -> None:
    title = f"{stage.title}, frozen" if stage.frozen else stage.title
    axes.text(centre, bottom - 0.5, title, ha="center", va="top", fontsize=SMALL, weight="bold", color=INK)
    axes.text(centre, bottom - 0.7 - LINE, stage.size, ha="center", va="top", fontsize=TINY, color=INK)


def _trunk(axes: Axes, stages: Sequence[Stage], middle: float, size: int, image: np.ndarray | None) -> Place:
    """Picture, trunk and decoder from left to right, with the skips above; returns where the features leave."""
    upper = [stage for stage in stages if stage.part in ("trunk", "decoder")]
    left = _picture(axes, middle, size, image)
    free = WIDTH - 3 - left - sum(_width(stage.shape[0]) for stage in upper)
    gap, edges = min(free / len(upper), 8.0), {}
    for stage in upper:
        _arrow(axes, (left + 0.2, middle), (left + gap - 0.2, middle))
        right = _box(axes, stage, left + gap, middle, size)
        edges[stage.title] = (left + gap, right)
        lowest = middle - max(_height(shape[1], size) for shape in (stage.given, stage.shape)) / 2
        _named(axes, stage, (left + gap + right) / 2, lowest)
        left = right
    _skips(axes, edges, {stage.title: _height(stage.shape[1], size) / 2 for stage in upper}, middle)
    return left, middle


def _picture(axes: Axes, middle: float, size: int, image: np.ndarray | None) -> float:
    extent = (0.5, 0.5 + TALLEST, middle - TALLEST / 2, middle + TALLEST / 2)
    if image is not None:
        axes.imshow(image, extent=extent)
    axes.add_patch(
        Rectangle((0.5, extent[2]), TALLEST, TALLEST, fill=image is None, facecolor=PAPER, edgecolor=INK)
    )
    style: dict[str, Any] = {"ha": "center", "va": "top", "color": INK}
    axes.text(0.5 + TALLEST / 2, extent[2] - 0.5, "aligned face", fontsize=SMALL, weight="bold", **style)
    axes.text(0.5 + TALLEST / 2, extent[2] - 0.7 - LINE, f"3 × {size} × {size}", fontsize=TINY, **style)
    return extent[1]


def _skips(axes: Axes, edges: Mapping[str, Place], tops: Mapping[str, float], middle: float) -> None:
    """From the blocks over to the decoder's stages of the same size, which concatenate them."""
    for number, above in ((4, 2.2), (3, 3.8)):
        start, end = f"block {number}", f"decoder {number}"
        if end in edges:
            left, right = edges[start][1] - 0.5, edges[end][0] + 0.6
            high = middle + tops["block 3"] + above
            _arrow(
                axes, (left, middle + tops[start]), (left, high), (right, high), (right, middle + tops[end] - 0.2)
            )


def _branch(axes: Axes, stages: Sequence[Stage], left: float, middle: float, size: int, gap: float) -> None:
    """Attentions, convolutions and head of one branch, from left to right, `gap` apart."""
    for stage in stages:
        _arrow(axes, (left + 0.2, middle), (left + gap - 0.2, middle))
        begin = left + gap
        if stage.kind == "head":
            left = _head(axes, stage, begin, middle)
            continue
        left = (_attention if stage.kind == "attention" else _box)(axes, stage, begin, middle, size)
        top = _height(stage.given[1], size) / 2
        if "residual" in stage.traits:
            _shortcut(axes, begin, left, middle + top)
        if stage.kind == "followers":
            words = f"2 conv{', max pool' if 'pooling' in stage.traits else ''}\n{stage.size}"
            _below(axes, words, (begin + left) / 2, middle - top)


def _below(axes: Axes, words: str, centre: float, bottom: float) -> None:
    axes.text(centre, bottom - 0.4, words, ha="center", va="top", fontsize=TINY, color=INK)


def _mask(axes: Axes, mask: np.ndarray | None, region: str, left: float, middle: float) -> float:
    """A hard mask as it is: what it keeps in the region's colour."""
    extent = (left, left + MASK, middle - MASK / 2, middle + MASK / 2)
    axes.add_patch(Rectangle((left, extent[2]), MASK, MASK, facecolor=PAPER, edgecolor=INK, linewidth=0.8))
    rows = np.ones(1) if mask is None else np.asarray(mask).max(axis=1)
    colour = REGION_COLOURS.get(region, FAINT)
    for row in np.flatnonzero(rows):
        top = extent[3] - MASK * (row + 1) / len(rows)
        axes.add_patch(Rectangle((left, top), MASK, MASK / len(rows), facecolor=colour, linewidth=0))
    axes.add_patch(Rectangle((left, extent[2]), MASK, MASK, fill=False, edgecolor=INK, linewidth=0.8))
    axes.text(
        left + MASK / 2,
        extent[3] + 0.4,
        region,
        ha="center",
        va="bottom",
        fontsize=SMALL,
        weight="bold",
        color=INK,
    )
    return extent[1]


@drawn
def architecture(
    stages: Sequence[Stage], size: int, masks: np.ndarray | None = None, image: np.ndarray | None = None
) -> Figure:
    """A whole network for pictures of `size` pixels: above trunk and decoder, below the branches, a row each.

    Takes the network's own stages, its masks (R, h, w) and a face (H, W, 3) to stand at the entrance.
    """
    branches = list(dict.fromkeys(stage.part for stage in stages if stage.kind == "head"))
    low = ROW * len(branches) + 2
    figure, axes = _canvas(low + TALLEST + 6)
    right, middle = _trunk(axes, stages, low + 4.5 + TALLEST / 2, size, image)
    masked = any(stage.kind == "mask" for stage in stages)
    rows = [low - 1 - ROW * (number + 0.5) for number in range(len(branches))]
    corners = ((right, middle), (WIDTH - 1, middle), (WIDTH - 1, low), (1, low), (1, rows[-1]))
    axes.plot(*zip(*corners, strict=True), color=INK, linewidth=0.9)
    for number, (name, height) in enumerate(zip(branches, rows, strict=True)):
        _arrow(axes, (1, height), (4, height))
        part = [stage for stage in stages if stage.part == name]
        left = _mask(axes, None if masks is None else masks[number], name, 4, height) if masked else 4.0
        _branch(axes, part, left, height, size, gap=min((74 - left - _long(part)) / len(part), 12))
    return figure


def _long(stages: Sequence[Stage]) -> float:
    """How long a branch is without its gaps; a head is as wide for two AUs as for three: so branches align."""
    fixed = {"attention": 3.2, "head": HEAD}
    return sum(fixed.get(stage.kind) or _width(stage.shape[0]) for stage in stages)


@drawn
def branches(networks: Mapping[str, Sequence[Stage]], size: int) -> Figure:
    """One branch of each network below the other: the upper one, or the only one. Takes stages by variant."""
    figure, axes = _canvas(len(networks) * 12.5)
    for number, (name, stages) in enumerate(reversed(list(networks.items()))):
        first = next(stage.part for stage in stages if stage.kind == "head")
        height = 12.5 * (number + 0.5)
        axes.text(0, height, _wrapped(name, stages), ha="left", va="center", fontsize=SMALL, color=INK)
        _branch(axes, [stage for stage in stages if stage.part == first], 20, height, size, gap=5)
    return figure


def _wrapped(name: str, stages: Sequence[Stage]) -> str:
    kinds = {stage.kind for stage in stages}
    count = sum(stage.kind == "head" for stage in stages)
    before = "three masks, three branches" if "mask" in kinds else "no mask, one branch"
    title = VARIANTS[name].title if name in VARIANTS else name
    title = title.replace(" + CBAM w", "\n+ CBAM w").replace(" with res", "\nwith res")
    return f"{title}\n({before if 'decoder' in kinds or count > 1 else 'no decoder, no mask'})"


@drawn
def costs(networks: Mapping[str, Sequence[Stage]]) -> Figure:
    """Where the parameters and the arithmetic of networks lie: trunk, decoder and branches, side by side.

    Takes stages by the name to show. The branches' bar is parted by region.
    """
    columns = ("parameters", "multiply_adds")
    figure, axes = plt.subplots(1, 2, figsize=(8.5, 0.9 + 0.45 * len(networks)), sharey=True)
    colours = {"trunk": NEUTRAL, "decoder": DEEP, **REGION_COLOURS, "face": FAINT}
    for panel, what, unit in zip(axes, columns, (1e6, 1e9), strict=True):
        for row, stages in enumerate(networks.values()):
            left = 0.0
            for part, colour in colours.items():
                amount = sum(getattr(stage, what) for stage in stages if stage.part == part) / unit
                panel.barh(row, amount, left=left, color=colour, edgecolor="white", linewidth=0.6, height=0.66)
                left += amount
            panel.text(left, row, f" {left:.1f}", va="center", color=INK)
        panel.margins(x=0.14)
        panel.set_xlabel("parameters, millions" if what == "parameters" else "multiply-adds a face, billions")
    axes[0].set_yticks(range(len(networks)), list(networks))
    axes[0].invert_yaxis()
    there = {stage.part for stages in networks.values() for stage in stages}
    keys = [Patch(color=colour, label=part) for part, colour in colours.items() if part in there]
    figure.legend(handles=keys, loc="outside lower center", ncols=6)
    return figure
