"""What a chapter is made from, as hashes: noted in it when it is executed, compared when the site is built.

A chapter that was edited since counts as stale too: then its own cells are not what it notes of them.

The workflow asks for the same hashes, so that it executes again exactly what the site would refuse.
"""

import ast
import platform
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traunet.book.chapters import ChapterError, code_cells, read, shown_hash, source_hash
from traunet.book.contents import notebooks
from traunet.config import canonical_json
from traunet.keys import answers, published_hash
from traunet.records import provenance  # its private parts too: a change of that file would prepare all data anew
from traunet.records.keeping import digest, remembered
from traunet.records.provenance import PACKAGE, file_sha256, versions
from traunet.records.reading import json_of
from traunet.records.sources import library_text
from traunet.workspace import PROJECT, Workspace

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from traunet.runs import Run

# The stage behind each of a workspace's methods that a notebook may call.
STAGES = {
    "tree": "tree",
    "store": "store",
    "dataset": "store",
    "is_the_papers": "results",
    "heads": "trunk",
    "trunk": "trunk",
    "run": "runs",
    "runs": "runs",
    "every_run": "results",  # which hang on the number of seeds, as the runs do not
    "results": "results",
}
FREE = {"profile", "weights", "disfa"}  # settings, not files that a stage made
ALL = ("tree", "store", "trunk", "runs", "results")
# What makes the stages works through their keys; a notebook hangs on its text only if it imports it itself.
MAKERS = {
    "traunet.report",
    "traunet.training",
    "traunet.pretraining",
    "traunet.synth.tree",
    "traunet.data.preparing",
}
WORDS = {
    "source": "its source",
    "library": "the library's code that it imports",
    "published": "the published tables in data/published",
    "environment": "the packages (requirements.lock, or the versions installed)",
    "tree": "the data set or its settings",
    "store": "the aligned frames (data, settings or code)",
    "trunk": "the trunk's weights",
    "runs": "the trained networks (data, settings or code)",
    "results": "the results (networks, published tables or code)",
    "shown": "what it shows, which was edited",
    "predictions": "what the trained networks answer",
}
KEYED = frozenset(WORDS) - {"predictions"}  # what can be told without opening a result


def refuse_stale(workspace: Workspace, sources: Sequence[Path]) -> None:
    """Raise ChapterError for the notebooks that are older than what they rest on; it says what changed since.

    What can be told from keys comes first: no network is looked for, or trained, for pages that are stale anyway.
    """
    for source in sources:
        executed(workspace, source.stem)
    both = {source: _noted_and_now(workspace, source) for source in sources}
    _refuse(workspace, {source: changes(*both[source], KEYED) for source in sources})
    asking = {source: noted for source, (noted, _) in both.items() if "predictions" in noted}
    asked = {source: tuple(stages(workspace, source)) for source in asking}
    now = {read: _predictions(answering(workspace, read)) for read in {*asked.values()}}
    told = {source: changes(noted, now[asked[source]], {"predictions"}) for source, noted in asking.items()}
    _refuse(workspace, told)


def stale(workspace: Workspace, project: Path = PROJECT) -> dict[Path, str]:
    """The book's executed notebooks that are older than what they rest on, as far as keys tell, and why."""
    found = {}
    for name in notebooks(project):
        source, path = project / "notebooks" / f"{name}.ipynb", workspace.folder / "notebooks" / f"{name}.ipynb"
        changed = changes(*_noted_and_now(workspace, source, project), KEYED) if path.is_file() else []
        if changed:
            found[path] = f"changed since: {', '.join(changed)}"
    return found


def _refuse(workspace: Workspace, changed: Mapping[Path, Sequence[str]]) -> None:
    name, alike = workspace.profile.name, defaultdict[tuple[str, ...], list[str]](list)
    for source, what in changed.items():
        alike[tuple(what)].append(source.stem)
    found = [_told(chapters, what, name) for what, chapters in alike.items() if what]
    if found:
        again = f"make book PROFILE={name}, with the DISFA, WEIGHTS and SEEDS of before, does all of this"
        raise ChapterError("; ".join([*found, again]))


def _told(chapters: Sequence[str], what: Sequence[str], profile: str) -> str:
    pages, one = ", ".join(f"notebooks/{chapter}" for chapter in chapters), len(chapters) == 1
    are = "is older than what it rests" if one else "are older than what they rest"
    made = "it was" if one else "they were"
    run = f"; run: traunet notebook {chapters[0]} --profile {profile}" if one else ""
    return f"{pages} {are} on: changed since {made} made: {', '.join(what)}{run}"


def executed(workspace: Workspace, name: str) -> Path:
    """The executed notebook of that name; ChapterError if there is none."""
    path = workspace.folder / "notebooks" / f"{name}.ipynb"
    if not path.is_file():
        raise ChapterError(
            f"{path}: the notebook was not executed; run: "
            f"traunet notebook {name} --profile {workspace.profile.name}"
        )
    return path


def _noted_and_now(
    workspace: Workspace, source: Path, project: Path = PROJECT
) -> tuple[dict[str, str], dict[str, str]]:
    """What an executed notebook notes, nothing if it cannot be read; and what there is now in place of that."""
    now = made_from(workspace, source, project)
    try:
        notebook = json_of(workspace.folder / "notebooks" / source.name)
        noted = notebook["metadata"]["traunet"]
        return {**noted["made_from"], "shown": noted["shown"]}, {**now, "shown": shown_hash(notebook["cells"])}
    except (ValueError, LookupError, TypeError):
        return {}, now


