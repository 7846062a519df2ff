"""The scores against scikit-learn, closed forms and simulated classifiers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from traunet import metrics
from traunet.metrics import Counts


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def some_counts(rng, subjects=27, units=8) -> Counts:
    return Counts(*rng.integers(0, 50, size=(4, subjects, units)))


def always_yes(positives: int, frames: int) -> Counts:
    return metrics.count(np.arange(frames)[:, None] < positives, np.ones((frames, 1), dtype=bool))


def test_f1_and_accuracy_equal_those_of_scikit_learn(rng):
    actual, predicted = rng.random((2, 300, 8)) < 0.2
    counts = metrics.count(actual, predicted)
    for ours, theirs in ((metrics.f1, f1_score), (metrics.accuracy, accuracy_score)):
        expected = [theirs(actual[:, unit], predicted[:, unit]) for unit in range(8)]
        assert np.allclose(ours(counts), expected, rtol=0, atol=1e-12)


def test_f1_of_an_absent_au_is_not_counted():
    counts = metrics.count(np.array([[True, False], [False, False]]), np.array([[True, False], [True, False]]))
    scores = metrics.with_average(metrics.f1(counts))
    assert np.isnan(scores[1])
    assert scores[2] == scores[0] == pytest.approx(2 / 3)


def test_f1_of_an_absent_au_that_was_claimed_is_zero():
    counts = metrics.count(np.zeros((3, 1), dtype=bool), np.array([[True], [False], [False]]))
    assert metrics.f1(counts).tolist() == [0.0]


def test_a_mean_of_nothing_is_not_a_number():
    assert np.isnan(metrics.mean(np.array([np.nan, np.nan])))


def test_counts_add_up_to_the_frames(rng):
    counts = metrics.count(*(rng.random((2, 50, 8)) < 0.5))
    assert counts.frames.tolist() == [50] * 8


def test_counts_by_group_equal_counts_of_each_group(rng):
    actual, predicted = rng.random((2, 200)) < 0.4
    group = rng.integers(0, 5, size=200)
    together = metrics.count_by_group(actual, predicted, group, 6)
    for number in range(6):
        alone = metrics.count(actual[group == number, None], predicted[group == number, None])
        assert together[number].tp == alone.tp[0]
        assert together[number].frames == (group == number).sum()


def test_answers_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(3, 8\).*\(3, 7\)"):
        metrics.count(np.zeros((3, 8), dtype=bool), np.zeros((3, 7), dtype=bool))


@pytest.mark.parametrize(
    "values",
    [[0.2, 0.9], [0, 3], [1.0, np.nan], [-1, 1], ["yes", "no"], [True, None], [True, pd.NA], [{}, True]],
)
def test_probabilities_intensities_and_gaps_are_not_counted_as_yes(values):
    yes_and_no, others = np.array([True, False]), np.array(values)
    for pair in ((others, yes_and_no), (yes_and_no, others)):
        with pytest.raises(ValueError, match=r"intensity >= threshold.*probability >= CUT"):
            metrics.count(*pair)
        with pytest.raises(ValueError, match=r"intensity >= threshold.*probability >= CUT"):
            metrics.count_by_group(*pair, np.zeros(2, dtype=int), 1)


@pytest.mark.parametrize("kind", [int, float, np.uint8, object])
def test_ones_and_zeros_count_as_yes_and_no(rng, kind):
    actual, predicted = rng.random((2, 50)) < 0.4
    expected = metrics.count(actual, predicted)
    assert metrics.count(actual.astype(kind), predicted.astype(kind)) == expected
    alike = metrics.count_by_group(actual.astype(kind), predicted.astype(kind), np.zeros(50, dtype=int), 1)
    assert alike.sum() == expected


def test_yes_and_no_of_a_table_that_was_joined_or_pivoted_count():
    labelled = pd.DataFrame({"frame": [1, 2], "actual": [True, False]})
    joined = labelled.merge(pd.DataFrame({"frame": [1, 2, 3], "said": True}), how="outer")[:2]
    assert joined["actual"].dtype == object
    for answers in (joined["said"], joined["said"].astype("boolean")):
        counts = metrics.count(np.asarray(joined["actual"]), np.asarray(answers))
        assert (counts.tp, counts.fp, counts.fn, counts.tn) == (1, 1, 0, 0)


def test_pooled_and_fold_mean_agree_when_all_folds_are_alike(rng):
    fold = some_counts(rng, subjects=9)
    counts = Counts(*(np.concatenate([a] * 3) for a in (fold.tp, fold.fp, fold.fn, fold.tn)))
    folds = np.repeat([1, 2, 3], 9)
    for score in metrics.METRICS.values():
        together = metrics.pooled(counts, folds, score)
        assert np.allclose(together, metrics.fold_mean(counts, folds, score), rtol=0, atol=1e-12)


def test_a_fold_without_the_au_is_left_out_of_the_fold_mean():
    counts = Counts(*np.array([[[4], [0]], [[2], [0]], [[2], [0]], [[2], [10]]]))
    folds = np.array([1, 2])
    assert metrics.fold_mean(counts, folds, metrics.f1).tolist() == [pytest.approx(2 / 3)]


@pytest.mark.parametrize("positives", [0, 1, 5, 50, 99, 100])
def test_chance_f1_is_what_always_yes_gets(positives):
    counts = always_yes(positives, 100)
    assert metrics.chance_f1(counts) == pytest.approx(metrics.f1(counts))


def test_no_random_answer_expects_more_than_chance_f1(rng):
    actual = rng.random((20000, 1)) < 0.1
    best = metrics.chance_f1(metrics.count(actual, actual))
    for share in (0.05, 0.1, 0.3, 0.6, 0.9):
        answer = rng.random((20000, 1)) < share
        assert metrics.f1(metrics.count(actual, answer)) < best + 0.01


def test_chance_accuracy_is_that_of_the_more_frequent_answer():
    assert metrics.chance_accuracy(always_yes(30, 100)) == pytest.approx(0.7)
    assert metrics.chance_accuracy(always_yes(80, 100)) == pytest.approx(0.8)


def test_resampling_keeps_the_total_of_equal_subjects(rng):
    counts = Counts(*np.ones((4, 27, 8), dtype=int))
    assert (metrics.resample(counts, rng, 20).frames == 4 * 27).all()


def test_resampling_with_the_same_generator_is_paired(rng):
    counts = some_counts(rng)
    first = metrics.resample(counts, np.random.default_rng(3), 10)
    second = metrics.resample(counts, np.random.default_rng(3), 10)
    assert (first.tp == second.tp).all()


def test_the_interval_holds_the_pooled_score_and_narrows_with_more_subjects(rng):
    few, many = some_counts(rng, subjects=9), some_counts(rng, subjects=300)
    widths = []
    for counts in (few, many):
        low, high = metrics.interval(metrics.f1(metrics.resample(counts, rng, 400)))
        score = metrics.f1(counts.sum())
        assert ((low <= score) & (score <= high)).all()
        widths.append((high - low).mean())
    assert widths[1] < widths[0] / 3


def test_the_interval_equals_the_quantiles_and_leaves_out_what_is_undefined(rng):
    samples = rng.random((101, 3))
    samples[0, 1] = np.nan
    samples[:, 2] = np.nan
    bounds = metrics.interval(samples, level=0.9)
    assert np.allclose(bounds[:, 0], np.quantile(samples[:, 0], [0.05, 0.95]), rtol=0, atol=1e-12)
    assert np.allclose(bounds[:, 1], np.quantile(samples[1:, 1], [0.05, 0.95]), rtol=0, atol=1e-12)
    assert np.isnan(bounds[:, 2]).all()


def test_the_positive_rate_always_lies_within_its_bounds(rng):
    for share in (0.03, 0.2, 0.6):
        actual = rng.random((500, 4)) < share
        counts = metrics.count(actual, actual ^ (rng.random((500, 4)) < 0.15))
        low, high = metrics.positive_rate_bounds(metrics.f1(counts), metrics.accuracy(counts))
        rate = counts.positive_rate
        assert ((low <= rate + 1e-12) & (rate <= high + 1e-12)).all()


def test_the_bounds_are_reached_when_all_errors_are_of_one_kind():
    alarms, misses = Counts(*np.array([[10], [5], [0], [85]])), Counts(*np.array([[10], [0], [5], [85]]))
    low, _ = metrics.positive_rate_bounds(metrics.f1(alarms), metrics.accuracy(alarms))
    _, high = metrics.positive_rate_bounds(metrics.f1(misses), metrics.accuracy(misses))
    assert low == pytest.approx(alarms.positive_rate)
    assert high == pytest.approx(misses.positive_rate)
