"""Settings that cannot be meant are refused before anything is trained with them."""

from dataclasses import replace

import pytest

from traunet.config import DEMO, PAPER, PROFILES, TrainConfig


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("threshold", 7, "a whole number from 1 to 5"),
        ("threshold", 0, "a whole number from 1 to 5"),
        ("batch_size", 0, "a whole number of at least 1"),
        ("batches_per_epoch", 2.5, "a whole number of at least 1"),
        ("max_epochs", 0, "a whole number of at least 1"),
        ("first_evaluation", 0, "a whole number of at least 1"),
        ("patience", True, "a whole number of at least 1"),
        ("evaluation_stride", 0, "a whole number of at least 1"),
        ("held_out_subjects", -1, "a whole number of at least 0"),
        ("seed", -1, "a whole number of at least 0"),
        ("flip_probability", 50, "a number from 0 to 1"),
        ("momentum", -0.9, "a number from 0 to 1"),
        ("weight_decay", "0.1", "a number from 0 to 1"),
        ("learning_rate", 0, "a number above 0"),
        ("learning_rate", float("nan"), "a number above 0"),
        ("final_learning_rate", -0.1, "a number from 0 to that, or None"),
    ],
)
def test_a_setting_of_training_that_cannot_be_meant_is_an_error_that_says_what_to_give(setting, value, wanted):
    with pytest.raises(ValueError, match=f"^{setting} .*: .*give {wanted}"):
        replace(PAPER.train, **{setting: value})


def test_a_constant_rate_stays_constant_when_it_is_changed():
    assert PAPER.train.rates == (0.001, 0.001)
    assert replace(PAPER.train, learning_rate=0.01).rates == (0.01, 0.01)
    assert DEMO.train.rates == (DEMO.train.learning_rate, DEMO.train.final_learning_rate)


def test_a_rate_that_would_rise_without_being_meant_to_is_an_error():
    with pytest.raises(ValueError, match=r"the rate falls to it from learning_rate 0\.001; give .* None"):
        replace(DEMO.train, learning_rate=0.001)


def test_every_profile_can_be_trained_with():
    assert all(isinstance(profile.train, TrainConfig) for profile in PROFILES.values())
