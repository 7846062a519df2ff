"""What a site gives away of the machine that built it is found, and what it may say is not taken for that."""

import dataclasses
import json
import re
import sys
import zlib
from html import escape
from pathlib import Path

import pytest
from docutils.writers._html_base import HTMLTranslator
from nbformat import writes
from nbformat.v4 import new_code_cell, new_output
from PIL import Image, PngImagePlugin
from projects import PIXEL, chapter, executed, workspace, write_executed, write_project, write_sealed
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import BashLexer, PythonLexer, TextLexer

from traunet.book import chapters, leaks, publish
from traunet.book.publish import BuildError
from traunet.workspace import PROJECT


def shown(folder: Path, *outputs, **metadata) -> Path:
    """A site of one downloadable notebook that shows these outputs."""
    notebook = executed(chapter(new_code_cell("show()")))
    notebook.cells[-1].outputs = list(outputs)
    notebook.metadata.update(metadata)
    (folder / "_sources").mkdir()
    (folder / "_sources" / "a.ipynb").write_text(writes(notebook))
    return folder


def printed(text: str):
    return new_output("stream", text=text)


def test_a_site_that_tells_nothing_has_no_faults(tmp_path):
    picture = new_output(
        "display_data", {"image/png": PIXEL, "text/html": "<td>1/2/3</td>", "text/plain": "a/b/c"}
    )
    site = shown(tmp_path, printed("see https://example.org/home/of/it and build/demo/runs, 24 frames/s"), picture)
    (site / "a.html").write_text("<a href='../b.html'>https://example.org/Users</a> root user data")
    assert leaks.faults(site, ["/home/anna/traunet"], ["anna", "frames2"]) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/scratch/anna/DISFA/Videos", "/scratch/anna/DISFA/Videos"),
        ("file:///scratch/anna/x.avi", "/scratch/anna/x.avi"),
        ("from lab7:/scratch/anna/x", "/scratch/anna/x"),
        ("error:/scratch/anna/x", "/scratch/anna/x"),
        ('Traceback: File "/usr/lib/python3/x.py"', "/usr/lib/python3/x.py"),
        (r"C:\Users\anna", "Users"),
        ("trained by anna on lab7", "the name 'anna'"),
        ("key ghp_" + "a" * 36, "an access token"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key"),
        ("https://anna:secret@example.org", "a password in an address"),
    ],
)
def test_what_a_notebook_prints_of_its_machine_is_found(tmp_path, text, told):
    found = leaks.faults(shown(tmp_path, printed(text)), [], ["anna"])
    assert found
    assert all(fault.startswith("_sources/a.ipynb holds ") for fault in found)
    assert any(told in fault for fault in found)


def test_lines_that_a_notebook_keeps_as_a_list_are_read_as_one_text(tmp_path):
    site = shown(tmp_path, printed("one\n/home/anna\ntwo"))
    file = site / "_sources" / "a.ipynb"
    content = json.loads(file.read_text())
    assert isinstance(content["cells"][-1]["outputs"][0]["text"], list)
    assert leaks.faults(site) == ["_sources/a.ipynb holds the place '/home/anna'"]


def test_what_papermill_notes_of_its_machine_is_found(tmp_path):
    site = shown(tmp_path, papermill={"input_path": "/work/project/notebooks/a.ipynb"})
    assert leaks.faults(site) == ["_sources/a.ipynb holds the place '/work/project/notebooks/a.ipynb'"]


def test_home_folders_are_found_in_pages_but_not_in_what_other_packages_ship(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "mathjax.json").write_text('"/Users/somebody/Code"')
    assert leaks.faults(tmp_path) == []
    (tmp_path / "a.html").write_text("<pre>/Users/anna</pre>")
    assert leaks.faults(tmp_path) == ["a.html holds the place '/Users/anna'"]
    (tmp_path / "_static" / "mine.js").write_text('"/srv/lab/traunet/x"')
    assert leaks.faults(tmp_path, ["/srv/lab/traunet"])[0] == (
        "_static/mine.js holds the folder '/srv/lab/traunet' of this machine"
    )


@pytest.mark.parametrize("lexer", [PythonLexer, BashLexer])
def test_a_place_is_found_in_a_page_that_colours_its_parts(tmp_path, lexer):
    told = ["a.html holds the folder '/srv/lab/J-1/x' of this machine", "a.html holds the place '/home/anna'"]
    page = highlight("cd /srv/lab/J-1/x && ls /home/anna", lexer(), HtmlFormatter())
    (tmp_path / "a.html").write_text(page)
    assert leaks.faults(tmp_path, ["/srv/lab/J-1/x"]) == told


AS_ONE_READS_THEM = {
    "home": r"(?<![\w.])/(?:home|Users|root)/[\w.-]+|\b[A-Za-z]:\\+Users\\+[\w.-]+",
    "password": r"\b\w+://[^\s/:@\"'<>]+:[^\s/:@\"'<>]+@",
}


