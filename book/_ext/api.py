"""The book's own directives for the library: its entries, made from the source, and a list of its floors.

```{api} facs config data synth
```
```{floors}
```
"""

import re
from functools import cache
from typing import cast

import docstrings
import library
from docutils import nodes
from library import Entry
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.util.docutils import SphinxDirective

OURS = re.compile(rf"({library.PACKAGE}(?:\.\w+)+)")
MEMBER = {"data": "attribute"}  # what Sphinx's domain for Python calls data of a class


class Api(SphinxDirective):
    """A section for every module of the rooms named, in this order: `data` stands for all modules within."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        rooms, made = self.arguments[0].split(), library.library()
        unknown = [room for room in rooms if not any(_within(module, room) for module in made)]
        if unknown:
            raise self.error(f"no module of the library is called {', '.join(unknown)}")
        return [self._section(module) for room in rooms for module in made if _within(module, room)]

    def _section(self, module: Entry) -> nodes.Node:
        known = names(module)
        place = nodes.make_id(f"api-{module.title}")
        section = nodes.section(ids=[place], names=[module.title])
        section += nodes.title("", "", nodes.literal(module.title, module.title))
        self._python.note_module(module.name, place, "", "", False)
        self._python.note_object(module.name, "module", place, location=self.get_location())
        section += docstrings.body(module.doc, known)
        section += [self._described(entry, entry.kind, known) for entry in module.members]
        return section

    def _described(self, entry: Entry, kind: str, known: dict[str, str]) -> nodes.Node:
        """An entry in the shape that Sphinx gives to Python's, so that it is found and can be linked to.

        Sphinx's own directives would do the same in nine times the time of all other pages.
        """
        self._python.note_object(entry.name, kind, entry.name, location=self.get_location())
        content = addnodes.desc_content("", *docstrings.body(entry.doc, known))
        content += [
            self._described(member, MEMBER.get(member.kind, member.kind), known) for member in entry.members
        ]
        return addnodes.desc("", _signature(entry, kind), content, domain="py", objtype=kind, classes=["py", kind])

    @property
    def _python(self) -> PythonDomain:
        return cast(PythonDomain, self.env.get_domain("py"))


def _signature(entry: Entry, kind: str) -> nodes.Node:
    """The line that an entry begins with; the library's own types lead to their entries."""
    line = addnodes.desc_signature("", "", ids=[entry.name], classes=["sig", "sig-object", "py"])
    if kind in ("class", "property"):
        line += addnodes.desc_annotation("", f"{kind} ")
    short = entry.name.rpartition(".")[2]
    line += addnodes.desc_name(short, short)
    said = entry.signature.replace(" -> ", ": ", 1) if kind == "property" else entry.signature
    for number, part in enumerate(OURS.split(said)):
        line += docstrings.link(part, part.rpartition(".")[2]) if number % 2 else docstrings.words(part)
    return line


class Floors(SphinxDirective):
    """What every module is for, in a sentence, from the ground floor up; those of a room below the room."""

    def run(self) -> list[nodes.Node]:
        floors, rooms = nodes.bullet_list(), {}
        for module in library.library():
            words = docstrings.inline(" " + library.first_sentence(module.doc), {})
            line = nodes.paragraph("", "", docstrings.link(module.name, module.title), *words)
            item = rooms[module.title] = nodes.list_item("", line)
            room = rooms.get(module.title.rpartition(".")[0])
            if room is not None and len(room) == 1:
                room += nodes.bullet_list()
            within = floors if room is None else room[-1]
            within += item
        return [floors]


def names(module: Entry) -> dict[str, str]:
    """What a docstring of this module may call by a short name."""
    known = dict(_everywhere())
    known |= {entry.name.removeprefix(f"{module.name}."): entry.name for entry in library.every(module)}
    return known


@cache
def _everywhere() -> dict[str, str]:
    """What a docstring of any module may call by a name with a dot in it: a module's, or a class's member."""
    known = {}
    for module in library.library():
        for entry in library.every(module):
            shorter = (entry.name, entry.title, entry.name.removeprefix(f"{module.name}."))
            known |= {name: entry.name for name in shorter if "." in name}
    return known


def _within(module: Entry, room: str) -> bool:
    return module.title == room or module.title.startswith(f"{room}.")


def setup(app: Sphinx) -> dict:
    app.add_css_file("api.css")
    app.add_directive("api", Api)
    app.add_directive("floors", Floors)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
