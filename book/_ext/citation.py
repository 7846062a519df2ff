"""The book's own directive: how to cite this companion and the paper, with a button that copies.

```{cite-this} xia2020upper
```

Nothing is typed twice: the companion comes from `CITATION.cff`, the paper from an entry of `references.bib`.
"""

from pathlib import Path

import yaml
from docutils import nodes
from docutils.parsers.rst import Directive
from pybtex.database import parse_file
from sphinx.application import Sphinx

OURS = ("note", "label", "keywords")  # fields that only this book reads
BIBTEX_TYPES = {"software": "software", "dataset": "dataset"}


class CiteThis(Directive):
    """A box with BibTeX for both; the argument is the paper's key."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        environment = self.state.document.settings.env
        cff, bib = (Path(environment.srcdir, name) for name in ("CITATION.cff", "book/references.bib"))
        for path in (cff, bib):
            environment.note_dependency(str(path))
            if not path.is_file():
                raise self.error(f"{path.name} is missing; the box for citing is made from it")
        both = [companion(yaml.safe_load(cff.read_text(encoding="utf-8"))), paper(bib, self.arguments[0])]
        if not both[1]:
            raise self.error(f"references.bib has no entry {self.arguments[0]!r}")
        return [box(*both)]


def companion(cff: dict) -> str:
    """CITATION.cff as BibTeX."""
    fields = {
        "author": " and ".join(map(_person, cff["authors"])),
        "title": f"{{{cff['title']}}}",
        "year": str(cff["date-released"])[:4],
        "version": cff["version"],
        "url": cff.get("repository-code") or cff.get("url"),
        "doi": cff.get("doi"),
    }
    return _bibtex(BIBTEX_TYPES.get(cff.get("type", ""), "misc"), "traunet", fields)


def _bibtex(kind: str, key: str, fields: dict[str, str | None]) -> str:
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", ",\n".join(lines), "}"])


def _person(author: dict) -> str:
    names = author.get("family-names"), author.get("given-names")
    return ", ".join(filter(None, names)) if names[0] else f"{{{author['name']}}}"


def paper(bib: Path, key: str) -> str:
    """One entry of a BibTeX file, without the fields that are our own; empty if it is not there."""
    entry = parse_file(str(bib)).entries.get(key)
    if entry is None:
        return ""
    people = {role: " and ".join(map(str, names)) for role, names in entry.persons.items()}
    fields = {name: text for name, text in entry.fields.items() if name not in OURS}
    return _bibtex(entry.type, key, people | fields)


def box(companion: str, paper: str) -> nodes.Node:
    """Both as one block of BibTeX, whose button copies all of it."""
    code = nodes.literal_block("", f"{companion}\n\n{paper}", language="bibtex", classes=["bibtex"])
    title = nodes.paragraph("", "", nodes.strong("", "To cite this companion and the paper"))
    return nodes.container("", title, code, classes=["cite-this"])


def setup(app: Sphinx) -> dict:
    app.add_directive("cite-this", CiteThis)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
