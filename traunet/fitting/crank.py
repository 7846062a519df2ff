"""Lightning's trainer, taught manners: no files, no banners, Ctrl-C stays Ctrl-C, several processes if asked."""

import logging
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import lightning.pytorch as pl
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.warnings import PossibleUserWarning
from lightning.pytorch.strategies import DDPStrategy
from torch.multiprocessing.spawn import ProcessException
from torch.utils.data import DataLoader

from traunet.machines.acceleration import precision
from traunet.machines.ending import Terminated
from traunet.machines.machine import Machine


def turn(module: pl.LightningModule, batches: DataLoader, epochs: int, machine: Machine) -> None:
    """Let Lightning train a module for so many epochs, here or in one process for each of the machine's devices.

    What several processes learn stays with them, weights excepted: the module must write it down. They end with
    this one, also if it is told to end, of which Lightning tells them in a way that they wait for each other.
    """
    try:
        with machine.limits(), _quiet(), _interruptible():
            _trainer(epochs, machine).fit(module, batches)
    except Terminated:
        for process in multiprocessing.active_children():
            process.kill()
        raise
    except ProcessException as error:
        last = str(error).strip().splitlines()[-1]
        raise ChildProcessError(f"one of the {machine.devices} training processes failed: {last}") from error


def _trainer(epochs: int, machine: Machine) -> pl.Trainer:
    kind, alone = machine.torch_device().type, LightningEnvironment()  # one process, also inside a Slurm job
    with _own_settings():
        return pl.Trainer(
            accelerator="gpu" if kind == "cuda" else kind,
            devices=machine.devices,
            strategy=_together(kind) if machine.devices > 1 else "auto",
            precision=precision(machine.torch_device()),
            max_epochs=epochs,
            plugins=alone,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )


@contextmanager
def _own_settings() -> Iterator[None]:
    """Hide what a user's environment sets for every Trainer: a run's name would not tell of it."""
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("PL_TRAINER_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _together(kind: str) -> DDPStrategy:
    """Processes started from this one. Their BatchNorms are shared already, so nothing else needs to be."""
    backend = "nccl" if kind == "cuda" else "gloo"
    return DDPStrategy(start_method="spawn", process_group_backend=backend, broadcast_buffers=False)


def hush() -> None:
    """In a process of its own, that prints nothing but errors."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


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
        if isinstance(stop, Terminated):
            raise
        if type(stop) is SystemExit:
            raise KeyboardInterrupt from stop
        raise SystemExit(128 + signal.SIGTERM) from stop
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)
