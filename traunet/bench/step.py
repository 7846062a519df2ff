"""How close a training step comes to what the machine can compute, and whether it ever waits for pictures.

Its arithmetic rate stands beside that of a stack of large convolutions, step by step in turn: the same threads,
batch, precision and layout in memory. Only arithmetic that is done is counted.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from traunet.bench.figure import Figure
from traunet.bench.peak import PeakMemory
from traunet.config import PAPER, AlignConfig, ModelConfig, SynthConfig
from traunet.data import folds
from traunet.data.disfa import read_tree
from traunet.data.preparing import prepare
from traunet.data.store import AlignedStore
from traunet.fitting.feeding import Draws, loader
from traunet.fitting.loop import Descent
from traunet.fitting.resident import ResidentStore
from traunet.machines.acceleration import autocast, placed
from traunet.machines.machine import Machine
from traunet.machines.memory import keep_freed
from traunet.model.blocks import BandConv2d
from traunet.model.tranet import build
from traunet.model.weights import Normalisation
from traunet.synth.tree import OFFICIAL_SUBJECTS, write_tree
from traunet.training import branch_loss

AT_LEAST, WAITING = 0.85, 0.02  # the bars
WIDTH, SIDE, LAYERS = 512, 28, 3  # of the plain stack, as a branch's convolutions are at full size
CPU = torch.device("cpu")
Batch = tuple[torch.Tensor, torch.Tensor]


def measure(
    scratch: Path,
    model: ModelConfig = PAPER.model,
    size: int = PAPER.align.size,
    batch_size: int = 16,
    rounds: int = 3,
    width: int = WIDTH,
    workers: int = 0,
) -> list[Figure]:
    """Train TRA-Net for a few steps, in turn with the plain stack; some 3 minutes on 2 cores.

    `width` is the plain stack's channels, `workers` how many processes decode pictures (0: the training itself).
    """
    keep_freed()  # as `traunet train` does
    store = small_store(scratch, size)
    batches = iter(drawn_batches(store, batch_size, 2 * rounds + 2, Machine("cpu", workers=workers)))
    torch.manual_seed(0)
    step, stack = Step(model, size), plain_stack(batch_size, width)
    with PeakMemory() as memory:
        done, nominal, plain = _count_arithmetic(step, stack, next(batches), next(batches))
        times = Times([], [], [], [], [])
        for _ in range(rounds):
            times.note(step, stack, batches)
    return _figures(times, done, nominal, plain, memory.bytes)


class Step:
    """A training step as `traunet.training` makes it: forward, loss, backward, descent."""

    def __init__(self, model: ModelConfig, size: int, device: torch.device = CPU):
        self.device, self.precision = device, autocast(device)
        self.net = placed(build("tranet", model, AlignConfig(size=size), Normalisation()), device).train()
        train = PAPER.train
        self.optimizer = Descent(*train.rates, train.momentum, train.weight_decay).optimizer(self.net)

    def __call__(self, batch: Batch) -> None:
        images, labels = (part.to(self.device, non_blocking=True) for part in batch)
        with self.precision:
            loss = branch_loss(self.net(images), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    @contextmanager
    def single(self) -> Iterator[None]:
        """In torch's own single precision: on a GPU that has TF32, convolutions are in that."""
        mixed, self.precision = self.precision, torch.autocast(self.device.type, torch.bfloat16, enabled=False)
        try:
            yield
        finally:
            self.precision = mixed

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Compute the masked rows too, as if nobody knew that they are zero."""
        parts = [part for part in self.net.modules() if isinstance(part, BandConv2d)]
        bands = [part.band for part in parts]
        for part in parts:
            part.band = (0, 2**31)
        try:
            yield
        finally:
            for part, band in zip(parts, bands, strict=True):
                part.band = band


@dataclass
class Times:
    """Seconds of each step, of one without the skip, of the plain stack after either, and of waiting for a batch.

    As many of the stack as of what it stands beside: the best of more tries would be the better for that alone.
    """

    steps: list[float]
    after_steps: list[float]
    whole: list[float]
    after_whole: list[float]
    waiting: list[float]

    def note(self, step: Step, stack: Callable[[], None], batches: Iterator) -> None:
        """Measure one of each, in turn."""
        self.waiting.append(_seconds(lambda: self._take(batches)))
        self.steps.append(_seconds(lambda: step(self.batch)))
        self.after_steps.append(_seconds(stack))
        self._take(batches)
        with step.whole():
            self.whole.append(_seconds(lambda: step(self.batch)))
        self.after_whole.append(_seconds(stack))

    def _take(self, batches: Iterator) -> None:
        self.batch = next(batches)


def plain_stack(batch_size: int, width: int, device: torch.device = CPU) -> Callable[[], None]:
    """Forward and backward through a few large 3x3 convolutions, channels last, in the precision of a training."""
    stack = placed(nn.Sequential(*(nn.Conv2d(width, width, 3, padding=1) for _ in range(LAYERS))), device)
    features = torch.randn(batch_size, width, SIDE, SIDE, device=device)
    features = features.contiguous(memory_format=torch.channels_last).requires_grad_()

    def run() -> None:
        stack.zero_grad()
        features.grad = None
        with autocast(device):
            answer = stack(features).sum()
        answer.backward()

    return run


def small_store(scratch: Path, size: int) -> AlignedStore:
    """A store of two rendered heads, as JPEG pictures on the disk."""
    subjects = OFFICIAL_SUBJECTS[:2]
    write_tree(scratch / "tree", SynthConfig(frames=12, height=256, width=256), subjects, 1, progress=False)
    return prepare(read_tree(scratch / "tree", subjects), scratch / "store", AlignConfig(size=size), 1, False)


def arithmetic(work: Callable[[], None]) -> int:
    """How many floating-point operations the convolutions and matrix products of some work take."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def drawn_batches(
    store: AlignedStore | ResidentStore, batch_size: int, count: int, machine: Machine
) -> DataLoader:
    """So many batches of frames, drawn and mirrored as a training's are, with their labels."""
    labels, shape = folds.labels(store.frames, PAPER.train.threshold), (count, batch_size)
    draws = Draws(lambda generator: generator.choice(store.usable, shape), count, 0.5, seed=0)
    return loader(store, labels.astype(np.float32), draws, machine)


