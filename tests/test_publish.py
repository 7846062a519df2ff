"""The way from executed notebooks to a site that is whole, marked and self-contained, or to an error."""

import base64
import dataclasses
import re
from pathlib import Path

import nbformat
import pytest
import torch
from bs4 import BeautifulSoup
from disks import another_disk
from nbformat.v4 import new_code_cell, new_output
from projects import (
    INJECTED,
    PIXEL,
    PROSE,
    chapter,
    figure_cell,
    workspace,
    write_executed,
    write_project,
    write_sealed,
)

from traunet.book import chapters, publish
from traunet.book.chapters import ChapterError
from traunet.book.publish import BuildError
from traunet.config import PAPER, SMOKE
from traunet.machines import cores
from traunet.records.sealing import broken, seal
from traunet.workspace import PROJECT


def finished(root, source=None):
    """A project and its workspace, with the notebook executed."""
    source = source or chapter(figure_cell("1 + 1"))
    project, done = write_project(root / "project", notebook=source), workspace(root)
    write_executed(done, project / "notebooks" / "01_data.ipynb")
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
    assert [cell.strip() for cell in cells] == [INJECTED.strip(), "1 + 1"]


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
    write_sealed(notebook, path)
    with pytest.raises(ChapterError, match="code cell 3 was not executed"):
        publish.publish(done, project)


def test_a_page_of_the_contents_without_a_source_fails_the_build(tmp_path):
    project, done = finished(tmp_path)
    with (project / "_toc.yml").open("a") as toc:
        toc.write("  - file: book/lost\n")
    with pytest.raises(BuildError, match="no source for the page book/lost"):
        publish.publish(done, project)


def test_the_banner_tells_what_is_not_the_papers_and_whose_faces_are_shown(tmp_path):
    smoke = workspace(tmp_path)
    on_disfa = type("RealWorkspace", (type(smoke),), {"dataset": "DISFA"})
    release = tmp_path / "senet50_ft_dims_2048.pth"
    torch.save({"conv1_7x7_s2.weight": torch.zeros(64, 3, 7, 7)}, release)
    other, people = "not the paper's experiment", "These pages show people of DISFA"
    for work, said, unsaid in (
        (smoke, ["Profile smoke, data set: synthetic DISFA.", other], [people]),
        (
            dataclasses.replace(smoke, profile=PAPER),
            ["Profile paper, data set: synthetic DISFA.", other],
            [people],
        ),
        (on_disfa(SMOKE, tmp_path), ["Profile smoke, data set: DISFA.", other, people], []),
        (on_disfa(PAPER, tmp_path), ["Profile paper, data set: DISFA.", other, people], []),
        (on_disfa(PAPER, tmp_path, weights=release), ["Profile paper, data set: DISFA.", people], [other]),
    ):
        banner = publish.banner(work)
        assert [text in banner for text in [*said, *unsaid]] == [True] * len(said) + [False] * len(unsaid)


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


def foot(site, page):
    soup = BeautifulSoup((site / f"{page}.html").read_text(), "html.parser")
    return [found.get_text() for found in soup.select("article .made")]


def test_each_page_ends_with_when_from_what_and_how_long_it_was_made(site):
    (chapters_foot,), (prose,) = foot(site, "notebooks/01_data"), foot(site, "book/intro")
    hashed = r"[0-9a-f]{7}"
    assert re.fullmatch(
        rf"Made on 22 November 2026 in 41 s from notebook 01_data \(source {hashed}\), library {hashed}, "
        r"torch [\d.]+\.",
        chapters_foot,
    )
    assert re.fullmatch(
        rf"Made on \d+ \w+ \d{{4}} in (?:under )?[\d.]+ s from book/intro\.md \(source {hashed}\), "
        rf"library {hashed}, results of 1 runs? \({hashed}\), synthetic DISFA\.",
        prose,
    )
    assert foot(site, "search") == []


def test_a_page_older_than_what_it_rests_on_is_refused_before_anything_is_made(tmp_path):
    source = chapter(new_code_cell('from traunet.workspace import Workspace\nWorkspace.of("smoke").results()'))
    project, done = write_project(tmp_path / "project", notebook=source), workspace(tmp_path)
    write_executed(done, project / "notebooks" / "01_data.ipynb", results="before")
    done.__class__ = type("Untouched", (type(done),), {"results": lambda _: pytest.fail("made")})
    with pytest.raises(
        ChapterError,
        match=r"notebooks/01_data is older than what it rests on: .*: the results .*; run: traunet notebook "
        "01_data --profile smoke; make book PROFILE=smoke",
    ):
        publish.publish(done, project)


@pytest.mark.parametrize("file", ["results.json", "table1.csv"])
def test_results_that_were_edited_fail_the_build_and_the_former_site_stays(tmp_path, file):
    project, done = finished(tmp_path)
    results, former = done.results(), done.folder / "site" / "html"
    former.mkdir(parents=True)
    (results / "results.json").write_text((results / "results.json").read_text().replace("51.26", "91.26"))
    (results / file).write_text("forged")
    done.__class__ = type("Untouched", (type(done),), {"results": lambda _: results})
    with pytest.raises(
        BuildError,
        match=rf"results/{file} (is not as it was written|was put there afterwards).*; make the results again: "
        r"traunet tables --profile smoke, or make book PROFILE=smoke",
    ):
        publish.publish(done, project)
    assert former.is_dir()


