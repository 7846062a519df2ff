"""The gates that a notebook must pass before it may become a page."""

import copy
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell
from projects import INJECTED, PARAMETERS, chapter, executed, figure_cell

from traunet.book import chapters
from traunet.book.chapters import ChapterError

third_party_noise = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def write(path: Path, *cells) -> Path:
    nbformat.write(chapter(*cells), path)
    return path


@third_party_noise
def test_a_good_notebook_is_executed_with_its_parameter_and_says_what_it_was_made_with(tmp_path):
    source = write(tmp_path / "01_data.ipynb", new_code_cell("print(profile)"))
    done = chapters.read(
        chapters.execute(source, tmp_path / "out" / "01_data.ipynb", {"profile": "demo"}, {"key": "k"})
    )
    assert done.cells[-1].outputs[0].text == "demo\n"
    noted = done.metadata["traunet"]
    assert noted["key"] == "k"
    assert 0 < noted["seconds"] < 600
    assert abs(datetime.now(UTC) - datetime.fromisoformat(noted["made"])) < timedelta(minutes=10)
    assert not list((tmp_path / "out" / chapters.FAILED).iterdir())


SETTLED = """
import matplotlib, os
from IPython import get_ipython
print("told" in globals(), get_ipython().colors, matplotlib.rcParams["font.size"], os.environ.get("MINE"))
assert __debug__
"""


@third_party_noise
@pytest.mark.parametrize("named", [False, True])
def test_a_users_own_settings_change_no_chapter(tmp_path, monkeypatch, named):
    """Found in the home folder, or where variables say."""
    home = tmp_path / "home"
    ipython, drawing = home / ".ipython" / "profile_default", home / ".config" / "matplotlib" / "matplotlibrc"
    (ipython / "startup").mkdir(parents=True)
    drawing.parent.mkdir(parents=True)
    (ipython / "startup" / "mine.py").write_text("told = True")
    (ipython / "ipython_config.py").write_text("c.InteractiveShell.colors = 'NoColor'")
    drawing.write_text("font.size: 33")
    (home / "mine.py").write_text("told = True")
    places = {"IPYTHONDIR": ipython.parent, "MPLCONFIGDIR": drawing.parent, "MATPLOTLIBRC": drawing}
    places["PYTHONSTARTUP"] = home / "mine.py"
    for name, place in {**dict.fromkeys((*places, "XDG_CONFIG_HOME")), **(places if named else {})}.items():
        monkeypatch.delenv(name, raising=False) if place is None else monkeypatch.setenv(name, str(place))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PYTHONOPTIMIZE", "1" if named else "")
    monkeypatch.setenv("MINE", "else the environment is the user's")
    before = dict(os.environ)
    source = write(tmp_path / "01_data.ipynb", new_code_cell(SETTLED))
    done = chapters.read(chapters.execute(source, tmp_path / "out.ipynb", {}, {}))
    told, colours, size, mine = done.cells[-1].outputs[0].text.split(maxsplit=3)
    assert (told, size, mine.strip()) == ("False", "10.0", "else the environment is the user's")
    assert colours != "NoColor"
    assert dict(os.environ) == before


@third_party_noise
def test_a_warning_goes_to_the_log_and_is_not_shown(tmp_path, capsys):
    """It names places on this machine, for which the whole site would be refused."""
    code = f"import warnings\nwarnings.warn('{tmp_path}/video.avi: one frame too many')\nprint('shown')"
    source = write(tmp_path / "01_data.ipynb", new_code_cell(code))
    done = chapters.read(chapters.execute(source, tmp_path / "out.ipynb", {"profile": "smoke"}, {}))
    assert [output.text for output in done.cells[-1].outputs] == ["shown\n"]
    assert "video.avi: one frame too many" in capsys.readouterr().err


@third_party_noise
def test_a_failing_notebook_is_an_error_and_is_kept_with_its_traceback(tmp_path):
    source = write(tmp_path / "01_data.ipynb", new_code_cell("1 / 0"))
    out = tmp_path / "out" / "01_data.ipynb"
    with pytest.raises(
        ChapterError, match=r"01_data\.ipynb: cell 3 raised ZeroDivisionError: division by zero; kept"
    ):
        chapters.execute(source, out, {"profile": "smoke"}, {})
    kept = chapters.read(tmp_path / "out" / chapters.FAILED / "01_data.ipynb")
    assert not out.exists()
    assert "ZeroDivisionError" in "".join(chapters.code_cells(kept)[-1].outputs[0].traceback)


