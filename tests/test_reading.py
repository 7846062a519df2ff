"""JSON nested without end, wherever the library reads some that may come from elsewhere."""

from types import SimpleNamespace

import pytest
from projects import workspace

from traunet.book import chapters, freshness
from traunet.data.unfinished import Unfinished
from traunet.records import keeping, sealing
from traunet.records.reading import json_of
from traunet.scoring import results
from traunet.workflow import marks


@pytest.fixture
def deep(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 200_000)
    return tmp_path / "deep.json"


def test_it_is_an_error_that_says_so(deep):
    with pytest.raises(ValueError, match="nested without end"):
        json_of(deep)


def test_results_and_chapters_of_such_name_the_file(deep):
    with pytest.raises(ValueError, match=r"deep\.json is not a results file \(its brackets .*make it again"):
        results.read(deep)
    with pytest.raises(chapters.ChapterError, match=r"deep\.json: not a notebook"):
        chapters.read(deep)


def test_an_answer_that_is_kept_so_is_computed_anew(deep):
    assert keeping.remembered(deep, lambda: 1, lambda: 2) == 2
    assert json_of(deep)["answer"] == 2


def test_a_seal_or_a_mark_of_such_holds_no_longer(deep, tmp_path):
    (tmp_path / "sealed").mkdir()
    deep.rename(tmp_path / "sealed" / ".as-written")
    assert "cannot be read" in sealing.broken(tmp_path / "sealed")[0]
    place = workspace(tmp_path)
    (place.folder / "done").mkdir(parents=True)
    (tmp_path / "sealed" / ".as-written").rename(place.folder / "done" / "store")
    assert list(marks.stale(place).values()) == [marks.GONE]


def test_a_part_or_a_chapter_of_such_is_made_anew(deep, tmp_path, monkeypatch):
    task = SimpleNamespace(note=deep, pictures=deep)
    assert not Unfinished(tmp_path).holds(task)  # pyright: ignore[reportArgumentType]
    monkeypatch.setattr(freshness, "made_from", lambda *_: {"library": "now"})
    (tmp_path / "notebooks").mkdir()
    deep.rename(tmp_path / "notebooks" / "01.ipynb")
    place = SimpleNamespace(folder=tmp_path)
    told = freshness._noted_and_now(place, tmp_path / "01.ipynb")  # pyright: ignore[reportArgumentType]
    assert told == ({}, {"library": "now"})
