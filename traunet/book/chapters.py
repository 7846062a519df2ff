"""The book's notebooks: executed by papermill, and looked at hard before they may become pages.

Jupyter Book renders a notebook that failed, or never ran, without a word. So a chapter has to pass here first.
"""

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

# jsonschema, which nbformat loads, builds grammars of addresses with this if it is there: 1.4 s in every process,
# for a check that no notebook needs. Without it jsonschema leaves the check out.
sys.modules.setdefault("rfc3987_syntax", None)  # pyright: ignore[reportArgumentType]

from traunet.book.active import is_active  # noqa: E402
from traunet.records.keeping import digest  # noqa: E402

if TYPE_CHECKING:
    from nbformat import NotebookNode  # loaded to read or write a notebook, not to know of changes
    from papermill.exceptions import PapermillExecutionError

FAILED = "failed"  # the folder, beside the executed notebooks, that keeps what did not pass
INJECTED = "injected-parameters"
RUN = ("papermill", "execution")  # what running a cell notes in its metadata
KERNEL = {"name": "python3", "language": "python"}  # the one that a notebook may name; it always means this Python
KEPT = ("kernelspec", "language_info", "traunet")  # of a notebook's metadata: the rest can steer other programs


class ChapterError(ValueError):
    """A notebook that failed, or did not show what it should; the message says which, and where it is kept."""


def execute(source: Path, out: Path, parameters: Mapping[str, Any], record: Mapping[str, Any]) -> Path:
    """Execute a notebook with its parameters and put it at `out` if it passes.

    Whatever happens, the executed notebook is kept, with its traceback: in the folder `failed` beside `out` while
    it runs and if it does not pass. `record` (what it is made from, the resolved settings) is written into its
    metadata, with when it was made, in how many seconds, and a hash of what it shows; papermill's own, with places
    on this machine, is not kept. The kernel is this Python, whatever kernels are installed. Raises ChapterError,
    or FileNotFoundError if there is no such notebook.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    _refuse_other_kernel(source)
    _refuse_unknown(source, parameters)
    attempt = out.parent / FAILED / out.name
    attempt.parent.mkdir(parents=True, exist_ok=True)
    settings = {"kernel_name": KERNEL["name"], "cwd": source.parent, "progress_bar": False}
    started = time.perf_counter()
    try:
        with _this_python_as_kernel():
            papermill.execute_notebook(source, attempt, dict(parameters), **settings)
    except PapermillExecutionError as error:
        print(error, flush=True)
        raise ChapterError(
            f"{source}: cell {error.exec_count} raised {_told(error)}; kept with its traceback: {attempt}"
        ) from None
    notebook = _without_warnings(without_strange_metadata(read(attempt)))
    took = {"made": now(), "seconds": round(time.perf_counter() - started, 1)}
    write(noting(notebook, {**record, **took}), attempt)
    check(notebook, read(source), attempt, parameters)
    attempt.replace(out)
    return out


def _without_warnings(notebook: "NotebookNode") -> "NotebookNode":
    """The notebook without what its cells wrote to stderr, warnings that name places here: they go to the log."""
    for cell in code_cells(notebook):
        for output in [output for output in cell.outputs if output.get("name") == "stderr"]:
            print(output["text"].rstrip(), file=sys.stderr)
            cell.outputs.remove(output)
    return notebook


def _told(error: "PapermillExecutionError") -> str:
    """What was raised, with its words; an assertion that has none is quoted."""
    if error.evalue:
        return f"{error.ename}: {error.evalue}"
    plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    marked = re.search(r"^-+> +\d+ +(.+)$", plain, re.MULTILINE)
    return f"{error.ename} at `{marked[1]}`" if marked else error.ename


def now() -> str:
    """The time, to the second, as pages note it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def _this_python_as_kernel() -> Iterator[None]:
    """Let `python3` mean this Python: a user's own kernel of that name, found first, may be another program.

    Nor do a user's settings of IPython, Python and matplotlib hold in it, with which the same chapter would be
    another.
    """
    from ipykernel.kernelspec import write_kernel_spec

    with tempfile.TemporaryDirectory() as folder:
        place, settings = Path(folder, "kernels", KERNEL["name"]), Path(folder, "matplotlibrc")
        write_kernel_spec(str(place), extra_arguments=["--log-level=ERROR"])
        settings.touch()  # Empty. matplotlib's folder stays the user's: it holds the list of fonts, slow to make.
        paths = os.pathsep.join(filter(None, [folder, os.environ.get("JUPYTER_PATH")]))
        unset = {"PYTHONSTARTUP": "", "PYTHONOPTIMIZE": ""}  # the latter would pass over what a chapter asserts
        with _environment(JUPYTER_PATH=paths, IPYTHONDIR=folder, MATPLOTLIBRC=str(settings), **unset):
            yield


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set variables of the environment, and leave them as they were."""
    before = {name: os.environ[name] for name in variables if name in os.environ}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            os.environ.pop(name)
        os.environ.update(before)


def _refuse_other_kernel(source: Path) -> None:
    """A notebook must not choose which program runs it; papermill would also write its parameters in R."""
    if not source.is_file():
        raise FileNotFoundError(f"{source}: no such notebook")
    named = read(source).metadata.get("kernelspec", {})
    other = {key: named[key] for key in KERNEL if named.get(key, KERNEL[key]) != KERNEL[key]}
    if other:
        said = ", ".join(f"{key} {value!r}" for key, value in other.items())
        raise ChapterError(f"{source}: asks for a kernel with {said}; open it with the kernel python3 and save it")


def without_strange_metadata(notebook: "NotebookNode") -> "NotebookNode":
    """The notebook without what other programs noted in it, such as where it lay and how it is to be run."""
    from nbformat import NotebookNode

    notebook.metadata = NotebookNode({name: notebook.metadata[name] for name in KEPT if name in notebook.metadata})
    return notebook


def _refuse_unknown(source: Path, parameters: Mapping[str, Any]) -> None:
    """Papermill only warns of a parameter that the notebook does not have."""
    import papermill

    known = papermill.inspect_notebook(str(source))
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        has = ", ".join(known) or "none; tag the cell that sets them `parameters`"
        raise ChapterError(f"{source}: unknown parameter {', '.join(unknown)}; it has: {has}")


def read(path: Path) -> "NotebookNode":
    """Read a notebook; ChapterError if it is none."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (ValueError, AttributeError, KeyError, RecursionError, nbformat.ValidationError) as error:
        why = str(error).partition("\n")[0][:200]
        raise ChapterError(f"{path}: not a notebook ({why}); write it again with JupyterLab") from None


