"""Pictures that stay on the GPU, decoded once, where it has room for them: then it never waits for one.

Decision: a GPU with enough memory holds all pictures of a store, as bytes, for as long as a training lasts: 19
GB of DISFA at 224 pixels. Decoded batch by batch in other processes, as everywhere else, they made an H100 wait:
an epoch took 7 to 11 % longer than its steps alone, as Python, which starts the network's many small operations,
had to take the batches in as well. The pictures are the same either way. The alternative, decoding on the GPU,
rounds otherwise.
"""

import gc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from traunet.data.progress import Progress
from traunet.data.store import AlignedStore
from traunet.machines import cores
from traunet.machines.machine import Machine

SHARE = 2  # pictures may take half of the memory that is free: beside 19 GB of them, a training needs 10
AT_ONCE = 64  # pictures that are decoded in one go


class ResidentStore:
    """A store whose usable frames lie on a device, decoded: `pictures`, uint8 RGB (N, size, size, 3)."""

    def __init__(self, store: AlignedStore, pictures: torch.Tensor):
        self.store, self.pictures = store, pictures
        self.frames, self.usable, self.size = store.frames, store.usable, store.size
        self._places = np.full(len(store), -1)
        self._places[store.usable] = np.arange(len(store.usable))

    def __len__(self) -> int:
        return len(self.store)

    def places(self, rows: np.ndarray) -> torch.Tensor:
        """Where the pictures of these rows lie among `pictures`, on the device: int64 (B,)."""
        places = self._places[rows]
        for row in np.asarray(rows)[places < 0]:
            self.store.image(row)  # says that it has no picture
        return self.sent(places)

    def sent(self, values: np.ndarray) -> torch.Tensor:
        """A few numbers on the device. A GPU does not wait for them, nor Python for the GPU."""
        here, there = torch.from_numpy(values), self.pictures.device
        return (here.pin_memory() if there.type == "cuda" else here).to(there, non_blocking=True)


def resident(store: AlignedStore, machine: Machine, shown: bool = True) -> AlignedStore | ResidentStore:
    """The store with its pictures on the machine's device, if there is room for them; else the store itself.

    Only one GPU holds pictures: where several share a batch, each would have to hold all of them.
    Raises ValueError if a picture is damaged.
    """
    device, shape = machine.torch_device(), (len(store.usable), store.size, store.size, 3)
    if machine.devices > 1 or np.prod(shape) > room(device):
        return store
    try:
        pictures = torch.empty(shape, dtype=torch.uint8, device=device)
    except torch.OutOfMemoryError:  # another process was faster
        return store

    def bring(start: int) -> int:
        rows = store.usable[start : start + AT_ONCE]
        pictures[start : start + AT_ONCE] = torch.from_numpy(store.images(rows))
        return len(rows)

    # Decoding leaves Python to other threads; whoever has decoded brings it, so that nothing piles up on the way.
    with Progress("on the GPU", len(pictures), shown) as progress, ThreadPoolExecutor(cores.available()) as pool:
        for count in pool.map(bring, range(0, len(pictures), AT_ONCE)):
            progress.advance(count)
    return ResidentStore(store, pictures)


def room(device: torch.device) -> int:
    """How many bytes of pictures a device may hold; none but a GPU of CUDA holds any."""
    if device.type != "cuda":
        return 0
    tidied()
    return torch.cuda.mem_get_info(device)[0] // SHARE


def tidied() -> None:
    """Give back what a training before has left: Lightning's objects know each other, and its pictures."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def answered_at_once(store: AlignedStore | ResidentStore) -> int:
    """How many pictures of a store pass through a network at a time where nothing is trained.

    A fast GPU is told what to do with 256 pictures as quickly as with 64, and is told too slowly: by 64, an H100
    answered 1500 a second, at a seventh of the rate of plain convolutions. Pictures that loading processes decode
    come by 64, or they would need more shared memory than containers have.
    """
    return 4 * AT_ONCE if isinstance(store, ResidentStore) else AT_ONCE
