"""The small trunk, trained as VGGFace2 trained the paper's: on whose face it is."""

import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from traunet.config import ModelConfig, TrunkConfig
from traunet.data.store import AlignedStore
from traunet.fitting.feeding import Draws, loader
from traunet.fitting.loop import Adapter, Descent, outputs, train_epochs
from traunet.machines.machine import Machine
from traunet.model.senet import SENet
from traunet.model.tranet import Normalise
from traunet.model.weights import Normalisation, save_trunk
from traunet.records.keeping import whole
from traunet.records.provenance import code_hash, versions

# Decision: as usual for face recognition networks; neither the paper nor the weights it uses come with a recipe.
MOMENTUM, WEIGHT_DECAY, FLIP_PROBABILITY = 0.9, 0.0005, 0.5
HOLD_OUT = 4  # every fourth frame of an identity is kept aside, to see whether it is recognised


@dataclass(frozen=True)
class Pretrained:
    """A trunk file, and how well it tells faces apart."""

    path: Path
    history: pd.DataFrame  # epoch, loss, learning_rate, accuracy
    accuracy: float  # share of held-out frames whose identity is recognised; NaN if none were held out
    identities: int


class Identifier(nn.Module):
    """SENet, average pooling, one linear layer: images (B, 3, H, W), 0 to 255 -> logits (B, identities)."""

    def __init__(self, config: ModelConfig, normalisation: Normalisation, identities: int):
        super().__init__()
        self.normalise = Normalise(normalisation)
        self.trunk = SENet(config)
        self.identify = nn.Linear(self.trunk.out_channels[-1], identities)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.identify(self.trunk(self.normalise(images))[-1].mean((2, 3)))


def pretrain(
    store: AlignedStore,
    config: TrunkConfig,
    model: ModelConfig,
    out: Path,
    *,
    machine: Machine | None = None,
    progress: bool = True,
    resume: Path | None = None,
) -> Pretrained:
    """Train a trunk on the identities of a store and write it to `out`, with `.csv` and `.json` beside it.

    The trunk comes last: where it is, the others are. `resume` is a file that keeps the state after each epoch,
    and from which an unfinished training goes on. Held-out frames come from the same videos as the others, so
    their accuracy says that faces are told apart, not how well strangers would be.
    """
    machine = machine or Machine()
    machine.check_sharing(config.batch_size)
    people, identity = np.unique(store.frames["subject"].to_numpy(dtype=str), return_inverse=True)
    train, held_out = hold_out(store)
    if len(people) < 2 or not len(train):
        raise ValueError(f"{len(people)} subjects with usable frames in the store; a trunk needs at least 2 faces")
    normalisation = measured_normalisation(store)
    with torch.random.fork_rng(devices=[]), machine.limits():
        torch.manual_seed(config.seed)
        net = Identifier(model, normalisation, len(people))
        judge = _Judge(net, store, identity, held_out, machine)
        adapter = _adapter(net, store, identity, train, config, judge, machine)
        history = train_epochs(adapter, machine, "trunk" if progress else None, resume)
        result = Pretrained(Path(out), history, float(history["accuracy"].iloc[-1]), len(people))
        facts = _facts(result, store, config, model, normalisation, sum(adapter.seconds), machine.facts())
    _write(result, net.trunk, normalisation, facts)
    return result


def hold_out(store: AlignedStore) -> tuple[np.ndarray, np.ndarray]:
    """Divide the usable rows: to train on, and every fourth of each subject kept aside."""
    subjects = store.frames["subject"].iloc[store.usable]
    position = subjects.groupby(subjects).cumcount().to_numpy()
    aside = position % HOLD_OUT == HOLD_OUT - 1
    return store.usable[~aside], store.usable[aside]


def measured_normalisation(store: AlignedStore, sample: int = 256) -> Normalisation:
    """Mean of each channel and the common spread, over an even sample of the store's pictures."""
    rows = store.usable[np.linspace(0, len(store.usable) - 1, min(sample, len(store.usable))).astype(int)]
    pixels = store.images(rows).reshape(-1, 3)
    red, green, blue = (float(round(value, 2)) for value in pixels.mean(axis=0, dtype=np.float64))
    spread = float(round(pixels.std(axis=0, dtype=np.float64).mean(), 2))
    return Normalisation("RGB", (red, green, blue), max(spread, 1.0))


@dataclass(frozen=True)
class ShuffledPlan:
    """Every row once an epoch, in new order; what does not fill a batch is left for another epoch."""

    rows: np.ndarray
    batch_size: int

    def __call__(self, generator: np.random.Generator) -> Iterator[np.ndarray]:
        order, size = generator.permutation(self.rows), min(self.batch_size, len(self.rows))
        yield from (order[start : start + size] for start in range(0, len(order) - size + 1, size))


def _adapter(net, store, identity, train, config: TrunkConfig, judge, machine) -> Adapter:
    count = len(train) // min(config.batch_size, len(train))
    draws = Draws(ShuffledPlan(train, config.batch_size), count, FLIP_PROBABILITY, config.seed)
    descent = Descent(config.learning_rate, 0.0, MOMENTUM, WEIGHT_DECAY)
    batches = loader(store, identity, draws, machine)
    return Adapter(net, F.cross_entropy, descent, judge, batches, config.epochs)


class _Judge:
    """How many of the held-out frames are recognised; it remembers nothing and never stops."""

    def __init__(self, net, store, identity, held_out, machine):
        self.net, self.store, self.machine = net, store, machine
        self.identity, self.held_out = identity, held_out

    def __call__(self, epoch: int) -> tuple[dict[str, float], bool]:
        if not len(self.held_out):
            return {"accuracy": np.nan}, False
        answers = outputs(self.net, self.store, self.held_out, 64, self.machine).argmax(axis=1)
        return {"accuracy": float((answers == self.identity[self.held_out]).mean())}, False

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def _facts(result: Pretrained, store, config, model, normalisation, seconds: float, machine: dict) -> dict:
    return {
        "identities": result.identities,
        "accuracy": None if np.isnan(result.accuracy) else result.accuracy,
        "chance": 1 / result.identities,
        "trunk": asdict(config),
        "model": asdict(model),
        "normalisation": asdict(normalisation),
        "dataset": store.manifest["dataset"],
        "data_fingerprint": store.fingerprint,
        "code_hash": code_hash(["traunet.pretraining"]),
        "seconds": round(seconds, 1),
        "machine": machine,
        "versions": {"python": platform.python_version(), **versions()},
    }


def _write(result: Pretrained, trunk: SENet, normalisation: Normalisation, facts: dict) -> None:
    result.path.parent.mkdir(parents=True, exist_ok=True)
    with whole(result.path.with_suffix(".csv")) as part:
        result.history.to_csv(part, index=False)
    with whole(result.path.with_suffix(".json")) as part:
        part.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    save_trunk(result.path, {name: value.cpu() for name, value in trunk.state_dict().items()}, normalisation)
