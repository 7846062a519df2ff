"""Training as section 4.1 describes it: the loss, the sampling, and which epoch is taken."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from traunet import metrics
from traunet.config import VARIANTS, Profile, TrainConfig, named
from traunet.data import folds
from traunet.data.folds import Split
from traunet.data.store import AlignedStore
from traunet.facs import REGION_AUS
from traunet.fitting.feeding import Draws, loader
from traunet.fitting.loop import Adapter, Descent, outputs, train_epochs
from traunet.fitting.resident import ResidentStore, answered_at_once, resident
from traunet.machines.machine import Machine
from traunet.model.tranet import build_on_trunk
from traunet.model.weights import Normalisation

REGION_SIZES = [len(aus) for aus in REGION_AUS.values()]  # the columns of a branch stand together in `AUS`


def branch_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sum the branches' losses: logits and labels (B, A) -> a scalar.

    "Multilabel binary cross-entropy was used as the loss function, and losses from the upper branch, middle
    branch, and lower branch were summed as the final loss for backpropagation." (section 4.1)

    Decision: a branch's loss is the mean over its AUs and the batch, as torch's own loss has it, so that a branch
    of two AUs weighs as much as one of three. Variants without branches are trained with the same loss: rows of
    Table 2 then differ by their network alone. The sum over AUs would weigh each AU the same instead.
    """
    losses = F.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return torch.stack([part.mean() for part in losses.split(REGION_SIZES, dim=1)]).sum()


@dataclass(frozen=True)
class WeightedPlan:
    """Draws an epoch's batches with replacement, each row with its probability.

    "For each batch, 64 frames were randomly selected from the training set, and 1 epoch contained 100 batches."
    (section 4.1)

    Decision: each frame is drawn apart from all others, so that one may come twice, even in a batch; "randomly
    selected" leaves that open. The alternative draws without replacement, from a batch or from an epoch.
    """

    rows: np.ndarray
    weights: np.ndarray
    config: TrainConfig

    def __call__(self, generator: np.random.Generator) -> np.ndarray:
        shape = (self.config.batches_per_epoch, self.config.batch_size)
        return generator.choice(self.rows, size=shape, p=self.weights)


def thinned(frames: pd.DataFrame, rows: np.ndarray, stride: int) -> np.ndarray:
    """Keep every stride-th of each subject's rows, its first among them."""
    position = frames["subject"].iloc[rows].groupby(frames["subject"].iloc[rows]).cumcount().to_numpy()
    return rows[position % stride == 0]


