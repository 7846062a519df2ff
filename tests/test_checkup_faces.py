"""Landmarks that belong to other pictures are noticed; a detector that is right on average is simulated."""

import numpy as np
import pytest
import trees

from traunet.checkup.faces import Sample, Sightings, errors, in_a_face, median, mirror_points
from traunet.checkup.origin import Origin, measure_origin
from traunet.checkup.readings import Shift, explanation, shift, twins
from traunet.checkup.subject import Examined
from traunet.checkup.tree import face_lines, origin_lines
from traunet.faces.landmarks import Box, Face
from traunet.facs import FLIP

WIDTH, HEIGHT, FRAMES = 320, 240, 400


def wander(rng: np.random.Generator, size: float) -> np.ndarray:
    """A smooth path of FRAMES values."""
    steps = np.convolve(rng.normal(size=FRAMES + 40), np.hanning(20) / 10, mode="same")[20:-20]
    return size * np.cumsum(steps) / FRAMES**0.5


def head(seed: int) -> np.ndarray:
    """A head that moves about: (FRAMES, 66, 2), where the landmarks truly are, in pixels from 0."""
    rng = np.random.default_rng(seed)
    x, y, tilt = wander(rng, 40), wander(rng, 40), wander(rng, 0.05)
    middle, reach = rng.uniform(-20, 20, 2) + np.array([WIDTH, HEIGHT]) / 2, rng.uniform(55, 70)
    return np.stack(
        [trees.face_points((middle[0] + x[i], middle[1] + y[i]), reach, tilt[i]) for i in range(FRAMES)]
    )


def seen(truth: np.ndarray, sample: Sample, seed: int = 0) -> Sightings:
    """What a detector says that errs by a pixel, places every point its own way, and one side as the other."""
    rng, sightings = np.random.default_rng(seed), Sightings(WIDTH, HEIGHT)
    own_way = rng.normal(0, 2, (66, 2))
    own_way = (own_way + own_way[FLIP] * [-1, 1]) / 2
    for number in {*sample.calm, *sample.fast}:
        one, two = (truth[number - 1] + own_way + rng.normal(0, 1, (66, 2)) for _ in range(2))
        (left, top), (right, bottom) = one.min(axis=0), one.max(axis=0)
        sightings.faces[number] = [Face(Box(*map(int, (left, top, right, bottom))), one)]
        sightings.mirrored[number] = two
    return sightings


def shifted(points: np.ndarray, by: int, start: int = 0) -> np.ndarray:
    """Landmarks of which, from an index on, each is that of the frame `by` later."""
    late = points[np.clip(np.arange(len(points)) + by, 0, len(points) - 1)]
    return np.concatenate([points[:start], late[start:]])


