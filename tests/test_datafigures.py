"""The figures of faces and data, and the rendered head that shows what an action unit does."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from traunet import portraits
from traunet.data.annotations import DAMAGED_LANDMARKS, NO_LANDMARKS
from traunet.data.disfa import MARKED_BAD, NOT_DECODABLE
from traunet.data.preparing import NO_FACE
from traunet.data.resampling import warp
from traunet.facs import ACTION_UNITS, AUS, CHIN, N_LANDMARKS, NOSE_TIP, REGION_AUS, REGIONS
from traunet.figures import datafigures, facefigures
from traunet.model.regions import region_masks
from traunet.portraits import Portrait, moved_pixels
from traunet.scoring import published
from traunet.synth.head import Moment
from traunet.synth.scene import Scene

mpl.use("Agg")

SIZE = 96
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    return Portrait.of(size=SIZE)


@pytest.fixture(scope="module")
def fields(portrait) -> dict[str, np.ndarray]:
    return {au: portrait.movement(au) for au in AUS}


@pytest.fixture(scope="module")
def moved(portrait) -> dict[str, np.ndarray]:
    return {au: portrait.moved(au) for au in AUS}


def drawn(figure: Figure) -> Figure:
    figure.savefig(io.BytesIO())  # a closed figure's own canvas draws nothing
    return figure


def heights(figure: Figure) -> list[float]:
    return [patch.get_height() for patch in figure.axes[0].patches]  # pyright: ignore


# --- the head -------------------------------------------------------------------------------------------------


def test_the_head_at_rest_is_aligned_as_the_networks_frames_are(portrait):
    from traunet.data.align import transform_points

    chin = transform_points(portrait.landmarks(), portrait.matrix)[CHIN]
    assert chin == pytest.approx([SIZE / 2 - 0.5, 0.95 * SIZE - 0.5], abs=0.01)
    assert portrait.picture().shape == (SIZE, SIZE, 3)


def test_a_movement_is_what_the_landmarks_do(portrait):
    from traunet.data.align import transform_points

    at_rest, dropped = (transform_points(portrait.landmarks(a), portrait.matrix) for a in ({}, {"AU26": 3}))
    way = (dropped - at_rest) / portrait.eyes
    x, y = np.round(dropped[57]).astype(int)  # the middle of the lower lip, which the jaw takes along
    assert portrait.movement("AU26", 3)[y, x] == pytest.approx(way[57], abs=0.003)
    assert np.abs(portrait.movement("AU26", 3)[tuple(np.round(at_rest[NOSE_TIP][::-1]).astype(int))]).max() < 0.01


def test_a_stronger_unit_moves_the_skin_further(portrait):
    lengths = portraits.largest_movements(portrait, (1, 3, 5))
    assert (lengths.diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    assert list(lengths.index) == list(AUS)


def test_a_face_is_rendered_once_and_what_is_done_to_a_picture_stays_with_it(monkeypatch):
    portrait, rendered = Portrait.of(size=SIZE), []
    render = Scene.render
    monkeypatch.setattr(Scene, "render", lambda scene, moment: rendered.append(moment) or render(scene, moment))
    first = portrait.picture({"AU12": 2, "AU1": 0})
    kept = first.copy()
    first[:] = 0
    assert (portrait.picture({"AU12": 2}) == kept).all()
    assert len(rendered) == 1
    assert (portrait.picture({"AU12": 3}) != kept).any()
    fresh = Portrait.of(size=SIZE)
    assert (warp(render(fresh.scene, Moment({"AU1": 0, "AU12": 2}))[0], fresh.matrix, SIZE) == kept).all()


@pytest.mark.parametrize("intensity", [3, 5])
def test_what_is_kept_of_a_movement_is_the_movement(portrait, intensity):
    moment = Moment({"AU4": float(intensity)})
    assert (portrait._reach("AU4", intensity) == portrait.scene.displacement(moment, "AU4")).all()
    assert (portrait._reach("AU4", intensity) == portrait._reach("AU4", intensity)).all()


def test_a_portrait_of_nothing_is_the_face_at_rest(portrait):
    assert (portrait.picture({"AU4": 0}) == portrait.picture()).all()
    assert np.abs(portrait.picture({"AU4": 5}).astype(int) - portrait.picture()).max() > 20


@pytest.mark.parametrize("unit", ACTION_UNITS, ids=lambda unit: unit.name)
def test_every_muscle_is_known_and_lies_on_the_face_on_both_sides(portrait, unit):
    muscle = portrait.muscle(unit.name)
    assert 0.002 < muscle.mean() < 0.3
    left, right = muscle[:, : SIZE // 2].sum(), muscle[:, SIZE // 2 :].sum()
    assert 0.7 < left / right < 1.4


def test_the_muscle_lies_where_its_unit_moves_the_skin_but_for_the_jaw(portrait, moved):
    apart = [au for au in AUS if not (portrait.muscle(au) & moved[au]).any()]
    assert set(apart) <= {"AU26"}


def test_a_branch_sees_nine_tenths_of_what_its_units_move(fields):
    bands: dict[str, np.ndarray] = dict(zip(REGIONS, region_masks(SIZE, 0.5).numpy() > 0, strict=True))
    inside = portraits.inside_bands(fields, bands)
    assert all(inside.loc[unit.name, unit.region] > 0.9 for unit in ACTION_UNITS)
    assert inside[["upper", "lower"]].sum(axis=1).to_numpy() == pytest.approx(1)


def test_overlaps_count_the_pixels_of_the_row():
    masks = {
        "AU1": np.array([[1, 1, 1, 1]], bool),
        "AU4": np.array([[0, 0, 1, 0]], bool),
        "AU9": np.zeros((1, 4), bool),
    }
    shares = portraits.overlaps(masks)
    assert shares.loc["AU1"].tolist() == [1, 0.25, 0]
    assert shares.loc["AU4"].tolist() == [1, 1, 0]
    assert shares.loc["AU9"].tolist() == [0, 0, 0]


# --- figures of faces -----------------------------------------------------------------------------------------


def test_each_unit_has_a_row_that_names_its_branch_and_its_muscle(portrait, fields, moved):
    units = [unit for unit in ACTION_UNITS if unit.region == "middle"]
    names = [unit.name for unit in units]
    parts = ([portrait.picture({n: 5}) for n in names], [moved[n] for n in names], [fields[n] for n in names])
    muscles = [portrait.muscle(n) for n in names]
    figure = drawn(facefigures.movements(units, portrait.picture(), *parts, muscles, top=0.2))
    said = [(axes.get_ylabel(), axes.get_xlabel()) for axes in figure.axes[:6]]
    for row, unit in enumerate(units):
        assert said[3 * row][0] == f"{unit.name}\n{unit.title}"
        assert said[3 * row + 1][1] == "read by the middle branch"
        assert said[3 * row + 2][1] == unit.muscle


def test_a_unit_that_moves_nothing_is_drawn_without_arrows():
    nothing, face = np.zeros((SIZE, SIZE, 2)), RANDOM.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    empty = nothing[..., 0] > 0
    drawn(facefigures.movements(ACTION_UNITS[:1], face, [face], [empty], [nothing], [empty], top=0.2))


def test_bands_show_each_unit_in_the_panel_of_its_branch(portrait, moved):
    bands: dict[str, np.ndarray] = dict(zip(REGIONS, region_masks(SIZE, 0.5).numpy() > 0, strict=True))
    figure = drawn(facefigures.units_in_bands(portrait.picture(), bands, moved))
    for axes, region in zip(figure.axes, REGIONS, strict=True):
        assert [text.get_text() for text in axes.get_legend().get_texts()] == list(REGION_AUS[region])  # pyright: ignore
        (image,) = (child for child in axes.get_children() if isinstance(child, AxesImage))
        shown = np.asarray(image.get_array())
        assert (shown[bands[region]] == portrait.picture()[bands[region]]).all()


def test_the_scatter_says_the_spread_of_each_way():
    face = np.zeros((SIZE, SIZE, 3), np.uint8)
    points = RANDOM.random((5, N_LANDMARKS, 2)) * SIZE
    figure = drawn(
        facefigures.landmark_scatter({"a": face, "b": face}, {"a": points, "b": points}, {"a": 0.161, "b": 0.094})
    )
    titles = [axes.get_title() for axes in figure.axes]
    assert sum("16.1 %" in title for title in titles) == sum("9.4 %" in title for title in titles) == 1


# --- figures of data ------------------------------------------------------------------------------------------


def test_spread_is_a_distance_from_the_mean_in_distances_of_the_eyes():
    points = np.zeros((4, 3, 2))
    points[:2] += [3, 4]  # half of the frames lie 5 away from the others: each 2.5 from the mean
    assert datafigures.landmark_spread(points, 10) == pytest.approx(0.25)
    assert datafigures.landmark_spread(points * 7, 70) == pytest.approx(0.25)
    assert datafigures.landmark_spread(points[:1], 10) == 0


@pytest.mark.parametrize("used", [2, 3, 4])
def test_bars_fall_with_the_threshold_and_the_one_used_is_full(used):
    shares, rates = published.intensity_shares(), published.base_rates()
    figure = drawn(datafigures.positives_by_threshold(shares, rates, used))
    count = len({1, 2, 3, used})
    bars = np.reshape(heights(figure), (count, len(AUS)))
    assert (np.diff(bars, axis=0) < 0).all()
    assert bars[0] == pytest.approx(shares.sum(axis=1).to_numpy())
    full = [to_rgba(patch.get_facecolor())[3] == 1 for patch in figure.axes[0].patches]
    assert np.flatnonzero(np.reshape(full, (count, -1)).all(axis=1)).tolist() == [
        sorted({1, 2, 3, used}).index(used)
    ]


def test_folds_show_their_own_share_of_positives():
    positive = RANDOM.random((90, len(AUS))) < 0.2
    rows = {1: np.arange(30), 2: np.arange(30, 60), 3: np.arange(60, 90)}
    figure = drawn(datafigures.positives_by_fold(positive, rows))
    marks = [np.asarray(c.get_offsets()) for c in figure.axes[0].collections[1:]]
    for found, chosen in zip(marks, rows.values(), strict=True):
        assert found[:, 1] == pytest.approx(100 * positive[chosen].mean(axis=0))


def table_of_frames(lost: dict[int, str]) -> pd.DataFrame:
    frames = pd.DataFrame({"subject": ["SN001"] * 5 + ["SN002"] * 5, "frame": [*range(1, 6)] * 2})
    frames["reason"] = [lost.get(row, "") for row in range(10)]
    return frames.assign(usable=frames["reason"] == "")


def test_only_people_who_lack_frames_have_a_line():
    figure = drawn(
        datafigures.frames_left_out(table_of_frames({6: "marked bad", 7: "marked bad", 9: "no landmarks"}))
    )
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["SN002"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["marked bad", "no landmarks"]


def test_every_reason_is_told_by_its_own_colour_and_height():
    reasons = sorted([DAMAGED_LANDMARKS, MARKED_BAD, NO_FACE, NO_LANDMARKS, NOT_DECODABLE])
    figure = drawn(datafigures.frames_left_out(table_of_frames(dict(enumerate(reasons)))))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == reasons
    marks = [mark for mark in figure.axes[0].collections if mark.get_label() in reasons]
    assert [mark.get_label() for mark in marks] == reasons
    assert len({to_rgba(mark.get_edgecolor()[0]) for mark in marks}) == len(reasons)  # pyright: ignore
    assert len({float(np.ravel(mark.get_linewidth())[0]) for mark in marks}) == len(reasons)
    legend, page = figure.legends[0].get_window_extent(), figure.bbox
    assert page.x0 <= legend.x0 < legend.x1 <= page.x1


def test_a_reason_without_a_colour_is_an_error():
    with pytest.raises(ValueError, match="shorter"):
        datafigures.frames_left_out(table_of_frames(dict(enumerate("abcdef"))))


def test_data_without_a_bad_frame_says_so():
    figure = drawn(datafigures.frames_left_out(table_of_frames({})))
    assert [text.get_text() for text in figure.axes[0].texts] == ["every frame is used"]


def test_batches_are_drawn_at_their_mean():
    batches = {"alike": RANDOM.random((20, len(AUS))) * 0.1, "sampled": RANDOM.random((20, len(AUS))) * 0.5}
    figure = drawn(datafigures.batch_contents(batches))
    marks = [np.asarray(c.get_offsets())[:, 1] for c in figure.axes[0].collections[1::2]]
    for found, shares in zip(marks, batches.values(), strict=True):
        assert found == pytest.approx(100 * shares.mean(axis=0))


def test_the_right_axis_counts_pixels_of_the_profiles_pictures():
    lengths = pd.DataFrame({i: [0.02 * i] * len(AUS) for i in range(1, 6)}, index=list(AUS))
    figure = drawn(datafigures.movement_by_intensity(lengths, 0.5, 200))
    left = figure.axes[0].get_ylim()
    (pixels,) = figure.axes[0].child_axes
    assert pixels.get_ylim() == pytest.approx([edge / 100 * 0.5 * 200 for edge in left])


def test_overlaps_are_printed_in_percent():
    shares = pd.DataFrame(np.eye(len(AUS)) * 0.5 + 0.25, index=list(AUS), columns=list(AUS))
    texts = [text.get_text() for text in drawn(datafigures.overlap(shares)).axes[0].texts]
    assert texts.count("75") == len(AUS)
    assert texts.count("25") == len(AUS) * (len(AUS) - 1)


def test_moved_pixels_lie_over_the_aligned_picture():
    displacement = np.zeros((20, 20, 2), dtype=np.float32)
    displacement[4:8, 10:14] = (3.0, 4.0)
    displacement[0, 0] = (0.1, 0.0)
    shifted = np.array([[1.0, 0.0, -5.0], [0.0, 1.0, 2.0]])
    moved = moved_pixels(displacement, shifted, 16)
    expected = np.zeros((16, 16), dtype=bool)
    expected[6:10, 5:9] = True
    assert np.array_equal(moved, expected)
    assert not moved_pixels(np.zeros((20, 20, 2)), shifted, 16).any()