@pytest.mark.parametrize("placed", ["results/table1.csv", "results/deep/folder/table1.csv", "results/folder"])
def test_a_link_among_the_results_leads_nothing_private_into_the_site(tmp_path, placed):
    project, done = finished(tmp_path)
    private = tmp_path / "private"
    private.mkdir()
    (private / "key").write_text("private")
    link = done.results().parent / placed
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(private if placed.endswith("folder") else private / "key")
    seal(done.folder / "results")
    with pytest.raises(BuildError, match=rf"{placed} is a link; .*make the results again: traunet tables"):
        publish.publish(done, project)
    with pytest.raises(BuildError, match=rf"{placed} is a link; .*remove it"):
        publish.stage(done, done.folder / "results", tmp_path / "staged", project)
    assert not (tmp_path / "staged").exists()


@pytest.mark.parametrize("placed", [".#table1.csv", ".ipynb_checkpoints/key"])
def test_what_an_editor_leaves_among_the_results_is_in_nobodys_way_and_not_shown(tmp_path, placed):
    project, done = finished(tmp_path)
    link = done.results() / placed
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "nowhere")
    (done.results() / ".table1.csv.swp").write_text("private")
    assert broken(done.results()) == []
    staged = publish.stage(done, done.results(), tmp_path / "staged", project)
    assert not list((staged / "results").glob(".*"))


def test_the_results_may_lie_elsewhere_behind_a_link(tmp_path):
    project, done = finished(tmp_path)
    done.results().rename(tmp_path / "elsewhere")
    (done.folder / "results").symlink_to(tmp_path / "elsewhere")
    staged = publish.stage(done, done.results(), tmp_path / "staged", project)
    assert (staged / "results" / "results.json").is_file()


def front_page(tmp_path, *tags):
    cells = [new_code_cell("draw()", metadata={"tags": [tag]}) for tag in tags]
    prose = PROSE + "\n![A face and what each branch looks at](../results/front-page.png)\n"
    project, done = write_project(tmp_path / "project", prose, chapter(*cells)), workspace(tmp_path)
    path = write_executed(done, project / "notebooks" / "01_data.ipynb")
    notebook = chapters.read(path)
    for cell in notebook.cells[3:]:
        cell.outputs = [new_output("display_data", {"image/png": PIXEL})]
    nbformat.write(notebook, path)
    return publish.stage(done, done.results(), tmp_path / "staged", project)


def test_the_front_page_shows_the_picture_of_the_cell_with_its_tag(tmp_path):
    staged = front_page(tmp_path, "front-page", "other")
    assert (staged / "results" / "front-page.png").read_bytes() == base64.b64decode(PIXEL)


@pytest.mark.parametrize("tags", [("other",), ("front-page", "front-page")])
def test_a_front_page_without_its_one_picture_fails_the_build(tmp_path, tags):
    with pytest.raises(
        BuildError, match=r"intro\.md: shows results/front-page\.png, which is made from the one cell"
    ):
        front_page(tmp_path, *tags)


def test_a_book_made_on_several_cores_is_the_one_made_on_one(tmp_path, monkeypatch):
    project, done = finished(tmp_path)
    names, made = [f"page{number}" for number in range(20)], []  # two or three for each of nine processes
    for name in names:
        (project / "book" / f"{name}.md").write_text(f"# Page {name}\n\nSee {{doc}}`intro`.\n\n{PROSE[8:]}")
    with (project / "_toc.yml").open("a") as contents:
        contents.writelines(f"  - file: book/{name}\n" for name in names)
    for count in (1, 3):
        monkeypatch.setattr(cores, "available", lambda count=count: count)
        site = publish.publish(done, project)
        made.append({file.relative_to(site): without_times(file) for file in site.rglob("*") if file.is_file()})
        log = (done.folder / "book" / "jupyter-book.log").read_text()
        assert bool(re.search(r"reading sources.* \.\. ", log)) == (count > 1)  # a stretch of pages at a time
    assert made[0] == made[1]


def test_the_site_may_lie_on_another_disk_behind_a_link(tmp_path):
    project, done = finished(tmp_path)
    (done.folder / "site").mkdir()
    with another_disk(tmp_path) as disk:
        (done.folder / "site" / "html").symlink_to(disk / "www")
        for _ in range(2):  # made, and made anew
            publish.publish(done, project)
            assert (disk / "www" / "index.html").is_file()
            assert (done.folder / "site" / "html").is_symlink()


def without_times(file: Path) -> bytes:
    """What a site's file holds, but for when and how long it was made, and a hash of its builder's settings."""
    content = b"" if file.name == ".buildinfo" else file.read_bytes()
    return re.sub(rb"Made on [\w ]+ in (?:under )?[\d.]+ s", b"", content)
