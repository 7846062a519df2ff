"""The run store: a run is named by all that its result depends on; it is found or made, and never half there.

A run is a folder `<variant>-fold<k>-<12 hex digits>` with `config.json`, `checkpoint.pt`, `history.csv`,
`predictions.parquet` and `provenance.json`. Reading one needs no torch; making one imports it then.
"""

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from filelock import FileLock

from traunet.config import FOLDS, VARIANTS, AlignConfig, ModelConfig, Profile, TrainConfig, canonical_json, named
from traunet.facs import AUS
from traunet.provenance import NUMERIC_PACKAGES, code_hash, file_sha256, versions

if TYPE_CHECKING:
    from traunet.data.store import AlignedStore
    from traunet.machine import Machine
    from traunet.training import Trained

FILES = ("config.json", "checkpoint.pt", "history.csv", "predictions.parquet")
TRAINING_CODE = ("traunet.training",)
ADVICE = "delete the folder, and `traunet train` makes it again; or copy it again, if it came from elsewhere"


Settings = TypeVar("Settings", AlignConfig, ModelConfig, TrainConfig)


class DamagedRunError(ValueError):
    """A run's folder that lacks a file, or holds one that was changed."""


@dataclass(frozen=True)
class Run:
    """A run as it lies on disk."""

    path: Path
    config: dict[str, Any]
    provenance: dict[str, Any]

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Open a run; raise FileNotFoundError or DamagedRunError, which say what to do."""
        path = Path(path)
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: there is no such run; `traunet train` makes it")
        if not any((path / name).exists() for name in (*FILES, "provenance.json")):
            raise FileNotFoundError(f"{path}: is no run; give a folder such as build/demo/runs/tranet-fold1-…")
        provenance = _json(path / "provenance.json", path)
        for name in FILES:
            _check(path, name, provenance.get("files", {}).get(name))
        run = cls(path, _json(path / "config.json", path), provenance)
        _refuse_other_version(run)
        return run

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def variant(self) -> str:
        return self.config["variant"]

    @property
    def fold(self) -> int:
        return self.config["fold"]

    @property
    def code(self) -> str:
        """The hash of the library's source with which it was trained."""
        return self.provenance["code_hash"]

    @property
    def align(self) -> AlignConfig:
        return self._settings(AlignConfig, "align")

    @property
    def model(self) -> ModelConfig:
        return self._settings(ModelConfig, "model")

    @property
    def train(self) -> TrainConfig:
        return self._settings(TrainConfig, "train")

    def _settings(self, kind: type[Settings], part: str) -> Settings:
        try:
            return kind(**_tuples(self.config[part]))
        except (KeyError, TypeError) as error:
            raise DamagedRunError(
                f"{self.path / 'config.json'}: written by another version of this library ({error}); use that "
                "version, or delete the folder and train anew"
            ) from error

    @property
    def normalisation(self) -> dict[str, Any]:
        """The keyword arguments of `model.weights.Normalisation`."""
        return _tuples(self.config["normalisation"])

    @property
    def checkpoint(self) -> Path:
        """The state dict of the chosen epoch: `torch.load(run.checkpoint, weights_only=True)`."""
        return self.path / "checkpoint.pt"

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch: epoch, loss, learning_rate, f1_held_out, f1_test."""
        return pd.read_csv(self.path / "history.csv")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row for each test frame and AU: subject, frame, fold, AU, intensity, probability."""
        return pd.read_parquet(self.path / "predictions.parquet")


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

        options = {"machine": machine, "progress": progress, "resume": unfinished}
        trained = train(store, trunk_path, profile, variant, fold, **options)
        write_run(folder, trained, store, profile, variant, fold, inputs)

    name = run_name(variant, fold, inputs)
    unfinished = Path(root) / f".{name}.unfinished"
    run = Run.open(find_or_make(Path(root), name, make))
    unfinished.unlink(missing_ok=True)
    return run


def run_inputs(profile: Profile, data: str, trunk: str) -> dict[str, Any]:
    """All that a run's numbers depend on beside its variant and fold; the profile's name is not among them."""
    settings = {part: json.loads(canonical_json(getattr(profile, part))) for part in ("align", "model", "train")}
    # config.py's values are here already: hashing its text too would retrain for a reworded comment.
    return {**settings, "data": data, "trunk": trunk, "code": _training_code(), "packages": versions()}


