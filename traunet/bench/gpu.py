"""How fast a GPU trains the full network, what mixed precision gains, and whether it waits for pictures.

A GPU works on while Python has already gone on. So a batch costs a training nothing if an epoch with its pictures
takes no longer than as many steps on one batch that lies on the GPU already. How long Python itself waits for
batches stands beside: where the GPU is slower than Python, part of that is no loss.

Both ways in which pictures come are timed; the bar is for the one that DISFA would take on this GPU.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from traunet.bench.figure import Figure
from traunet.bench.step import WAITING, WIDTH, Batch, Step, arithmetic, drawn_batches, plain_stack, small_store
from traunet.config import PAPER, ModelConfig
from traunet.data import original
from traunet.data.store import AlignedStore
from traunet.fitting.resident import resident, room
from traunet.machines.acceleration import precision
from traunet.machines.machine import Machine

STEPS = 5  # timed in one go
STAYING, COMING = "on pictures that stay there", "on pictures decoded batch by batch"


def measure(scratch: Path, machine: Machine | None = None) -> list[Figure]:
    """The figures of the full network on a GPU; none where there is no GPU."""
    machine = machine or Machine()
    if machine.torch_device().type != "cuda":
        return []
    return compare(small_store(scratch, PAPER.align.size), machine)


def compare(
    store: AlignedStore,
    machine: Machine,
    model: ModelConfig = PAPER.model,
    batch_size: int = PAPER.train.batch_size,
    batches: int = PAPER.train.batches_per_epoch,
    rounds: int = 3,
    width: int = WIDTH,
) -> list[Figure]:
    """Train TRA-Net on a store for a few steps in turn with the plain stack, then for three epochs."""
    device = machine.torch_device()
    torch.manual_seed(0)
    step, stack = Step(model, store.size, device), plain_stack(batch_size, width, device)
    held = resident(store, machine, shown=False)
    kept = original.FRAMES * 3 * PAPER.align.size**2 <= room(device)
    loaders = {
        way: drawn_batches(frames, batch_size, batches, machine)
        for way, frames in ((STAYING, held), (COMING, store))
        if way == COMING or held is not store
    }
    batch = next(iter(loaders[COMING]))
    done, plain = arithmetic(lambda: step(batch)), arithmetic(stack)
    there = (batch[0].to(device), batch[1].to(device))
    figures = _speeds(step, stack, there, rounds, done, plain)
    for way, loader in loaders.items():
        epochs = [_Epoch.of(step, loader, there, batches) for _ in range(3)]
        figures += _waiting(epochs[1:], batches, way, barred=way == (STAYING if kept else COMING))
    return figures


def _speeds(
    step: Step, stack: Callable[[], None], batch: Batch, rounds: int, done: int, plain: int
) -> list[Figure]:
    """Of a step beside the plain stack and beside one in single precision; the first round warms up."""
    trained, single, stacked = [], [], []
    for _ in range(rounds + 1):
        for way, seconds in ((nullcontext, trained), (step.single, single)):
            with way():
                seconds.append(_again(lambda: step(batch), STEPS, step.device) / STEPS)
        stacked.append(_again(stack, STEPS, step.device) / STEPS)
    trained, single, stacked = (median(seconds[1:]) for seconds in (trained, single, stacked))
    memory = _most_held(lambda: step(batch)) if step.device.type == "cuda" else None
    beside = "a plain stack of convolutions in the same precision", plain / stacked / 1e12
    what = "arithmetic rate of a training step on the GPU"
    return [
        Figure(what, done / trained / 1e12, "TFLOP/s", *beside, memory=memory),
        Figure(
            "a training step on the GPU",
            trained,
            "s",
            "one in single precision, TF32 where there is it",
            single,
            at_most=1 if precision(step.device) == "bf16-mixed" else None,  # elsewhere they are the same
        ),
    ]


@dataclass(frozen=True)
class _Epoch:
    """Seconds of an epoch, of those in which Python waits for batches, and of as many steps on one batch."""

    whole: float
    asked: float
    steps: float

    @classmethod
    def of(cls, step: Step, loader: Iterable[Batch], batch: Batch, batches: int) -> "_Epoch":
        asked = _Asked(loader)
        whole = _again(lambda: [step(batch) for batch in asked], 1, step.device)
        return cls(whole, asked.seconds, _again(lambda: step(batch), batches, step.device))


class _Asked:
    """Hands batches on, and adds up how long each was waited for."""

    def __init__(self, batches: Iterable[Batch]):
        self.batches, self.seconds = batches, 0.0

    def __iter__(self):
        started = time.perf_counter()
        for batch in self.batches:
            self.seconds += time.perf_counter() - started
            yield batch
            started = time.perf_counter()


def _again(work: Callable[[], object], times: int, device: torch.device) -> float:
    """Seconds until the device has done the work so many times."""
    _settle(device)
    started = time.perf_counter()
    for _ in range(times):
        work()
    _settle(device)
    return time.perf_counter() - started


def _most_held(work: Callable[[], object]) -> int:
    """The most bytes of CUDA's device that torch held meanwhile, with what it held before."""
    torch.cuda.reset_peak_memory_stats()
    work()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _waiting(epochs: list[_Epoch], batches: int, way: str, barred: bool) -> list[Figure]:
    whole, asked, steps = (
        median(getattr(epoch, name) for epoch in epochs) for name in ("whole", "asked", "steps")
    )
    what = f"{batches} training steps on the GPU, {way}"
    longer, share = (1 / (1 - WAITING), WAITING) if barred else (None, None)
    note = f"{max(1 - steps / whole, 0):.1%} longer for its pictures" + "; so would DISFA's come here" * barred
    return [
        Figure(what, whole, "s", "the same on one batch that is there", steps, at_most=longer, note=note),
        Figure("waiting for batches, in these", asked, "s", what, whole, at_most=share),
    ]