@pytest.mark.parametrize(
    "middle", ["/home/", "/root/", "/Users/", "C:\\Users\\", "c:\\\\Users\\\\", "C:Users\\", "://", ":/"]
)
def test_what_is_looked_for_quickly_is_what_is_looked_for_plainly(middle):
    before = ("", " ", "a", ".", "_", "é", "/", "x/home", "/home", "/root", "href='", "https", "-")
    after = ("", "anna", "-a.b", "anna/x", "anna:secret@host", "a:b", ":b@c", "anna/home/bea", "/home/bea")
    texts = [f"{one}{middle}{two}" for one in before for two in after]
    for text in [*texts, *map("".join, zip(texts, reversed(texts), strict=True))]:
        assert leaks._homes(text) == set(re.findall(AS_ONE_READS_THEM["home"], text)), text
        plainly = bool(re.search(AS_ONE_READS_THEM["password"], text))
        assert bool(leaks.PATTERNS["a password in an address"].search(text)) == plainly, text


def test_what_is_noted_in_a_pictures_file_is_found(tmp_path):
    noted = PngImagePlugin.PngInfo()
    noted.add_itxt("Source", "/home/anna/face.png", zip=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=noted)
    exif = Image.Exif()
    exif[0x010E] = "/home/anna/face.jpg"
    Image.new("RGB", (8, 8)).save(tmp_path / "b.jpg", exif=exif)
    late = b"tEXtSource\0/home/anna/late.png"
    part = (len(late) - 4).to_bytes(4, "big") + late + zlib.crc32(late).to_bytes(4, "big")
    Image.new("RGB", (8, 8)).save(tmp_path / "c.png")
    whole = (tmp_path / "c.png").read_bytes()
    (tmp_path / "c.png").write_bytes(whole[:-12] + part + whole[-12:])  # after the pixels, before the end
    assert leaks.faults(tmp_path) == [
        "a.png holds the place '/home/anna'",
        "b.jpg holds the place '/home/anna'",
        "c.png holds the place '/home/anna'",
    ]


