"""What the chapter on Table 1 checks of itself: an edit that mixes two averagings does not pass."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import DATASET, fake_runs
from IPython.core.interactiveshell import InteractiveShell

from traunet import report
from traunet.workspace import PROJECT

PAGE = json.loads((PROJECT / "notebooks" / "04_table1.ipynb").read_text())
SOURCES = {cell["id"]: "".join(cell["source"]) for cell in PAGE["cells"] if cell["cell_type"] == "code"}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> SimpleNamespace:
    """A workspace of runs that were made up."""
    runs = {(run.variant, run.fold): run for run in fake_runs()}
    folder = tmp_path_factory.mktemp("table1") / "results"
    report.write(list(runs.values()), folder, profile="smoke", dataset=DATASET)
    return SimpleNamespace(results=lambda: folder, run=lambda *of: runs[of], dataset=DATASET)


def execute(made: SimpleNamespace, **edited: str) -> None:
    """All cells of the chapter, some of them edited."""
    shell: Any = InteractiveShell(user_ns={"made": made})
    for source in {**SOURCES, **edited}.values():
        shell.run_cell(source.replace("Workspace.of(profile)", "made")).raise_error()


def test_the_chapter_on_table_1_can_be_made(made):
    execute(made)


def test_a_score_beside_the_interval_of_another_averaging_does_not_pass(made):
    pooled, mean = "'ours' and averaging == 'pooled'", "'ours' and averaging == 'fold_mean'"
    assert pooled in SOURCES["beside"]
    with pytest.raises(AssertionError, match=r"beside\(\) shows another averaging than its intervals"):
        execute(made, beside=SOURCES["beside"].replace(pooled, mean))
