"""The book as one PDF: every chapter with its text, pictures, formulas, a bookmark and working links."""

import os
from pathlib import Path

import pytest
from pypdf import PdfReader

from traunet.book import chromium, printing
from traunet.book.chromium import NoBrowserError

PAGES = ("intro", "notebooks/data")
NOTE = "<strong>Profile smoke, data set: synthetic DISFA.</strong> Not the paper's experiment."
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
HTML = """<!doctype html><html data-theme="dark"><body><p class="bd-header-announcement">above</p>
<nav class="bd-sidebar">navigation</nav><article><h1>{title}<a class="headerlink" href="#">#</a></h1>{body}
<details><summary>more</summary>what was closed</details></article></body></html>"""
BODIES = {
    "intro": 'Prose, and <a href="notebooks/data.html#x">the data</a>, <a href="lost.csv">a file</a>, '
    '<a href="https://example.org/">elsewhere</a>.',
    "notebooks/data": f'A picture <img width="200" alt="x" src="data:image/png;base64,{PIXEL}">'
    '<div class="pst-scrollable-table-container" style="overflow: auto"><table><tr>'
    + "".join(f"<td style='min-width: 90px'>column{number}</td>" for number in range(20))
    + "</tr></table></div>",
}


@pytest.fixture
def site(tmp_path):
    for page, body in BODIES.items():
        file = tmp_path / "site" / f"{page}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HTML.format(title=f"Chapter {page}", body=body))
    return tmp_path / "site"


def print_or_skip(*given):
    try:
        return printing.print_book(*given)
    except NoBrowserError as error:
        if os.environ.get("TRAUNET_BROWSER") == "required" or os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def printed(site, tmp_path):
    return print_or_skip(site, PAGES, tmp_path / "book.pdf", "The book", NOTE)


def test_the_file_holds_every_chapter_with_bookmark_text_pictures_numbers_and_links(printed, site):
    book = PdfReader(printed.path)
    marks = [(mark.title, book.get_destination_page_number(mark)) for mark in book.outline]  # pyright: ignore
    assert marks == [("The book", 0), ("Chapter intro", 1), ("Chapter notebooks/data", 2)]
    texts = [page.extract_text() for page in book.pages]
    assert printed.pages == len(texts) == 3
    for number, text in enumerate(texts, start=1):
        assert "Profile smoke, data set: synthetic DISFA." in text
        assert text.rstrip().endswith(str(number))
    assert "Chapter intro" in texts[0]
    assert "what was closed" in texts[1]
    assert "navigation" not in "".join(texts)
    assert "above" not in "".join(texts)
    assert len(book.pages[2].images) == 1
    assert "column19" in texts[2], "a wide table is made smaller, not cut"
    leads = [link.get_object() for link in book.pages[1]["/Annots"]]  # pyright: ignore
    assert [link["/Dest"][0] for link in leads if "/Dest" in link] == [book.pages[2].indirect_reference]
    assert [link["/A"]["/URI"] for link in leads if "/A" in link] == ["https://example.org/"]


def test_a_table_that_goes_on_repeats_its_head_though_it_sorts(tmp_path):
    own = Path(__file__).parents[1] / "book" / "_static"
    rows = "".join(f"<tr><td>row{number}</td><td>{number}</td></tr>" for number in range(150))
    (tmp_path / "long.html").write_text(
        f"<html><head><style>{(own / 'site.css').read_text()}</style></head><body><article><h1>Long</h1>"
        "<table class='sortable'><thead><tr><th>stage</th><th>count</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></article>"
        f"<script>{(own / 'tables.js').read_text()}</script></body></html>"
    )
    made = print_or_skip(tmp_path, ("long",), tmp_path / "book.pdf", "The book", None)
    texts = [page.extract_text() for page in PdfReader(made.path).pages[1:]]
    assert len(texts) > 2
    assert all("stage" in text and "count" in text for text in texts)


def test_printing_again_replaces_the_file(printed, site):
    before = printed.path.stat().st_ino
    again = printing.print_book(site, PAGES[:1], printed.path, "The book", None)
    assert again.chapters == 1
    assert printed.path.stat().st_ino != before
    assert not [path for path in printed.path.parent.iterdir() if ".part-" in path.name]


def test_a_site_that_was_not_built_is_refused_before_chromium_is_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no page intro; build the site first: make book"):
        printing.print_book(tmp_path, PAGES, tmp_path / "book.pdf", "The book", None)


def test_a_missing_chromium_is_named_with_how_to_install_it(monkeypatch, site, tmp_path):
    monkeypatch.setattr(chromium.shutil, "which", lambda _: None)
    monkeypatch.delenv("TRAUNET_CHROMIUM", raising=False)
    with pytest.raises(NoBrowserError, match=r"no Chromium found .* apt-get install chromium"):
        printing.print_book(site, PAGES, tmp_path / "book.pdf", "The book", None)
    assert not (tmp_path / "book.pdf").exists()
