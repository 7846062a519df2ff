"""The thin Lightning adapter: frames of a store pass through a network, epoch by epoch.

Lightning turns the crank. What is the paper's (loss, sampling, selection) stands elsewhere and is handed in.
Batches and flips are drawn in one place from one generator, so that neither the number of loading processes nor
the device changes which frames a network sees.
"""

import logging
import os
import platform
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import lightning.pytorch as pl
import numpy as np
import pandas as pd
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.warnings import PossibleUserWarning
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler
from tqdm import tqdm

from traunet.data.store import AlignedStore

Draw = tuple[np.ndarray, np.ndarray]  # the rows of one batch, and which of them to mirror
Plan = Callable[[np.random.Generator], Iterable[np.ndarray]]  # draws the rows of an epoch, batch by batch
Judge = Callable[[int], tuple[dict[str, float], bool]]  # after an epoch: the scores to note, and whether to stop


@dataclass(frozen=True)
class Machine:
    """Where the work is done. No setting here is part of a run's name: results must not hang on it."""

    device: str = "auto"  # auto, cpu, cuda or mps
    threads: int | None = None  # of torch on the CPU; None: as torch finds it
    workers: int | None = None  # processes that decode frames; None: none on a CPU, up to 8 beside a GPU

    def torch_device(self) -> torch.device:
        """The device itself; auto means the GPU where there is one."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device not in ("cpu", "cuda", "mps"):
            raise ValueError(f"unknown device {self.device!r}; choose one of: auto, cpu, cuda, mps")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError("device 'cuda' was asked for, but torch finds no CUDA GPU here; use 'auto' or 'cpu'")
        return torch.device(self.device)

    def loading_processes(self) -> int:
        """How many processes decode frames."""
        if self.workers is not None:
            return self.workers
        return 0 if self.torch_device().type == "cpu" else min(8, os.cpu_count() or 1)

    def facts(self) -> dict[str, str | int | None]:
        """What to remember of it: no host name, user or path."""
        gpu = torch.cuda.get_device_name() if self.torch_device().type == "cuda" else None
        system = f"{platform.system()} {platform.machine()}"
        return {"system": system, "threads": torch.get_num_threads(), "gpu": gpu}

    @contextmanager
    def limits(self) -> Iterator[None]:
        """Hold torch to the number of threads, and give them back afterwards."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


class Draws(Sampler[Draw]):
    """The batches of every epoch in turn: `plan` draws the rows, then each is mirrored by chance."""

    def __init__(self, plan: Plan, batches: int, flip_probability: float, generator: np.random.Generator):
        self.plan, self.batches = plan, batches
        self.flip_probability, self.generator = flip_probability, generator

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Draw]:
        for rows in self.plan(self.generator):
            yield rows, self.generator.random(len(rows)) < self.flip_probability


class Frames(Dataset):
    """Whole batches of a store: uint8 images (B, 3, H, W) and the labels of their rows."""

    def __init__(self, store: AlignedStore, labels: np.ndarray):
        self.store, self.labels = store, labels

    def __getitem__(self, draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
        rows, flips = draw
        images = np.array(self.store.images(rows))
        images[flips] = images[flips, :, ::-1]
        return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(self.labels[rows])


def loader(store: AlignedStore, labels: np.ndarray, draws: Iterable[Draw], machine: Machine) -> DataLoader:
    """Decode the drawn batches, in other processes if the machine has some to spare."""
    workers = machine.loading_processes()
    frames = Frames(store, labels)
    return DataLoader(frames, sampler=draws, batch_size=None, num_workers=workers)  # pyright: ignore


@torch.inference_mode()
def outputs(
    net: nn.Module, store: AlignedStore, rows: np.ndarray, batch_size: int, machine: Machine
) -> np.ndarray:
    """What the network says of each row, in their order, in evaluation mode: (N, ...) float32.

    The network stays on the machine's device and is left in the mode in which it came.
    """
    device, training = machine.torch_device(), net.training
    net.to(device).eval()
    chunks = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    draws = [(chunk, np.zeros(len(chunk), dtype=bool)) for chunk in chunks]
    try:
        batches = loader(store, np.zeros(len(store), dtype=np.float32), draws, machine)
        return np.concatenate([net(images.to(device)).float().cpu().numpy() for images, _ in batches])
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
            trained, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay
        )

    def scheduler(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        """Equal first and final rates give a constant one."""
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1), self.final_learning_rate)


class Progress:
    """A bar on a terminal; elsewhere, such as in a log, one plain line an epoch. Both go to standard error."""

    def __init__(self, label: str, epochs: int, batches: int):
        self.label, self.epochs = label, epochs
        terminal = sys.stderr.isatty()
        self.bar = tqdm(total=epochs * batches, desc=label, unit="batch") if terminal else None

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
    """A network, a loss and a descent in the form that Lightning turns."""

    def __init__(self, net: nn.Module, loss: Callable[..., torch.Tensor], descent: Descent, judge: Judge):
        super().__init__()
        self.net, self.loss, self.descent, self.judge = net, loss, descent, judge
        self.rows: list[dict[str, float]] = []
        self.progress: Progress | None = None

    def configure_optimizers(self):
        optimizer = self.descent.optimizer(self.net)
        scheduler = self.descent.scheduler(optimizer, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

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
        epoch, loss = self.current_epoch + 1, float(torch.stack(self.losses).mean())
        if not np.isfinite(loss):
            raise ValueError(f"the loss is {loss} in epoch {epoch}: training diverged; lower the learning rate")
        scores, stop = self.judge(epoch)
        seconds = time.perf_counter() - self.started
        self.rows.append({"epoch": epoch, "loss": loss, "learning_rate": self.rate, "seconds": seconds, **scores})
        if self.progress:
            self.progress.epoch(self.rows[-1])
        self.trainer.should_stop = stop


def train_epochs(
    adapter: Adapter, batches: DataLoader, epochs: int, machine: Machine, label: str | None
) -> pd.DataFrame:
    """Train for at most so many epochs and return the history, one row an epoch. Writes no file.

    `label` names the work on the bar or in the log; None is silent.
    """
    adapter.net.train()
    adapter.progress = Progress(label, epochs, len(batches)) if label else None
    try:
        with machine.limits(), _quiet(), _interruptible():
            _trainer(epochs, machine.torch_device()).fit(adapter, batches)
    finally:
        if adapter.progress:
            adapter.progress.close()
    return pd.DataFrame(adapter.rows)


def _trainer(epochs: int, device: torch.device) -> pl.Trainer:
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=1,
        max_epochs=epochs,
        plugins=LightningEnvironment(),  # one process, also inside a Slurm job
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back Lightning's banners and advice; its errors pass."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            # Lightning 2.6.6 asks torch 2.14 in a way that torch calls old.
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C stays Ctrl-C, and being terminated is no success.

    Lightning turns the first into `sys.exit(1)` and is deaf to the next one; after SIGTERM it leaves with 0.
    """
    main = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGINT) if main else None
    try:
        yield
    except SystemExit as stop:
        if type(stop) is SystemExit:
            raise KeyboardInterrupt from stop
        raise SystemExit(128 + signal.SIGTERM) from stop
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)