SPOILS = {
    "they are mirrored": lambda points: mirror_points(points, WIDTH)[:, FLIP],
    "they are mirrored, and left and right are named as before": lambda points: mirror_points(points, WIDTH),
    "x and y are swapped": lambda points: points[..., ::-1],
    "left and right are swapped in their order": lambda points: points[:, FLIP],
    "they belong to pictures of 2.50 times this size": lambda points: points * 2.5,
    "they belong to pictures of 0.50 times this size": lambda points: points / 2,
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_landmarks_that_were_changed_as_a_whole_are_explained(spoil):
    truth = head(0)
    written = SPOILS[spoil](truth)
    sample = Sample.of(written)
    sightings = seen(truth, sample)
    name, error = explanation("SN001", sightings, sample, {"SN001": written}) or ("", 1.0)
    assert name.split(" of ")[0] == spoil.split(" of ")[0]
    assert error < 0.1 < median(errors(sightings, sample.calm, written))


def test_another_subjects_landmarks_are_named():
    truths = {f"SN{n:03d}": head(n) for n in range(1, 6)}
    swapped = {**truths, "SN001": truths["SN004"], "SN004": truths["SN001"]}
    sample = Sample.of(swapped["SN001"])
    found = explanation("SN001", seen(truths["SN001"], sample), sample, swapped)
    assert found
    assert found[0] == "they are SN004's"


@pytest.mark.parametrize("seed", range(5))
def test_sound_landmarks_need_no_explanation(seed):
    everyone = {f"SN{n:03d}": head(n + 10 * seed) for n in range(1, 4)}
    sample = Sample.of(everyone["SN001"])
    sightings = seen(everyone["SN001"], sample, seed)
    assert explanation("SN001", sightings, sample, everyone) is None
    assert shift(sightings, sample, everyone["SN001"]) is None
    assert in_a_face(sightings, sample.calm, everyone["SN001"]).all()


@pytest.mark.parametrize("lag", [-2, -1, 1, 2])
@pytest.mark.parametrize("start", [0, 200])
def test_landmarks_that_are_frames_late_are_noticed_and_from_where(lag, start):
    truth = head(3)
    written = shifted(truth, -lag, start)
    sample = Sample.of(written)
    found = shift(seen(truth, sample), sample, written)
    assert isinstance(found, Shift)
    assert found.lag == lag
    assert abs(found.frame - start) < 60


def test_single_landmarks_that_jump_are_no_shift():
    truth = head(3)
    written = truth.copy()
    written[::25] += 15
    sample = Sample.of(written)
    assert shift(seen(truth, sample), sample, written) is None


def test_a_head_that_keeps_still_tells_no_shift():
    truth = np.repeat(head(0)[:1], FRAMES, axis=0)
    sample = Sample.of(truth)
    assert shift(seen(truth, sample), sample, truth) is None


def test_frames_without_landmarks_are_never_sampled():
    written = head(0)
    written[50:300] = np.nan
    sample = Sample.of(written)
    assert sample.calm
    assert sample.fast
    assert all(number <= 50 or number > 300 for number in (*sample.calm, *sample.fast))
    assert Sample.of(written[50:300]) == Sample()


def test_equal_landmarks_of_two_subjects_are_found():
    everyone = {"SN001": head(1), "SN002": head(2), "SN003": head(1)[:-1]}
    assert list(twins(everyone)) == [("SN001", "SN003")]


def measured(counted_from: int, turn: float = 0.0) -> Origin:
    """The origin of 27 subjects whose landmarks count from 0 or 1, and are read as counting from 1."""
    subjects = []
    for seed in range(27):
        truth = head(seed)
        truth[:, 27:36, 0] += turn * np.random.default_rng(seed).uniform(0, 20)  # the nose of a head turned aside
        sample = Sample.of(truth)
        subjects.append((seen(truth, sample, seed), sample, truth + counted_from - 1))
    return measure_origin(subjects)


@pytest.mark.parametrize("counted_from", [0, 1])
@pytest.mark.parametrize("turn", [0.0, 1.0])
def test_where_counting_begins_is_measured_though_detector_and_landmarks_differ(counted_from, turn):
    origin = measured(counted_from, turn)
    assert origin.first_pixel == counted_from
    assert abs(origin.offset - (counted_from - 1)) < 0.3


def test_coordinates_that_are_read_as_they_do_not_count_are_odd_with_what_to_do():
    assert not any(line.startswith("odd:") for line in origin_lines(measured(1), read_as=1))
    likely, odd = origin_lines(measured(0), read_as=1)
    assert likely.startswith("coordinates: they probably start at 0; ")
    assert odd.startswith("odd: coordinates are read as if they started at 1; write FIRST_PIXEL = 0 into ")


def test_where_counting_begins_is_left_open_when_it_cannot_be_told():
    assert Origin(-0.5, 0.05, 27).first_pixel is None  # between the two
    assert Origin(0.0, 0.5, 27).first_pixel is None  # too uncertain
    assert Origin(0.0, 0.1, 3).first_pixel is None  # too few
    assert measure_origin([]).first_pixel is None


def examined(subject: str, seed: int, faceless: bool = False) -> Examined:
    truth = head(seed)
    sample = Sample.of(truth)
    sightings = seen(truth, sample, seed)
    if faceless:
        sightings.faces, sightings.mirrored = {number: [] for number in sightings.faces}, {}
    return Examined(subject, landmarks=truth, sample=sample, sightings=sightings)


@pytest.mark.parametrize("counted_from", [0, 1])
@pytest.mark.parametrize("first_pixel", [0, 1])
def test_where_counting_begins_does_not_hang_on_what_it_is_taken_for(counted_from, first_pixel):
    people = [examined(f"SN{seed:03d}", seed) for seed in range(27)]
    for one in people:
        one.first_pixel, one.landmarks = first_pixel, one.landmarks + counted_from - first_pixel
    told = list(face_lines(people))
    assert any(line.startswith(f"coordinates: they probably start at {counted_from}; ") for line in told)
    odd = [line for line in told if line.startswith("odd: coordinates are read as if they started at ")]
    assert len(odd) == (counted_from != first_pixel)


def test_a_subject_in_whose_video_no_face_is_found_is_named_and_its_frames_are_counted():
    nobody = examined("SN003", 3, faceless=True)
    unseen = Examined("SN004", landmarks=head(4), sample=Sample.of(head(4)))  # no video that could be read
    lines = list(face_lines([examined("SN001", 1), examined("SN002", 2), nobody, unseen]))
    assert "lies in a face in 24 of 24 sampled frames (12 more show dlib no face, and count as usable" in lines[0]
    assert [line for line in lines if line.startswith("odd:")] == [
        f"odd: SN003: dlib finds no face in any of its {len(nobody.sample.calm)} calm frames; is this its "
        "video of the left camera, upright?"
    ]


def test_a_face_that_is_seen_in_fast_frames_alone_is_held_against_no_landmarks():
    hardly = examined("SN003", 3)
    hardly.sightings.faces |= {number: [] for number in hardly.sample.calm}
    assert any(hardly.sightings.faces.values())
    lines = list(face_lines([examined("SN001", 1), examined("SN002", 2), hardly]))
    assert not [line for line in lines if "nan" in line]
    assert [line[:44] for line in lines if line.startswith("odd:")] == [
        "odd: SN003: dlib finds no face in any of its"
    ]
    assert "no face was found" in next(face_lines([hardly]))


def test_where_no_video_shows_a_face_that_is_said_once():
    lines = list(face_lines([examined("SN001", 1, faceless=True), examined("SN002", 2, faceless=True)]))
    assert [line[:47] for line in lines if line.startswith("odd:")] == [
        "odd: dlib finds no face in any calm frame; are "
    ]
