"""The book's notebooks: executed by papermill, and looked at hard before they may become pages.

Jupyter Book renders a notebook that failed, or never ran, without a word. So a chapter has to pass here first.
"""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from traunet.provenance import code_hash

FAILED = "failed"  # the folder, beside the executed notebooks, that keeps what did not pass
INJECTED = "injected-parameters"


class ChapterError(ValueError):
    """A notebook that failed, or did not show what it should; the message says which, and where it is kept."""


def execute(source: Path, out: Path, parameters: Mapping[str, Any], record: Mapping[str, Any]) -> Path:
    """Execute a notebook with its parameters and put it at `out` if it passes.

    Whatever happens, the executed notebook is kept, with its traceback: in the folder `failed` beside `out` while
    it runs and if it does not pass. `record` (the resolved settings) is written into its metadata, since papermill
    does not record the defaults. Raises ChapterError, or FileNotFoundError if there is no such notebook.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    _refuse_unknown(source, parameters)
    attempt = out.parent / FAILED / out.name
    attempt.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            source, attempt, dict(parameters), kernel_name="python3", cwd=source.parent, progress_bar=False
        )
    except PapermillExecutionError as error:
        print(error, flush=True)
        reason = f"cell {error.exec_count} raised {error.ename}: {error.evalue}"
        raise ChapterError(f"{source}: {reason}; kept with its traceback: {attempt}") from None
    notebook = read(attempt)
    notebook.metadata["traunet"] = dict(record)
    nbformat.write(notebook, attempt)
    check(notebook, read(source), attempt)
    attempt.replace(out)
    return out


def _refuse_unknown(source: Path, parameters: Mapping[str, Any]) -> None:
    """Papermill only warns of a parameter that the notebook does not have."""
    import papermill

    if not source.is_file():
        raise FileNotFoundError(f"{source}: no such notebook")
    known = papermill.inspect_notebook(str(source))
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        has = ", ".join(known) or "none; tag the cell that sets them `parameters`"
        raise ChapterError(f"{source}: unknown parameter {', '.join(unknown)}; it has: {has}")


def read(path: Path) -> NotebookNode:
    """Read a notebook; ChapterError if it is none."""
    try:
        return nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise ChapterError(f"{path}: not a notebook ({error}); write it again with JupyterLab") from None


def check(executed: NotebookNode, source: NotebookNode, path: Path) -> None:
    """Raise ChapterError that lists everything which keeps an executed notebook from being a page."""
    found = faults(executed, source)
    if found:
        raise ChapterError(f"{path} does not pass: " + "; ".join(found))


def faults(executed: NotebookNode, source: NotebookNode) -> list[str]:
    """What is wrong with an executed notebook, in words; an empty list if it may become a page."""
    same = _sources(executed) == _sources(source)
    found, count = [] if same else ["it was executed from another version of its source"], 0
    for number, cell in enumerate(code_cells(executed), start=1):
        if not cell.source.strip():
            continue
        count += 1
        if cell.execution_count != count:
            state = "not executed" if cell.execution_count is None else "executed out of order"
            found.append(f"code cell {number} was {state}")
        found += [f"code cell {number} {fault}" for fault in _output_faults(cell)]
    return found if count else [*found, "it has no code"]


def _output_faults(cell: NotebookNode) -> list[str]:
    errors = [f"raised {output.ename}" for output in cell.outputs if output.output_type == "error"]
    kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
    figure = cell.metadata.get("mystnb", {}).get("figure")
    if figure is not None and not figure.get("caption"):
        errors.append("makes a figure without a caption")
    if figure is not None and not any(kind.startswith("image/") for kind in kinds):
        errors.append("should show a figure and shows none")
    if "table" in cell.metadata.get("tags", []) and "text/html" not in kinds:
        errors.append("should show a table and shows none")
    return errors


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The code cells, papermill's injected one included."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _sources(notebook: NotebookNode) -> list[tuple[str, str]]:
    cells = [cell for cell in notebook.cells if INJECTED not in cell.metadata.get("tags", [])]
    return [(cell.cell_type, cell.source) for cell in cells]


def library_hash(source: Path) -> str:
    """A hash of all of the library that a notebook's cells import, directly or not."""
    text = "\n".join(cell.source for cell in code_cells(read(source)))
    return code_hash(sorted(_imported(text, source)))


def _imported(code: str, source: Path) -> set[str]:
    plain = "\n".join(line for line in code.splitlines() if not line.lstrip().startswith(("%", "!")))
    try:
        nodes = list(ast.walk(ast.parse(plain)))
    except SyntaxError as error:
        raise ChapterError(f"{source}: {error}") from None
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.split(".")[0] == "traunet" and _is_module(name)}


def _is_module(name: str) -> bool:
    place = Path(__file__).parent.joinpath(*name.split(".")[1:])
    return place.is_dir() or place.with_suffix(".py").is_file()
