"""Folds share no subject, the held-out people can judge every AU, and rare AUs are drawn as often as common."""

import numpy as np
import pandas as pd
import pytest

from traunet.data.folds import TEST_SUBJECTS, Split, held_out_subjects, labels, sampling_weights, split
from traunet.data.original import SUBJECTS
from traunet.facs import AUS, DISFA_AUS


@pytest.fixture(scope="module")
def frames() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"subject": np.repeat(SUBJECTS, 40), "frame": np.tile(np.arange(1, 41), 27)})
    shares = dict(zip(DISFA_AUS, rng.uniform(0.01, 0.3, 12), strict=True))
    for au in DISFA_AUS:
        table[au] = (rng.random(len(table)) < shares[au]) * rng.integers(1, 6, len(table))
    table["usable"] = rng.random(len(table)) < 0.9
    return table


def people(frames: pd.DataFrame, rows: np.ndarray) -> set[str]:
    return set(frames["subject"].iloc[rows])


def test_the_three_parts_are_the_27_subjects_nine_each():
    assert [len(part) for part in TEST_SUBJECTS.values()] == [9, 9, 9]
    assert {subject for part in TEST_SUBJECTS.values() for subject in part} == set(SUBJECTS)
    assert len(SUBJECTS) == 27


@pytest.mark.parametrize("held_out", [0, 3])
@pytest.mark.parametrize("fold", [1, 2, 3])
def test_no_subject_is_in_two_parts_and_every_usable_frame_is_in_one(frames, fold, held_out):
    parts = split(frames, fold, held_out)
    groups = [people(frames, rows) for rows in (parts.train, parts.held_out, parts.test)]
    assert [len(group) for group in groups] == [18 - held_out, held_out, 9]
    assert len(set.union(*groups)) == 27
    assert groups[1] == set(parts.held_out_subjects)
    assert groups[2] == set(TEST_SUBJECTS[fold])
    together = np.sort(np.concatenate([parts.train, parts.held_out, parts.test]))
    np.testing.assert_array_equal(together, np.flatnonzero(frames["usable"]))


def test_every_frame_is_tested_exactly_once_over_the_folds(frames):
    tested = np.concatenate([split(frames, fold).test for fold in TEST_SUBJECTS])
    np.testing.assert_array_equal(np.sort(tested), np.flatnonzero(frames["usable"]))


def test_the_held_out_subjects_are_the_same_whatever_the_order_of_the_rows(frames):
    shuffled = frames.sample(frac=1, random_state=1).reset_index(drop=True)
    assert split(frames, 1, 3).held_out_subjects == split(shuffled, 1, 3).held_out_subjects


def test_the_test_fold_does_not_enter_the_choice_of_held_out_subjects(frames):
    changed = frames.copy()
    changed.loc[changed["subject"].isin(TEST_SUBJECTS[1]), list(AUS)] = 5
    assert split(frames, 1, 3).held_out_subjects == split(changed, 1, 3).held_out_subjects


def test_each_au_has_positives_on_both_sides_where_that_is_possible():
    table = pd.DataFrame({"subject": np.repeat(SUBJECTS[:18], 5), **{au: 0 for au in AUS}, "usable": True})
    for au, owners in zip(AUS, np.array_split(np.arange(16), 8), strict=True):
        table.loc[table["subject"].isin([SUBJECTS[owner] for owner in owners]) & (table.index % 5 == 0), au] = 4
    chosen = table["subject"].isin(held_out_subjects(table, 8))
    positive = labels(table)
    assert positive[chosen].any(axis=0).all()
    assert positive[~chosen].any(axis=0).all()


def test_the_held_out_share_of_every_au_is_near_their_share_of_the_subjects(frames):
    parts = split(frames, 2, 3)
    held, rest = labels(frames)[parts.held_out].sum(axis=0), labels(frames)[parts.train].sum(axis=0)
    np.testing.assert_allclose(held / (held + rest), 3 / 18, atol=0.12)


@pytest.mark.parametrize("held_out", [18, 40, -1])
def test_holding_out_everybody_is_an_error(frames, held_out):
    with pytest.raises(ValueError, match="of 18 training subjects"):
        split(frames, 1, held_out)


def test_an_unknown_fold_is_an_error(frames):
    with pytest.raises(ValueError, match="unknown fold 4; choose one of 1, 2, 3"):
        split(frames, 4)


def test_subjects_of_no_fold_are_an_error(frames):
    with pytest.raises(ValueError, match="SN100 belong to no fold"):
        split(frames.replace({"subject": {"SN001": "SN100"}}), 1)


def test_a_fold_without_test_frames_is_an_error(frames):
    with pytest.raises(ValueError, match="fold 1 has no usable frame"):
        split(frames[~frames["subject"].isin(TEST_SUBJECTS[1])], 1)


def test_an_intensity_at_the_threshold_is_positive(frames):
    for threshold in (1, 2, 3, 4, 5):
        expected = [[row[au] >= threshold for au in AUS] for _, row in frames.iterrows()]
        np.testing.assert_array_equal(labels(frames, threshold), expected)
    for threshold in (0, 6):
        with pytest.raises(ValueError, match=f"the threshold is {threshold}"):
            labels(frames, threshold)


def test_every_au_and_none_account_for_the_same_share_of_the_draws(frames):
    positive = labels(frames)
    alone = positive[positive.sum(axis=1) <= 1]
    weights = sampling_weights(alone)
    shares = [weights[alone[:, a]].sum() for a in range(8)] + [weights[~alone.any(axis=1)].sum()]
    np.testing.assert_allclose(shares, 1 / 9)


def test_a_frame_with_two_aus_is_drawn_as_often_as_two_frames_with_one():
    positive = np.zeros((4, 8), dtype=bool)
    positive[[0, 1], 0] = positive[[0, 2], 1] = True
    weights = sampling_weights(positive)
    assert weights[0] == pytest.approx(weights[1] + weights[2])


@pytest.mark.parametrize("make", [np.zeros, np.ones])
def test_without_a_difference_all_frames_are_alike(make):
    np.testing.assert_allclose(sampling_weights(make((5, 8), dtype=bool)), 0.2)


def test_weights_are_probabilities_also_when_an_au_is_absent(frames):
    positive = labels(frames)
    positive[:, 3] = False
    weights = sampling_weights(positive)
    assert (weights > 0).all()
    assert weights.sum() == pytest.approx(1)


def test_a_split_holds_row_numbers(frames):
    parts = split(frames, 1)
    assert isinstance(parts, Split)
    assert parts.held_out.size == 0
    assert parts.train.dtype.kind == "i"
