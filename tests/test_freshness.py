"""What a chapter rests on, told from its text; and that it notices when one of these has changed."""

import dataclasses
import shutil
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from projects import FinishedWorkspace, chapter, workspace, write_executed

from traunet.book import chapters, freshness
from traunet.book.chapters import ChapterError
from traunet.records import provenance
from traunet.workspace import PROJECT

third_party_noise = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
START = 'from traunet.workspace import Workspace\nws = Workspace.of("smoke")\n'


@pytest.fixture
def notebook(tmp_path):
    def write(code, start=START):
        path = tmp_path / "01_data.ipynb"
        nbformat.write(chapter(new_code_cell(start + code)), path)
        return path

    return write


@pytest.fixture
def keyed(tmp_path):
    """A workspace with keys, without the second that they take."""
    done = workspace(tmp_path)
    done.__dict__["keys"] = dict.fromkeys(freshness.ALL, "as before")
    return done


@pytest.mark.parametrize(
    ("code", "stages"),
    [
        ("ws.profile", []),
        ("ws.tree(), ws.dataset", ["tree", "store"]),
        ('[ws.run("tranet", fold) for fold in (1, 2)]', ["runs"]),
        ("other = ws\nother.results()", list(freshness.ALL)),
        ("Workspace.of('smoke').trunk()", ["trunk"]),
        ("show(Workspace.of('smoke'))", list(freshness.ALL)),
        ("one, two = Workspace.of('smoke'), 2", list(freshness.ALL)),
        ("show(ws)", list(freshness.ALL)),
        ("ws.folder", list(freshness.ALL)),
    ],
)
def test_a_notebook_rests_on_the_stages_that_it_reads_and_on_all_if_it_hands_its_workspace_on(
    keyed, notebook, code, stages
):
    assert freshness.stages(keyed, notebook(code)) == stages


