"""The library as its source tells of it: modules by floor, public names, signatures, docstrings, comments.

Nothing is imported: that would take seconds of torch, and a page could fail where only its text is wanted.
"""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

PACKAGE = "traunet"
LONGEST_VALUE = 60  # characters of a constant's value beyond which it is not shown
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Entry:
    """One name of the library: `kind` is module, function, class, method, property or data."""

    name: str  # with its module, such as traunet.facs.AUS
    kind: str
    signature: str  # what follows the name: arguments and result, or a constant's value
    doc: str  # its docstring, or the comment beside or above it
    members: "tuple[Entry, ...]" = ()

    @property
    def title(self) -> str:
        """The name without the package."""
        return self.name.removeprefix(f"{PACKAGE}.")


def home() -> Path:
    """The folder of the library that builds this book."""
    import traunet  # holds a docstring and nothing else

    return Path(traunet.__file__).parent


@cache
def modules(folder: Path) -> dict[str, Path]:
    """Every module that holds something, by name, from the ground floor up as `pyproject.toml` has them."""
    order = floors(folder.parent / "pyproject.toml")
    full = [path for path in folder.rglob("[!.]*.py") if path.read_text(encoding="utf-8").strip()]
    found = {_module(path, folder): path for path in full}
    return dict(sorted(found.items(), key=lambda item: _place(item[0], order)))


def _module(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder).with_suffix("").parts
    return ".".join([PACKAGE, *(part for part in parts if part != "__init__")])


def floors(pyproject: Path) -> dict[str, list[list[str]]]:
    """Of the package, and of each room with an order of its own: what is on each floor, the ground floor first."""
    if not pyproject.is_file():
        return {}
    contracts = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    return {
        house: [[room.strip() for room in layer.split("|")] for layer in reversed(contract["layers"])]
        for contract in contracts
        for house in contract.get("containers", [])
    }


def _place(module: str, order: dict[str, list[list[str]]]) -> list[tuple[int, str]]:
    """A module's floor and name, and before these its room's; a room comes before all that is in it."""
    parts = module.split(".")
    houses = [".".join(parts[:depth]) for depth in range(1, len(parts))]
    return [(_floor(name, order.get(house, [])), name) for house, name in zip(houses, parts[1:], strict=True)]


def _floor(room: str, order: list[list[str]]) -> int:
    return next((number for number, rooms in enumerate(order) if room in rooms), len(order))


@cache
def read(name: str, path: Path) -> Entry:
    """A module with its public names, in the order of its source."""
    text = path.read_text(encoding="utf-8")
    tree, remarks = ast.parse(text), comments(text)
    _Types(_ours(tree, name)).visit(tree)
    members = tuple(_members(tree.body, name, remarks))
    return Entry(name, "module", "", ast.get_docstring(tree) or "", members)


def _ours(tree: ast.Module, module: str) -> dict[str, str]:
    """The full names of the library's classes, by the names that a module has for them."""
    own = {node.name: f"{module}.{node.name}" for node in tree.body if isinstance(node, ast.ClassDef)}
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    imported = {alias.name: f"{node.module}.{alias.name}" for node in taken for alias in node.names}
    return own | {name: full for name, full in imported.items() if full.startswith(f"{PACKAGE}.")}


class _Types(ast.NodeTransformer):
    """Gives the types in annotations their full names, since two modules may use one name for two things."""

    def __init__(self, full: dict[str, str]):
        self.full = full

    def _named(self, annotation: ast.expr | None) -> ast.expr | None:
        if annotation is None or "Literal[" in ast.unparse(annotation):
            return annotation
        plain = ast.parse(ast.unparse(annotation).replace("'", ""), mode="eval").body
        for name in ast.walk(plain):
            if isinstance(name, ast.Name):
                name.id = self.full.get(name.id, name.id)
        return plain

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = self._named(node.annotation)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = self._named(node.returns)
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = self._named(node.annotation) or node.annotation
        return node


