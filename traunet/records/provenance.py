"""What a result says of where it came from: hashes of files and of the library's source, and versions."""

import ast
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = "traunet"
NUMERIC_PACKAGES = ("torch", "lightning", "numpy", "opencv-python-headless")  # their versions can move numbers
NOT_INSTALLED = "none"  # in the place of a version


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as hex digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_hash(modules: Iterable[str], without: Iterable[str] = ()) -> str:
    """Hash the sources of modules and of every module of this package that they import, directly or not.

    Nothing is imported. Comments, docstrings and blank lines do not count: rewording one must not retrain a
    network. The hash is the same for every Python version.
    """
    sources = {
        name: _bare(path.read_text(encoding="utf-8")) for name, path in sorted(_closure(list(modules)).items())
    }
    kept = {name: text for name, text in sources.items() if name not in set(without)}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _closure(modules: list[str]) -> dict[str, Path]:
    unknown = [name for name in modules if _source(name) is None]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no such module in {PACKAGE}; its code cannot be hashed")
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += _imports(name, path)
    return found


def _source(module: str) -> Path | None:
    parts = module.split(".")
    root = Path(__file__).parents[1]
    for path in (root.joinpath(*parts[1:], "__init__.py"), root.joinpath(*parts[1:]).with_suffix(".py")):
        if parts[0] == PACKAGE and path.is_file():
            return path
    return None


def _imports(module: str, path: Path) -> list[str]:
    """What a module imports of this package: each name as a module, and the packages above it."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return _named(path.read_text(encoding="utf-8"), package)


@cache
def _named(source: str, package: str) -> list[str]:
    names = [package]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == PACKAGE]


@cache
def _bare(source: str) -> str:
    """A source without its comments, docstrings and blank lines."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for row in _docstring_rows(node):
                lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _docstring_rows(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> range:
    if ast.get_docstring(node) is None:
        return range(0)
    first = node.body[0]
    return range(first.lineno - 1, first.end_lineno or first.lineno)


def versions(packages: Iterable[str] = NUMERIC_PACKAGES) -> dict[str, str]:
    """Installed versions, without the local part that tells builds of one version apart (`+cpu`, `+cu130`).

    Of a package that is not there it is NOT_INSTALLED.
    """
    return {package: _version(package).split("+")[0] for package in packages}


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return NOT_INSTALLED
