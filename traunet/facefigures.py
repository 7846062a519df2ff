"""The book's figures of faces: each takes pictures and what lies on them, and returns a closed Figure."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from traunet.colours import REGION_COLOURS
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
)
from traunet.figures import INK, drawn

RINGS = (LEFT_IMAGE_EYE, RIGHT_IMAGE_EYE, OUTER_LIP, INNER_LIP)
CHAINS = (JAW, slice(BROWS.start, 22), slice(22, BROWS.stop), slice(NOSE.start, 31), slice(31, NOSE.stop))
POINT = "#56B4E9"
Arrays = Sequence[np.ndarray] | np.ndarray  # a list of arrays, or one with N first


def _picture(axes: Axes, image: np.ndarray, title: str = "") -> None:
    height, width = image.shape[:2]
    axes.imshow(image, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.set_title(title)


def _landmarks(axes: Axes, points: np.ndarray) -> None:
    for part in CHAINS + RINGS:
        line = points[part]
        line = np.concatenate([line, line[:1]]) if part in RINGS else line
        axes.plot(*line.T, ".-", color=POINT, markersize=3, linewidth=0.7)


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
    figure, axes = _grid(2, len(before), 2.1)
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
        grey = np.broadcast_to(image.mean(axis=-1, keepdims=True) * 0.25, image.shape)
        shown = seen[..., None] * image + (1 - seen[..., None]) * grey
        _picture(panel, shown.astype(np.uint8), f"{region}\n{' '.join(REGION_AUS[region])}")
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
    figure, axes = _grid(len(images), 1 + len(maps), 1.25)
    for row, image in enumerate(images):
        _picture(axes[row, 0], image, titles[row] if len(titles) else "")
        for panel, (name, heats) in zip(axes[row, 1:], maps.items(), strict=True):
            _picture(panel, _overlay(image, heats[row]), name if row == 0 else "")
            mask = outlines[name][row] if outlines and name in outlines else None
            if mask is not None and mask.any() and not mask.all():
                panel.contour(mask, levels=[0.5], colors=POINT, linewidths=1.1)
    return figure