def _count_arithmetic(step: Step, stack: Callable[[], None], *batches) -> tuple[int, int, int]:
    """Of a step, of one that computes the masked rows too, and of the stack; it warms all of them up."""
    done = arithmetic(lambda: step(batches[0]))
    with step.whole():
        return done, arithmetic(lambda: step(batches[1])), arithmetic(stack)


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _figures(times: Times, done: int, nominal: int, plain: int, memory: int) -> list[Figure]:
    step, whole = min(times.steps), min(times.whole)
    spent = sum(map(sum, (times.steps, times.after_steps, times.whole, times.after_whole)))
    made = [
        Figure(
            *(what, rate / 1e9, "GFLOP/s", "a plain stack of convolutions", plain / min(stack) / 1e9),
            **{"at_least": AT_LEAST, "seconds": spent, "memory": memory or None},
        )
        for what, rate, stack in (
            ("arithmetic rate of a training step that computes every row", nominal / whole, times.after_whole),
            (
                "arithmetic rate of one that passes over the masked rows, which it does not count",
                done / step,
                times.after_steps,
            ),
        )
    ]
    skipped = f"{1 - done / nominal:.1%} of the arithmetic is passed over"
    made.append(Figure("a training step", step, "s", "one that computes every row", whole, note=skipped))
    waiting, working = median(times.waiting), median(times.steps)
    waited = Figure("waiting for a batch of pictures", waiting, "s", "a training step", working, at_most=WAITING)
    return [*made, waited]
