"""The action units: whoever lists them otherwise, or gives one to another branch, mixes nothing up."""

from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from traunet import facs

NOSE = 'ActionUnit(9, "nose wrinkler", "levator labii superioris alaeque nasi", "middle")'


def edited(line: str, instead: str) -> ModuleType:
    """The module as it is after an edit of one line."""
    text = Path(facs.__file__).read_text()
    assert text.count(line) == 1
    module = module_from_spec(spec_from_loader("edited_facs", loader=None))  # pyright: ignore
    exec(text.replace(line, instead), vars(module))
    return module


def by_branch(module: ModuleType) -> tuple[str, ...]:
    """The AUs as a network answers them: a branch after the other."""
    return tuple(au for region in module.REGIONS for au in module.REGION_AUS[region])


def test_an_au_that_goes_to_another_branch_takes_its_label_with_it():
    moved = edited(NOSE, NOSE.replace("middle", "upper"))
    assert moved.REGION_AUS["upper"] == ("AU1", "AU2", "AU4", "AU9")
    assert moved.AUS == by_branch(moved) == tuple(unit.name for unit in moved.ACTION_UNITS)
    assert sorted(moved.AUS) == sorted(facs.AUS)


def test_the_tables_have_the_papers_order():
    assert facs.AUS == by_branch(facs) == ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU25", "AU26")


def test_a_region_that_is_none_is_an_error_that_names_the_au_and_the_regions():
    with pytest.raises(ValueError, match=r"AU9: unknown region 'centre'; choose one of: upper, middle, lower"):
        edited(NOSE, NOSE.replace("middle", "centre"))
