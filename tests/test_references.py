"""The references: every one that the paper has, once, with its number; nothing cited that is not there."""

import re

import pytest
from extensions import extension

from traunet.book import chapters
from traunet.workspace import PROJECT

ENTRIES = extension("citations").references(PROJECT / "book" / "references.bib")
FIELDS = {
    "article": {"author", "title", "journal", "year"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "book": {"author", "title", "publisher", "year"},
    "misc": {"author", "title", "year", "eprint"},
}
# The first author and the year of every entry of the paper's list, as printed.
PRINTED = """Freitas-Magalhães 2013, Ekman 1978, Hamm 2011, Reed 2007, Lints-Martindale 2007, Meng 2017, Yang 2018,
Ali 2019, Liu 2007, Zhao 2015, Zhao 2016, Hu 2018, Cao 2018, Zhong 2014, Marrero Fernandez 2019, Li 2018,
Shao 2018, Corneanu 2018, Shao 2019, Li 2019, Niu 2019, Shao 2020, Woo 2018, Sankaran 2019"""


def texts() -> dict[str, str]:
    prose = {str(path): path.read_text() for path in sorted((PROJECT / "book").rglob("*.md"))}
    for path in sorted((PROJECT / "notebooks").glob("*.ipynb")):
        cells = [cell.source for cell in chapters.read(path).cells if cell.cell_type == "markdown"]
        prose[str(path)] = "\n".join(cells)
    return prose


def of_group(name: str) -> dict[int, str]:
    return {int(e.fields["label"]): key for key, e in ENTRIES.items() if e.fields["keywords"] == name}


def test_the_papers_references_are_there_once_with_its_own_numbers():
    paper = of_group("paper")
    said = [f"{' '.join(ENTRIES[paper[n]].persons['author'][0].last_names)}" for n in sorted(paper)]
    years = [ENTRIES[paper[n]].fields["year"] for n in sorted(paper)]
    assert [f"{name} {year}" for name, year in zip(said, years, strict=True)] == PRINTED.replace("\n", " ").split(
        ", "
    )
    assert sorted(paper) == list(range(1, 25))


def test_disfa_has_the_number_that_the_paper_gives_it_and_leaves_out_of_its_list():
    assert of_group("missing")[25] == "mavadati2013disfa"


def test_the_numbers_go_on_from_the_papers_without_a_gap():
    labels = sorted(int(entry.fields["label"]) for entry in ENTRIES.values())
    assert labels == list(range(1, len(ENTRIES) + 1))
    assert {entry.fields["keywords"] for entry in ENTRIES.values()} == {"paper", "missing", "book"}


@pytest.mark.parametrize("key", list(ENTRIES))
def test_a_reference_has_the_fields_of_its_kind(key):
    entry = ENTRIES[key]
    assert FIELDS[entry.type] <= {*entry.fields, *entry.persons}
    assert ("eprint" in entry.fields) == (entry.fields.get("archivePrefix") == "arXiv")
    assert re.fullmatch(r"10\.\d{4,9}/\S+", entry.fields.get("doi", "10.1000/none"))
    assert re.fullmatch(r"\d{4}\.\d{5}", entry.fields.get("eprint", "2000.00000"))


def test_every_title_stands_once():
    titles = [re.sub(r"\W", "", entry.fields["title"]).lower() for entry in ENTRIES.values()]
    assert len(set(titles)) == len(titles)


def test_whatever_a_page_cites_is_there():
    cited = {
        (page, key.strip())
        for page, text in texts().items()
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", text)
        for key in keys.split(",")
    }
    assert cited
    assert {(page, key) for page, key in cited if key not in ENTRIES} == set()


def test_the_page_shows_every_group_of_references():
    shown = re.findall(r':filter: keywords % "\^(\w+)\$"', (PROJECT / "book" / "references.md").read_text())
    assert sorted(shown) == ["book", "missing", "paper"]
