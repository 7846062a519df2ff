"""The site: pages and executed notebooks staged as one source tree, marked with their profile, built, looked at.

Every build starts from nothing: an incremental one keeps numbers in the prose that have changed since.
"""

import base64
import os
import re
import shutil
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from traunet.book import chapters, foot, freshness, jupyterbook, leaks, site, trimming
from traunet.book.contents import BuildError, notebooks, pages, read_settings
from traunet.book.prose import refuse_typed_numbers
from traunet.records.keeping import replaced
from traunet.records.sealing import broken, links
from traunet.workspace import PROJECT, SYNTHETIC, Workspace

if TYPE_CHECKING:
    from nbformat import NotebookNode  # loaded by chapters.py alone, which leaves out what it need not load

HIDDEN = "remove-cell"  # the tag of a cell that no page shows
ANSI = re.compile(r"\x1b\[[0-9;]*m")
FRONT_TAG, FRONT_PICTURE, PNG = "front-page", "front-page.png", "image/png"
RESULTS = "results"  # where the staged pages find the tables: {csv-table} :file: ../results/table1.csv


def banner(workspace: Workspace) -> str:
    """What stands above every page: the profile, the data set, and what its readers must know of these pages."""
    profile, dataset = escape(workspace.profile.name), escape(workspace.dataset)
    told = [f"<strong>Profile {profile}, data set: {dataset}.</strong>"]
    if not workspace.is_the_papers:
        told.append("The numbers and pictures on these pages are not the paper's experiment.")
    if workspace.dataset != SYNTHETIC:
        told.append("These pages show people of DISFA: mind its agreement, and keep them off the net.")
    return " ".join(told)


