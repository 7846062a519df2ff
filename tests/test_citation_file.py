"""CITATION.cff, by the rules of its format, version 1.2.0."""

import re
import tomllib
from datetime import date

import yaml

from traunet.workspace import PROJECT

SAID = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
REQUIRED = {"cff-version", "message", "title", "authors"}
KNOWN = REQUIRED | {"abstract", "date-released", "doi", "identifiers", "keywords", "license", "references"}
KNOWN |= {"type", "version", "contact", "commit", "preferred-citation", "repository-code", "url"}
OF_A_REFERENCE = {"type", "title", "authors", "year", "identifiers", "url", "notes", "journal", "doi"}


def test_it_has_what_the_format_requires_and_nothing_that_it_does_not_know():
    assert REQUIRED <= set(SAID) <= KNOWN
    assert SAID["cff-version"] == "1.2.0"
    assert SAID["type"] in ("software", "dataset")


def test_every_author_is_a_person_or_a_group_with_a_name():
    cited = [SAID, *SAID["references"]]
    authors = [author for work in cited for author in work["authors"]]
    assert all({"name"} == set(a) or {"family-names", "given-names"} <= set(a) for a in authors)


def test_a_reference_has_its_type_title_and_authors():
    for reference in SAID["references"]:
        assert {"type", "title", "authors"} <= set(reference) <= OF_A_REFERENCE
        for identifier in reference.get("identifiers", []):
            assert identifier["type"] in ("doi", "url", "swh", "other")
            assert identifier["value"]


def test_it_says_the_version_and_licence_of_the_project():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert SAID["version"] == project["version"]
    assert SAID["license"] == "MIT"
    assert (PROJECT / "LICENSE").read_text().startswith("MIT License")
    assert isinstance(SAID["date-released"], date)


def test_the_paper_in_it_is_the_one_of_the_references():
    bib = (PROJECT / "book" / "references.bib").read_text()
    entry = re.search(r"@misc\{xia2020upper,(.*?)\n\}", bib, re.DOTALL)
    assert entry
    (paper,) = SAID["references"]
    assert paper["title"] in entry.group(1)
    assert paper["identifiers"][0]["value"].rpartition("/")[2] in entry.group(1)
