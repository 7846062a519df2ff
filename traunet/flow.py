"""`make book`: Snakemake over the stages of a workspace, and the marks by which it knows what is finished.

A mark is a small file in `done/` that says what a stage made and from which key. Snakemake compares marks, so a
stage that finds its result unchanged stops the work there. A mark whose result is gone, or whose key is no longer
the stage's, is made again whatever Snakemake remembers: at most too much is made, never too little.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from traunet.status import Status
from traunet.workspace import PROJECT, Workspace

# One core each, unless a job says otherwise: libraries that start a thread per core fight over them.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
QUIET = ["--nocolor", "--quiet", "host", "rules", "reason"]
# What Snakemake says of itself; how far it is, what was made and what failed passes.
NOISE = re.compile(
    r"Assuming|Building|Using shell|Provided cores|Rules claiming|Select jobs|Execute \d|Finished jobid|Job stats"
    r"|Complete log|Elapsed|RuleException|CalledProcess|Command 'set|WorkflowError|\[\w{3} \w{3} +\d|$"
)


class FlowError(ValueError):
    """A book that could not be made; what failed was printed before."""


def write_mark(mark: Path, workspace: Workspace, stage: str, made: Iterable[Path]) -> None:
    """Note that a stage is finished. Equal results give equal marks, whenever they were made."""
    paths = [os.path.relpath(path, PROJECT) for path in made]
    text = json.dumps({"stage": stage, "key": workspace.keys[stage], "made": paths})
    mark.parent.mkdir(parents=True, exist_ok=True)
    part = mark.with_name(f".{mark.name}.part")
    part.write_text(text + "\n")
    part.replace(mark)


def stale_marks(workspace: Workspace) -> list[Path]:
    """The marks that no longer hold: what they stand for is gone, or would be made differently now."""
    marks = sorted((workspace.folder / "done").glob("[!.]*"))
    return [mark for mark in marks if not _holds(mark, workspace)]


def _holds(mark: Path, workspace: Workspace) -> bool:
    try:
        said = json.loads(mark.read_text())
        made, key = [PROJECT / path for path in said["made"]], said["key"]
    except (ValueError, KeyError):
        return False
    return workspace.keys.get(said["stage"]) == key and all(path.exists() for path in made)


def make_book(workspace: Workspace, cores: int | None = None, dry_run: bool = False) -> Path:
    """Make everything that is missing or stale, up to the site; return the site's first page.

    One at a time for each workspace. The operating system drops our lock when the process dies, so none is ever
    stale, and Snakemake's own, which can be, is not needed.
    """
    workspace.check()
    workspace.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(workspace.folder / ".make-book.lock", timeout=0):
            _snakemake(workspace, cores, dry_run)
    except Timeout:
        raise FlowError(
            f"{workspace.folder}: another `make book` is at work there; wait for it, or stop it"
        ) from None
    return workspace.folder / "site" / "html" / "index.html"


def _snakemake(workspace: Workspace, cores: int | None, dry_run: bool) -> None:
    command = [sys.executable, "-m", "snakemake", "--snakefile", PROJECT / "Snakefile", "--directory", PROJECT]
    command += ["--cores", str(cores or "all"), "--config", f"profile={workspace.profile.name}"]
    # Not `code`: another wording of a shell command makes no other result; the keys are among the params.
    command += ["--rerun-triggers", "mtime", "params", "input"]
    command += ["--nolock", "--rerun-incomplete", *(["--dry-run"] if dry_run else QUIET)]
    stale = [os.path.relpath(mark, PROJECT) for mark in stale_marks(workspace)]
    command += ["--forcerun", *stale] if stale else []
    environment = {**os.environ, **ONE_THREAD, **workspace.environment}
    with Status(workspace.folder / "logs") as status, _stoppable(command, environment) as process:
        assert process.stdout
        for line in process.stdout:
            if not NOISE.match(line):
                status.say(line.rstrip("\n"))
    if process.returncode:
        raise FlowError(
            f"the book was not finished; the failed step and its log are above and in {workspace.folder / 'logs'}"
        )


@contextmanager
def _stoppable(command: list, environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    """A process with all that it starts in a group of its own, which Ctrl-C or a TERM stops as one."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    process = subprocess.Popen(
        command,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
        process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate()
        raise
