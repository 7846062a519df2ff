"""The page of decisions: made from the code, complete, and fair to the readings that were not taken."""

import re

import pytest
from extensions import extension

from traunet.workspace import PROJECT

decisions, library = extension("decisions"), extension("library")
PAGE = (PROJECT / "book" / "decisions.md").read_text()
NAMED = [title for block in re.findall(r"```\{decisions\} (.+)", PAGE) for title in block.split()]
BESIDE = re.split("## Beside the paper", PAGE)[1]  # what answers no sentence of the paper


def of(title: str):
    return decisions.decisions(f"traunet.{title}")


def test_every_decision_of_the_library_stands_on_the_page_once():
    written = sum(path.read_text().count("Decision:") for path in (PROJECT / "traunet").rglob("*.py"))
    assert sum(len(of(title)) for title in NAMED) == written
    assert len(set(NAMED)) == len(NAMED)


def test_a_module_that_decides_and_is_not_named_would_be_noticed():
    deciding = [m.title for m in library.library() if decisions.decisions(m.name)]
    assert sorted(deciding) == sorted(NAMED)


@pytest.mark.parametrize("title", [title for title in NAMED if title not in BESIDE])
def test_where_the_paper_is_open_the_other_readings_are_named(title):
    assert [decision.where for decision in of(title) if not decision.others] == []


def test_every_decision_leads_to_an_entry_of_the_library():
    entries = {entry.name for module in library.library() for entry in library.every(module)}
    assert {decision.where for title in NAMED for decision in of(title)} <= entries


def test_a_docstring_gives_the_papers_words_their_place_and_both_readings():
    doc = (
        'Weigh the channels: "two layers with ratio r" (equation 2).\n\n'
        "Decision: the first is small; it is cheap. The other reading is large."
    )
    (found,) = decisions.parse(doc, "traunet.x")
    assert found.quotes == (("two layers with ratio r", "equation 2"),)
    assert (found.reading, found.others) == ("the first is small; it is cheap.", "The other reading is large.")


def test_two_decisions_of_one_paragraph_are_two():
    found = decisions.parse("Decision: one.\nDecision: two, on\ntwo lines.", "traunet.x")
    assert [decision.reading for decision in found] == ["one.", "two, on two lines."]


def test_a_comment_decides_for_the_name_below_it():
    text = "# Decision: half,\n# as usual. The alternative is a third.\nCUT: float = 0.5\n"
    ((_, found),) = decisions._in_comments(text, "traunet.x", {"traunet.x", "traunet.x.CUT"})
    assert (found.where, found.reading, found.others) == (
        "traunet.x.CUT",
        "half, as usual.",
        "The alternative is a third.",
    )