def made_from(workspace: Workspace, source: Path, project: Path = PROJECT) -> dict[str, str]:
    """What a notebook would be made from now: hashes by the names in `WORDS`, only of what it reads.

    Nothing is made or opened but the sources, so that the workflow can ask before the first job. Three processes
    ask in a row; what the first one worked out from the very same texts is kept beside the executed notebooks.
    """

    def inputs() -> list[Any]:
        texts = file_sha256(source), library_text(), published_hash()
        return [*texts, environment_hash(project), workspace.keys]

    kept = workspace.folder / "notebooks" / f".{source.stem}.json"
    return remembered(kept, inputs, lambda: _made_from(workspace, source, project))


def _made_from(workspace: Workspace, source: Path, project: Path) -> dict[str, str]:
    notebook = read(source)
    code = _code(notebook, source)
    followed = _followed(_imported(code))
    return {
        "source": source_hash(notebook),
        "library": digest({name: _bare(name) for name in followed}),
        **({"published": published_hash()} if "traunet.scoring.published" in followed else {}),
        "environment": environment_hash(project),
        **{stage: workspace.keys[stage] for stage in _read_by(code)},
    }


def record(workspace: Workspace, source: Path) -> dict[str, Any]:
    """What an executed notebook says of its making; the stages that it reads are found, or made, before."""
    asked = stages(workspace, source)
    trained = answering(workspace, asked)
    return {
        "settings": canonical_json(workspace.profile),
        "keys": workspace.keys,
        "made_from": {**made_from(workspace, source), **_predictions(trained)},
        "runs": sum(map(len, trained)),
        "dataset": workspace.dataset if asked else "",
        "versions": versions(),
    }


def answering(workspace: Workspace, asked: Collection[str]) -> "list[list[Run]]":
    """The networks that a chapter tells of by the stages that it reads: of every seed if it reads results."""
    if "results" in asked:
        return workspace.every_run()
    return [workspace.runs()] if "runs" in asked else []


def _predictions(trained: "list[list[Run]]") -> dict[str, str]:
    """A hash of what networks answered: a run that is made anew under its name may answer otherwise."""
    return {"predictions": digest([answers(of_a_seed) for of_a_seed in trained])} if trained else {}


def changes(
    noted: Mapping[str, str], now: Mapping[str, str], among: Collection[str] = frozenset(WORDS)
) -> list[str]:
    """What has changed since, in words; what was not noted counts as changed."""
    return [WORDS[name] for name in WORDS if name in among and noted.get(name) != now.get(name)]


def _imported(code: ast.Module) -> list[str]:
    """The library's modules that some code imports."""
    names: set[str] = set()
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return sorted(name for name in names if name.split(".")[0] == PACKAGE and provenance._source(name))


def _followed(modules: list[str]) -> set[str]:
    """These modules and all that they import, directly or not, but for what only the makers of stages need."""
    followed, waiting = set(), list(modules)
    while waiting:
        name = waiting.pop()
        if name not in followed and (name in modules or name not in MAKERS) and provenance._source(name):
            followed.add(name)
            waiting += _imports(name)
    return followed


def _imports(module: str) -> list[str]:
    path = provenance._source(module)
    return provenance._imports(module, path) if path else []


def _bare(module: str) -> str:
    path = provenance._source(module)
    return provenance._bare(path.read_text(encoding="utf-8")) if path else ""


def stages(workspace: Workspace, source: Path) -> list[str]:
    """The stages that a notebook reads through its workspace; all of them if it hands the workspace on."""
    hashes = made_from(workspace, source)
    return [stage for stage in ALL if stage in hashes]


def _read_by(code: ast.Module) -> list[str]:
    nodes = list(ast.walk(code))
    made = [node for node in nodes if _makes_workspace(node)]
    assigned = {id(node.value): node.targets for node in nodes if isinstance(node, ast.Assign)}
    targets = [target for node in made for target in assigned.get(id(node), [])]
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    used = [node for node in nodes if isinstance(node, ast.Name) and node.id in names]
    ones = {id(node) for node in [*made, *used] if not isinstance(getattr(node, "ctx", None), ast.Store)}
    asked = [node for node in nodes if isinstance(node, ast.Attribute) and id(node.value) in ones]
    settled = {id(node.value) for node in asked} | {id(node) for node in made if id(node) in assigned}
    told = {node.attr for node in asked} - FREE
    unclear = not made and "traunet.workspace" in _imported(code)
    if unclear or ones - settled or told - set(STAGES) or len(targets) != len(names):
        return list(ALL)
    return [stage for stage in ALL if stage in {STAGES[name] for name in told}]


def _makes_workspace(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and re.search(r"\bWorkspace(\.of)?$", ast.unparse(node.func)) is not None


def _code(notebook: "NotebookNode", source: Path) -> ast.Module:
    text = "\n".join(cell.source for cell in code_cells(notebook))
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("%", "!")))
    try:
        return ast.parse(plain)
    except SyntaxError as error:
        raise ChapterError(f"{source}: {error}; correct it") from None


def environment_hash(project: Path = PROJECT) -> str:
    """A hash of the packages: those locked, and the versions installed of those that the project names."""
    lock, names = project / "requirements.lock", required(project / "requirements.in")
    python = ".".join(platform.python_version_tuple()[:2])
    return digest([file_sha256(lock) if lock.is_file() else "", python, [_version(name) for name in names]])


def required(file: Path) -> list[str]:
    """The packages that `requirements.in` names."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = [re.match(r"[\w.-]+", line.strip()) for line in lines]
    return [name.group() for name in names if name]


@cache
def _version(package: str) -> str:
    return versions([package])[package]