def test_a_workspace_that_is_not_recognised_counts_as_handed_on_and_none_as_nothing(keyed, notebook):
    handed_on = notebook("w.of('smoke')", "from traunet.workspace import Workspace as w\n")
    assert freshness.stages(keyed, handed_on) == list(freshness.ALL)
    assert freshness.stages(keyed, notebook("1 + 1", "")) == []


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library whose sources may be changed."""
    folder = tmp_path / "copy" / "traunet"
    shutil.copytree(PROJECT / "traunet", folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "__file__", str(folder / "records" / "provenance.py"))
    return folder


def changed(keyed, source, library, module):
    """What a notebook finds changed after a line was added to a module."""
    before = freshness.made_from(keyed, source)
    with (library / module).open("a") as file:
        file.write("\nNEW = 1\n")
    return freshness.changes(before, freshness.made_from(keyed, source))


@pytest.mark.parametrize(
    ("module", "stale"),
    [
        ("figures/scorefigures.py", True),
        ("figures/style.py", True),
        ("facs.py", True),
        ("doctor.py", False),
        ("report.py", False),
    ],
)
def test_a_notebook_rests_on_the_code_that_it_imports_and_not_on_what_only_makes_the_stages(
    keyed, notebook, library, module, stale
):
    source = notebook("from traunet.figures import scorefigures\nws.results()")
    words = [freshness.WORDS["library"]] if stale else []
    assert changed(keyed, source, library, module) == words


def test_a_notebook_that_imports_what_makes_a_stage_rests_on_its_code_too(keyed, notebook, library):
    assert changed(keyed, notebook("from traunet import report"), library, "report.py")


def test_what_a_notebook_is_made_from_is_worked_out_once_and_again_after_an_edit(tmp_path, notebook, monkeypatch):
    source, done, asked = notebook("ws.results()"), workspace(tmp_path), []
    (done.folder / "notebooks").mkdir(parents=True)
    work_out = freshness._made_from
    monkeypatch.setattr(freshness, "_made_from", lambda *given: asked.append(given) or work_out(*given))
    first, second = freshness.made_from(done, source), freshness.made_from(done, source)
    assert (first, len(asked)) == (second, 1)
    notebook("ws.results(), 1")
    assert freshness.changes(first, freshness.made_from(done, source)) == [freshness.WORDS["source"]]
    assert len(asked) == 2


@pytest.mark.parametrize("name", sorted(freshness.WORDS))
def test_each_thing_that_changed_is_told_with_the_page_and_the_command(tmp_path, notebook, name):
    done, source = workspace(tmp_path), notebook("from traunet.scoring import published\nshow(ws)")
    write_executed(done, source)
    freshness.refuse_stale(done, [source])
    write_executed(done, source, **{name: "of before"})
    with pytest.raises(ChapterError) as refused:
        freshness.refuse_stale(done, [source])
    assert str(refused.value).startswith(
        "notebooks/01_data is older than what it rests on: changed since it was made: "
        f"{freshness.WORDS[name]}; run: traunet notebook 01_data --profile smoke; make book"
    )


def test_a_notebook_that_notes_nothing_of_its_making_is_refused(tmp_path, notebook):
    done, source = workspace(tmp_path), notebook("show(ws)")
    path = write_executed(done, source)
    executed = nbformat.read(path, as_version=4)
    del executed.metadata["traunet"]
    nbformat.write(executed, path)
    with pytest.raises(ChapterError, match="its source, the library's code that it imports"):
        freshness.refuse_stale(done, [source])


@third_party_noise
def test_an_executed_notebook_that_was_edited_is_refused_and_executed_again(tmp_path, notebook):
    done, source, name = workspace(tmp_path), notebook("print(6 * 7)", ""), "01_data.ipynb"
    (tmp_path / "notebooks").mkdir()
    source, out = source.rename(tmp_path / "notebooks" / name), done.folder / "notebooks" / name
    for file in ("requirements.in", "requirements.lock"):
        (tmp_path / file).symlink_to(PROJECT / file)
    chapters.execute(source, out, {"profile": "smoke"}, {"made_from": freshness.made_from(done, source)})
    freshness.refuse_stale(done, [source])
    (tmp_path / "_toc.yml").write_text("root: notebooks/01_data\n")
    assert freshness.stale(done, tmp_path) == {}
    out.write_text(out.read_text().replace("42", "43"))
    with pytest.raises(ChapterError, match="changed since it was made: what it shows, which was edited; run: "):
        freshness.refuse_stale(done, [source])
    assert list(freshness.stale(done, tmp_path)) == [out]
    (tmp_path / "_toc.yml").write_text("root: book/intro\n")
    assert freshness.stale(done, tmp_path) == {}  # no chapter any more: nothing makes it again


def test_other_packages_in_the_lock_or_installed_are_another_environment(tmp_path, monkeypatch):
    (tmp_path / "requirements.lock").write_text("numpy==1\n")
    (tmp_path / "requirements.in").write_text("# The network.\nnumpy>=1  # why\nno-such-package\n")
    assert freshness.required(tmp_path / "requirements.in") == ["numpy", "no-such-package"]
    first = freshness.environment_hash(tmp_path)
    assert freshness.environment_hash(tmp_path) == first
    monkeypatch.setattr(freshness, "versions", lambda packages: dict.fromkeys(packages, "0.1"))
    freshness._version.cache_clear()
    installed = freshness.environment_hash(tmp_path)
    freshness._version.cache_clear()
    (tmp_path / "requirements.lock").write_text("numpy==2\n")
    assert len({first, installed, freshness.environment_hash(tmp_path)}) == 3


def test_pages_that_are_stale_for_one_reason_are_named_together(tmp_path, notebook):
    done, source = workspace(tmp_path), notebook("show(ws)")
    other = source.with_name("02_more.ipynb")
    other.write_bytes(source.read_bytes())
    for each in (source, other):
        write_executed(done, each, environment="of before")
    with pytest.raises(ChapterError, match=r"01_data, notebooks/02_more are older .*packages.*; make book"):
        freshness.refuse_stale(done, [source, other])


@pytest.mark.parametrize(
    ("code", "seeds"),
    [("ws.runs()", [0]), ("ws.every_run()", [0, 1, 2]), ("ws.results()", [0, 1, 2]), ("ws.profile", [])],
)
def test_a_chapter_rests_on_other_seeds_answers_only_if_it_reads_what_hangs_on_their_number(
    keyed, notebook, monkeypatch, code, seeds
):
    """Else a book with more seeds would find it stale that Snakemake does not make anew."""
    asked = []

    def trained(_, again=0):
        asked.append(again)
        files = {"predictions.parquet": {"sha256": f"of seed {again}"}}
        return [SimpleNamespace(name="run", provenance={"files": files})]

    monkeypatch.setattr(FinishedWorkspace, "runs", trained)
    three = dataclasses.replace(keyed, seeds=3)
    three.__dict__["keys"] = keyed.keys
    noted = freshness.record(three, notebook(code))
    assert sorted(set(asked)) == seeds
    assert noted["runs"] == len(seeds)
    alike = freshness.record(keyed, notebook(code))["made_from"] == noted["made_from"]
    assert alike == (len(seeds) < 2)
