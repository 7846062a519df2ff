"""Stands in for `python -m traunet` in a copy of the project: jobs that take no time, and obey files beside them.

`projects.write_checkout` puts it in the place of `traunet/__main__.py`; all else there is the project's own, and
`book` is the real one. Every job adds a line to `calls`. A job that is named in the file `failing` fails, in
`failing-once` the first time; one that is named in `killed` is killed, as for want of memory, and one that is
named in `waiting` waits until it no longer is. Notebooks are really executed if there is a file `executing`.
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

from traunet import cli
from traunet.book import chapters, freshness
from traunet.config import VARIANTS
from traunet.workflow import marks
from traunet.workspace import PROJECT, Workspace

STAGES = {"synth": "tree", "prepare": "store", "pretrain": "trunk", "tables": "results", "site": "results"}


def main() -> int:
    """Do the job, or as if."""
    if sys.argv[1:2] == ["finish"]:
        return finish(
            known(cli._workspace(cli.parser().parse_args(["tables", *sys.argv[3:]]))), sys.argv[2].split()
        )
    given = cli.parser().parse_args()
    again = f"again{given.again}" if getattr(given, "again", 0) else ""
    job = "-".join([sys.argv[1], *filter(None, [getattr(given, "variant", ""), folds(given), again])])
    with (PROJECT / "calls").open("a") as calls:
        calls.write(f"{job}\n")
    executing = sys.argv[1] == "notebook" and (PROJECT / "executing").exists()
    return cli.main() if sys.argv[1] == "book" or executing else stand_in(job, given)


def stand_in(job: str, given: argparse.Namespace) -> int:
    print("CUDA_VISIBLE_DEVICES:", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    if job in told("failing") or told_once(job):
        print(f"traunet: {job} was told to fail", file=sys.stderr)
        return cli.BAD_INPUT
    if job in told("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    while job in told("waiting"):
        time.sleep(0.05)
    workspace = cli._workspace(given)
    if sys.argv[1] == "notebook":
        execute(known(workspace), given.name)
    else:
        mark(known(workspace), given.done, STAGES.get(sys.argv[1], "runs"))
    print(f"{job} (0 s)")
    return 0


def execute(workspace: Workspace, name: str) -> None:
    """Write a notebook without cells that notes what it would be made from."""
    noted = freshness.made_from(workspace, PROJECT / "notebooks" / f"{name}.ipynb")
    notes = {"made_from": noted, "shown": chapters.shown_hash([])}
    text = json.dumps({"cells": [], "metadata": {"traunet": notes}})
    (workspace.folder / "notebooks" / f"{name}.ipynb").write_text(text)


def known(workspace: Workspace) -> Workspace:
    """The workspace, with keys that the first job computed: they take a second."""
    file = PROJECT / "keys"
    if not file.exists():
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(workspace.keys))
        part.replace(file)
    workspace.__dict__["keys"] = json.loads(file.read_text())
    return workspace


def folds(given: argparse.Namespace) -> str:
    return "".join(map(str, getattr(given, "fold", None) or ""))


def told(what: str) -> list[str]:
    file = PROJECT / what
    return file.read_text().split() if file.exists() else []


def told_once(job: str) -> bool:
    first = job in told("failing-once")
    (PROJECT / "failing-once").unlink(missing_ok=True)
    return first


def mark(workspace: Workspace, done: Path, stage: str) -> None:
    made = workspace.folder / "made" / done.name
    made.mkdir(parents=True, exist_ok=True)
    marks.write(done, workspace, stage, [made])


def finish(workspace: Workspace, groups: list[str]) -> int:
    """Write every mark of a finished book at once; `groups` of folds are trained together."""
    done, notebooks = workspace.folder / "done", workspace.folder / "notebooks"
    trained = [f"train-{variant}-{folds}" for variant in VARIANTS for folds in groups]
    for name in ("tree", "store", "trunk", *trained, "results"):
        mark(workspace, done / name, "runs" if name in trained else name)
    notebooks.mkdir(parents=True)
    for source in (PROJECT / "notebooks").glob("*.ipynb"):
        execute(workspace, source.stem)
    mark(workspace, done / "site", "results")
    return 0


if __name__ == "__main__":
    sys.exit(main())
