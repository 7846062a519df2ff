"""Which frames a network sees, in which order, and how they come to it.

Batches and flips are drawn in one place, for each epoch from its own generator: neither the number of loading
processes, nor the device, nor an interruption changes which frames a network sees.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from traunet.data.store import AlignedStore
from traunet.fitting.resident import ResidentStore
from traunet.fitting.sharing import place
from traunet.machines.machine import Machine

Draw = tuple[np.ndarray, np.ndarray]  # the rows of one batch, and which of them to mirror
Plan = Callable[[np.random.Generator], Iterable[np.ndarray]]  # draws the rows of an epoch, batch by batch


class Draws(Sampler[Draw]):
    """The batches of the next epoch: `plan` draws the rows, then each is mirrored by chance.

    Where several processes share a batch, all draw the same and each takes its share.
    """

    def __init__(self, plan: Plan, batches: int, flip_probability: float, seed: int):
        self.plan, self.batches = plan, batches
        self.flip_probability, self.seed = flip_probability, seed
        self.epoch = 0  # epochs drawn so far

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Draw]:
        generator = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        rank, count = place()
        for rows in self.plan(generator):
            flips = generator.random(len(rows)) < self.flip_probability
            yield rows[rank::count], flips[rank::count]


class Frames(Dataset):
    """Whole batches of a store: uint8 images (B, 3, H, W) and the labels of their rows."""

    def __init__(self, store: AlignedStore, labels: np.ndarray):
        self.store, self.labels = store, labels

    def __getitem__(self, draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
        rows, flips = draw
        images = self.store.images(rows)
        images[flips] = images[flips, :, ::-1]
        return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(self.labels[rows])


class ResidentFrames(Dataset):
    """The same of a store whose pictures lie on a device already; there they stay, and the labels with them."""

    def __init__(self, store: ResidentStore, labels: np.ndarray):
        self.store, self.labels = store, store.sent(labels[store.usable])

    def __getitem__(self, draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
        rows, flips = draw
        places, mirrored = self.store.places(rows), self.store.sent(flips)[:, None, None, None]
        images = self.store.pictures[places]
        images = torch.where(mirrored, images.flip(2), images)
        return images.permute(0, 3, 1, 2), self.labels[places]


def loader(
    store: AlignedStore | ResidentStore, labels: np.ndarray, draws: Iterable[Draw], machine: Machine
) -> DataLoader:
    """Decode the drawn batches, in other processes if the machine has some to spare.

    Where a GPU waits for them, they come in memory that it can fetch from while it computes. The processes stay
    from epoch to epoch: to start eight of them takes a third of a second. Nothing is left to do for pictures that
    lie on the device.
    """
    sampler: Any = draws  # it draws whole batches
    if isinstance(store, ResidentStore):
        return DataLoader(ResidentFrames(store, labels), sampler=sampler, batch_size=None)
    workers = machine.loading_processes()
    return DataLoader(
        Frames(store, labels),
        sampler=sampler,
        batch_size=None,
        num_workers=workers,
        pin_memory=machine.torch_device().type == "cuda",
        persistent_workers=workers > 0,
    )