@dataclass(frozen=True)
class Remarks:
    """A source's comments by line, without their mark: `beside` code, or `alone` on a line."""

    beside: dict[int, str]
    alone: dict[int, str]

    def of(self, node: ast.stmt) -> str:
        """What is said beside a statement, or right above it."""
        beside = self.beside.get(node.end_lineno or node.lineno)
        return self.above(node.lineno) if beside is None else beside

    def above(self, line: int) -> str:
        """The comment that ends right above a line."""
        first = line
        while first - 1 in self.alone:
            first -= 1
        return "\n".join(self.alone[row] for row in range(first, line))


@cache
def comments(text: str) -> Remarks:
    """Every comment of a source."""
    found = Remarks({}, {})
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            kind = found.alone if token.line.lstrip().startswith("#") else found.beside
            kind[token.start[0]] = token.string.lstrip("# ")
    return found


def _members(body: Iterable[ast.stmt], above: str, remarks: Remarks, inside: bool = False) -> Iterator[Entry]:
    for node in body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield _function(node, above, inside)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield _class(node, above, remarks)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from _data(node, above, remarks)


def _function(node: Function, above: str, inside: bool) -> Entry:
    arguments, result = ast.unparse(node.args), node.returns
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
    if inside and "staticmethod" not in marks:
        arguments = re.sub(r"^(self|cls)(, |$)", "", arguments)
    arrow = f" -> {ast.unparse(result)}" if result else ""
    if {"property", "cached_property"} & marks:
        return Entry(f"{above}.{node.name}", "property", arrow, _doc(node))
    return Entry(f"{above}.{node.name}", "method" if inside else "function", f"({arguments}){arrow}", _doc(node))


def _class(node: ast.ClassDef, above: str, remarks: Remarks) -> Entry:
    name = f"{above}.{node.name}"
    made = next((part for part in node.body if isinstance(part, Function) and part.name == "__init__"), None)
    signature = _function(made, name, inside=True).signature.partition(" -> ")[0] if made else ""
    doc = "\n\n".join(filter(None, [_doc(node), _doc(made) if made else ""]))
    return Entry(name, "class", signature, doc, tuple(_members(node.body, name, remarks, inside=True)))


def _data(node: ast.Assign | ast.AnnAssign, above: str, remarks: Remarks) -> Iterator[Entry]:
    targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
    names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    kind = f": {ast.unparse(node.annotation)}" if isinstance(node, ast.AnnAssign) else ""
    value = ast.unparse(node.value) if node.value else ""
    shown = f" = {value}" if value and len(value) <= LONGEST_VALUE and len(names) == 1 else ""
    for name in names:
        if not name.startswith("_") and isinstance(targets[0], ast.Name | ast.Tuple):
            yield Entry(f"{above}.{name}", "data", kind + shown, remarks.of(node))


def _doc(node: Function | ast.ClassDef) -> str:
    return ast.get_docstring(node) or ""


def every(entry: Entry) -> Iterator[Entry]:
    """An entry and all below it."""
    yield entry
    for member in entry.members:
        yield from every(member)


@cache
def library() -> tuple[Entry, ...]:
    """Every module of the library, the ground floor first; read once for each text of it, which takes seconds."""
    from traunet.records.sources import told_once

    found = modules(home())
    reading = Path(__file__).read_text(encoding="utf-8")
    kept = told_once(["entries", reading, list(found)], lambda: [asdict(read(*each)) for each in found.items()])
    return tuple(map(_entry, kept))


def _entry(kept: dict) -> Entry:
    return Entry(**{**kept, "members": tuple(map(_entry, kept["members"]))})


def first_sentence(doc: str) -> str:
    """What a docstring says first."""
    return re.split(r"(?<=\.)\s", " ".join(doc.partition("\n\n")[0].split()), maxsplit=1)[0]
