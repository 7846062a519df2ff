"""The record of the paper's settings, what `config` makes of them, and the reasons of the smaller profiles."""

import re

import pytest

from traunet.config import PAPER, PROFILES
from traunet.scoring import published


def test_the_profile_paper_has_the_recorded_settings_and_no_others_but_the_rendered_datas():
    recorded = published.settings()["value"].to_dict()
    has = {name: str(value) for name, value in PAPER.settings.items() if not name.startswith("synth.")}
    assert has == recorded


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_no_setting_of_a_profile_differs_without_a_reason(profile):
    differing = {name for name, value in profile.settings.items() if PAPER.settings.get(name) != value}
    named = {name for what, _ in profile.departures for name in re.findall(r"\w+(?:\.\w+)*", what)}
    assert [name for name in differing if not {name, name.split(".")[0]} & named] == []
    assert bool(differing) == (profile is not PAPER)
