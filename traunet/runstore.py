"""The run store: a run is named by all that its result depends on; it is found or made, and never half there.

Only making a run imports torch, and pandas.
"""

import json
import platform
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from traunet.config import FOLDS, VARIANTS, Profile, canonical_json, named
from traunet.facs import AUS
from traunet.records.keeping import digest, made_once, removed
from traunet.records.provenance import NUMERIC_PACKAGES, file_sha256, versions
from traunet.records.sources import code_hash, packages, refuse_edited
from traunet.runs import ANSWERS, CHECKPOINT, CONFIG, FILES, HISTORY, PROVENANCE, Run

if TYPE_CHECKING:
    import pandas as pd

    from traunet.data.store import AlignedStore
    from traunet.machines.machine import Machine
    from traunet.training import Trained

TRAINING_CODE = ("traunet.training",)


def train_run(
    store: "AlignedStore",
    trunk_path: Path,
    profile: Profile,
    variant: str,
    fold: int,
    root: Path,
    *,
    machine: "Machine | None" = None,
    progress: bool = True,
) -> Run:
    """Find the run of this variant, fold, settings, data, trunk and code below `root`, or make it.

    A training that was killed goes on after its last whole epoch, and ends as it would have ended.
    """
    named("variant", variant, VARIANTS)
    if fold not in FOLDS:
        raise ValueError(f"unknown fold {fold!r}; choose one of: {', '.join(map(str, FOLDS))}")
    inputs = run_inputs(profile, store.fingerprint, file_sha256(trunk_path))

    def make(folder: Path) -> None:
        from traunet.training import train

        refuse_edited(*TRAINING_CODE)
        options = {"machine": machine, "progress": progress, "resume": unfinished}
        trained = train(store, trunk_path, profile, variant, fold, **options)
        write_run(folder, trained, store, profile, variant, fold, inputs)

    name = run_name(variant, fold, inputs)
    unfinished = Path(root) / f".{name}.unfinished"
    run = Run.open(made_once(Path(root) / name, make))
    removed(unfinished)
    return run


def run_inputs(profile: Profile, data: str, trunk: str) -> dict[str, Any]:
    """All that a run's numbers depend on beside its variant and fold; the profile's name is not among them."""
    settings = {part: json.loads(canonical_json(getattr(profile, part))) for part in ("align", "model", "train")}
    # config.py counts by these values; its text is not in the hash of the code.
    return {**settings, "data": data, "trunk": trunk, "code": _training_code(), "packages": packages()}


@cache
def _training_code() -> str:
    """Once a process, which makes nothing when it was edited since: to open all runs asks for it 24 times."""
    return code_hash(*TRAINING_CODE)


def run_name(variant: str, fold: int, inputs: dict[str, Any]) -> str:
    """`<variant>-fold<k>-<12 hex digits>`: equal inputs, equal name."""
    return f"{variant}-fold{fold}-{digest({'variant': variant, 'fold': fold, **inputs})[:12]}"


def write_run(
    folder: Path,
    trained: "Trained",
    store: "AlignedStore",
    profile: Profile,
    variant: str,
    fold: int,
    inputs: dict,
) -> None:
    """Write a run's five files into a new folder; the provenance comes last, with the others' hashes."""
    import torch

    folder.mkdir()
    settings = {part: inputs[part] for part in ("align", "model", "train")}
    normalisation = asdict(trained.normalisation)
    config = {
        "variant": variant,
        "fold": fold,
        "profile": profile.name,
        **settings,
        "normalisation": normalisation,
    }
    _write_json(folder / CONFIG, config)
    torch.save(trained.result.state_dict, folder / CHECKPOINT)
    trained.result.history.to_csv(folder / HISTORY, index=False)
    predictions = prediction_table(store.frames, trained.split.test, fold, trained.probabilities)
    predictions.to_parquet(folder / ANSWERS, index=False)
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)} for name in FILES
    }
    _write_json(folder / PROVENANCE, {**_provenance(trained, store, profile, inputs), "files": files})


def prediction_table(
    frames: "pd.DataFrame", rows: np.ndarray, fold: int, probabilities: np.ndarray
) -> "pd.DataFrame":
    """The long table of predictions, one row for each frame and AU, from (N, A) probabilities."""
    import pandas as pd

    shown = frames.iloc[np.repeat(rows, len(AUS))]
    table = {
        "subject": shown["subject"].to_numpy(),
        "frame": shown["frame"].to_numpy(),
        "fold": np.int8(fold),
        "AU": np.tile(np.array(AUS), len(rows)),
        "intensity": frames[list(AUS)].to_numpy()[rows].ravel().astype(np.int8),
        "probability": probabilities.ravel().astype(np.float32),
    }
    return pd.DataFrame(table)


def _provenance(trained: "Trained", store: "AlignedStore", profile: Profile, inputs: dict) -> dict[str, Any]:
    result, frames = trained.result, store.frames
    parts = {name: getattr(trained.split, name) for name in ("train", "held_out", "test")}
    return {
        "profile": profile.name,
        "dataset": store.manifest["dataset"],
        "synthetic": store.manifest["synthetic"],
        "data_fingerprint": inputs["data"],
        "trunk_sha256": inputs["trunk"],
        "code_hash": inputs["code"],
        "chosen_epoch": result.chosen_epoch,
        "selected_on": result.selected_on,
        "subjects": {name: sorted(set(frames["subject"].iloc[rows])) for name, rows in parts.items()},
        "frames": {name: len(rows) for name, rows in parts.items()},
        "seconds": round(sum(result.seconds), 1),
        "seconds_of_epochs": [round(seconds, 3) for seconds in result.seconds],
        "taken_up_after_epochs": result.sittings,
        "machine": trained.machine,
        "versions": {"python": platform.python_version(), **versions((*NUMERIC_PACKAGES, "pandas", "pyarrow"))},
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
