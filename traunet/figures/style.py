"""The book's look: what its figures share of colours, marks and style.

One colour a region, everywhere: blue above, yellow in the middle, red below. They stay apart in grey and for
readers who see few colours, and no figure says a thing by colour alone. What the paper printed is a diamond.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from traunet.facs import ACTION_UNITS, REGION_AUS, REGIONS
from traunet.figures import displaying
from traunet.figures.colours import REGION_COLOURS

AU_COLOURS = {unit.name: REGION_COLOURS[unit.region] for unit in ACTION_UNITS}
INK, FAINT = "#303030", "#9a9a9a"
ABSENT = "–"  # in the place of a number that there is none of
STYLE: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": 120,
    "font.size": 9,
    "legend.frameon": False,
}
PRINTED: dict[str, Any] = {
    "marker": "D",
    "markerfacecolor": "white",
    "markeredgecolor": INK,
    "linestyle": "none",
    "zorder": 4,
}
Drawing = ParamSpec("Drawing")


def drawn(draw: Callable[Drawing, Figure]) -> Callable[Drawing, Figure]:
    """Draw in the book's style, and close the figure, so that a notebook shows it once and memory stays free."""

    @wraps(draw)
    def styled(*args: Drawing.args, **kwargs: Drawing.kwargs) -> Figure:
        with plt.rc_context(STYLE):
            figure = draw(*args, **kwargs)
        plt.close(figure)
        displaying.settle()
        return figure

    return styled


def region_legend() -> list[Artist]:
    """Legend entries that name the regions, their colours and their AUs."""
    return [
        Patch(color=REGION_COLOURS[r], label=f"{r}: {', '.join(AU[2:] for AU in REGION_AUS[r])}") for r in REGIONS
    ]


def heat_map(
    axes: Axes, values: np.ndarray, say: Callable[[float], str], strong: np.ndarray | None = None, **scale: Any
) -> None:
    """Colour a table of numbers and write them in, white on dark cells; `strong` cells in bold, NaN as a dash."""
    picture = axes.imshow(values, aspect="auto", **scale)
    light = np.asarray(picture.cmap(picture.norm(values)))[..., :3] @ (0.299, 0.587, 0.114) > 0.52
    strong = np.zeros(values.shape, dtype=bool) if strong is None else strong
    for place, value in np.ndenumerate(values):
        text = ABSENT if np.isnan(value) else say(value)
        style: dict[str, Any] = {"color": INK if light[place] or np.isnan(value) else "white"}
        weight = "bold" if strong[place] else "normal"
        axes.text(place[1], place[0], text, ha="center", va="center", weight=weight, **style)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