@third_party_noise
def test_an_assertion_without_words_is_quoted(tmp_path):
    source = write(tmp_path / "01_data.ipynb", new_code_cell("there = 2\n\nassert there == 3\nthere = 4"))
    with pytest.raises(ChapterError, match=r"cell 3 raised AssertionError at `assert there == 3`; kept with"):
        chapters.execute(source, tmp_path / "out.ipynb", {"profile": "smoke"}, {})


def test_an_unknown_parameter_is_an_error_before_anything_runs(tmp_path):
    source = write(tmp_path / "01_data.ipynb", new_code_cell("raise SystemExit"))
    with pytest.raises(ChapterError, match="unknown parameter epochs; it has: profile"):
        chapters.execute(source, tmp_path / "out.ipynb", {"epochs": 3}, {})


def test_a_missing_notebook_and_a_file_that_is_none_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.ipynb"):
        chapters.execute(tmp_path / "gone.ipynb", tmp_path / "out.ipynb", {}, {})
    (tmp_path / "text.ipynb").write_text("no JSON")
    with pytest.raises(ChapterError, match=r"text\.ipynb: not a notebook"):
        chapters.read(tmp_path / "text.ipynb")


def test_a_complete_notebook_has_no_faults():
    source = chapter(figure_cell("draw()"), new_code_cell(""))
    assert chapters.faults(executed(source), source, PARAMETERS) == []


def test_a_cell_that_was_not_executed_is_a_fault():
    source = chapter(new_code_cell("1"), new_code_cell("2"))
    done = executed(source)
    done.cells[-1].execution_count = None
    assert chapters.faults(done, source, PARAMETERS) == ["code cell 4 was not executed"]


def test_cells_executed_out_of_order_are_a_fault():
    source = chapter(new_code_cell("1"), new_code_cell("2"))
    done = executed(source)
    done.cells[-1].execution_count, done.cells[-2].execution_count = 3, 4
    assert chapters.faults(done, source, PARAMETERS) == [
        f"code cell {n} was executed out of order" for n in (3, 4)
    ]


def test_an_error_among_the_outputs_is_a_fault_even_if_execution_went_on():
    source = chapter(new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}))
    done = executed(source)
    done.cells[-1].outputs = [new_output("error", ename="ZeroDivisionError", evalue="", traceback=[])]
    assert chapters.faults(done, source, PARAMETERS) == ["code cell 3 raised ZeroDivisionError"]


def test_a_figure_that_is_not_shown_and_one_without_caption_are_faults():
    source = chapter(figure_cell("draw()"), figure_cell("draw()", caption=""))
    done = executed(source)
    done.cells[-2].outputs = [new_output("stream", text="no picture")]
    assert chapters.faults(done, source, PARAMETERS) == [
        "code cell 3 should show a figure and shows none",
        "code cell 4 makes a figure without a caption",
    ]


def test_a_table_that_is_not_shown_is_a_fault():
    source = chapter(new_code_cell("table", metadata={"tags": ["table"]}))
    assert chapters.faults(executed(source), source, PARAMETERS) == [
        "code cell 3 should show a table and shows none"
    ]


def test_outputs_of_another_version_of_the_source_are_a_fault():
    before, after = chapter(new_code_cell("old()")), chapter(new_code_cell("new()"))
    assert chapters.faults(executed(before), after, PARAMETERS) == [
        "it was executed from another version of its source"
    ]


def test_a_figure_without_alternative_text_is_a_fault():
    source = chapter(figure_cell("draw()", alt=" "))
    assert chapters.faults(executed(source), source, PARAMETERS) == [
        "code cell 3 makes a figure without alternative text (its metadata's mystnb.image.alt)"
    ]


