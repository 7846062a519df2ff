"""What each notebook page offers: the notebook as executed, its source, the command that makes it, and elsewhere.

Binder and Colab open files of a public repository. Its address is one setting, `repository` in `_config.yml`, or
what GitHub's own machines say; without it, a page offers all but these two.
"""

import copy
import json
import os
import re
from html import escape
from pathlib import Path
from urllib.parse import quote

import nbformat
from docutils import nodes
from nbformat import NotebookNode
from sphinx.application import Sphinx

from traunet.book.chapters import INJECTED
from traunet.book.publish import HIDDEN

FOLDER = "notebooks/"
SOURCES = "_notebooks"  # the folder of the site with notebooks as their authors wrote them
GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")
COLAB, BINDER = "https://colab.research.google.com/github", "https://mybinder.org/v2/gh"


def public(app: Sphinx) -> tuple[str, str]:
    """The repository's address, or "", and the version that its links mean: the very commit where it is known."""
    given, version = app.config.repository, app.config.repository_version
    if not given and os.environ.get("GITHUB_REPOSITORY"):
        given = f"https://github.com/{os.environ['GITHUB_REPOSITORY']}"
    return given.rstrip("/"), os.environ.get("GITHUB_SHA", "") or version


def elsewhere(repository: str, version: str, path: str) -> dict[str, str]:
    """Where a file of a repository on GitHub opens as a notebook, by name; nothing for any other repository."""
    found = GITHUB.fullmatch(repository)
    if not found:
        return {}
    name, ref = found.group(1), quote(version, safe="")
    binder = f"{BINDER}/{name}/{ref}?labpath={quote(path, safe='')}"
    return {"Binder": binder, "Colab": f"{COLAB}/{name}/blob/{ref}/{quote(path)}"}


def colab_cell(repository: str, version: str) -> str:
    """What a first cell in Colab must say, which starts without this project."""
    return (
        f"!git clone {repository} /content/traunet && git -C /content/traunet checkout --quiet {version}\n"
        "!sh /content/traunet/.binder/postBuild"
    )


def commands(profile: str, data: str, name: str) -> str:
    """What makes this page again, in the profile and on the data that it was made with."""
    real = "" if data == "synthetic DISFA" else " DISFA=dir"
    real += " WEIGHTS=file" if profile == "paper" else ""
    options = real.lower().replace(" disfa=", " --disfa ").replace(" weights=", " --weights ")
    lines = {
        f"make book PROFILE={profile}{real}": "this page, and all that it rests on",
        f".venv/bin/traunet notebook {name} --profile {profile}{options}": "the notebook alone",
        f"make lab{real}": "to change it, in JupyterLab",
    }
    return "\n".join(f"# {what}\n{line}" for line, what in lines.items())


def as_written(executed: NotebookNode) -> NotebookNode:
    """The notebook as its author wrote it: without outputs, counts, and what papermill and staging put in."""
    source = copy.deepcopy(executed)
    source.cells = [cell for cell in source.cells if INJECTED not in cell.metadata.get("tags", [])]
    source.metadata.pop("traunet", None)
    for cell in source.cells:
        cell.metadata.pop("papermill", None)
        tags = [tag for tag in cell.metadata.pop("tags", []) if tag != HIDDEN]
        cell.metadata.update({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return source


def profile_of(executed: NotebookNode) -> str:
    """The profile that a notebook was executed with."""
    given = [cell.source for cell in executed.cells if INJECTED in cell.metadata.get("tags", [])]
    found = re.search(r"""^profile = ["'](\w+)["']""", "\n".join(given), re.MULTILINE)
    return found.group(1) if found else "demo"


def data_of(app: Sphinx) -> str:
    """The data set that the book's numbers speak of."""
    path = Path(app.srcdir, app.config.results_file)
    numbers = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    computed = (number["dataset"] for number in numbers.values() if number["runs"])  # the others are the paper's
    return next(computed, "synthetic DISFA")


def offer(app: Sphinx, page: str) -> str:
    """The box of a notebook page, as HTML."""
    path = Path(app.srcdir, f"{page}.ipynb")
    executed, name = nbformat.read(path, as_version=4), path.stem
    up = "../" * page.count("/")
    links = {
        "as executed": (f"{up}_sources/{page}.ipynb", "download"),
        "as written": (f"{up}{SOURCES}/{name}.ipynb", "download"),
    }
    repository, version = public(app)
    open_at = elsewhere(repository, version, f"{page}.ipynb")
    links |= {f"open in {place}": (address, "") for place, address in open_at.items()}
    anchors = " ".join(f'<a href="{escape(to)}" {how}>{escape(text)}</a>' for text, (to, how) in links.items())
    run = commands(profile_of(executed), data_of(app), name)
    first = colab_cell(repository, version) if open_at else ""
    said = f"<p>In the project’s folder:</p><pre>{escape(run)}</pre>"
    said += (
        f"<p>In Colab, in a first cell, then restart the session:</p><pre>{escape(first)}</pre>" if first else ""
    )
    return (
        f'<nav class="launch" aria-label="This chapter as a notebook"><span>Notebook:</span> {anchors}'
        f"<details><summary>run it yourself</summary>{said}</details></nav>"
    )


def put_offer(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Below the title of every notebook page, in HTML."""
    if app.builder.format != "html" or not page.startswith(FOLDER):
        return
    title = next(iter(doctree.findall(nodes.title)), None)
    if title is not None and Path(app.srcdir, f"{page}.ipynb").is_file():
        place = title.parent.index(title) + 1
        title.parent.insert(place, nodes.raw("", offer(app, page), format="html"))


def write_sources(app: Sphinx, error: Exception | None) -> None:
    """Lay the notebooks as written into the site."""
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir, SOURCES)
    out.mkdir(exist_ok=True)
    for path in sorted(Path(app.srcdir, FOLDER).glob("*.ipynb")):
        if f"{FOLDER}{path.stem}" in app.env.found_docs:
            nbformat.write(as_written(nbformat.read(path, as_version=4)), out / path.name)


def setup(app: Sphinx) -> dict:
    app.add_config_value("repository", "", "html")
    app.add_config_value("repository_version", "main", "html")
    app.connect("doctree-resolved", put_offer)
    app.connect("build-finished", write_sources)
    app.add_css_file("launch.css")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
