"""The thin Lightning adapter: frames of a store pass through a network, epoch by epoch.

Lightning turns the crank. What is the paper's (loss, sampling, selection) stands elsewhere and is handed in.
How far a training has come is written down after every epoch, so that a kill costs an epoch at most; the next to
train the same goes on from there, and ends where it would have ended: on a CPU bit for bit, on a GPU to rounding.
"""

import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from traunet.data.store import AlignedStore
from traunet.fitting import unfinished
from traunet.fitting.crank import hush, turn
from traunet.fitting.feeding import loader
from traunet.fitting.resident import ResidentStore
from traunet.fitting.sharing import gathered, place, share_batch_norm
from traunet.machines.acceleration import autocast, placed
from traunet.machines.machine import Machine


class Judge(Protocol):
    """Looks at the network after an epoch, and remembers what it has seen."""

    def __call__(self, epoch: int) -> tuple[dict[str, float], bool]:
        """The scores to note, and whether to stop."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What it remembers: tensors, numbers and text."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Remember that again."""
        ...


def outputs(
    net: nn.Module, store: AlignedStore | ResidentStore, rows: np.ndarray, batch_size: int, machine: Machine
) -> np.ndarray:
    """What the network says of each row, in their order, in evaluation mode: (N, ...) float32.

    The network stays on the machine's device and is left in the mode in which it came. Processes that train
    together divide the rows, and each gets all answers.
    """
    rank, count = place()
    if len(rows) < count:
        return _outputs(net, store, rows, batch_size, machine)
    return gathered(_outputs(net, store, rows[rank::count], batch_size, machine))


def _outputs(net, store, rows, batch_size, machine) -> np.ndarray:
    device, training = machine.torch_device(), net.training
    placed(net, device).eval()  # not in inference mode: weights that are laid out there cannot be trained again
    chunks = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    draws = [(chunk, np.zeros(len(chunk), dtype=bool)) for chunk in chunks]
    try:
        batches = loader(store, np.zeros(len(store), dtype=np.float32), draws, machine)
        with torch.inference_mode(), autocast(device):
            answers = [net(images.to(device, non_blocking=True)).float().cpu().numpy() for images, _ in batches]
        return np.concatenate(answers)
    finally:
        net.train(training)


@dataclass(frozen=True)
class Descent:
    """Stochastic gradient descent, its rate falling from the first to the last along a cosine, batch by batch."""

    learning_rate: float
    final_learning_rate: float
    momentum: float
    weight_decay: float

    def optimizer(self, net: nn.Module) -> torch.optim.Optimizer:
        """For the parameters that are not frozen."""
        trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
        return torch.optim.SGD(
            trained, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay, fused=True
        )

    def scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        """Equal first and final rates give a constant one."""
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1), self.final_learning_rate)