def stage(workspace: Workspace, results: Path, out: Path, project: Path = PROJECT) -> Path:
    """Lay the site's sources into the new folder `out`: a copy of the project in which notebooks have outputs.

    Pages keep their path, so that links from a page to its source stay right. Raises BuildError for a page without
    a source, or a link among the results, whose file may be anything; ChapterError for a notebook that was not
    executed or does not pass.
    """
    if strange := links(results):
        raise BuildError("; ".join(strange))
    shutil.copytree(project / "book", out / "book", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(results, out / RESULTS, ignore=shutil.ignore_patterns(".*"))
    if workspace.bench.is_file():
        shutil.copy(workspace.bench, out / RESULTS)
    shutil.copy(project / "_toc.yml", out)
    shutil.copy(project / "CITATION.cff", out)
    executed = _stage_notebooks(workspace, out, project)
    # Gates on the sources: one call each, here, on the staged tree.
    refuse_typed_numbers(out)
    _stage_front_page(executed, out)
    missing = [page for page in pages(project) if not any(out.glob(f"{page}.*"))]
    if missing:
        raise BuildError(f"{project / '_toc.yml'}: no source for the page {', '.join(missing)}; write it")
    config = _marked(read_settings(project / "_config.yml"), banner(workspace))
    (out / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    noting = {name: notebook for name, notebook in executed.items() if "traunet" in notebook.metadata}
    feet = {f"notebooks/{name}": foot.of_notebook(name, notebook) for name, notebook in noting.items()}
    prose = {page: foot.of_page(file, out) for page in pages(project) for file in out.glob(f"{page}.md")}
    foot.write(out, prose | feet, results, workspace.dataset)
    return out


def _stage_notebooks(workspace: Workspace, out: Path, project: Path) -> dict[str, "NotebookNode"]:
    staged = {}
    for name in notebooks(project):
        source, executed = project / "notebooks" / f"{name}.ipynb", freshness.executed(workspace, name)
        notebook = chapters.without_strange_metadata(chapters.read(executed))
        chapters.check(notebook, chapters.read(source), executed, {"profile": workspace.profile.name})
        (out / "notebooks").mkdir(exist_ok=True)
        chapters.write(_without_defaults(notebook), out / "notebooks" / source.name)
        staged[name] = notebook
    return staged


def _stage_front_page(executed: Mapping[str, "NotebookNode"], out: Path) -> None:
    """Put the picture of the one cell tagged `front-page` where the first page finds it.

    A first page that shows none needs no such cell. Raises BuildError if there is not exactly one picture.
    """
    front = next(iter(out.glob(f"{pages(out)[0]}.*")), None)
    wanted = front is not None and FRONT_PICTURE in front.read_text(encoding="utf-8")
    cells = [
        (name, cell)
        for name, notebook in executed.items()
        for cell in chapters.code_cells(notebook)
        if FRONT_TAG in cell.metadata.get("tags", [])
    ]
    shown = [output.data[PNG] for _, cell in cells for output in cell.outputs if PNG in output.get("data", {})]
    if wanted and (len(cells) != 1 or len(shown) != 1):
        where = ", ".join(f"notebooks/{name}" for name, _ in cells) or "no notebook"
        raise BuildError(
            f"{front}: shows {RESULTS}/{FRONT_PICTURE}, which is made from the one cell tagged {FRONT_TAG!r} that "
            f"shows one PNG; tagged are {len(cells)} cells ({where}) with {len(shown)} such pictures: tag one"
        )
    if wanted:
        (out / RESULTS / FRONT_PICTURE).write_bytes(base64.b64decode("".join(shown[0])))


def _without_defaults(notebook: "NotebookNode") -> "NotebookNode":
    """The notebook as a page shows it: with the parameters that it was given, not those in their place."""
    for cell in notebook.cells:
        tags = cell.metadata.setdefault("tags", [])
        if "parameters" in tags:
            tags.append(HIDDEN)
    return notebook


def _marked(config: dict, text: str) -> dict:
    return {**config, "html": {**config.get("html", {}), "announcement": text}}


def build(staged: Path, out: Path, press: jupyterbook.Press) -> Path:
    """Let Jupyter Book, which waits, build a staged tree into the new folder `out`; BuildError for any warning."""
    log = ANSI.sub("", jupyterbook.build(press, staged, "--all", "--warningiserror", "--keep-going"))
    (staged / "jupyter-book.log").write_text(log, encoding="utf-8")
    if press.returncode:
        said = re.sub(r"\[Errno \d+\] ", "", "; ".join(_complaints(log.splitlines())))
        for place in (staged, os.path.relpath(staged)):
            said = said.replace(f"{place}/", "")
        raise BuildError(f"the book does not build: {said}; correct that, then run: traunet site")
    shutil.move(staged / "_build" / "html", out)  # by name where it can, else by copying, to another disk
    return out


def _complaints(lines: list[str]) -> list[str]:
    """What Sphinx complains of, with the line after one that ends in a colon; else the end of the log."""
    pairs = zip(lines, [*lines[1:], ""], strict=True)
    found = [(line, after) for line, after in pairs if re.search("WARNING|ERROR|CRITICAL", line)]
    return [f"{line} {after}" if line.endswith(":") else line for line, after in found] or lines[-8:]


def _refuse_edited(workspace: Workspace) -> None:
    """Raise BuildError if the results are there and a file of them is not as it was written.

    They could be made again without a word; but whoever edited them should hear that this is not how it goes.
    """
    results, again = workspace.folder / "results", f"--profile {workspace.profile.name}"
    found = broken(results) if results.is_dir() else []
    if found:
        raise BuildError(
            f"{'; '.join(found)}; make the results again: traunet tables {again}, or make book "
            f"PROFILE={workspace.profile.name}, with the DISFA, WEIGHTS and SEEDS of before"
        )


def publish(workspace: Workspace, project: Path = PROJECT) -> Path:
    """Build the site of a workspace from its executed notebooks and results; return its folder.

    The former site is replaced only by one that passed, and that tells nothing of the machine that built it.
    Raises ChapterError, also for a notebook that is older than what it rests on, or BuildError, also for results
    that were edited.
    """
    _refuse_edited(workspace)
    with jupyterbook.started() as press:
        freshness.refuse_stale(workspace, [project / "notebooks" / f"{name}.ipynb" for name in notebooks(project)])
        return _published(workspace, project, press)


def _written(project: Path) -> str:
    """All that pages, cells and settings say anyway: a folder or a machine that is called so tells nothing."""
    pages = [path for kind in ("md", "py", "csv") for path in (project / "book").rglob(f"[!.]*.{kind}")]
    sources = sorted([*pages, *(project / "traunet").glob("config.py")])
    read = [chapters.read(project / "notebooks" / f"{name}.ipynb") for name in notebooks(project)]
    cells = [cell.source for notebook in read for cell in notebook.cells]
    return "\n".join([*(path.read_text(encoding="utf-8") for path in sources), *cells])


def _published(workspace: Workspace, project: Path, press: jupyterbook.Press) -> Path:
    results, text = workspace.results(), banner(workspace)

    def make(out: Path) -> None:
        staged = replaced(workspace.folder / "book", lambda new: stage(workspace, results, new, project))
        trimming.trim(build(staged, out, press))
        found = site.faults(out, pages(project), text)
        written, folders = _written(project), (project, workspace.root, workspace.disfa, workspace.weights)
        private, names = leaks.private_texts(*folders, written=written), leaks.private_names(written)
        told = leaks.faults(out, private, names)
        if found:
            raise BuildError("the site does not pass: " + "; ".join(found))
        if told:
            raise BuildError(f"the site tells of this machine: {'; '.join(told)}; let no page show that")

    return replaced(workspace.folder / "site" / "html", make)
