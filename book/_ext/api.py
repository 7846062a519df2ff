"""The book's own directives for the library: its entries, made from the source, and a list of its floors.

```{api} facs config data synth
```
```{floors}
```
"""

import json
import re
from functools import cache

import docstrings
import library
from docutils import nodes
from docutils.statemachine import StringList
from library import Entry
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DIRECTIVES = {"data": "py:data", "function": "py:function", "class": "py:class"}
MEMBERS = {"data": "py:attribute", "method": "py:method", "property": "py:property"}


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
        section = nodes.section(ids=[nodes.make_id(f"api-{module.title}")], names=[module.title])
        section += nodes.title("", "", nodes.literal(module.title, module.title))
        section += self._parsed([f":::{{py:module}} {module.name}", ":::"])
        section += docstrings.body(module.doc, known)
        for entry in module.members:
            section += self._described(entry, module, DIRECTIVES, known)
        return section

    def _described(
        self, entry: Entry, module: Entry, kinds: dict[str, str], known: dict[str, str]
    ) -> list[nodes.Node]:
        """An entry in the shape that Sphinx gives to Python's, so that it is in the index and can be linked to."""
        opening = f":::{{{kinds[entry.kind]}}} {entry.name.removeprefix(f'{module.name}.')}{_arguments(entry)}"
        made = self._parsed([opening, *_options(entry, module), ":::"])
        content = made[-1][-1]
        content += docstrings.body(entry.doc, known)
        for member in entry.members:
            content += self._described(member, module, MEMBERS, known)
        return made

    def _parsed(self, lines: list[str]) -> list[nodes.Node]:
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, source=""), self.content_offset, holder)
        return holder.children


class Floors(SphinxDirective):
    """What every module is for, in a sentence, from the ground floor up."""

    def run(self) -> list[nodes.Node]:
        items = []
        for module in library.library():
            words = docstrings.inline(" " + library.first_sentence(module.doc), {})
            line = nodes.paragraph("", "", docstrings.link(module.name, module.title), *words)
            items.append(nodes.list_item("", line))
        return [nodes.bullet_list("", *items)]


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


def _arguments(entry: Entry) -> str:
    return "" if entry.kind in ("data", "property") else entry.signature


def _options(entry: Entry, module: Entry) -> list[str]:
    """Type and value, which Python's directives take as options."""
    kind, _, value = entry.signature.partition(" = ")
    kind = re.sub(r"^(: | -> )", "", kind)
    plain = entry.kind in ("data", "property")
    said = {"type": kind if plain else "", "value": value if entry.kind == "data" else ""}
    # As YAML, which takes quotes for its own.
    return [f":module: {module.name}", *(f":{name}: {json.dumps(text)}" for name, text in said.items() if text)]


def setup(app: Sphinx) -> dict:
    app.add_directive("api", Api)
    app.add_directive("floors", Floors)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