@cache
def _training_code() -> str:
    """Once a process, which knows no other code than what it loaded: to open all runs asks for it 24 times."""
    return code_hash(TRAINING_CODE, without=["traunet.config"])


def run_name(variant: str, fold: int, inputs: dict[str, Any]) -> str:
    """`<variant>-fold<k>-<12 hex digits>`: equal inputs, equal name."""
    text = json.dumps({"variant": variant, "fold": fold, **inputs}, sort_keys=True)
    return f"{variant}-fold{fold}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def find_or_make(root: Path, name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder `root/name`; if it is missing, let `make` fill an empty one and then put it in place.

    Two processes that ask at once make it once: the second waits. What fails or is killed leaves nothing under the
    name, and the next to ask sweeps up.
    """
    target = root / name
    if target.exists():
        return target
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{name}.lock"):
        if not target.exists():
            _make_in_place(target, make)
    return target


def _make_in_place(target: Path, make: Callable[[Path], None]) -> None:
    for leftover in target.parent.glob(f".{target.name}.part-*"):
        shutil.rmtree(leftover)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
    try:
        make(part)
        part.chmod(0o755)
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def write_run(
    folder: Path,
    trained: "Trained",
    store: "AlignedStore",
    profile: Profile,
    variant: str,
    fold: int,
    inputs: dict,
) -> None:
    """Write a run's five files; the provenance comes last, with the others' hashes."""
    import torch

    settings = {part: inputs[part] for part in ("align", "model", "train")}
    normalisation = asdict(trained.normalisation)
    config = {
        "variant": variant,
        "fold": fold,
        "profile": profile.name,
        **settings,
        "normalisation": normalisation,
    }
    _write_json(folder / "config.json", config)
    torch.save(trained.result.state_dict, folder / "checkpoint.pt")
    trained.result.history.to_csv(folder / "history.csv", index=False)
    predictions = prediction_table(store.frames, trained.split.test, fold, trained.probabilities)
    predictions.to_parquet(folder / "predictions.parquet", index=False)
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)} for name in FILES
    }
    _write_json(folder / "provenance.json", {**_provenance(trained, store, profile, inputs), "files": files})


def prediction_table(frames: pd.DataFrame, rows: np.ndarray, fold: int, probabilities: np.ndarray) -> pd.DataFrame:
    """The long table of predictions, one row for each frame and AU, from (N, A) probabilities."""
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


def _check(path: Path, name: str, expected: dict[str, Any] | None) -> None:
    """A checkpoint is large: its size is looked at, its hash is not."""
    file = path / name
    if not file.is_file():
        raise DamagedRunError(f"{path}: {name} is missing; {ADVICE}")
    same_size = expected is not None and file.stat().st_size == expected["bytes"]
    if not same_size or (name != "checkpoint.pt" and file_sha256(file) != expected["sha256"]):  # pyright: ignore
        raise DamagedRunError(f"{path}: {name} is not as it was written; {ADVICE}")


def _json(file: Path, run: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except FileNotFoundError:
        raise DamagedRunError(f"{run}: {file.name} is missing; {ADVICE}") from None
    except ValueError as error:
        raise DamagedRunError(f"{run}: {file.name} is not JSON ({error}); {ADVICE}") from None
    if not isinstance(content, dict):
        raise DamagedRunError(f"{run}: {file.name} is not as it was written; {ADVICE}")
    return content


def _refuse_other_version(run: Run) -> None:
    """Settings that this version does not know, or lacks: better said now than half-way."""
    try:
        named("variant", run.variant, VARIANTS)
        _ = run.fold, run.align, run.model, run.train, run.normalisation, run.provenance["synthetic"]
    except DamagedRunError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DamagedRunError(
            f"{run.path / 'config.json'}: written by another version of this library ({error}); use that version, "
            "or delete the folder and train anew"
        ) from None


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


def _tuples(settings: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no tuples; the frozen configurations have no lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
