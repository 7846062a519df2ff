"""`make book`: Snakemake over the stages of a workspace, and the marks by which it knows what is finished.

A mark is a small file in `done/` that says what a stage made, from which key, and what came out. Snakemake
compares marks, so a stage that finds its result unchanged stops the work there. A mark whose result is gone or
changed, or whose key is no longer the stage's, is made again whatever Snakemake remembers, and so is a notebook
that notes other hashes than those of now: at most too much is made, never too little.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from traunet.book import freshness
from traunet.book.contents import read_settings
from traunet.config import FOLDS, VARIANTS
from traunet.given import from_home
from traunet.machines import gpus
from traunet.machines.cores import available
from traunet.machines.ending import say, tell, terminable
from traunet.machines.locking import locked
from traunet.workflow import marks, plan, pods
from traunet.workflow.status import Status
from traunet.workspace import PROJECT, Workspace

PROFILES = PROJECT / "profiles"
QUIET = ["--nocolor", "--quiet", "host", "rules", "reason"]
PLAN = ["--nocolor", "--quiet", "host", "--dry-run"]
# Snakemake on this machine alone. Else it loads every executor that is installed: those of clusters, which bring
# pandas and the client of Kubernetes, take 1.4 s, and no job here needs one; and pandas once more, to look whether
# a parameter is a table, which none of ours is.
SNAKEMAKE_HERE = """
import pkgutil, sys
sys.modules["pandas"] = None
every, executor = pkgutil.iter_modules, "snakemake_executor_plugin_"
pkgutil.iter_modules = lambda *a, **b: (one for one in every(*a, **b) if not one.name.startswith(executor))
from snakemake.cli import main
main()
"""
# All but Snakemake's own cache, which lies in a home that a node may not have, or not write to.
SHARED = ["persistence", "input-output", "software-deployment", "sources", "storage-local-copies"]
# What Snakemake says of itself; how far it is, what was made and what failed passes.
NOISE = re.compile(
    r"Assuming|Building|Using \w+|Provided cores|Rules claiming|Select jobs|Execute \d"
    r"|Finished jobid|Job stats|Get status with|Unknown job snakejob-|Job snakejob-\S+ (?:succeeded|failed)"
    r"|Complete log|Elapsed|RuleException|CalledProcess|Command 'set|WorkflowError|\[\w{3} \w{3} +\d|$"
)


class FlowError(ValueError):
    """A book that could not be made; what failed was printed before."""


def make_book(
    workspace: Workspace, cores: int | None = None, dry_run: bool = False, machines: str = "local"
) -> Path:
    """Make everything that is missing or stale, up to the site; return the site's first page.

    `machines` says on which: the name of a folder in `profiles/`, or the path of one. A step that fails does not
    stop the others; FlowError comes at the end. `cores` counts where they are this machine's.

    One at a time for each workspace. The operating system drops our lock when this process and Snakemake's have
    ended, so none is ever stale, and Snakemake's own, which can be, is not needed.
    """
    workspace.check()
    workspace.check_weights()
    profile = find_profile(machines)
    if not dry_run:
        _refuse_no_cluster(profile)
    workspace.folder.mkdir(parents=True, exist_ok=True)
    lock = locked(workspace.folder / ".make-book.lock")
    if lock is None:
        raise FlowError(
            f"{workspace.folder}: another `make book`, or the Snakemake of one that was killed, is at work there; "
            "wait for it, or stop it"
        )
    try:
        stale = _stale(workspace, profile)
        command = snakemake_command(workspace, profile, cores, stale)
        if dry_run:
            _tell_plan(workspace, command + PLAN, lock, profile, stale)
        else:
            _snakemake(workspace, command + QUIET, lock)
    finally:
        os.close(lock)
    return workspace.folder / "site" / "html" / "index.html"


def find_profile(machines: str) -> Path:
    """The folder with Snakemake's settings for these machines; ValueError if there is none."""
    known = sorted(path.parent.name for path in PROFILES.glob("*/config.yaml"))
    found = PROFILES / machines if machines in known else from_home(machines).resolve()
    if not (found / "config.yaml").is_file():
        raise ValueError(
            f"unknown machines {machines!r}: choose one of {', '.join(known)}, or name a folder "
            "with a config.yaml of your own, a changed copy of one in profiles/"
        )
    return found


def _refuse_no_cluster(profile: Path) -> None:
    """Raise FlowError for the machines of a profile if this is no place to ask for them."""
    executor = _executor(profile)
    if executor == "slurm" and not shutil.which("sbatch"):
        raise FlowError("Slurm's sbatch is not here; say this on a login node, or leave MACHINES out")
    told = os.environ.get("KUBERNETES_SERVICE_HOST") or os.environ.get("KUBECONFIG")
    if executor == "kubernetes" and not told and not Path("~/.kube/config").expanduser().is_file():
        raise FlowError("no Kubernetes cluster is known here; set KUBECONFIG, or say this in the pod of head.yaml")


def is_local(profile: Path) -> bool:
    """Whether a profile's jobs run on this machine."""
    return _executor(profile) == "local"


def _executor(profile: Path) -> str:
    return read_settings(profile / "config.yaml").get("executor", "local")


