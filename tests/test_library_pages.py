"""The pages of the library: every module once, read from the source alone, and a site without a dead reference."""

import re
import subprocess
import sys

import nbformat
import pytest
from bs4 import BeautifulSoup
from extensions import extension
from projects import PIXEL, workspace, write_executed, write_project

from traunet.book import publish
from traunet.records import provenance
from traunet.workspace import PROJECT

library, docstrings, api = extension("library"), extension("docstrings"), extension("api")
API = ("api", "api/data", "api/synth", "api/network", "api/results", "api/machinery")
PAGES = (*API, "decisions", "references", "reproduce", "speed")


def nodes_id(title: str) -> str:
    """The place of a module on its page."""
    return "api-" + re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def rooms() -> list[str]:
    texts = [path.read_text() for path in sorted((PROJECT / "book" / "api").glob("*.md"))]
    return [room for text in texts for block in re.findall(r"```\{api\} (.+)", text) for room in block.split()]


def test_every_module_is_on_one_page_of_the_library():
    places = {m.title: [room for room in rooms() if api._within(m, room)] for m in library.library()}
    assert {title: found for title, found in places.items() if len(found) != 1} == {}


def test_no_module_imports_one_that_stands_further_down_on_the_librarys_page():
    shown: set[str] = set()
    for module in library.library():
        path = library.modules(library.home())[module.name]
        taken = {name for name in provenance._imports(module.name, path) if provenance._source(name)}
        assert taken <= shown | {module.name}, module.name
        shown.add(module.name)
    assert len(shown) > 100


def test_the_pages_of_the_library_are_in_the_book():
    contents = publish.pages(PROJECT)
    written = {f"book/api/{path.stem}" for path in (PROJECT / "book" / "api").glob("*.md")}
    assert written == {page for page in contents if page.startswith("book/api/")}


def test_reading_the_library_imports_none_of_it():
    code = "import sys, library; library.library(); print(*(n for n in sys.modules if n.startswith('traunet.')))"
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, cwd=PROJECT / "book" / "_ext", capture_output=True, text=True, check=True)
    keeping = ("sources", "keeping", "sealing", "provenance", "reading")  # the answer
    rooms = {"traunet.machines", "traunet.machines.locking", "traunet.records"}
    assert set(done.stdout.split()) <= rooms | {f"traunet.records.{name}" for name in keeping}


def entry(text: str, name: str, tmp_path):
    path = tmp_path / "x.py"
    path.write_text(text)
    module = library.read("traunet.x", path)
    return next(found for found in library.every(module) if found.name == f"traunet.x.{name}")


def test_an_entry_has_its_signature_its_docstring_and_types_by_their_full_names(tmp_path):
    text = (
        "from traunet.facs import ActionUnit\nclass Face:\n"
        "    def of(self, au: 'ActionUnit', n: int = 2) -> str:\n"
        "        '''Says it.'''\n"
    )
    found = entry(text, "Face.of", tmp_path)
    assert (found.kind, found.doc) == ("method", "Says it.")
    assert found.signature == "(au: traunet.facs.ActionUnit, n: int=2) -> str"


def test_a_comment_belongs_to_the_setting_beside_it_and_not_to_the_next(tmp_path):
    text = "class Config:\n    size: int = 3  # pixels\n    rate: float = 1.0\n    # why\n    late: int = 0\n"
    said = [entry(text, f"Config.{name}", tmp_path).doc for name in ("size", "rate", "late")]
    assert said == ["pixels", "", "why"]


def test_private_names_have_no_entry(tmp_path):
    path = tmp_path / "x.py"
    path.write_text("_A = 1\ndef _f(): ...\nclass _C: ...\nB = 1\n")
    assert [member.name for member in library.read("traunet.x", path).members] == ["traunet.x.B"]


def test_an_arrow_is_one_sign_in_words_and_stays_as_it_is_in_code():
    words, code = docstrings.body("(N, A) -> counts, as `a -> b`.", {})[0].children[:2]
    assert words.astext() == "(N, A) \N{RIGHTWARDS ARROW} counts, as "
    assert code.astext() == "a -> b"


def test_stars_and_dollars_of_a_docstring_stay_as_they_are():
    (paragraph,) = docstrings.body("M_h * I $x$ *y* (B, C) <tag> is `code`.", {})
    assert paragraph.astext() == "M_h * I $x$ *y* (B, C) <tag> is code."


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site of all pages that are made from the code, beside stand-ins for the chapters."""
    root = tmp_path_factory.mktemp("site")
    project, done = write_project(root / "project"), workspace(root)
    chapters = publish.notebooks(PROJECT)
    for name in chapters:
        source = nbformat.read(project / "notebooks" / "01_data.ipynb", as_version=4)
        source.cells[-1].metadata.mystnb.figure["name"] = f"fig-{name}"
        nbformat.write(source, project / "notebooks" / f"{name}.ipynb")
        write_executed(done, project / "notebooks" / f"{name}.ipynb")
    (project / "book" / "api").mkdir()
    for page in PAGES:
        (project / "book" / f"{page}.md").write_text((PROJECT / "book" / f"{page}.md").read_text())
    files = [*(f"notebooks/{name}" for name in chapters), *(f"book/{page}" for page in PAGES)]
    listed = "".join(f"  - file: {file}\n" for file in files)
    (project / "_toc.yml").write_text(f"format: jb-book\nroot: book/intro\nchapters:\n{listed}")
    return publish.publish(done, project)


def test_every_public_name_can_be_linked_to(site):
    held = {
        str(found["id"])
        for page in API
        for found in BeautifulSoup((site / "book" / f"{page}.html").read_text(), "html.parser").select("[id]")
    }
    wanted = {entry.name for module in library.library() for entry in library.every(module)}
    modules = {module.name: nodes_id(module.title) for module in library.library()}
    assert {name for name in wanted if modules.get(name, name) not in held} == set()


def test_a_decision_on_the_page_links_to_its_code(site):
    soup = BeautifulSoup((site / "book" / "decisions.html").read_text(), "html.parser")
    links = {str(link["href"]) for link in soup.select(".decision a")}
    assert "api/network.html#traunet.model.blocks.SqueezeExcitation" in links


def test_the_references_bear_the_papers_numbers(site):
    text = BeautifulSoup((site / "book" / "references.html").read_text(), "html.parser").get_text(" ")
    words = " ".join(text.split())
    assert re.search(r"\[ 23 \] Sanghyun Woo", words)
    assert re.search(r"\[ 25 \] S\. Mohammad Mavadati", words)


def test_a_chapter_offers_itself_as_executed_and_as_written(site):
    soup = BeautifulSoup((site / "notebooks" / "01_data.html").read_text(), "html.parser")
    as_executed, as_written = (
        nbformat.read((site / "notebooks" / str(link["href"])).resolve(), as_version=4)
        for link in soup.select(".launch a")
    )
    assert as_executed.cells[-1].outputs[0].data["image/png"].strip() == PIXEL
    source = nbformat.read(site.parents[3] / "project" / "notebooks" / "01_data.ipynb", as_version=4)
    assert [(c.source, c.metadata) for c in as_written.cells] == [(c.source, c.metadata) for c in source.cells]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in as_written.cells)
    assert "make book PROFILE=smoke" in soup.select_one(".launch pre").get_text()  # pyright: ignore


def test_what_is_kept_of_the_library_is_what_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAUNET_BUILD", str(tmp_path))
    read = tuple(library.read(name, path) for name, path in library.modules(library.home()).items())
    kept = [library.library.__wrapped__() for _ in range(2)]
    assert kept == [read, read]
