"""GPUs of its own for every job: Snakemake counts those of a machine, but does not say which a job may use.

    python -m traunet.machines.gpus COUNT COMMAND ...

becomes COMMAND, and shows it COUNT GPUs (CUDA_VISIBLE_DEVICES) that no other job of this user on this machine was
given so. Where there are none, COMMAND runs as it is. A job's GPUs are free again when its last process has ended,
however it ended: the operating system drops its locks.
"""

import os
import re
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from traunet.machines.locking import locked

LISTED = re.compile(r"(?P<unit>GPU|MIG) (?:\d+: )?(?P<model>.*) \(UUID: (?P<uuid>[\w/-]+)\)")
ILL = (
    "restart the machine or the container; or work without its GPU, with CUDA_VISIBLE_DEVICES= before the command"
)
AILING = re.compile(r"version mismatch|Unknown Error|GPU is lost")  # updated and not restarted; out of its reach
EVERY = 5.0  # seconds between two looks for a free one


def here() -> list[str]:
    """The UUIDs of the GPUs (or of their MIG instances) that may be used here; none without NVIDIA's driver.

    Those that CUDA_VISIBLE_DEVICES names, if it is set, as in a Slurm job; else all. Raises ValueError where its
    numbers do not tell which GPUs are meant, and where the driver does not answer.

    Decision: a GPU is known by its UUID. The alternative, its number, differs between a container and its host,
    and between CUDA and nvidia-smi; locks must not.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible == "":
        return []
    listed = _listed()
    if visible is None:
        return [uuid for gpu in listed for uuid in gpu.uuids]
    names = [name.strip() for name in visible.split(",")]
    unlike = len({gpu.model for gpu in listed}) > 1 and os.environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID"
    if unlike and any(name.isdecimal() for name in names):
        raise ValueError(
            f"CUDA_VISIBLE_DEVICES is {visible}, but the GPUs here are of different models, and CUDA numbers them "
            "otherwise than nvidia-smi; set CUDA_DEVICE_ORDER=PCI_BUS_ID, or give UUIDs (see `nvidia-smi -L`)"
        )
    return list(dict.fromkeys(uuid for name in names for uuid in _named(name, listed)))


class _Gpu(NamedTuple):
    model: str
    uuids: list[str]  # its own, or those of its MIG instances


def _listed() -> list[_Gpu]:
    """The GPUs, as nvidia-smi lists them; raises ValueError where there is one and its driver is ill."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=60)
    except OSError:
        return []
    except subprocess.TimeoutExpired:
        raise ValueError(f"nvidia-smi does not answer; {ILL}") from None
    if done.returncode:
        said = f"{done.stdout}\n{done.stderr}".strip()
        if AILING.search(said):
            raise ValueError(f"nvidia-smi: {said.splitlines()[0]}; {ILL}")
        return []  # a machine with the driver and without a GPU
    gpus: list[_Gpu] = []
    for found in LISTED.finditer(done.stdout):
        if found["unit"] == "GPU":
            gpus.append(_Gpu(found["model"], [found["uuid"]]))
        else:
            uuids = gpus[-1].uuids
            uuids[:] = [uuid for uuid in uuids if uuid.startswith("MIG")] + [found["uuid"]]
    return gpus


def _named(name: str, listed: list[_Gpu]) -> list[str]:
    if name.isdecimal():
        return listed[int(name)].uuids if int(name) < len(listed) else []
    return [uuid for gpu in listed for uuid in gpu.uuids if name and uuid.startswith(name)]


def taken(count: int, devices: Sequence[str], folder: Path) -> list[str]:
    """Take `count` of the devices for this process and what it becomes; an empty list if too few are free.

    All or none: two jobs that each held one and waited for another would wait forever.
    """
    _make_own(folder)
    held: dict[str, int] = {}
    choosing = locked(folder / "choosing.lock", wait=True)
    for device in devices:
        lock = locked(folder / f"{device.replace('/', '_')}.lock") if len(held) < count else None
        if lock is not None:
            held[device] = lock
    enough = len(held) == count
    for lock in held.values():
        os.set_inheritable(lock, True) if enough else os.close(lock)
    os.close(choosing)  # pyright: ignore[reportArgumentType]: it waited
    return list(held) if enough else []


def _make_own(folder: Path) -> None:
    """Make a folder that only this user can enter, or raise ValueError if what is there is none.

    Where all may write, another can make it first: by a link they would choose our files, by a lock stop our jobs.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    told = folder.lstat()
    if not stat.S_ISDIR(told.st_mode) or told.st_uid != os.getuid() or stat.S_IMODE(told.st_mode) & 0o077:
        raise ValueError(
            f"{folder}: must be a folder that is yours alone, for the locks of your jobs on GPUs; remove it (or "
            "ask its owner to), or set TMPDIR to a folder of your own, the same for all jobs on this machine"
        )


def wait_for(count: int, devices: Sequence[str], folder: Path) -> list[str]:
    """Take `count` of the devices as soon as they are free; raise ValueError if there are not so many."""
    if count > len(devices):
        raise ValueError(f"{count} GPUs were asked for, and {len(devices)} are here; ask for fewer (resource gpu)")
    got = taken(count, devices, folder)
    if not got:
        print("waiting for a GPU that no other job holds", flush=True)
    while not got:
        time.sleep(EVERY)
        got = taken(count, devices, folder)
    return got


def main(arguments: Sequence[str]) -> None:
    """Become the command, with GPUs of its own."""
    count, command = int(arguments[0]), arguments[1:]
    devices, folder = here(), Path(tempfile.gettempdir(), f"traunet-gpus-{os.getuid()}")
    if devices:
        shown = wait_for(count, devices, folder) if count else []
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(shown)
    os.execvp(command[0], list(command))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        sys.exit(f"traunet: {error}")
