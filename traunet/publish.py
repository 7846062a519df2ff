"""The site: pages and executed notebooks staged as one source tree, marked with their profile, built, looked at.

Every build starts from nothing: an incremental one keeps numbers in the prose that have changed since.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from html import escape
from pathlib import Path

import nbformat
import yaml
from nbformat import NotebookNode

from traunet import chapters, site
from traunet.keeping import replaced
from traunet.workspace import PROJECT, Workspace

FRONT_DOORS = ("_config.yml", "_toc.yml")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
RESULTS = "results"  # where the staged pages find the tables: {csv-table} :file: ../results/table1.csv


class BuildError(ValueError):
    """A site that could not be built, or that does not hold what it should."""


def pages(project: Path = PROJECT) -> list[str]:
    """Every page of `_toc.yml`, by its path without a suffix, in reading order."""
    toc = yaml.safe_load((project / "_toc.yml").read_text(encoding="utf-8"))
    return list(_files(toc))


def _files(entry: dict | list) -> Iterable[str]:
    if isinstance(entry, list):
        for item in entry:
            yield from _files(item)
    else:
        yield from (entry[name] for name in ("root", "file") if name in entry)
        yield from _files([entry[name] for name in ("parts", "chapters", "sections") if name in entry])


def notebooks(project: Path = PROJECT) -> list[str]:
    """The names of the book's notebooks, such as `01_data`, in reading order."""
    return [Path(page).name for page in pages(project) if (project / f"{page}.ipynb").is_file()]


def banner(workspace: Workspace) -> str | None:
    """What stands above every page unless the numbers are the paper's experiment: the profile and the data set."""
    if workspace.is_the_papers:
        return None
    profile, dataset = escape(workspace.profile.name), escape(workspace.dataset)
    return (
        f"<strong>Profile {profile}, data set: {dataset}.</strong> "
        "The numbers and pictures on these pages are not the paper's experiment."
    )


def stage(workspace: Workspace, results: Path, out: Path, project: Path = PROJECT) -> Path:
    """Lay the site's sources into the new folder `out`: a copy of the project in which notebooks have outputs.

    Pages keep their path, so that links from a page to its source stay right. Raises BuildError for a page without
    a source, ChapterError for a notebook that was not executed or does not pass.
    """
    shutil.copytree(project / "book", out / "book", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(results, out / RESULTS)
    shutil.copy(project / "_toc.yml", out)
    _stage_notebooks(workspace, out, project)
    missing = [page for page in pages(project) if not any(out.glob(f"{page}.*"))]
    if missing:
        raise BuildError(f"{project / '_toc.yml'}: no source for the page {', '.join(missing)}; write it")
    config = _marked(yaml.safe_load((project / "_config.yml").read_text(encoding="utf-8")), banner(workspace))
    (out / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return out


def _stage_notebooks(workspace: Workspace, out: Path, project: Path) -> None:
    for name in notebooks(project):
        source, executed = (
            project / "notebooks" / f"{name}.ipynb",
            workspace.folder / "notebooks" / f"{name}.ipynb",
        )
        if not executed.is_file():
            raise chapters.ChapterError(
                f"{executed}: the notebook was not executed; run: traunet notebook {name} --profile "
                f"{workspace.profile.name}"
            )
        notebook = chapters.read(executed)
        chapters.check(notebook, chapters.read(source), executed)
        (out / "notebooks").mkdir(exist_ok=True)
        nbformat.write(_without_defaults(notebook), out / "notebooks" / source.name)


def _without_defaults(notebook: NotebookNode) -> NotebookNode:
    """The notebook as a page shows it: with the parameters that it was given, not those in their place."""
    for cell in notebook.cells:
        tags = cell.metadata.setdefault("tags", [])
        if "parameters" in tags:
            tags.append("remove-cell")
    return notebook


def _marked(config: dict, text: str | None) -> dict:
    html = {**config.get("html", {}), **({"announcement": text} if text else {})}
    return {**config, "html": html}


def build(staged: Path, out: Path) -> Path:
    """Build a staged tree with Jupyter Book into the new folder `out`; a warning is an error, a BuildError."""
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", staged, "--all", "--warningiserror", "--keep-going"]
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    log = ANSI.sub("", done.stdout)
    (staged / "jupyter-book.log").write_text(log, encoding="utf-8")
    if done.returncode:
        lines = log.splitlines()
        said = [line for line in lines if re.search("WARNING|ERROR|CRITICAL", line)] or lines[-8:]
        raise BuildError("the book does not build: " + "; ".join(said).replace(f"{staged}/", ""))
    (staged / "_build" / "html").rename(out)
    return out


def publish(workspace: Workspace, project: Path = PROJECT) -> Path:
    """Build the site of a workspace from its executed notebooks and results; return its folder.

    The former site is replaced only by one that passed. Raises ChapterError or BuildError.
    """
    results, text = workspace.results(), banner(workspace)

    def make(out: Path) -> None:
        staged = replaced(workspace.folder / "book", lambda new: stage(workspace, results, new, project))
        found = site.faults(build(staged, out), pages(project), text)
        if found:
            raise BuildError("the site does not pass: " + "; ".join(found))

    return replaced(workspace.folder / "site" / "html", make)
