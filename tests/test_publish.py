"""The way from executed notebooks to a site that is whole, marked and self-contained, or to an error."""

import dataclasses

import nbformat
import pytest
from bs4 import BeautifulSoup
from projects import chapter, executed, figure_cell, workspace, write_project

from traunet import chapters, publish
from traunet.chapters import ChapterError
from traunet.config import PAPER
from traunet.publish import BuildError
from traunet.workspace import PROJECT


def finished(root, source=None):
    """A project and its workspace, with the notebook executed."""
    source = source or chapter(figure_cell("1 + 1"))
    project, done = write_project(root / "project", notebook=source), workspace(root)
    (done.folder / "notebooks").mkdir(parents=True)
    nbformat.write(executed(source), done.folder / "notebooks" / "01_data.ipynb")
    return project, done


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    project, done = finished(tmp_path_factory.mktemp("site"))
    return publish.publish(done, project)


def test_every_page_of_the_site_names_its_profile_and_data_set(site):
    for page in ("book/intro", "notebooks/01_data", "search", "genindex"):
        text = (site / f"{page}.html").read_text()
        assert "Profile smoke, data set: synthetic DISFA." in text


def test_a_number_in_the_prose_comes_from_the_results_and_tells_its_runs(site):
    text = (site / "book" / "intro.html").read_text()
    assert ">51.3</span>" in text
    assert "synthetic DISFA, profile smoke; from r1" in text


def test_a_page_shows_the_parameter_that_its_notebook_was_given_and_not_the_default_too(site):
    soup = BeautifulSoup((site / "notebooks" / "01_data.html").read_text(), "html.parser")
    cells = [cell.get_text() for cell in soup.select(".cell_input")]
    assert [cell.strip() for cell in cells] == ['profile = "smoke"', "1 + 1"]


def test_formulas_need_no_network(site):
    assert (site / "_static" / "mathjax" / "tex-chtml.js").is_file()
    assert "cdn.jsdelivr.net" not in (site / "book" / "intro.html").read_text()


def test_a_number_that_is_not_in_the_results_fails_the_build_and_the_former_site_stays(tmp_path):
    project, done = finished(tmp_path)
    former = done.folder / "site" / "html"
    former.mkdir(parents=True)
    (project / "book" / "intro.md").write_text(
        "# Intro\n\n{res}`table9.none:.1f` is a number that nobody computed.\n"
    )
    with pytest.raises(BuildError, match=r"intro.md.*no number 'table9.none:.1f' in results.json"):
        publish.publish(done, project)
    assert former.is_dir()
    assert [path.name for path in former.parent.iterdir() if not path.name.endswith(".lock")] == ["html"]


def test_a_notebook_that_was_not_executed_fails_the_build(tmp_path):
    project, done = finished(tmp_path)
    (done.folder / "notebooks" / "01_data.ipynb").unlink()
    with pytest.raises(
        ChapterError, match=r"01_data\.ipynb: the notebook was not executed; run: traunet notebook"
    ):
        publish.publish(done, project)


def test_a_cell_that_was_not_executed_fails_the_build(tmp_path):
    project, done = finished(tmp_path)
    path = done.folder / "notebooks" / "01_data.ipynb"
    notebook = chapters.read(path)
    notebook.cells[-1].execution_count = None
    nbformat.write(notebook, path)
    with pytest.raises(ChapterError, match="code cell 3 was not executed"):
        publish.publish(done, project)


def test_a_page_of_the_contents_without_a_source_fails_the_build(tmp_path):
    project, done = finished(tmp_path)
    with (project / "_toc.yml").open("a") as toc:
        toc.write("  - file: book/lost\n")
    with pytest.raises(BuildError, match="no source for the page book/lost"):
        publish.publish(done, project)


def test_only_the_papers_experiment_bears_no_banner(tmp_path):
    smoke = workspace(tmp_path)
    papers = dataclasses.replace(smoke, profile=PAPER)
    assert publish.banner(papers) is not None
    real = type("RealWorkspace", (type(smoke),), {"dataset": "DISFA"})(PAPER, tmp_path)
    assert publish.banner(real) is None


def test_the_books_own_contents_name_the_chapters_in_order():
    pages = publish.pages(PROJECT)
    assert pages[0] == "book/intro"
    assert [page for page in pages if page.startswith("notebooks/")] == sorted(
        page for page in pages if page.startswith("notebooks/")
    )


@pytest.mark.parametrize("path", sorted((PROJECT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_takes_its_profile_as_parameter(path):
    cells = chapters.code_cells(chapters.read(path))
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    assert cells[0].metadata.get("tags") == ["parameters"]
    assert cells[0].source.startswith("profile = ")
