"""The book's figures of what a network sees: faces lit where it looked, or could look, and dark elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
from IPython.core.display import Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from traunet.facs import REGION_AUS, REGIONS
from traunet.figures.colours import REGION_COLOURS
from traunet.figures.style import AU_COLOURS, INK, drawn

DARK = 0.22  # what is left of a face where nobody looks


@dataclass(frozen=True, eq=False)
class Look:
    """One face (H, W, 3) and two maps (H, W) of one branch: the network's own attention, and Grad-CAM of one AU.

    Both are from 0 to 1. `weights` are the least and the most that the own attention has within its region.
    """

    face: np.ndarray
    own: np.ndarray
    cam: np.ndarray
    weights: tuple[float, float]
    probability: float


def lit(face: np.ndarray, light: np.ndarray) -> np.ndarray:
    """A face (H, W, 3) as bright as a map (H, W) from 0 to 1 says, and nowhere quite black."""
    strength = DARK + (1 - DARK) * np.clip(np.nan_to_num(light), 0, 1)
    return (face * strength[..., None]).astype(np.uint8)


def _show(axes: Axes, picture: np.ndarray) -> None:
    height, width = picture.shape[:2]
    axes.imshow(picture, extent=(0, width, height, 0))
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _absent(axes: Axes, words: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.text(0.5, 0.5, words, ha="center", va="center", color=INK, fontsize=8)


@drawn
def hits_and_misses(looks: Mapping[str, Mapping[str, Look | None]]) -> Figure:
    """A column an AU; for a hit and a miss the face, the network's own attention, and Grad-CAM, from above.

    Takes looks by AU, and there by "hit" and "miss"; None where there is no such frame.
    """
    kinds = ("hit", "miss")
    figure, axes = plt.subplots(6, len(looks), figsize=(0.94 * len(looks) + 0.5, 6.6), squeeze=False)
    for column, (au, cases) in enumerate(looks.items()):
        for number, kind in enumerate(kinds):
            panels = axes[3 * number : 3 * number + 3, column]
            _case(panels, cases[kind], f"no {kind}")
        axes[0, column].set_title(au, color=INK, weight="bold")
        axes[0, column].plot([0, 1], [1.02, 1.02], transform=axes[0, column].transAxes, color=AU_COLOURS[au],
                             linewidth=3, clip_on=False)  # fmt: skip
    names = [name for kind in kinds for name in (kind, "own attention", "Grad-CAM")]
    for panel, name in zip(axes[:, 0], names, strict=True):
        panel.set_ylabel(name, weight="bold" if name in kinds else "normal")
    return figure


def _case(panels: np.ndarray, look: Look | None, missing: str) -> None:
    if look is None:
        for panel, words in zip(panels, (missing, "", ""), strict=True):
            _absent(panel, words)
        return
    pictures = (look.face, lit(look.face, look.own), lit(look.face, look.cam))
    low, high = look.weights
    words = (f"answer {look.probability:.2f}", f"{low:.2f} to {high:.2f}", "" if look.cam.any() else "empty")
    for panel, picture, text in zip(panels, pictures, words, strict=True):
        _show(panel, picture)
        panel.set_xlabel(text, fontsize=8, labelpad=1)


@drawn
def front_page(face: np.ndarray, bands: Mapping[str, np.ndarray], maps: Mapping[str, np.ndarray]) -> Figure:
    """The book's front picture: a face (H, W, 3), its three regions, and what each branch looks at, side by side.

    Takes masks (H, W) and maps (H, W) from 0 to 1 by region.
    """
    # At the bottom, or the layout leaves a strip of white there.
    low = {"anchor": "S"}
    figure, axes = plt.subplots(1, 4, figsize=(8, 2.35), width_ratios=(1.22, 1, 1, 1), subplot_kw=low)
    _regions(axes[0], face, bands)
    for panel, region in zip(axes[1:], REGIONS, strict=True):
        colour = REGION_COLOURS[region]
        _show(panel, lit(face, maps[region]))
        _band(panel, bands[region], colour)
        if maps[region].any():
            panel.contour(maps[region], levels=[0.5], colors=[colour], linewidths=1.6,
                          extent=(0, face.shape[1], 0, face.shape[0]))  # fmt: skip
        numbers = ", ".join(au[2:] for au in REGION_AUS[region])
        panel.set_title(f"{region} branch\nAU {numbers}", weight="bold", fontsize=12, color=INK)
    return figure


def _regions(panel: Axes, face: np.ndarray, bands: Mapping[str, np.ndarray]) -> None:
    """The whole face, and beside it a bar for the rows of each region; the middle one's stands further out."""
    width = face.shape[1]
    _show(panel, face)
    for region, out in (("upper", 0.03), ("middle", 0.13), ("lower", 0.03)):
        rows = np.flatnonzero(bands[region].any(axis=1))
        place = (-width * (out + 0.07), rows[0])
        style = {"facecolor": REGION_COLOURS[region], "edgecolor": "white", "clip_on": False}
        panel.add_patch(Rectangle(place, 0.07 * width, rows[-1] + 1 - rows[0], **style))
    panel.set_xlim(-0.22 * width, width)
    panel.set_title("one face,\nthree regions", weight="bold", fontsize=12, color=INK)


