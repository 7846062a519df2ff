"""What making this book took, for each profile that was made on this machine: from the logs of the steps.

    ```{records}
    ```

A log's last line ends in seconds and memory, as `traunet` prints them (traunet/cli.py).
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from grid import table
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

STEPS = {
    "synth": "rendering",
    "prepare": "reading, aligning, storing",
    "pretrain": "the trunk",
    "train": "training",
    "tables": "tables",
    "notebook": "notebooks",
}
ENDED = re.compile(r"\((\d+) s, (\d+\.\d) GB\)$")
PROFILES = ("smoke", "demo", "paper")
NOTHING = "No step of any profile has left a record on the machine that built this book."


@dataclass(frozen=True)
class Took:
    """What a kind of step took: how many there were, their seconds in all, and the largest process in GB."""

    count: int
    seconds: int
    memory: float

    def __str__(self) -> str:
        times = f" in {self.count} jobs" if self.count > 1 else ""
        return f"{duration(self.seconds)}{times}; {self.memory:.1f} GB"


class Records(SphinxDirective):
    """A table: the steps, and for each profile that has records its times, memory and machine."""

    def run(self) -> list[nodes.Node]:
        build = Path(self.env.srcdir).parents[1]
        made = {name: took(build / name / "logs") for name in PROFILES}
        made = {name: found for name, found in made.items() if found}
        if not made:
            return [nodes.note("", nodes.paragraph(NOTHING, NOTHING))]
        rows = [[title, *(str(found.get(step, "")) for found in made.values())] for step, title in STEPS.items()]
        rows.append(["machine of the trainings", *(machine(build / name) for name in made)])
        return [table(["step", *made], rows)]


def took(logs: Path) -> dict[str, Took]:
    """What each kind of step took, of those that have finished."""
    found = {}
    for step in STEPS:
        ended = [ENDED.search(_last_line(path)) for path in sorted(logs.glob(f"{step}*.log"))]
        parts = [(int(end.group(1)), float(end.group(2))) for end in ended if end]
        if parts:
            found[step] = Took(
                len(parts), sum(seconds for seconds, _ in parts), max(memory for _, memory in parts)
            )
    return found


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[-1].strip() if lines else ""


def machine(workspace: Path) -> str:
    """Where the runs behind a profile's results were trained, in a few words; "" if that cannot be told."""
    try:
        numbers = json.loads((workspace / "results" / "results.json").read_text(encoding="utf-8"))
        runs = sorted({run for number in numbers.values() for run in number["runs"]})
        said = [json.loads((workspace / "runs" / run / "provenance.json").read_text("utf-8")) for run in runs]
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    return "; ".join(sorted({_machine(one["machine"], one["versions"]) for one in said}))


def _machine(facts: dict, versions: dict) -> str:
    device = facts["gpu"] or f"no GPU, {facts['threads']} thread{'s' if facts['threads'] > 1 else ''} a training"
    return f"{facts['system']}, {device}, torch {versions['torch']}"


def duration(seconds: int) -> str:
    """Seconds as one says them."""
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def setup(app: Sphinx) -> dict:
    app.add_directive("records", Records)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
