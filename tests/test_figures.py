"""Every figure is drawn from small tables, also from those of a run that learned nothing."""

import io
from collections.abc import Callable, Iterable
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from fakes import fake_runs
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from skimage.color import rgb2lab

from traunet import report
from traunet.data.folds import TEST_SUBJECTS
from traunet.facs import AUS, N_LANDMARKS
from traunet.figures import datafigures, facefigures, scorefigures
from traunet.figures.colours import REGION_COLOURS
from traunet.scoring import published
from traunet.scoring.results import select
from traunet.scoring.scores import score_runs

mpl.use("Agg")

# Machado, Oliveira and Fernandes (2009): how people without one kind of cone see linear RGB.
BLINDNESS = {
    "none": np.eye(3),
    "protan": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "deutan": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "tritan": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}


@pytest.fixture(scope="module")
def tables():
    return report.make_tables(score_runs(fake_runs()))


@pytest.fixture(scope="module")
def hopeless():
    """The tables of runs that always say no, on frames where AU9 never occurs."""
    runs = fake_runs(("senet", "tranet"))
    for run in runs:
        run.predictions["probability"] = 0.1
        run.predictions.loc[run.predictions["AU"] == "AU9", "intensity"] = 0
    return report.make_tables(score_runs(runs))


def history(scored: bool = True) -> pd.DataFrame:
    score = np.array([np.nan, 0.2, 0.3]) if scored else np.full(3, np.nan)
    return pd.DataFrame({"epoch": [1, 2, 3], "loss": [2.0, 1.0, 0.5], "f1_held_out": np.nan, "f1_test": score})


def some_labels() -> np.ndarray:
    return np.random.default_rng(0).random((270, len(AUS))) < 0.1


def some_faces(count: int = 2, size: int = 32) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def some_points(count: int = 2, size: int = 32) -> np.ndarray:
    return np.random.default_rng(2).random((count, N_LANDMARKS, 2)) * size


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


SUBJECTS = np.repeat([name for members in TEST_SUBJECTS.values() for name in members], 10)
SHARES = pd.DataFrame({"AU": np.repeat(AUS, 2), "share": np.tile([0.2, 0.4], 8), "untrained": 0.15, "chance": 0.1})
MASKS = np.repeat(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]])[:, :, None], 4, axis=2)
HEAT = np.linspace(0, 1, 2 * 32 * 32).reshape(2, 32, 32)
OF_DATA: dict[str, Callable[[], Figure]] = {
    "training_curves": lambda: scorefigures.training_curves(
        {"fold 1": history(), "fold 2": history()}, {"fold 1": 3}
    ),
    "training_curves of one epoch": lambda: scorefigures.training_curves({"smoke": history().iloc[:1]}),
    "training_curves never scored": lambda: scorefigures.training_curves({"smoke": history(False)}, {"smoke": 3}),
    "attention_shares": lambda: scorefigures.attention_shares(SHARES),
    "attention_shares of some": lambda: scorefigures.attention_shares(SHARES.iloc[:4]),
    "label_distribution": lambda: datafigures.label_distribution(
        published.intensity_shares(), published.intensity_shares()
    ),
    "co_occurrence": lambda: datafigures.co_occurrence(some_labels()),
    "co_occurrence of nothing": lambda: datafigures.co_occurrence(some_labels() & False),
    "positives_by_subject": lambda: datafigures.positives_by_subject(some_labels(), SUBJECTS, TEST_SUBJECTS),
    "faces": lambda: facefigures.faces(some_faces(5), list("abcde"), some_points(5), columns=3),
    "alignment": lambda: facefigures.alignment(some_faces(), some_points(), some_faces(), some_points()),
    "region_masks": lambda: facefigures.region_masks(some_faces()[0], MASKS),
    "attention_grid": lambda: facefigures.attention_grid(some_faces(), {"AU1": HEAT}, {"AU1": HEAT > 0.5}, "xy"),
    "attention_grid of nothing": lambda: facefigures.attention_grid(some_faces(), {"AU1": HEAT * np.nan}),
}


@pytest.mark.parametrize("name", OF_DATA)
def test_figures_of_data_are_drawn_and_closed(name):
    assert png(OF_DATA[name]()).startswith(b"\x89PNG")
    assert plt.get_fignums() == []