def _band(panel: Axes, band: np.ndarray, colour: str) -> None:
    """The edges of a region, in its colour."""
    rows = np.flatnonzero(band.any(axis=1))
    panel.hlines((rows[0], rows[-1] + 1), 0, band.shape[1], color=colour, linewidth=4, clip_on=False)


@drawn
def receptive_fields(
    image: np.ndarray, moved: Mapping[str, np.ndarray], boxes: Mapping[str, tuple[int, int, int, int]]
) -> Figure:
    """What moves one cell, on a face (H, W, 3): lit by how much a pixel does, framed by what convolutions reach.

    Takes maps (H, W) and the frames (left, top, right, bottom, in pixels) by stage.
    """
    figure, axes = plt.subplots(1, len(moved), figsize=(1.75 * len(moved), 2.15))
    for panel, (name, amounts) in zip(np.atleast_1d(axes), moved.items(), strict=True):
        _show(panel, lit(image, _light(amounts)))
        left, top, right, bottom = boxes[name]
        frame = {"fill": False, "edgecolor": "#56B4E9", "linewidth": 2, "clip_on": False}
        panel.add_patch(Rectangle((left, top), right - left, bottom - top, **frame))
        panel.set_title(name)
    return figure


@drawn
def answers_of_pixels(
    image: np.ndarray, moved: Mapping[str, np.ndarray], bands: Mapping[str, np.ndarray]
) -> Figure:
    """Which pixels move each branch's answers, on a face, with its mask's edges and the share beyond them.

    Takes maps (H, W) and masks (H, W) of the same regions.
    """
    figure, axes = plt.subplots(1, len(moved), figsize=(2.4 * len(moved), 2.75))
    for panel, (region, amounts) in zip(axes, moved.items(), strict=True):
        _show(panel, lit(image, _light(amounts)))
        _band(panel, bands[region], REGION_COLOURS[region])
        beyond = 100 * amounts[~bands[region]].sum() / amounts.sum() if amounts.sum() else float("nan")
        panel.set_title(f"{region} branch:\n{beyond:.0f} % from beyond its mask")
    return figure


def _light(amounts: np.ndarray) -> np.ndarray:
    """From 0 to 1, whatever the unit: the 99.5th percentile is full light, and what is faint still shows."""
    return (amounts / (np.percentile(amounts, 99.5) or 1.0)) ** 0.5


def as_png(figure: Figure, width: int = 1600) -> Image:
    """A figure as one PNG of so many pixels across, whatever a notebook is set to: for use outside of its page."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=width / figure.get_figwidth(), facecolor="white")
    return Image(data=buffer.getvalue(), format="png")
