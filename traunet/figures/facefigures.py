"""The book's figures of faces: each takes pictures and what lies on them, and returns a closed Figure."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from traunet.facs import (
    BROWS,
    CHIN,
    INNER_LIP,
    JAW,
    LEFT_IMAGE_EYE,
    NOSE,
    NOSE_ROOT,
    NOSE_TIP,
    OUTER_LIP,
    REGION_AUS,
    REGIONS,
    RIGHT_IMAGE_EYE,
    ActionUnit,
)
from traunet.figures.colours import REGION_COLOURS
from traunet.figures.style import INK, drawn

RINGS = (LEFT_IMAGE_EYE, RIGHT_IMAGE_EYE, OUTER_LIP, INNER_LIP)
CHAINS = (JAW, slice(BROWS.start, 22), slice(22, BROWS.stop), slice(NOSE.start, 31), slice(31, NOSE.stop))
POINT = "#56B4E9"
MOVEMENT = "viridis"
PART_COLOURS = (
    (np.r_[BROWS, LEFT_IMAGE_EYE, RIGHT_IMAGE_EYE], REGION_COLOURS["upper"]),
    (np.r_[NOSE], REGION_COLOURS["middle"]),
    (np.r_[JAW, OUTER_LIP, INNER_LIP], REGION_COLOURS["lower"]),
)
Arrays = Sequence[np.ndarray] | np.ndarray  # a list of arrays, or one with N first


def _picture(axes: Axes, image: np.ndarray, title: str = "") -> None:
    height, width = image.shape[:2]
    axes.imshow(image, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title)


def _landmarks(axes: Axes, points: np.ndarray, colour: str = POINT) -> None:
    for part in CHAINS + RINGS:
        line = points[part]
        line = np.concatenate([line, line[:1]]) if part in RINGS else line
        axes.plot(*line.T, ".-", color=colour, markersize=3, linewidth=0.7)


def _grid(rows: int, columns: int, size: float) -> tuple[Figure, np.ndarray]:
    shape = {"figsize": (size * columns, size * rows * 1.12), "squeeze": False}
    figure, axes = plt.subplots(rows, columns, **shape)
    for panel in axes.flat:
        panel.set_axis_off()
    return figure, axes


@drawn
def faces(
    images: Arrays,
    titles: Sequence[str] = (),
    landmarks: Arrays = (),
    columns: int = 6,
    size: float = 1.5,
) -> Figure:
    """A sheet of pictures (H, W, 3), row by row, with titles and landmarks (66, 2) if they are given."""
    columns = min(columns, max(len(images), 1))
    figure, axes = _grid(-(-len(images) // columns), columns, size)
    for number, (panel, image) in enumerate(zip(axes.flat, images, strict=False)):
        _picture(panel, image, titles[number] if len(titles) else "")
        if len(landmarks):
            _landmarks(panel, landmarks[number])
    return figure


def _anchor(axes: Axes, points: np.ndarray) -> None:
    middle = points[[NOSE_ROOT, NOSE_TIP]].mean(axis=0)
    axes.plot(*middle, "+", color=INK, markersize=11, markeredgewidth=3.4)
    axes.plot(*middle, "+", color=REGION_COLOURS["middle"], markersize=10, markeredgewidth=1.6)
    axes.plot(*points[CHIN], "v", color=REGION_COLOURS["lower"], markeredgecolor=INK, markersize=7)


@drawn
def alignment(
    before: Arrays,
    landmarks_before: Arrays,
    after: Arrays,
    landmarks_after: Arrays,
) -> Figure:
    """Frames above, aligned below: the cross is the nose's midpoint, the triangle the chin, lines the centre."""
    figure, axes = _grid(2, len(before), 8 / len(before))
    rows = ((before, landmarks_before, "frame"), (after, landmarks_after, "aligned"))
    for line, (images, landmarks, title) in zip(axes, rows, strict=True):
        for panel, image, points in zip(line, images, landmarks, strict=True):
            _picture(panel, image, title)
            _landmarks(panel, points)
            _anchor(panel, points)
    for panel, image in zip(axes[1], after, strict=True):
        height, width = image.shape[:2]
        panel.axhline((height - 1) / 2, color="white", linewidth=0.7)
        panel.axvline((width - 1) / 2, color="white", linewidth=0.7)
    return figure


