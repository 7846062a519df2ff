"""`traunet doctor`: what is here, what is missing, what is odd; it changes nothing."""

import os
import platform
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from traunet.config import FOLDS, VARIANTS
from traunet.machines import cores
from traunet.machines.advice import advice, one_line
from traunet.records.keeping import is_fresh
from traunet.records.provenance import NOT_INSTALLED, file_sha256, versions
from traunet.workspace import PROJECT, Workspace

REMARKS = ("missing:", "odd:")
FOLDERS = {"tree": "disfa"}  # where a stage lies, if not under its own name


def examine(workspace: Workspace) -> Iterator[str]:
    """One line a finding; at the end, together, what is `missing:` and what is `odd:`, and whether it will do.

    `missing` keeps the book from being made, `odd` needs a look. Nothing that is wrong with the packages, the data
    or the weights raises. The last line begins with `fit` or `not fit`.
    """
    remarks: list[str] = []
    for part in (
        _packages(PROJECT / "requirements.lock"),
        _machine(workspace),
        _disfa(workspace),
        _weights(workspace),
        _stages(workspace),
    ):
        for line in _as_far_as_it_loads(part):
            if line.startswith(REMARKS):
                remarks.append(line)
            else:
                yield line
    yield ""
    told = sorted(dict.fromkeys(remarks), key=lambda line: REMARKS.index(line.split()[0]))
    yield from told
    yield verdict(workspace, told)


def _as_far_as_it_loads(part: Iterator[str]) -> Iterator[str]:
    """The lines of a part; a package that it needs and that is not there, or cannot be loaded, is missing."""
    try:
        yield from part
    except ImportError as error:
        yield (
            f"missing: {one_line(str(error))}; install the packages of requirements.lock anew: rm .venv/ready, "
            "and the next make does it"
        )


def verdict(workspace: Workspace, remarks: Sequence[str]) -> str:
    """Whether the profile's book can be made."""
    missing, odd = (sum(line.startswith(kind) for line in remarks) for kind in REMARKS)
    book = f"make book PROFILE={workspace.profile.name}"
    if missing:
        return f"not fit for {book}: {missing} missing, {odd} odd"
    return f"fit for {book}" + (f", but {odd} odd: look at them first" if odd else "")


def _machine(workspace: Workspace) -> Iterator[str]:
    import torch

    from traunet.machines.machine import unused_gpu

    where = next(folder for folder in (workspace.root, *workspace.root.resolve().parents) if folder.exists())
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    yield f"machine: {platform.system()} {platform.machine()}, {cores.available()} cores to use, GPU: {gpu}"
    if why := unused_gpu():
        yield f"missing: {why}"
    elif workspace.profile.name == "paper" and gpu == "none":
        yield (
            "odd: no GPU here: on a few cores the paper's 24 trainings take weeks to months; take a machine with "
            "one, or a cluster (book/machines.md), whose login nodes need none"
        )
    yield f"disk: {shutil.disk_usage(where).free / 1e9:.0f} GB free"
    yield f"Python: {platform.python_version()}"


def pins(lock: Path) -> dict[str, str]:
    """The pinned version of every package of a lock file that belongs on this machine."""
    from packaging.requirements import Requirement

    lines = [line.rstrip("\\ ") for line in lock.read_text(encoding="utf-8").splitlines() if re.match(r"\w", line)]
    wanted = [
        required for required in map(Requirement, lines) if not required.marker or required.marker.evaluate()
    ]
    return {required.name: str(required.specifier).removeprefix("==") for required in wanted}


def _packages(lock: Path) -> Iterator[str]:
    pinned = pins(lock)
    found = versions(pinned)
    installed = {name: "not installed" if here == NOT_INSTALLED else here for name, here in found.items()}
    other = [f"{name} {installed[name]} (pinned {pin})" for name, pin in pinned.items() if installed[name] != pin]
    yield f"packages: {len(installed)} pinned" + ("" if other else ", all as pinned")
    yield from (f"odd: {difference}" for difference in other)


def _disfa(workspace: Workspace) -> Iterator[str]:
    if not workspace.disfa:
        ours = "" if workspace.profile.name == "paper" else "; a synthetic one is rendered"
        yield f"DISFA: not given{ours} (data/README.md says how to get the real one)"
        return
    from traunet.checkup.tree import examine_tree

    yield ""
    yield from examine_tree(workspace.disfa, workspace.profile.train.threshold)
    yield ""