def mean_f1(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean F1 of the AUs that have one, by the 0/0 rule of `metrics`: two (N, A) arrays -> a share, or NaN."""
    return float(metrics.mean(metrics.f1(metrics.count(labels, probabilities >= metrics.CUT))))


@dataclass
class Selection:
    """The best epoch so far, and whether waiting for a better one still pays.

    "I started to evaluate the performance on the test set at the end of every epoch when the model was close to
    convergence, and stop training when the performance did not increase after 10 epochs." (section 4.1)

    Decision: the network of the best epoch is taken, the earlier of two equals; the other reading is the last.
    Decision: "performance" is the mean F1 over AUs; accuracy or the loss are the other readings.
    """

    patience: int
    best: float = -np.inf
    epoch: int = 0
    state: dict[str, torch.Tensor] = field(default_factory=dict)

    def offer(self, epoch: int, score: float, net: nn.Module) -> bool:
        """Note an evaluated epoch; return whether to stop. An undefined score counts as 0."""
        score = float(np.nan_to_num(score))
        if score > self.best:
            self.best, self.epoch = score, epoch
            self.state = {name: value.detach().cpu().clone() for name, value in net.state_dict().items()}
        return epoch - self.epoch >= self.patience


@dataclass(frozen=True)
class TrainResult:
    """A trained network's weights, and how they came about."""

    history: pd.DataFrame  # epoch, loss, learning_rate, f1_held_out, f1_test
    state_dict: dict[str, torch.Tensor]  # of the chosen epoch
    chosen_epoch: int
    selected_on: str  # "held-out subjects" or "test fold"
    seconds: list[float]  # of each epoch, with its evaluation; here and not in the history, which is repeatable
    sittings: list[int]  # after which epochs it was taken up again, having been stopped


def predict(
    net: nn.Module,
    store: AlignedStore | ResidentStore,
    rows: np.ndarray,
    batch_size: int | None = None,
    machine: Machine | None = None,
) -> np.ndarray:
    """Probabilities of the eight AUs on rows of the store, in `facs.AUS` order: (N, A) float32.

    `batch_size` is how many pictures pass through at a time; None: as many as go best.
    """
    machine = machine or Machine()
    batch_size = batch_size or answered_at_once(store)
    logits = outputs(net, store, np.asarray(rows), batch_size, machine)
    return torch.sigmoid(torch.from_numpy(logits)).numpy()


def fit(
    net: nn.Module,
    store: AlignedStore | ResidentStore,
    split: Split,
    config: TrainConfig,
    *,
    machine: Machine | None = None,
    progress: str | None = "training",
    resume: Path | None = None,
) -> TrainResult:
    """Train a network on a split's training rows and choose the epoch.

    Equal seeds give equal weights on the same kind of machine: the batches and flips of an epoch come from one
    generator, and two networks trained with one seed see the same frames. The net itself is left as the last epoch
    made it. `resume` is a file that keeps the state after each epoch, and from which an unfinished training goes
    on.

    Decision: the epoch is chosen on held-out training subjects where the split has some; both scores are noted.
    The alternative, which is the paper's and taken where no subject is held out, chooses on the test fold.
    """
    machine = machine or Machine()
    machine.check_sharing(config.batch_size)
    labels = folds.labels(store.frames, config.threshold)
    judge = _Judge(net, store, split, config, labels, machine)
    plan = WeightedPlan(split.train, folds.sampling_weights(labels[split.train]), config)
    draws = Draws(plan, config.batches_per_epoch, config.flip_probability, config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        batches = loader(store, labels.astype(np.float32), draws, machine)
        adapter = Adapter(net, branch_loss, _descent(config), judge, batches, config.max_epochs)
        history = train_epochs(adapter, machine, progress, resume)
    chosen = judge.selection
    return TrainResult(history, chosen.state, chosen.epoch, judge.selected_on, adapter.seconds, adapter.sittings)


def _descent(config: TrainConfig) -> Descent:
    return Descent(*config.rates, config.momentum, config.weight_decay)


class _Judge:
    """Scores the network after an epoch: on the held-out subjects, if any, and on the test fold."""

    def __init__(self, net, store, split, config, labels, machine):
        self.net, self.store, self.config, self.machine = net, store, config, machine
        self.labels, self.selection = labels, Selection(config.patience)
        parts = {"f1_held_out": split.held_out, "f1_test": split.test}
        self.parts = {name: thinned(store.frames, rows, config.evaluation_stride) for name, rows in parts.items()}
        self.column = "f1_held_out" if len(split.held_out) else "f1_test"
        self.selected_on = "held-out subjects" if len(split.held_out) else "test fold"

    def __call__(self, epoch: int) -> tuple[dict[str, float], bool]:
        if epoch < min(self.config.first_evaluation, self.config.max_epochs):
            return dict.fromkeys(self.parts, np.nan), False
        scores = {name: self._score(rows) for name, rows in self.parts.items()}
        return scores, self.selection.offer(epoch, scores[self.column], self.net)

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self.selection, name) for name in ("best", "epoch", "state")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.selection = Selection(self.config.patience, **state)

    def _score(self, rows: np.ndarray) -> float:
        if not len(rows):
            return np.nan
        return mean_f1(self.labels[rows], predict(self.net, self.store, rows, machine=self.machine))


@dataclass(frozen=True)
class Trained:
    """One trained variant on one fold: all that a run writes down."""

    split: Split
    normalisation: Normalisation
    result: TrainResult
    probabilities: np.ndarray  # of the rows split.test, (N, A)
    machine: dict[str, Any]  # what it was computed on


def train(
    store: AlignedStore,
    trunk_path: Path,
    profile: Profile,
    variant: str,
    fold: int,
    *,
    machine: Machine | None = None,
    progress: bool = True,
    resume: Path | None = None,
) -> Trained:
    """Train a variant on a fold from the seed on, and predict every usable frame of the test fold.

    Predictions are made on one device, so that none is counted twice. `resume`: see `fit`.
    """
    named("variant", variant, VARIANTS)
    machine, config = machine or Machine(), profile.train
    split = folds.split(store.frames, fold, config.held_out_subjects, config.threshold)
    with torch.random.fork_rng(devices=[]), machine.limits():
        torch.manual_seed(config.seed)
        net, normalisation = build_on_trunk(variant, profile.model, profile.align, trunk_path)
        label = f"{variant}, fold {fold}" if progress else None
        frames = resident(store, machine, progress)
        result = fit(net, frames, split, config, machine=machine, progress=label, resume=resume)
        net.load_state_dict(result.state_dict)
        probabilities = predict(net, frames, split.test, machine=machine)
        return Trained(split, normalisation, result, probabilities, machine.facts())