def write(notebook: "NotebookNode", path: Path) -> None:
    """Write a notebook."""
    import nbformat

    nbformat.write(notebook, path)


def check(executed: "NotebookNode", source: "NotebookNode", path: Path, parameters: Mapping[str, Any]) -> None:
    """Raise ChapterError that lists everything which keeps an executed notebook from being a page."""
    found = faults(executed, source, parameters)
    if found:
        raise ChapterError(f"{path} does not pass: {'; '.join(found)}; correct its source and execute it again")


def faults(executed: "NotebookNode", source: "NotebookNode", parameters: Mapping[str, Any]) -> list[str]:
    """What is wrong with an executed notebook, in words; an empty list if it may become a page."""
    same = _written(_without_injected(executed, parameters)) == _written(_without_tagged(source))
    found, count = [] if same else ["it was executed from another version of its source"], 0
    for number, cell in enumerate(code_cells(executed), start=1):
        if not cell.source.strip() and not cell.outputs:
            continue
        count += 1
        if cell.execution_count != count:
            state = "not executed" if cell.execution_count is None else "executed out of order"
            found.append(f"code cell {number} was {state}")
        found += [f"code cell {number} {fault}" for fault in _output_faults(cell)]
    return found if count else [*found, "it has no code"]


def _output_faults(cell: "NotebookNode") -> list[str]:
    errors = [f"raised {output.ename}" for output in cell.outputs if output.output_type == "error"]
    kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
    figure = cell.metadata.get("mystnb", {}).get("figure")
    if figure is not None and not figure.get("caption"):
        errors.append("makes a figure without a caption")
    if figure is not None and not any(kind.startswith("image/") for kind in kinds):
        errors.append("should show a figure and shows none")
    if figure is not None and not str(cell.metadata["mystnb"].get("image", {}).get("alt", "")).strip():
        errors.append("makes a figure without alternative text (its metadata's mystnb.image.alt)")
    if "table" in cell.metadata.get("tags", []) and "text/html" not in kinds:
        errors.append("should show a table and shows none")
    if any(map(is_active, cell.outputs)):
        errors.append("shows something that a browser would run")
    return errors


def code_cells(notebook: "NotebookNode") -> "list[NotebookNode]":
    """The code cells, papermill's injected one included."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def source_hash(notebook: "NotebookNode") -> str:
    """A hash of all that its author wrote, which is what `faults` compares too."""
    return digest(_written(_without_tagged(notebook)))


def noting(notebook: "NotebookNode", notes: Mapping[str, Any]) -> "NotebookNode":
    """The executed notebook with notes of its making, and with a hash of what it shows, which tells of edits."""
    import nbformat

    cells = json.loads(nbformat.writes(notebook))["cells"]
    notebook.metadata["traunet"] = {**notes, "shown": shown_hash(cells)}
    return notebook


def shown_hash(cells: list[dict[str, Any]]) -> str:
    """A hash of all cells of an executed notebook, as its file has them: what they say and what they show."""
    return digest(cells)


def _written(cells: "list[NotebookNode]") -> list[dict[str, Any]]:
    """All that an author writes of cells, metadata too: without their random names and what running puts in."""
    return [
        {
            **{key: value for key, value in cell.items() if key not in ("id", "outputs", "execution_count")},
            "metadata": {k: v for k, v in cell.metadata.items() if k not in RUN and (k, v) != ("tags", [])},
        }
        for cell in cells
    ]


def _without_tagged(source: "NotebookNode") -> "list[NotebookNode]":
    return [cell for cell in source.cells if INJECTED not in cell.metadata.get("tags", [])]


def _without_injected(executed: "NotebookNode", parameters: Mapping[str, Any]) -> "list[NotebookNode]":
    """The cells without the one below `parameters`, if it is what papermill writes there and nothing else.

    Its tag says nothing: whoever can write a notebook can put it on any cell.
    """
    cells = list(executed.cells)
    tagged = [place for place, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])]
    place = tagged[0] + 1 if tagged else 0
    code = "# Parameters\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in parameters.items())
    injected = {"cell_type": "code", "metadata": {"tags": [INJECTED]}, "source": code}
    if parameters and _written(cells[place : place + 1]) == [injected]:
        del cells[place]
    return cells