def _weights(workspace: Workspace) -> Iterator[str]:
    if not workspace.weights:
        small = "; a small trunk is trained on other synthetic heads" if workspace.profile.trunk else ""
        yield f"weights: not given{small}"
        return
    import torch

    from traunet.model.senet import SENet
    from traunet.model.weights import fit_of, misfit, read_trunk

    try:
        workspace.check_weights_file()
        read = read_trunk(workspace.weights)
    except (ValueError, OSError) as error:
        yield f"missing: {advice(error, workspace.weights, reading=True)}"
        return
    yield f"weights: {workspace.weights}, SHA-256 {file_sha256(workspace.weights)}"
    yield f"weights: {read}"
    with torch.device("meta"):
        fit = fit_of(SENet(workspace.profile.model), read.state)
    yield f"weights: {fit}" if fit.whole else f"missing: {workspace.weights}: {misfit(fit, read.state)}"


def _names(workspace: Workspace, keys: dict[str, str]) -> Iterator[str]:
    """What the networks of the tables are called; none if the frames or the trunk that name them are not there."""
    from traunet.data.store import AlignedStore
    from traunet.runstore import run_inputs, run_name

    store, trunk = workspace.folder / "store", workspace.weights or workspace.folder / "trunk" / "trunk.pt"
    if is_fresh(store, keys["store"]) and (workspace.weights or is_fresh(trunk.parent, keys["trunk"])):
        made_from = AlignedStore.open(store).fingerprint, file_sha256(trunk)
        for again in range(workspace.seeds):
            inputs = run_inputs(workspace.seeded(again), *made_from)
            yield from (run_name(variant, fold, inputs) for variant in VARIANTS for fold in FOLDS)


def _stages(workspace: Workspace) -> Iterator[str]:
    try:
        keys = workspace.keys
    except (ValueError, OSError) as error:
        yield f"missing: {advice(error, workspace.disfa or workspace.folder, reading=True)}"
        return
    made = {"tree": workspace.disfa is None, "store": True, "trunk": workspace.weights is None}
    folders = {stage: FOLDERS.get(stage, stage) for stage, ours in made.items() if ours}
    for stage, name in folders.items():
        folder = workspace.folder / name
        state = "fresh" if is_fresh(folder, keys[stage]) else "stale" if folder.exists() else "not made yet"
        yield f"{workspace.profile.name}: {stage} {state}"
    there = {path.name for path in (workspace.folder / "runs").glob("[!.]*") if path.is_dir()}
    try:
        ours = {*_names(workspace, keys)}
    except (ValueError, OSError) as error:
        yield f"missing: {advice(error, workspace.folder, reading=True)}"
        ours = set()
    others = f"; {len(there - ours)} of other data, settings, seeds or code" if there - ours else ""
    wanted = len(VARIANTS) * len(FOLDS) * workspace.seeds
    yield (
        f"{workspace.profile.name}: {len(there & ours)} of the {wanted} networks of the tables are trained{others}"
    )
    yield from _left(workspace)
    site = workspace.folder / "site" / "html" / "index.html"
    yield f"{workspace.profile.name}: " + (f"the site is at {site}" if site.exists() else "no site yet")


def _left(workspace: Workspace) -> Iterator[str]:
    """What commands keep that are at work, or that were stopped or killed, with its size."""
    folder, name = workspace.folder, workspace.profile.name
    runs = folder / "runs"
    notes = [size for place in (folder, runs) for path in place.glob(".*.unfinished*") if (size := _size(path))]
    if notes:
        yield (
            f"{name}: {len(notes)} notes of unfinished work, {sum(notes) / 1e9:.1f} GB: .*.unfinished in {folder} "
            "and runs; where nothing is at work, and none of it shall be taken up, delete them"
        )
    half = [_size(path) for place in (folder, runs, folder / "site") for path in place.glob(".*.part-*")]
    if half:
        yield (
            f"{name}: {len(half)} folders half written, {sum(half) / 1e9:.1f} GB: .*.part-* in {folder}, runs and "
            "site; where nothing is at work, they are of killed commands: delete them"
        )


def _size(path: Path) -> int:
    """Bytes of a file, or of all files within; those that a command at work removes meanwhile are left out."""
    within = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    size = 0
    for file in within if path.is_dir() else [path]:
        with suppress(FileNotFoundError):
            size += file.stat().st_size * file.is_file()
    return size