def _dimmed(image: np.ndarray, seen: np.ndarray, light: float = 0.25) -> np.ndarray:
    """The picture where a mask (H, W) is 1, elsewhere grey and darker."""
    grey = np.broadcast_to(image.mean(axis=-1, keepdims=True) * light, image.shape)
    return (seen[..., None] * image + (1 - seen[..., None]) * grey).astype(np.uint8)


def _enlarged(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    rows = np.arange(height) * mask.shape[0] // height
    columns = np.arange(width) * mask.shape[1] // width
    return mask[rows][:, columns]


@drawn
def region_masks(image: np.ndarray, masks: np.ndarray) -> Figure:
    """The hard masks on a face (H, W, 3): what each branch sees, the rest dimmed; masks (R, h, w) of 0 and 1.

    Cells are those of the feature map that the masks multiply, so edges may lie beside the picture's middle.
    """
    figure, axes = _grid(1, 1 + len(REGIONS), 2.1)
    _picture(axes[0, 0], image, "aligned face")
    height, width = image.shape[:2]
    for panel, region, mask in zip(axes[0, 1:], REGIONS, masks, strict=True):
        seen = _enlarged(np.asarray(mask, dtype=float), height, width)
        _picture(panel, _dimmed(image, seen), f"{region}\n{' '.join(REGION_AUS[region])}")
        rows = np.flatnonzero(seen.any(axis=1))
        edges = (rows[0] - 0.5, rows[-1] + 0.5)
        panel.hlines(edges, -0.5, width - 0.5, color=REGION_COLOURS[region], linewidth=3, clip_on=False)
    return figure


def _overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    grey = np.repeat(image.mean(axis=-1, keepdims=True) / 255, 3, axis=-1)
    heat = np.clip(np.nan_to_num(heat), 0, 1)
    colour = plt.get_cmap("inferno")(heat)[..., :3]
    strength = 0.75 * heat[..., None]
    return (1 - strength) * grey + strength * colour


@drawn
def attention_grid(
    images: Arrays,
    maps: Mapping[str, Arrays],
    outlines: Mapping[str, Arrays] | None = None,
    titles: Sequence[str] = (),
) -> Figure:
    """Attention on faces, a row a face, a column a name, such as the AU: the brighter, the more.

    Takes pictures (H, W, 3), maps (H, W) from 0 to 1 by name, and masks (H, W) of the same names to outline, such
    as the pixels that the AU really moves.
    """
    figure, axes = _grid(len(images), 1 + len(maps), min(1.25, 8 / (1 + len(maps))))
    for row, image in enumerate(images):
        _picture(axes[row, 0], image, titles[row] if len(titles) else "")
        for panel, (name, heats) in zip(axes[row, 1:], maps.items(), strict=True):
            _picture(panel, _overlay(image, heats[row]), name if row == 0 else "")
            mask = outlines[name][row] if outlines and name in outlines else None
            if mask is not None and mask.any() and not mask.all():
                panel.contour(mask, levels=[0.5], colors=POINT, linewidths=1.1)
    return figure


def _movement(
    axes: Axes, image: np.ndarray, movement: np.ndarray, muscle: np.ndarray, top: float
) -> ScalarMappable:
    """A pale face, coloured by how far its pixels go, with arrows, and the muscle dashed."""
    length = np.linalg.norm(movement, axis=-1)
    pale = 0.6 + 0.4 * np.repeat(image.mean(axis=-1, keepdims=True) / 255, 3, axis=-1)
    shown = np.clip(2 * length / max(top * 0.2, 1e-9), 0, 1)[..., None]
    colours = ScalarMappable(Normalize(0, top), MOVEMENT)
    _picture(axes, (1 - shown) * pale + shown * colours.to_rgba(length)[..., :3])
    step = max(len(image) // 18, 1)
    at = np.mgrid[step // 2 : len(image) : step, step // 2 : len(image) : step].reshape(2, -1)
    at = at[:, length[*at] >= 0.25 * length.max()] if length.max() > 0 else at[:, :0]
    arrows = {"angles": "xy", "scale_units": "xy", "scale": top / (2.2 * step), "width": 0.009}
    axes.quiver(at[1], at[0], *movement[*at].T, color="white", edgecolor=INK, linewidth=0.5, **arrows)
    if muscle.any():
        axes.contour(muscle, levels=[0.5], colors=INK, linewidths=1.3, linestyles=[(0, (3, 2))])
    return colours


@drawn
def movements(
    units: Sequence[ActionUnit],
    rest: np.ndarray,
    acting: Arrays,
    moved: Arrays,
    fields: Arrays,
    muscles: Arrays,
    top: float,
) -> Figure:
    """What each of some AUs does, a row each: absent; at E, the pixels that it moves outlined; how far they go.

    Takes the face at rest (H, W, 3), for each AU the face at intensity 5, masks (H, W) of what moves and of its
    muscle, and the way that each pixel goes (H, W, 2). `top` is the length that the last colour stands for.
    """
    figure, axes = plt.subplots(len(units), 3, figsize=(7.6, 2.75 * len(units)), squeeze=False)
    for unit, row, face, mask, field, muscle in zip(units, axes, acting, moved, fields, muscles, strict=True):
        colour = REGION_COLOURS[unit.region]
        _picture(row[0], rest, "absent")
        _picture(row[1], face, "at E, the maximum")
        for line, width in ((INK, 3.2), (colour, 1.8)):
            row[1].contour(mask, levels=[0.5], colors=[line], linewidths=width)
        scale = _movement(row[2], rest, field, muscle, top)
        row[2].set_title("what moves, and its muscle")
        row[0].set_ylabel(f"{unit.name}\n{unit.title}", fontsize=11)
        row[1].set_xlabel(f"read by the {unit.region} branch", color=INK)
        row[2].set_xlabel(unit.muscle)
    bar = figure.colorbar(scale, ax=axes, location="bottom", shrink=0.5, aspect=36, pad=0.01)
    bar.set_label("way of a pixel, % of the distance between the outer eye corners")
    bar.locator, bar.formatter = MultipleLocator(0.05), PercentFormatter(1, decimals=0, symbol="")
    return figure


@drawn
def units_in_bands(image: np.ndarray, bands: Mapping[str, np.ndarray], moved: Mapping[str, np.ndarray]) -> Figure:
    """What each branch sees of a face, the rest dimmed, and outlined the pixels that each of its AUs moves.

    Takes a picture (H, W, 3), bands (H, W) by region and masks (H, W) by AU.
    """
    figure, axes = plt.subplots(1, len(REGIONS), figsize=(8, 3.1))
    for panel, region in zip(axes, REGIONS, strict=True):
        _picture(panel, _dimmed(image, np.asarray(bands[region], dtype=float), 0.45), f"{region} branch")
        for name, style in zip(REGION_AUS[region], ("-", (0, (4, 1.5)), (0, (1, 1))), strict=False):
            panel.contour(moved[name], levels=[0.5], colors=["white"], linewidths=3.2)
            panel.contour(
                moved[name], levels=[0.5], colors=[REGION_COLOURS[region]], linewidths=1.9, linestyles=[style]
            )
            panel.plot([], [], color=REGION_COLOURS[region], linestyle=style, linewidth=1.9, label=name)
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, handlelength=2.6, columnspacing=1)
    return figure


@drawn
def landmark_scatter(
    pictures: Mapping[str, np.ndarray], points: Mapping[str, np.ndarray], spread: Mapping[str, float]
) -> Figure:
    """Mean faces above, and below where the landmarks of all their frames lie; a column a way to cut the frames.

    Takes by a column's title a mean picture (H, W, 3), landmarks (N, 66, 2) in its pixels, and the number to show.
    """
    figure, axes = plt.subplots(2, len(pictures), figsize=(3.4 * len(pictures), 6.6), squeeze=False)
    for (above, below), (title, image) in zip(axes.T, pictures.items(), strict=True):
        _picture(above, image, title)
        _picture(below, np.full_like(image, 255), f"landmarks: {100 * spread[title]:.1f} % of the eyes' distance")
        for part, colour in PART_COLOURS:
            dots = points[title][:, part].reshape(-1, 2)
            below.plot(*dots.T, ".", color=colour, markersize=1.2, alpha=0.25, markeredgewidth=0, rasterized=True)
        _landmarks(below, points[title].mean(axis=0), INK)
    return figure
