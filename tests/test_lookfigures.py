"""Figures of what branches look at, also where there is no hit, no miss, or nothing to see."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
from PIL import Image

from traunet.facs import AUS, REGIONS
from traunet.figures import lookfigures, scorefigures

mpl.use("Agg")
FACE = np.full((32, 32, 3), 200, dtype=np.uint8)
HEAT = np.linspace(0, 1, 32 * 32).reshape(32, 32)
BANDS = {r: np.repeat(np.arange(32)[:, None] // 8 >= n, 32, axis=1) for n, r in enumerate(REGIONS)}
LOOK = lookfigures.Look(FACE, HEAT, HEAT * 0, (0.5, 0.9), 0.7)


def test_the_front_picture_is_one_png_of_1600_pixels_also_where_nothing_is_looked_at():
    for maps in (HEAT, HEAT * 0):
        picture = lookfigures.as_png(lookfigures.front_page(FACE, BANDS, dict.fromkeys(REGIONS, maps)))
        opened = Image.open(io.BytesIO(picture.data))  # pyright: ignore
        assert (opened.format, opened.width) == ("PNG", 1600)


def test_what_is_looked_at_is_as_bright_as_the_face_and_the_rest_is_dark():
    seen = lookfigures.lit(FACE, HEAT > 0.5)
    assert (seen[-1] == FACE[-1]).all()
    assert seen[0].max() < 0.3 * FACE.max()


def test_a_missing_hit_is_said_in_words():
    figure = lookfigures.hits_and_misses({au: {"hit": None, "miss": LOOK} for au in AUS})
    words = [text.get_text() for panel in figure.axes for text in panel.texts]
    assert words.count("no hit") == len(AUS)
    assert "empty" in [panel.get_xlabel() for panel in figure.axes]
    figure.canvas.draw()


def test_every_run_has_a_line_from_its_kept_to_its_best_epoch():
    table = pd.DataFrame(
        {"network": ["a", "a", "b"], "fold": [1, 2, 1], "kept": [50.0, 40, 30], "best": [55.0, 40, 31]}
    )
    axes = scorefigures.epoch_choices(table).axes[0]
    spans = [(line[0, 0], line[1, 0]) for line in axes.collections[0].get_segments()]  # pyright: ignore
    assert spans == [(50, 55), (40, 40), (30, 31)]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
