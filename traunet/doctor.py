"""`traunet doctor`: what is here, what is missing, what is odd; it changes nothing."""

import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from traunet.config import FOLDS, VARIANTS
from traunet.keeping import is_fresh
from traunet.provenance import file_sha256
from traunet.workspace import PROJECT, Workspace

FOLDERS = {"tree": "disfa"}  # where a stage lies, if not under its own name


def examine(workspace: Workspace) -> Iterator[str]:
    """One line a finding; what needs attention begins with `odd` or `missing`."""
    yield from _machine(workspace)
    yield from _packages(PROJECT / "requirements.lock")
    yield from _disfa(workspace)
    yield from _weights(workspace)
    yield from _stages(workspace)


def _machine(workspace: Workspace) -> Iterator[str]:
    import torch

    where = next(folder for folder in (workspace.root, *workspace.root.resolve().parents) if folder.exists())
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    yield f"machine: {platform.system()} {platform.machine()}, {os.cpu_count()} cores, GPU: {gpu}"
    yield f"disk: {shutil.disk_usage(where).free / 1e9:.0f} GB free"
    yield f"Python: {platform.python_version()}"


def pins(lock: Path) -> dict[str, str]:
    """The pinned version of every package of a lock file that belongs on this machine."""
    from packaging.requirements import Requirement

    lines = [line.rstrip("\\ ") for line in lock.read_text().splitlines() if re.match(r"\w", line)]
    wanted = [
        required for required in map(Requirement, lines) if not required.marker or required.marker.evaluate()
    ]
    return {required.name: str(required.specifier).removeprefix("==") for required in wanted}


def _packages(lock: Path) -> Iterator[str]:
    installed = {name: _version(name) for name in pins(lock)}
    other = [
        f"{name} {installed[name]} (pinned {pin})" for name, pin in pins(lock).items() if installed[name] != pin
    ]
    yield f"packages: {len(installed)} pinned" + ("" if other else ", all as pinned")
    yield from (f"odd: {difference}" for difference in other)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _disfa(workspace: Workspace) -> Iterator[str]:
    from traunet.data.disfa import read_tree

    if not workspace.disfa:
        yield "DISFA: not given; a synthetic one is rendered (data/README.md says how to get the real one)"
        return
    tree = read_tree(workspace.disfa)
    counts = tree.report().loc["all"]
    yield f"DISFA: {tree.dataset} with {len(tree.subjects)} subjects at {workspace.disfa}"
    yield from (f"DISFA: {count} {reason}" for reason, count in counts.items())
    yield from (f"odd: {note}" for note in tree.notes)


def _weights(workspace: Workspace) -> Iterator[str]:
    from traunet.model.weights import load_trunk

    if not workspace.weights:
        yield "weights: not given; a small trunk is trained on other synthetic heads"
        return
    state, normalisation = load_trunk(workspace.weights)
    yield f"weights: {workspace.weights}, SHA-256 {file_sha256(workspace.weights)}"
    yield f"weights: {len(state)} tensors; input {normalisation.channel_order}, mean {normalisation.mean}"


def _stages(workspace: Workspace) -> Iterator[str]:
    try:
        workspace.check()
    except (ValueError, OSError) as error:
        yield f"missing: {error}"
        return
    made = {"tree": workspace.disfa is None, "store": True, "trunk": workspace.weights is None}
    folders = {stage: FOLDERS.get(stage, stage) for stage, ours in made.items() if ours}
    for stage, name in folders.items():
        folder = workspace.folder / name
        state = (
            "fresh" if is_fresh(folder, workspace.keys[stage]) else "stale" if folder.exists() else "not made yet"
        )
        yield f"{workspace.profile.name}: {stage} {state}"
    runs = [path for path in (workspace.folder / "runs").glob("[!.]*") if path.is_dir()]
    yield f"{workspace.profile.name}: {len(runs)} runs on disk; the book needs {len(VARIANTS) * len(FOLDS)}"
    site = workspace.folder / "site" / "html" / "index.html"
    yield f"{workspace.profile.name}: " + (f"the site is at {site}" if site.exists() else "no site yet")
