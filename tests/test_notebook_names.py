"""A cell run again shows what it showed before: a name that other cells read is bound in one cell alone."""

import dis
from types import CodeType

import nbformat
import pytest

from traunet.workspace import PROJECT

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
AT_ONCE = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}  # run where they stand, as a function is not
READS = {"LOAD_NAME", "LOAD_GLOBAL"}


def names(source: str) -> tuple[set[str], set[str]]:
    """The names that a cell binds, and those that it takes from others or that its functions look up later."""
    bound, read = set(), set()
    for step in dis.get_instructions(compile(source, "cell", "exec")):
        if step.opname == "STORE_NAME":
            bound.add(step.argval)
        elif step.opname in READS:
            read |= {step.argval} - bound
        elif isinstance(step.argval, CodeType):
            read |= looked_up(step.argval) - (bound if step.argval.co_name in AT_ONCE else set())
    return bound, read


def looked_up(code: CodeType) -> set[str]:
    own = {step.argval for step in dis.get_instructions(code) if step.opname in READS}
    return own.union(*(looked_up(part) for part in code.co_consts if isinstance(part, CodeType)))


def bound_twice(cells: list[str]) -> set[str]:
    """Names that one cell reads and more than one cell binds: what it shows hangs on which of them ran last."""
    told = [names(source) for source in cells]
    read = {name for _, taken in told for name in taken}
    return {name for name in read if sum(name in bound for bound, _ in told) > 1}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_changes_what_another_shows_when_it_is_run_again(path):
    cells = nbformat.read(path, as_version=4).cells
    assert bound_twice([cell.source for cell in cells if cell.cell_type == "code"]) == set()


@pytest.mark.parametrize(
    "cells",
    [
        ["a = 1", "print(a)", "a = 2"],
        ["a = 1", "a = 2", "print(a)"],
        ["a = 1", "print([a for _ in 'ab'])", "import os as a"],
        ["a = 1\ndef f():\n    return a", "for a in 'ab':\n    print(a)"],
        ["a = 1\nf = lambda: [a for _ in 'ab']", "def a():\n    pass"],
    ],
)
def test_a_name_that_two_cells_bind_and_one_reads_is_found(cells):
    assert bound_twice(cells) == {"a"}


@pytest.mark.parametrize(
    "cells",
    [
        ["a = 1\nprint(a)", "a = 2\nprint(a, [a for _ in 'ab'])"],
        ["a = 1", "print(a)", "print([a for a in 'ab'])"],
        ["a = 1", "print(a)", "def f(a):\n    for b in a:\n        print(b)", "b = 1"],
    ],
)
def test_a_name_that_a_cell_keeps_to_itself_may_be_used_again(cells):
    assert bound_twice(cells) == set()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_names_the_networks_that_it_shows_in_one_place(path):
    """Else whoever shows another network in one figure, by one line, mixes two."""
    cells = nbformat.read(path, as_version=4).cells
    assert sum(cell.source.count("ws.run(") for cell in cells if cell.cell_type == "code") <= 1
