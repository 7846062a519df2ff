"""A book of one page of prose and one notebook, as small as can be, for tests of the way to the site."""

import copy
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from traunet.book import chapters, freshness
from traunet.config import SMOKE
from traunet.records.sealing import seal
from traunet.workspace import PROJECT, Workspace

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NUMBERS = {
    "table2.tranet.pooled.Avg": {"value": 51.26, "runs": ["r1"], "dataset": "synthetic DISFA", "profile": "smoke"}
}
PARAMETERS = {"profile": "smoke"}
INJECTED = '# Parameters\nprofile = "smoke"\n'  # what papermill makes of them
PROSE = (
    "# Intro\n\nThe whole network reaches {res}`table2.tranet.pooled.Avg:.1f` on average, on $x^2$ unseen heads.\n"
)


class FinishedWorkspace(Workspace):
    """A workspace in which all but the notebooks and the site is done."""

    @property
    def dataset(self) -> str:
        return "synthetic DISFA"

    def runs(self, *_, **__) -> list:
        return []

    def results(self) -> Path:
        folder = self.folder / "results"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "results.json").write_text(json.dumps(NUMBERS))
        seal(folder)
        return folder


def workspace(root: Path) -> Workspace:
    return FinishedWorkspace(SMOKE, root / "build")


def figure_cell(source: str = "", alt: str = "One pixel.", **figure: str) -> NotebookNode:
    said = {"figure": {"caption": "A pixel.", "name": "fig-pixel", **figure}, "image": {"alt": alt}}
    return new_code_cell(source, metadata={"mystnb": said})


def chapter(*cells: NotebookNode) -> NotebookNode:
    """A chapter with a heading and a parameters cell before the given cells."""
    title = new_markdown_cell("# A chapter of data\n\nIt says what it is about, in a sentence or two.")
    parameters = new_code_cell('profile = "smoke"', metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=[title, parameters, *cells], metadata=kernel)


def executed(notebook: NotebookNode) -> NotebookNode:
    """The notebook as papermill leaves it, without the wait: every cell counted, figures shown."""
    done = copy.deepcopy(notebook)
    done.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    done.cells.insert(2, new_code_cell(INJECTED, metadata={"tags": ["injected-parameters"]}))
    for count, cell in enumerate((cell for cell in done.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
        if "mystnb" in cell.metadata:
            cell.outputs = [new_output("display_data", {"image/png": PIXEL, "text/plain": "<Figure>"})]
    return done


def write_executed(workspace: Workspace, source: Path, /, **changed: str) -> Path:
    """Put a notebook into the workspace as if it had been executed there now, but for what is `changed` since."""
    out = workspace.folder / "notebooks" / source.name
    out.parent.mkdir(parents=True, exist_ok=True)
    done, noted = executed(nbformat.read(source, as_version=4)), freshness.record(workspace, source)
    took = {"made": "2026-11-22T20:00:00+00:00", "seconds": 41.2}
    chapters.noting(done, {**noted, **took, "made_from": {**noted["made_from"], **changed}})
    done.metadata["traunet"]["shown"] = changed.get("shown", done.metadata["traunet"]["shown"])
    nbformat.write(done, out)
    return out


def write_sealed(notebook: NotebookNode, out: Path) -> None:
    """Write an executed notebook that notes of what it shows what it shows now."""
    nbformat.write(chapters.noting(notebook, notebook.metadata["traunet"]), out)


def write_project(root: Path, prose: str = PROSE, notebook: NotebookNode | None = None) -> Path:
    """Write the project with the real front doors, `_config.yml` and the book's extension."""
    (root / "notebooks").mkdir(parents=True)
    for file in ("_config.yml", "CITATION.cff"):
        shutil.copy(PROJECT / file, root)
    for folder in ("_ext", "_static"):
        shutil.copytree(PROJECT / "book" / folder, root / "book" / folder)
    shutil.copy(PROJECT / "book" / "references.bib", root / "book")
    (root / "book" / "intro.md").write_text(prose)
    nbformat.write(notebook or chapter(figure_cell("1 + 1")), root / "notebooks" / "01_data.ipynb")
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/intro\nchapters:\n  - file: notebooks/01_data\n")
    return root


def write_checkout(root: Path, notebook: NotebookNode | None = None) -> Path:
    """Write a copy of the project whose jobs are stand-ins (standin.py); its book is the small one above."""
    write_project(root, notebook=notebook)
    shutil.copytree(PROJECT / "data", root / "data")
    no_caches = shutil.ignore_patterns("__pycache__")
    for folder in ("traunet", "profiles"):
        shutil.copytree(PROJECT / folder, root / folder, ignore=no_caches)
    for file in ("Snakefile", "requirements.lock", "requirements.in"):
        shutil.copy(PROJECT / file, root)
    shutil.copy(Path(__file__).with_name("standin.py"), root / "traunet" / "__main__.py")
    return root


def finished_checkout(root: Path) -> Path:
    """The same with every mark that a cluster's finished book has."""
    done = call(write_checkout(root), "-m", "traunet", "finish", "1 2 3", "--profile", "smoke")
    assert done.returncode == 0, done.stdout
    return root


def call(checkout: Path, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with a copied checkout's library and nothing of this process's environment."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=checkout,
        env=clean_environment(checkout) | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )


def clean_environment(checkout: Path) -> dict[str, str]:
    path = os.pathsep.join([str(checkout / "bin"), "/usr/local/bin", "/usr/bin", "/bin"])
    here, unseen = str(checkout), {"CUDA_VISIBLE_DEVICES": ""}  # the stand-ins need no GPU, and wait for none
    return {"PATH": path, "HOME": here, "PYTHONPATH": here, "LANG": "C.UTF-8", **unseen}


def calls(checkout: Path) -> list[str]:
    """The jobs that ran since the last look."""
    file, looked = checkout / "calls", checkout / "calls.looked"
    # Nothing is removed: a job may write its line at this very moment.
    names = file.read_text().split() if file.exists() else []
    before = int(looked.read_text()) if looked.exists() else 0
    looked.write_text(str(len(names)))
    return sorted(set(names[before:]) - {"book"})


def wait_for(checkout: Path, *jobs: str, seconds: float = 300) -> None:
    """Wait until jobs have begun; other ones that began meanwhile are forgotten."""
    missing, deadline = set(jobs), time.monotonic() + seconds
    while missing := missing - set(calls(checkout)):
        assert time.monotonic() < deadline, f"{', '.join(sorted(missing))} did not begin within {seconds:g} s"
        time.sleep(0.1)