def test_another_caption_is_another_source():
    before, after = (chapter(figure_cell("draw()", caption=caption)) for caption in ("Before.", "After."))
    for cells in zip(before.cells, after.cells, strict=True):
        cells[1]["id"] = cells[0]["id"]
    assert chapters.source_hash(before) == chapters.source_hash(copy.deepcopy(before))
    assert chapters.source_hash(before) != chapters.source_hash(after)


def test_a_cell_that_was_folded_is_another_source_as_it_is_to_the_site():
    before, after = chapter(new_code_cell("1")), chapter(new_code_cell("1"))
    after.cells[-1].metadata["jupyter"] = {"source_hidden": True}
    assert chapters.faults(executed(before), after, PARAMETERS)
    assert chapters.source_hash(before) != chapters.source_hash(after)


def strange(**changed: object):
    """A cell beside what papermill writes: the same, but for what is changed."""
    cell = {"source": INJECTED, "cell_type": "code", "metadata": {"tags": ["injected-parameters"]}, **changed}
    make = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}[cell["cell_type"]]
    return make(cell["source"], metadata=copy.deepcopy(cell["metadata"]))


@pytest.mark.parametrize(
    "changed",
    [
        {"cell_type": "markdown", "source": "<script>steal()</script>"},
        {"cell_type": "raw", "source": "<script>steal()</script>"},
        {"source": INJECTED + "steal()"},
        {"source": '# Parameters\nprofile = "demo"\n'},
        {"metadata": {"tags": ["injected-parameters"], "mystnb": {"figure": {"caption": "<script>"}}}},
        {"metadata": {"tags": ["injected-parameters", "hide-input"]}},
    ],
)
@pytest.mark.parametrize("place", [2, 3, -1])
def test_no_cell_of_a_strangers_hides_behind_the_tag_of_the_parameters(changed, place):
    """Neither in place of the one that papermill wrote nor as another one."""
    source = chapter(figure_cell("draw()"))
    done = executed(source)
    if place == 2:
        del done.cells[2]
    done.cells.insert(place, strange(**changed))
    recount(done)
    assert chapters.faults(done, source, PARAMETERS)[0] == "it was executed from another version of its source"


def test_the_cell_of_the_parameters_stands_once_and_only_if_some_were_asked_for():
    source = chapter(figure_cell("draw()"))
    once, twice = executed(source), executed(source)
    twice.cells.insert(3, strange())
    found = ["it was executed from another version of its source"]
    assert chapters.faults(once, source, PARAMETERS) == []
    assert chapters.faults(once, source, {}) == found
    assert chapters.faults(recount(twice), source, PARAMETERS)[0] == found[0]


@pytest.mark.parametrize(
    ("cell", "changed"),
    [
        (-1, {"mystnb": {"figure": {"caption": "<script>steal()</script>"}, "image": {"alt": "One pixel."}}}),
        (-1, {"tags": ["hide-output"]}),
        (0, {"tags": ["remove-cell"]}),
        (0, {"mystnb": {"code_prompt_show": "<script>"}}),
    ],
)
def test_what_cells_say_of_their_figures_and_tags_is_the_authors_word(cell, changed):
    source = chapter(figure_cell("draw()"))
    done = executed(source)
    done.cells[cell].metadata.update(changed)
    assert chapters.faults(done, source, PARAMETERS) == ["it was executed from another version of its source"]


def test_what_papermill_notes_in_cells_is_no_change():
    source = chapter(figure_cell("draw()"))
    done = executed(source)
    for cell in done.cells:
        cell.metadata.setdefault("tags", [])
        cell.metadata.update(papermill={"duration": 0.1}, execution={"iopub.execute_input": "now"})
    assert chapters.faults(done, source, PARAMETERS) == []


def test_an_empty_cell_that_shows_something_is_looked_at():
    source = chapter(figure_cell("draw()"), new_code_cell(""))
    done = executed(source)
    done.cells[-1].outputs = [new_output("display_data", {"text/html": "<script>steal()</script>"})]
    assert chapters.faults(done, source, PARAMETERS) == ["code cell 4 shows something that a browser would run"]


def recount(done):
    for count, cell in enumerate(chapters.code_cells(done), start=1):
        cell.execution_count = count
    return done
