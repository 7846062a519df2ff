"""The marks by which Snakemake knows what is finished, and why one no longer holds."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from traunet.records.keeping import KEY, digest, whole
from traunet.records.provenance import file_sha256
from traunet.records.reading import json_of
from traunet.records.sealing import broken, contents
from traunet.workspace import PROJECT, Workspace

CHANGED, GONE = "the data, settings or code have changed", "what it stands for is gone, or was edited"


def write(mark: Path, workspace: Workspace, stage: str, made: Iterable[Path]) -> None:
    """Note that a stage is finished. Equal results give equal marks, whenever they were made."""
    holds = {os.path.relpath(path, PROJECT): fingerprint(path) for path in made}
    text = json.dumps({"stage": stage, "key": workspace.keys[stage], "made": holds})
    mark.parent.mkdir(parents=True, exist_ok=True)
    with whole(mark) as part:
        part.write_text(text + "\n", encoding="utf-8")


def fingerprint(path: Path) -> str:
    """What tells one making of a result from another: equal for equal content, however long it took and where.

    A network that is trained anew under its old name may answer otherwise; then all that read it is stale.
    """
    if path.is_file():
        return file_sha256(path)
    for name, part in (("provenance.json", "files"), ("manifest.json", "fingerprint")):
        if (path / name).is_file():
            return digest(json_of(path / name)[part])
    if (path / "results.json").is_file():
        return "" if broken(path) else digest(contents(path))
    key = path / KEY
    return key.read_text(encoding="utf-8").strip() if key.is_file() else ""


def stale(workspace: Workspace) -> dict[Path, str]:
    """The marks that no longer hold, and why: what they stand for is gone, or would be made differently now."""
    marks = sorted((workspace.folder / "done").glob("[!.]*"))
    return {mark: why for mark in marks if (why := _why_stale(mark, workspace))}


def _why_stale(mark: Path, workspace: Workspace) -> str:
    """Nothing if it holds."""
    try:
        said = json_of(mark)
        made, key = {PROJECT / path: held for path, held in said["made"].items()}, said["key"]
        if workspace.keys.get(said["stage"]) != key:
            return CHANGED
        holds = all(
            _may_name(path, workspace) and path.exists() and fingerprint(path) == held
            for path, held in made.items()
        )
        return "" if holds else GONE
    except (ValueError, LookupError, TypeError, AttributeError, OSError):
        return GONE


def _may_name(made: Path, workspace: Workspace) -> bool:
    """Whether a mark may stand for this: by name, as a part of build/ may lie elsewhere, behind a link.

    A data set or weights that were given may lie anywhere.
    """
    given = [place for place in (workspace.disfa, workspace.weights) if place]
    places = [workspace.root, *given, *(place.resolve() for place in given)]
    name = Path(os.path.normpath(made))
    return any(name.is_relative_to(place.absolute()) for place in places)