def fold_groups(profile: str, cluster: bool) -> list[str]:
    """The folds that one training job does one after another: each its own, or all.

    On this machine the small settings train all folds of a variant in one process, since starting torch and
    Lightning takes as long as an epoch.
    """
    folds = [str(fold) for fold in FOLDS]
    return folds if cluster or profile == "paper" else ["".join(folds)]


def trainings(groups: list[str], seeds: int) -> list[str]:
    """How the marks of a variant's trainings end: `123`, and from other seeds `123-again1` and so on."""
    return groups + [f"{group}-again{number}" for number in range(1, seeds) for group in groups]


def training_options(ending: str) -> list[str]:
    """What `traunet train` is told of the folds and the seed of a mark that ends like this."""
    folds, _, again = ending.partition("-again")
    return ["--fold", *folds, *(["--again", again] if again else [])]


def _is_wanted(mark: Path, endings: list[str]) -> bool:
    """Not one of a variant that is gone, of folds divided otherwise or of more seeds: nothing asks for it here."""
    stage, *of = mark.name.split("-", 2)
    return stage != "train" or (len(of) == 2 and of[0] in VARIANTS and of[1] in endings)


def snakemake_command(workspace: Workspace, profile: Path, cores: int | None, stale: Iterable[Path] = ()) -> list:
    """What starts Snakemake for a workspace, on the machines of a profile, with these marks to be made again."""
    start = ["-c", SNAKEMAKE_HERE] if is_local(profile) else ["-m", "snakemake"]
    command = [sys.executable, *start, "--snakefile", PROJECT / "Snakefile", "--directory", PROJECT]
    # Ours, and no other that this user has for other workflows.
    command += ["--profile", profile, "--workflow-profile", "none"]
    if is_local(profile):
        # Snakemake's `all` would be those of the machine, whatever share of them a container grants.
        command += ["--cores", str(cores or available()), "--resources", f"gpu={len(gpus.here())}"]
    else:
        command += ["--precommand", f"cd {shlex.quote(str(PROJECT))}"]  # a pod starts in an empty folder
    command += ["--shared-fs-usage", *SHARED]
    # Not `code`: another wording of a shell command makes no other result; the keys are among the params.
    command += ["--rerun-triggers", "mtime", "params", "input"]
    command += ["--nolock", "--rerun-incomplete", "--keep-going"]
    command += ["--config", f"profile={workspace.profile.name}", *_config(workspace)]
    forced = [os.path.relpath(path, PROJECT) for path in stale]
    return command + (["--forcerun", *forced] if forced else [])


def _stale(workspace: Workspace, profile: Path) -> dict[Path, str]:
    """The marks and executed notebooks that must be made again on these machines, and why."""
    groups = fold_groups(workspace.profile.name, cluster=not is_local(profile))
    endings = trainings(groups, workspace.seeds)
    found = {mark: why for mark, why in marks.stale(workspace).items() if _is_wanted(mark, endings)}
    return found | freshness.stale(workspace)


def _tell_plan(workspace: Workspace, command: list, lock: int, profile: Path, stale: dict[Path, str]) -> None:
    """What Snakemake would do; all that it says if it cannot tell."""
    said: list[str] = []
    try:
        _snakemake(workspace, command, lock, said.append)
    except FlowError:
        tell("\n".join(said))
        raise
    reasons = {path.stem: why for path, why in stale.items()}
    tell("\n".join(plan.table(said, reasons, cluster=not is_local(profile))))


def _config(workspace: Workspace) -> list[str]:
    """The workspace for jobs elsewhere, which have an environment of their own; any path, in plain letters."""
    given = {name.removeprefix("TRAUNET_").lower(): path for name, path in workspace.environment.items()}
    return [f"{name}={quote(path)}" for name, path in given.items()]


def _snakemake(
    workspace: Workspace, command: list, lock: int, tell: Callable[[str], object] | None = None
) -> None:
    environment = {**os.environ, **workspace.environment}
    with Status(workspace.folder / "logs") as status, _stoppable(command, environment, lock) as process:
        assert process.stdout
        for line in process.stdout:
            if not NOISE.match(line):
                (tell or status.say)(line.rstrip("\n"))
    if process.returncode:
        raise FlowError(
            f"the book was not finished; the failed step and its log are above and in {workspace.folder / 'logs'}"
        )


@contextmanager
def _hearing_interrupts() -> Iterator[None]:
    """For what is started here: what a script starts in the background ignores SIGINT, and so would all below it.

    Nothing could stop it. Not by a `preexec_fn`: between fork and exec it can wait forever for another thread.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, lambda *_: None)  # a new program hears again what is not ignored
    try:
        yield
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _stoppable(command: list, environment: dict[str, str], lock: int) -> Iterator[subprocess.Popen]:
    """A process with all that it starts in a group, which Ctrl-C, TERM or a lost terminal stops as one.

    It shares the lock, for the case that this process is killed and it is not.
    """
    with terminable():
        with _hearing_interrupts():
            process = subprocess.Popen(
                command,
                env=environment,
                encoding="utf-8",
                errors="replace",
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
            )
        try:
            yield process
            process.wait()
        except BaseException:  # Ctrl-C, being terminated, or nobody reads any more what is said
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is impatient must not leave it alone at work
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            rest, _ = process.communicate()
            for line in (rest or "").splitlines():
                if pods.LEFT in line:
                    say(line)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise
