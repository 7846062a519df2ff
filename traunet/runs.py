"""A run as it lies on disk, opened only if it is whole and as it was written. Reading one needs no torch.

A run is a folder `<variant>-fold<k>-<12 hex digits>` with `config.json`, `checkpoint.pt`, `history.csv`,
`predictions.parquet` and `provenance.json`; `traunet.runstore` makes it.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from traunet.config import VARIANTS, AlignConfig, ModelConfig, TrainConfig, named
from traunet.machines.advice import concerns_memory
from traunet.model.torchfiles import refuse_hidden_bulk
from traunet.records.provenance import file_sha256
from traunet.records.reading import json_of

if TYPE_CHECKING:
    import pandas as pd
    import torch

CONFIG, CHECKPOINT, HISTORY, ANSWERS = FILES = (
    "config.json",
    "checkpoint.pt",
    "history.csv",
    "predictions.parquet",
)
PROVENANCE = "provenance.json"  # notes the hashes of the others
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
    def open(cls, path: Path, answers: bool = True) -> "Run":
        """Open a run; raise FileNotFoundError or DamagedRunError, which say what to do.

        Its predictions repeat the data set's labels; without `answers` it may lack them, as one passed on may.
        """
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"{path}: there is no such run; `traunet train` makes it")
        if not any((path / name).exists() for name in (*FILES, PROVENANCE)):
            raise FileNotFoundError(f"{path}: is no run; give a folder such as build/demo/runs/tranet-fold1-…")
        provenance = _json(path / PROVENANCE, path)
        for name in FILES if answers else [name for name in FILES if name != ANSWERS]:
            # A checkpoint is large: its hash is looked at by those who read it.
            _check(path, name, provenance, content=name != CHECKPOINT)
        run = cls(path, _json(path / CONFIG, path), provenance)
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
        except (KeyError, TypeError, ValueError) as error:
            raise self.of_another_version(error) from error

    def of_another_version(self, error: Exception) -> DamagedRunError:
        """What to raise when its settings cannot be followed."""
        return DamagedRunError(
            f"{self.path / 'config.json'}: written by another version of this library ({error}); use that "
            "version, or delete the folder and train anew"
        )

    @property
    def normalisation(self) -> dict[str, Any]:
        """The keyword arguments of `model.weights.Normalisation`."""
        return _tuples(self.config["normalisation"])

    @property
    def checkpoint(self) -> Path:
        """The file of the weights; `state_dict` reads it."""
        return self.path / CHECKPOINT

    def state_dict(self) -> "dict[str, torch.Tensor]":
        """The weights of the chosen epoch, on the CPU; raise DamagedRunError if they are not as written."""
        import torch

        _check(self.path, CHECKPOINT, self.provenance, content=True)
        try:
            refuse_hidden_bulk(self.checkpoint)
            content = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        except OSError:
            raise
        except Exception as error:  # a file from elsewhere can raise nearly anything from within torch
            if concerns_memory(error):
                raise
            raise self._without_weights() from error
        if not isinstance(content, dict):
            raise self._without_weights()
        # As a plain dictionary: an ordered one's methods may have been changed by the pickle that it comes from.
        state = dict(dict.items(content))
        if not all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items()):
            raise self._without_weights()
        if sum(value.numel() * value.element_size() for value in state.values()) > self.checkpoint.stat().st_size:
            raise self._without_weights()  # some share their numbers, and would not once they are a network's
        return state

    def _without_weights(self) -> DamagedRunError:
        return DamagedRunError(f"{self.checkpoint}: does not hold weights; {ADVICE}")

    @cached_property
    def history(self) -> "pd.DataFrame":
        """One row an epoch: epoch, loss, learning_rate, f1_held_out, f1_test."""
        import pandas as pd

        return pd.read_csv(self.path / HISTORY)

    @cached_property
    def predictions(self) -> "pd.DataFrame":
        """A row for each test frame and AU: subject, frame, fold, AU, intensity, probability."""
        import pandas as pd

        return pd.read_parquet(self.path / ANSWERS)


def _check(path: Path, name: str, provenance: dict[str, Any], content: bool) -> None:
    """A file must have the size that was noted of it and, if `content` is looked at, the hash."""
    file, files = path / name, provenance.get("files")
    if not file.is_file():
        raise DamagedRunError(f"{path}: {name} is missing; {ADVICE}")
    noted = files.get(name) if isinstance(files, dict) else None
    if not isinstance(noted, dict):
        raise DamagedRunError(f"{path}: provenance.json does not say how {name} was written; {ADVICE}")
    same = file.stat().st_size == noted.get("bytes")
    if not same or (content and file_sha256(file) != noted.get("sha256")):
        raise DamagedRunError(f"{path}: {name} is not as it was written; {ADVICE}")


def _json(file: Path, run: Path) -> dict[str, Any]:
    try:
        content = json_of(file)
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
        raise run.of_another_version(error) from None


def _tuples(settings: dict[str, Any]) -> dict[str, Any]:
    """JSON knows no tuples; the frozen configurations have no lists."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