def test_runs_are_told_by_their_marks_and_have_no_regions_colour():
    histories = {f"fold {fold}": history() for fold in (1, 2, 3)}
    lines = scorefigures.training_curves(histories).axes[0].lines
    assert len({str(line.get_marker()) for line in lines} - {"None"}) == 3
    assert not {str(line.get_color()) for line in lines} & set(REGION_COLOURS.values())


@pytest.mark.parametrize("which", ["tables", "hopeless"])
@pytest.mark.parametrize("metric", ["f1", "accuracy"])
def test_scores_are_drawn_even_if_nothing_was_learned(which, metric, request):
    made = request.getfixturevalue(which)
    for averaging in ("pooled", "fold_mean"):
        png(
            scorefigures.scores_against_paper(made["table1"], made["chance"], made["intervals"], metric, averaging)
        )


@pytest.mark.parametrize("which", ["tables", "hopeless"])
def test_ablations_are_drawn_even_if_nothing_was_learned(which, request):
    made = request.getfixturevalue(which)
    figure = scorefigures.variants_against_paper(made["table2"], made["intervals"], made["chance"])
    png(figure)
    blind = select(made["chance"], metric="f1", averaging="pooled")["Avg"].iloc[0]
    (dashed,) = [line for line in figure.axes[0].lines if line.get_label() == "best without looking"]
    assert set(np.ravel(dashed.get_xdata())) == {blind}
    png(scorefigures.ablation_differences(made["differences"]))
    assert plt.get_fignums() == []


def test_the_differences_that_are_printed_in_the_figure_are_those_of_the_table(tables):
    figure = scorefigures.ablation_differences(tables["differences"])
    drawn = [text.get_text() for text in figure.axes[1].texts]
    value = tables["differences"].query("source == 'ours' and bound == 'value'")[published.SCORES]
    assert drawn == [f"{number:+.1f}" for number in value.to_numpy().ravel()]


def test_published_tables_alone_can_be_drawn():
    png(scorefigures.scores_against_paper(published.table1()))


def test_a_mask_keeps_what_its_branch_sees_and_dims_the_rest():
    image = some_faces()[0]
    panels = facefigures.region_masks(image, MASKS).axes[1:]
    upper, _, lower = (np.asarray(panel.images[0].get_array()) for panel in panels)
    assert (upper[:16] == image[:16]).all()
    assert (lower[16:] == image[16:]).all()
    assert upper[16:].mean() < 0.3 * image[16:].mean()


def test_a_face_without_attention_stays_grey():
    panel = facefigures.attention_grid(some_faces(1), {"AU1": np.zeros((1, 32, 32))}).axes[1]
    shown = np.asarray(panel.images[0].get_array())
    assert np.ptp(shown, axis=-1).max() < 1e-9


def test_intensity_shares_add_up_to_the_positive_rate():
    frames = pd.DataFrame(np.random.default_rng(0).integers(0, 6, (200, len(AUS))), columns=list(AUS))
    shares = datafigures.intensity_shares(frames)
    assert np.allclose(shares.loc[:, [3, 4, 5]].sum(axis=1), 100 * (frames >= 3).mean(), rtol=0, atol=1e-9)


def nearest(names: Iterable[str], blindness: str) -> float:
    """How far apart the two most alike of some colours are for a reader."""
    colours = np.array([to_rgb(name) for name in names])
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ BLINDNESS[blindness].T, 0, 1)
    lab = rgb2lab(np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)[None])[0]
    return min(float(np.linalg.norm(left - right)) for left, right in combinations(lab, 2))


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_region_colours_stay_apart_for_every_reader(blindness):
    assert nearest(REGION_COLOURS.values(), blindness) > 40


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_reasons_stay_apart_for_every_reader_and_have_no_regions_colour(blindness):
    colours = [colour for colour, _ in datafigures.REASONS]
    assert nearest(colours, blindness) > 15
    assert all(
        nearest([colour, region], blindness) > 10 for colour in colours for region in REGION_COLOURS.values()
    )


def test_region_colours_stay_apart_in_print_without_colour():
    lightness = rgb2lab(np.array([[to_rgb(colour) for colour in REGION_COLOURS.values()]]))[0, :, 0]
    assert np.diff(np.sort(lightness)).min() > 12


def test_drawing_leaves_the_callers_style_alone():
    before = dict(mpl.rcParams)
    datafigures.co_occurrence(some_labels())
    assert dict(mpl.rcParams) == before
