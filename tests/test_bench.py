"""The figures of `make bench`: what they say, and how they come into the book."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from extensions import extension

from traunet.bench.figure import Figure
from traunet.bench.report import benchmark

FAST = Figure("preparing", 80.0, "frames/s", "decoding", 100.0, at_least=0.8, seconds=12.0, memory=2**30)
LARGE = Figure("the store", 2.5, "GB", "raw pixels", 19.0, at_most=3.0, of_ratio=False)


bench = extension("bench")


def test_a_rate_is_judged_by_its_ratio_and_a_size_by_itself():
    assert FAST.holds
    assert not Figure("preparing", 79.0, "frames/s", "decoding", 100.0, at_least=0.8).holds
    assert LARGE.holds
    assert not Figure("the store", 3.1, "GB", "raw pixels", 19.0, at_most=3.0, of_ratio=False).holds
    assert Figure("a time", 1.0, "s", "another", 2.0).holds is None


def test_each_figure_is_told_as_it_comes(tmp_path, capsys):
    told = []

    def measure(_) -> Iterator[Figure]:
        for figure in (FAST, LARGE):
            yield figure
            told.append(capsys.readouterr().err.splitlines()[-1])

    benchmark(tmp_path / "bench.json", {"one": measure})
    assert told[0] == "bench: preparing: 80 frames/s; beside decoding: 0.8; bar met"
    assert told[1].startswith("bench: the store: 2.5 GB; beside raw pixels: ")


def test_all_figures_and_the_machine_are_written_and_no_scratch_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    seen: list[Path] = []

    def measure(scratch: Path, more: int = 0) -> list[Figure]:
        seen.append(scratch)
        (scratch / "large").write_text("x")
        return [FAST] * (1 + more)

    benchmark(tmp_path / "out" / "bench.json", {"one": measure, "two": measure}, two={"more": 1})
    found = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert [row["part"] for row in found["figures"]] == ["one", "two", "two"]
    assert found["figures"][0]["ratio"] == pytest.approx(0.8)
    assert found["machine"]["cores"] >= 1
    assert str(tmp_path) not in json.dumps(found)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bench.json"]
    assert not any(path.exists() for path in seen)


def test_a_measurement_that_fails_leaves_the_former_figures(tmp_path):
    (tmp_path / "bench.json").write_text("former")

    def fails(scratch: Path) -> list[Figure]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        benchmark(tmp_path / "bench.json", {"one": fails})
    assert (tmp_path / "bench.json").read_text() == "former"
    assert len(list(tmp_path.iterdir())) == 1


def test_figures_from_numpy_are_json_too(tmp_path):
    figure = Figure("a rate", np.float64(9.0), "1/s", "another", np.float64(10.0), at_least=0.8)
    benchmark(tmp_path / "bench.json", {"one": lambda _: [figure]})
    assert json.loads((tmp_path / "bench.json").read_text())["figures"][0]["holds"] is True


def test_a_figure_without_a_reference_is_still_json(tmp_path):
    nothing = Figure("alone", 1.0, "s", "nothing", 0.0)
    assert math.isnan(nothing.ratio)
    benchmark(tmp_path / "bench.json", {"one": lambda _: [nothing]})
    assert json.loads((tmp_path / "bench.json").read_text())["figures"][0]["ratio"] is None


def test_the_book_shows_value_reference_ratio_bar_and_verdict(tmp_path):
    benchmark(tmp_path / "bench.json", {"one": lambda _: [FAST, LARGE]})
    rows = json.loads((tmp_path / "bench.json").read_text())["figures"]
    fast, large = (bench.cells(row) for row in rows)
    assert fast == [
        "preparing",
        "80 frames/s",
        "decoding: 100 frames/s",
        "0.800",
        "at least 0.8: met",
        "12 s, 1.07 GB",
    ]
    assert large[3:5] == ["0.132", "at most 3 GB: met"]
    slow = Figure("preparing", 79.0, "frames/s", "decoding", 100.0, at_least=0.8)
    assert bench.cells(slow.row() | {"seconds": None})[4:] == ["at least 0.8: missed", ""]


def test_a_note_stands_below_what_it_is_of():
    (what,), *_ = bench.line(FAST.row())
    (again, note), value, *_ = bench.line(FAST.row() | {"note": "2 processes"})
    assert (what.astext(), again.astext(), value) == ("preparing", "preparing", "80 frames/s")
    assert note.astext().strip() == "2 processes"


def test_bytes_are_shown_by_the_thousand_million():
    row = Figure("memory", 1.278e9, "bytes", "before", 1.288e9, at_most=2e9, of_ratio=False).row()
    assert bench.cells(row)[1:3] == ["1.28 GB", "before: 1.29 GB"]
    assert bench.bar(row) == "at most 2 GB: met"