class Progress:
    """A bar on a terminal; elsewhere, such as in a log, one plain line an epoch. Both go to standard error."""

    def __init__(self, label: str, done: int, epochs: int, batches: int):
        self.label, self.epochs = label, epochs
        before, total = done * batches, epochs * batches
        terminal = sys.stderr.isatty()
        self.bar = tqdm(desc=label, unit="batch", initial=before, total=total) if terminal else None

    def batch(self) -> None:
        if self.bar is not None:
            self.bar.update()

    def epoch(self, row: dict[str, float]) -> None:
        shown = ", ".join(
            f"{name.replace('_', ' ')} {value:.3g}"
            for name, value in row.items()
            if name != "epoch" and not np.isnan(value)
        )
        if self.bar is not None:
            self.bar.set_postfix_str(shown)
        else:
            print(f"{self.label}: epoch {row['epoch']} of {self.epochs}: {shown}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


class Adapter(pl.LightningModule):
    """A network, a loss and a descent in the form that Lightning turns, for `epochs` epochs of `batches`."""

    def __init__(
        self,
        net: nn.Module,
        loss: Callable[..., torch.Tensor],
        descent: Descent,
        judge: Judge,
        batches: DataLoader,
        epochs: int,
    ):
        super().__init__()
        self.net, self.loss, self.descent, self.judge = net, loss, descent, judge
        self.batches, self.epochs = batches, epochs
        self.rows: list[dict[str, float]] = []  # the history, one row an epoch
        self.seconds: list[float] = []  # that each epoch took, with its evaluation
        self.sittings: list[int] = []  # after which epochs the training was taken up again
        self.stopped = False
        self.found: dict[str, Any] = {}  # optimizer and scheduler as they were left, when taking up again
        self.label: str | None = None
        self.path: Path | None = None
        self.progress: Progress | None = None

    def __getstate__(self) -> dict[str, Any]:
        """For the processes of a shared training, as bytes.

        Torch would hand on every tensor as an open file in shared memory: more files than a process may have, and
        more memory than a container gives.
        """
        return {"packed": pickle.dumps(super().__getstate__())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(pickle.loads(state["packed"]))

    @property
    def finished(self) -> bool:
        return self.stopped or len(self.rows) >= self.epochs

    def note(self) -> dict[str, Any]:
        """All that going on from here depends on: tensors, numbers and text."""
        return {
            "net": self.net.state_dict(),
            "optimizer": self.trainer.optimizers[0].state_dict(),
            "scheduler": self.trainer.lr_scheduler_configs[0].scheduler.state_dict(),
            "judge": self.judge.state_dict(),
            **{name: getattr(self, name) for name in ("rows", "seconds", "sittings", "stopped")},
        }

    def take_up(self, noted: dict[str, Any]) -> None:
        """Be where `note` was written. What something else wrote is an error of any kind, and changes nothing."""
        if not all(isinstance(noted[name], list) for name in ("rows", "seconds", "sittings")):
            raise TypeError("it is no list of epochs")
        found, trial = {name: noted[name] for name in ("optimizer", "scheduler")}, deepcopy(self.net)
        trial.load_state_dict(noted["net"])
        self._descending(trial, found)
        self.judge.load_state_dict(noted["judge"])
        self.net.load_state_dict(noted["net"])
        for name in ("rows", "seconds", "sittings", "stopped"):
            setattr(self, name, noted[name])
        self.found = found
        self.batches.sampler.epoch = len(self.rows)  # pyright: ignore[reportAttributeAccessIssue]

    def setup(self, stage: str) -> None:
        if place()[1] > 1:
            hush()
            share_batch_norm(self.net)
        device = self.trainer.strategy.root_device  # to which Lightning is about to bring it
        placed(self.net, device)
        if self.label and place()[0] == 0:
            self.progress = Progress(self.label, len(self.rows), self.epochs, len(self.batches))

    def teardown(self, stage: str) -> None:
        if self.progress:
            self.progress.close()
            self.progress = None

    def configure_optimizers(self):
        optimizer, scheduler = self._descending(self.net, self.found)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _descending(
        self, net: nn.Module, found: dict[str, Any]
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        """A network's optimizer and scheduler, as they were found if they were."""
        optimizer = self.descent.optimizer(net)
        scheduler = self.descent.scheduler(optimizer, self.epochs * len(self.batches))
        if found:
            optimizer.load_state_dict(found["optimizer"])
            scheduler.load_state_dict(found["scheduler"])
        return optimizer, scheduler

    def on_train_epoch_start(self) -> None:
        self.started = time.perf_counter()
        self.rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.losses: list[torch.Tensor] = []

    def training_step(self, batch, _) -> torch.Tensor:
        images, labels = batch
        loss = self.loss(self.net(images), labels)
        self.losses.append(loss.detach())
        if self.progress:
            self.progress.batch()
        return loss

    def on_train_epoch_end(self) -> None:
        epoch, loss = len(self.rows) + 1, _mean_of_all(torch.stack(self.losses).mean())
        if not np.isfinite(loss):
            raise ValueError(f"the loss is {loss} in epoch {epoch}: training diverged; lower the learning rate")
        scores, self.stopped = self.judge(epoch)
        self.rows.append({"epoch": epoch, "loss": loss, "learning_rate": self.rate, **scores})
        self.seconds.append(time.perf_counter() - self.started)
        if self.path and place()[0] == 0:
            unfinished.write(self.path, self.note())
        if self.progress:
            self.progress.epoch(self.rows[-1])
        self.trainer.should_stop = self.stopped


def _mean_of_all(value: torch.Tensor) -> float:
    """Over the processes that share a batch."""
    count = place()[1]
    if count > 1:
        dist.all_reduce(value)
    return float(value) / count


def train_epochs(
    adapter: Adapter, machine: Machine, label: str | None, resume: Path | None = None
) -> pd.DataFrame:
    """Train to the end and return the history, one row an epoch.

    `label` names the work on the bar or in the log; None is silent. `resume` is the file in which the state after
    each epoch is kept, and from which an unfinished training is taken up; the caller removes it when the result is
    safe. Several processes need one, as it brings what they learned back; without it they use a temporary one.
    """
    if machine.devices > 1 and resume is None:
        with tempfile.TemporaryDirectory() as folder:
            return train_epochs(adapter, machine, label, Path(folder) / "unfinished.pt")
    adapter.label, adapter.path = label, resume
    if resume and unfinished.taken_up(resume, adapter.take_up):
        adapter.sittings.append(len(adapter.rows))
    if not adapter.finished:
        _turn(adapter, machine)
    return pd.DataFrame(adapter.rows)


def _turn(adapter: Adapter, machine: Machine) -> None:
    adapter.net.train()
    try:
        turn(adapter, adapter.batches, adapter.epochs - len(adapter.rows), machine)
    finally:
        adapter.teardown("fit")
    if machine.devices > 1:
        assert adapter.path  # train_epochs has seen to it
        learned = unfinished.read(adapter.path)
        if learned is None:
            raise ChildProcessError(
                f"{adapter.path}: what {machine.devices} processes learned cannot be read back"
            )
        adapter.take_up(learned)