def test_a_secret_is_reported_without_being_told(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_TOKEN", "correct-horse-battery")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    private = leaks.private_texts()
    assert "correct-horse-battery" in private
    assert "false" not in private
    (tmp_path / "a.js").write_text("let key = 'correct-horse-battery'")
    assert leaks.faults(tmp_path, private) == ["a.js holds a secret of this machine"]


@pytest.mark.parametrize("private", ['p"ss\\w&rd<1>é', "p@ss'word", "/data/J. & K. lab/DISFA", "/mnt/d'Arc/DISFA"])
@pytest.mark.parametrize("print_", [str, repr, lambda text: json.dumps({"dsn": text}), lambda text: str([text])])
def test_a_private_text_is_found_however_it_is_written(tmp_path, private, print_):
    """As a notebook's file holds it, and as a page does; both also where a notebook shows HTML."""
    said = print_(private)
    for kind, output in (
        ("text", printed(said)),
        ("html", new_output("display_data", {"text/html": escape(said)})),
    ):
        site = tmp_path / kind
        site.mkdir()
        shown(site, output)
        by_docutils = said.translate(HTMLTranslator.special_characters)
        by_pygments = highlight(said, TextLexer(), HtmlFormatter())
        for number, page in enumerate([escape(said), escape(said, quote=False), by_docutils, by_pygments]):
            (site / f"{number}.html").write_text(page)
        found = [fault for fault in leaks.faults(site, [private]) if "of this machine" in fault]
        assert len(found) == 5, found


def test_a_secret_that_stands_on_a_page_is_no_example(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_TOKEN", "/correct-horse/battery")
    monkeypatch.setenv("HOME", "/home/anna")
    project = write_project(tmp_path)
    (project / "book" / "how.md").write_text("# How\n\nIn /home/anna say LAB_TOKEN=/correct-horse/battery.\n")
    private = leaks.private_texts(written=publish._written(project))
    assert "/correct-horse/battery" in private
    assert "/home/anna" not in private
    assert "/home/anna" in leaks.private_texts()


@pytest.mark.parametrize("written", ["/home/joe", "/home/jo-ann/disfa", "/home/jo.b/disfa", "/mnt/home/jo/disfa"])
def test_a_folder_is_no_example_where_another_is_written_whose_name_holds_its_own(monkeypatch, written):
    monkeypatch.setenv("HOME", "/home/jo")
    assert "/home/jo" in leaks.private_texts(written=f"In {written} they lie.")
    assert "/home/jo" not in leaks.private_texts(written="In /home/jo. As `/home/jo/disfa`.")


@pytest.mark.parametrize("page", ["a.html", "a.md"])
def test_a_file_of_the_library_is_no_folder_of_the_machine_though_its_name_ends_so(tmp_path, page):
    told = "It is in `traunet/data/disfa.py`, see https://example.org/traunet/data/disfa.html and build/demo/disfa"
    page_source = highlight(told, TextLexer(), HtmlFormatter()) if page.endswith("html") else told
    (tmp_path / page).write_text(page_source)
    private = leaks.private_texts(Path("/data/disfa"), Path("/demo/disfa"), written=publish._written(PROJECT))
    assert {"/data/disfa", "/demo/disfa"} <= set(private)
    assert leaks.faults(tmp_path, private) == []


@pytest.mark.parametrize(
    "said",
    [
        "/data/disfa",
        "traunet/data/disfa.py is not /data/disfa/Videos_LeftCamera",
        "read from\n/data/disfa",  # in a notebook's file the end of a line is an n before it
        "\x1b[31m/data/disfa\x1b[0m",
        "gcc -I/data/disfa",
        "file:///data/disfa",
        "DISFA=/data/disfa",
        "/host/data/disfa",
    ],
)
def test_a_folder_that_ends_like_a_file_of_the_library_is_found_wherever_it_stands(tmp_path, said):
    site = shown(tmp_path, printed(said))
    (site / "a.html").write_text(highlight(said, TextLexer(), HtmlFormatter()))
    found = [fault for fault in leaks.faults(site, ["/data/disfa"]) if "of this machine" in fault]
    files = ("_sources/a.ipynb", "a.html")
    assert found == [f"{file} holds the folder '/data/disfa' of this machine" for file in files]


@pytest.mark.parametrize("name", ["demo", "test", "data", "train", "paper", "face", "head", "Smoke"])
def test_a_name_that_is_a_word_of_the_book_tells_nothing(monkeypatch, name):
    monkeypatch.setattr("getpass.getuser", lambda: name)
    monkeypatch.setattr("platform.node", lambda: f"{name}.lab7")
    assert leaks.private_names() == [name, f"{name}.lab7"]
    assert leaks.private_names(publish._written(PROJECT)) == [f"{name}.lab7"]


def test_a_part_of_a_word_is_no_word(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "train")
    monkeypatch.setattr("platform.node", lambda: "vm")
    assert leaks.private_names("retrained, strain, training") == ["train"]


def test_what_a_page_a_cell_or_a_setting_says_is_written_and_what_a_cell_shows_is_not(tmp_path):
    """Whoever saved a notebook with its outputs has written none of them."""
    source = chapter(new_code_cell("in_a_cell = 1"))
    source.cells[-1].outputs = [printed("in_an_output")]
    project = write_project(tmp_path, "# Intro\n\nin_prose\n", source)
    (project / "traunet").mkdir()
    (project / "traunet" / "config.py").write_text("in_settings = 1")
    said = publish._written(project)
    words = ("in_a_cell", "in_prose", "in_settings", "in_an_output")
    assert [word in said for word in words] == [True, True, True, False]


def test_this_machine_knows_its_folders_and_names(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setattr("getpass.getuser", lambda: "anna")
    monkeypatch.setattr("platform.node", lambda: "lab7.example.org")
    assert {"/home/anna", sys.prefix, str(tmp_path)} <= set(leaks.private_texts(tmp_path, None))
    assert leaks.private_names() == ["anna", "lab7", "lab7.example.org"]
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    monkeypatch.setattr("platform.node", lambda: "vm")
    assert leaks.private_names() == []


def test_a_folder_that_the_pages_name_as_an_example_may_be_that_of_this_machine(tmp_path):
    project, done = write_project(tmp_path / "project"), workspace(tmp_path)
    page = project / "book" / "intro.md"
    page.write_text(f"{page.read_text()}\n`make book WEIGHTS={tmp_path}/shared/disfa`\n")
    weights = tmp_path / "shared" / "disfa"
    weights.parent.mkdir()
    weights.touch()
    given = dataclasses.replace(done, weights=weights)
    write_executed(given, project / "notebooks" / "01_data.ipynb")
    assert publish.publish(given, project).is_dir()


def test_a_site_that_tells_a_place_is_not_published_and_the_former_one_stays(tmp_path):
    source = chapter(new_code_cell("print(place)"))
    project, done = write_project(tmp_path / "project", notebook=source), workspace(tmp_path)
    path = write_executed(done, project / "notebooks" / "01_data.ipynb")
    telling = chapters.read(path)
    telling.cells[-1].outputs = [printed(f"read from {tmp_path}/DISFA\n")]
    write_sealed(telling, path)
    former = done.folder / "site" / "html"
    former.mkdir(parents=True)
    (former / "index.html").write_text("the former site")
    with pytest.raises(BuildError, match=r"the site tells of this machine: .*01_data\.ipynb holds the"):
        publish.publish(done, project)
    assert (former / "index.html").read_text() == "the former site"
