"""The most memory that a piece of work holds, all processes together."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path


class PeakMemory(threading.Thread):
    """Watches what this process and all below it hold while the context lasts: `bytes`, 0 where it cannot be told.

    Pages that several processes share are counted once (the kernel's proportional set size; Linux only). For that
    the kernel walks through all pages, 50 ms for 6 GB: looks that follow closely slow down what is measured.
    """

    EVERY, SHARE = 0.2, 0.02  # seconds between two looks, or longer: looking takes this share of one core at most

    def __init__(self):
        super().__init__(daemon=True)
        self.bytes, self.over = 0, threading.Event()

    def __enter__(self) -> "PeakMemory":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.over.set()
        self.join()

    def run(self) -> None:
        while True:
            last = self.over.is_set()  # asked before the look: one under way may have passed over what came late
            began = time.perf_counter()
            self.bytes = max(self.bytes, sum(_held(process) for process in _family(os.getpid())))
            if last:
                return
            self.over.wait(max(self.EVERY, (time.perf_counter() - began) / self.SHARE))


def _family(process: int) -> Iterator[int]:
    yield process
    for children in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            below = children.read_text(encoding="utf-8").split()
        except OSError:
            continue  # the process ended meanwhile
        for child in below:
            yield from _family(int(child))


def _held(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
