"""The cores to work with: how many there are, and processes that work side by side on them."""

import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path


def available(system: Path = Path("/")) -> int:
    """Cores that this process may use; a container or a scheduler often grants fewer than the machine has.

    It grants certain cores, or so much time of any (Docker's `--cpus`, Kubernetes' limits): the lesser counts, a
    part of a core as one. `system` is where Linux shows its files.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([there, *(math.ceil(share) for share in _shares(system))]))


def _shares(system: Path) -> Iterator[float]:
    """How many cores' time each control group grants that this process is in, its own and those above.

    A container may see its own group as the topmost, so that the groups named in /proc are not all to be found.
    """
    for line in _text(system / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)  # version 2 has no controllers here
        if controllers and "cpu" not in controllers.split(","):
            continue
        own = Path(group.lstrip("/"))
        for place in (own, *own.parents):
            folder = system / "sys/fs/cgroup" / ("cpu" if controllers else "") / place
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if controllers else ("cpu.max",)
            match [word for name in names for word in _text(folder / name).split()]:
                case [quota, period] if quota.isdecimal():  # `max` or -1: as much as there is
                    yield int(quota) / int(period)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


@contextmanager
def side_by_side(
    count: int, work: str, get_ready: Callable | None = None, *arguments: object
) -> Iterator[ProcessPoolExecutor]:
    """`count` processes for `work`, each with a core of its own, which first `get_ready` with the arguments.

    They end with this process, however it ends, and at once if the context is left by an error or Ctrl-C. They
    are started afresh, not forked: a fork copies the locks of FFmpeg, OpenCV and torch threads and can wait
    forever. So a script must come here under `if __name__ == "__main__":`. Raises ChildProcessError if one dies.
    """
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin, (get_ready, arguments))
    try:
        with pool:
            try:
                yield pool
            except BaseException:
                _stop(pool)
                raise
    except BrokenProcessPool as error:
        raise ChildProcessError(
            f"a worker process died while {work}: out of memory, or the calling script lacks "
            "`if __name__ == '__main__':`; try again with one (--workers 1, in Python workers=1)"
        ) from error


def _stop(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.terminate()
    pool.shutdown(cancel_futures=True)


def _begin(get_ready: Callable | None, arguments: tuple) -> None:
    """Make a worker ready: one core is its own, Ctrl-C is its parent's affair, and they end together."""
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    if get_ready:
        get_ready(*arguments)


def _leave_with_parent() -> None:
    """End this process when its parent was killed, or it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
