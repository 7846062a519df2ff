"""Where the work is done: the device, its threads and processes. Nothing here is part of a run's name."""

import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from traunet.machines import cores, gpus

DEVICES = ("cpu", "cuda", "mps")
SHARED_MEMORY = Path("/dev/shm")  # of Linux; decoded batches pass through it
BATCHES_OF_A_PROCESS = 3 * 64 * 3 * 224 * 224  # bytes: two ahead and one in hand, of the paper's size
MANY = 8


@dataclass(frozen=True)
class Machine:
    """Where the work is done. Results must not hang on it, beyond the rounding of sums."""

    device: str = "auto"  # auto, cpu, cuda or mps
    threads: int | None = None  # of torch on the CPU; None: as torch finds it
    workers: int | None = None  # processes that decode frames; None: none on a CPU, up to 8 beside a GPU
    devices: int = 1  # GPUs, or processes on the CPU, that share every batch of a training

    def __post_init__(self):
        for name, least in (("threads", 1), ("workers", 0), ("devices", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}; give {least} or more")

    def torch_device(self) -> torch.device:
        """The device itself; auto means the GPU where there is one. ValueError if torch cannot use it."""
        if self.device == "auto":
            if why := unused_gpu():
                raise ValueError(why)
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if self.device not in DEVICES:
            raise ValueError(f"unknown device {self.device!r}; choose one of: auto, {', '.join(DEVICES)}")
        if self.device == "cuda":
            if not torch.cuda.is_available():
                raise ValueError(
                    "device 'cuda' was asked for, but torch finds no CUDA GPU here; use 'auto' or 'cpu', or, if "
                    "this is a cluster's job, see that it sees the GPU that it was given, or set gpu: 0 in the "
                    "profile"
                )
            if why := unused_gpu():
                raise ValueError(why)
        return torch.device(self.device)

    def check(self) -> None:
        """Raise ValueError unless the devices are there."""
        there = torch.cuda.device_count() if self.torch_device().type == "cuda" else self.devices
        if self.devices > there:
            raise ValueError(f"{self.devices} devices were asked for, but torch finds {there}; ask for fewer")
        if self.device == "auto" and self.torch_device().type == "cpu" and self.devices > 1:
            raise ValueError(
                f"{self.devices} devices were asked for, but torch finds no GPU here; to share every batch among "
                "so many processes on the CPU, say so: --device cpu"
            )
        if self.torch_device().type == "mps" and self.devices > 1:
            raise ValueError("batches cannot be shared among several devices of kind mps; use one")

    def check_sharing(self, batch_size: int) -> None:
        """Raise ValueError unless the devices are there and divide a batch evenly."""
        self.check()
        if batch_size % self.devices:
            raise ValueError(f"a batch of {batch_size} cannot be divided among {self.devices} devices evenly")

    def loading_processes(self) -> int:
        """How many processes decode frames."""
        if self.workers is not None:
            return self.workers
        if self.torch_device().type == "cpu":
            return 0
        return min(MANY, cores.available(), _room_for_batches(self.devices))

    def facts(self) -> dict[str, str | int | None]:
        """What to remember of it: no host name, user or path."""
        gpu = torch.cuda.get_device_name() if self.torch_device().type == "cuda" else None
        system = f"{platform.system()} {platform.machine()}"
        return {"system": system, "threads": torch.get_num_threads(), "gpu": gpu, "devices": self.devices}

    @contextmanager
    def limits(self) -> Iterator[None]:
        """Hold torch to the number of threads, and give them back afterwards."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@cache
def unused_gpu() -> str:
    """Why torch cannot use the GPU that is here, and what to do; empty if it can, or there is none."""
    if torch.version.cuda and torch.cuda.is_available():
        return _too_old()
    if not torch.version.cuda or not gpus.here():
        return ""
    return (
        f"NVIDIA's driver lists a GPU here, but torch {torch.__version__} cannot use it: update the driver to one "
        f"for CUDA {torch.version.cuda}; or work without the GPU, with CUDA_VISIBLE_DEVICES= before the command"
    )


def _too_old() -> str:
    """Why torch has no code for the GPU here, and what to do; empty if it has."""
    built = [int(name.rstrip("af")[3:]) for name in torch.cuda.get_arch_list() if name.startswith("sm_")]
    major, minor = torch.cuda.get_device_capability()
    if not built or 10 * major + minor >= min(built):
        return ""
    return (
        f"{torch.cuda.get_device_name()} has compute capability {major}.{minor}, and torch {torch.__version__} "
        f"computes from {min(built) // 10}.{min(built) % 10} on: take a newer GPU (CUDA_VISIBLE_DEVICES chooses "
        "one); or work without the GPU, with CUDA_VISIBLE_DEVICES= before the command"
    )


def _room_for_batches(devices: int) -> int:
    """For how many loading processes a device shared memory has room: containers often have 64 MB of it."""
    if not SHARED_MEMORY.is_dir():
        return MANY
    return max(1, shutil.disk_usage(SHARED_MEMORY).free // (BATCHES_OF_A_PROCESS * devices))
