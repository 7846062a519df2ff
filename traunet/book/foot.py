"""What each page's foot tells: when it was made, from what, in how many seconds. book/_ext/foot.py shows it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traunet.book.chapters import now
from traunet.records.provenance import file_sha256, versions
from traunet.records.reading import json_of
from traunet.records.sources import library_text

if TYPE_CHECKING:
    from nbformat import NotebookNode

FILE = "made.json"  # beside the staged pages


def of_notebook(name: str, notebook: "NotebookNode") -> dict[str, Any]:
    """What an executed notebook noted of its making."""
    noted = notebook.metadata["traunet"]
    return {
        "notebook": name,
        **{part: noted[part] for part in ("made", "seconds", "runs", "dataset", "versions")},
        "hashes": noted["made_from"],
    }


def of_page(source: Path, staged: Path) -> dict[str, Any]:
    """What a page of prose is made from; when, and in how many seconds, the build knows."""
    return {"file": source.relative_to(staged).as_posix(), "hashes": {"source": file_sha256(source)}}


def write(staged: Path, pages: dict[str, dict[str, Any]], results: Path, dataset: str) -> Path:
    """Write the facts of all pages, and of what prose may quote, as JSON beside the staged pages."""
    file = results / "results.json"
    numbers = json_of(file)
    runs = {run for number in numbers.values() for run in number["runs"]}
    facts = {
        "made": now(),
        "pages": pages,
        "results": {"runs": len(runs), "hash": file_sha256(file), "dataset": dataset},
        "library": library_text(),
        "versions": versions(),
    }
    out = staged / FILE
    out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return out
