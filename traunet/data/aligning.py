"""The work of preparing: videos decoded once, stretch by stretch, and aligned, side by side in processes."""

import hashlib
import json
import multiprocessing
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import NamedTuple

import numpy as np

from traunet.data.pictures import encode_aligned
from traunet.data.progress import Progress
from traunet.data.video import Stretch, all_before, numbered
from traunet.machines import cores
from traunet.records.reading import json_of

AHEAD = 2  # tasks a process that are laid out ahead of time: none has to wait, and memory stays flat
LOOK = 0.2  # seconds between two looks at how far the processes have come
STEP = 16  # frames after which a process says how far it has come
HALF = ".half-"  # begins the suffix of what is being written

Advance = Callable[[int], None]


class Task(NamedTuple):
    """One stretch of a subject's video, small enough to be sent to another process."""

    stretch: Stretch
    matrices: np.ndarray  # (frames, 2, 3) of the stretch; NaN where no picture is wanted
    size: int
    pictures: Path  # where the encoded pictures go, one after another; beside it `Part` as JSON

    @property
    def wanted(self) -> np.ndarray:
        """Of which frames a picture is wanted: (frames,) bool."""
        return ~np.isnan(self.matrices[:, 0, 0])

    @property
    def note(self) -> Path:
        """Where what came of it is noted; it is there when all of it is done."""
        return self.pictures.with_suffix(".json")


class Part(NamedTuple):
    """What came of a task."""

    lengths: list[int]  # bytes of each frame's picture; 0: not wanted, or it could not be decoded
    decoded: int  # frames, as far as the last that was wanted
    sha256: str  # of the pictures

    @classmethod
    def of(cls, task: Task) -> "Part":
        """Read the note of a task that is done."""
        return cls(**json_of(task.note))


def align_part(task: Task, advance: Advance = lambda frames: None) -> None:
    """Decode a stretch, align its wanted frames and write their pictures and the note; both whole or not at all.

    `advance` is told how many frames more are done.
    """
    # A random name: without locks two may do the same task, and in pods both have the same small process number.
    scratch = task.pictures.with_suffix(f"{HALF}{secrets.token_hex(4)}")
    try:
        part, complete = _encoded(task, task.stretch, scratch, advance)
        if task.stretch.packet and not complete:
            # A codec's key frames are not always what they claim; the way from the video's start is sure.
            part, _ = _encoded(task, all_before(task.stretch), scratch, lambda frames: None)
        scratch.rename(task.pictures)
        scratch.write_text(json.dumps(part._asdict()), encoding="utf-8")
        scratch.rename(task.note)
    finally:
        scratch.unlink(missing_ok=True)


def _encoded(task: Task, stretch: Stretch, out: Path, advance: Advance) -> tuple[Part, bool]:
    """Write the pictures of a task from this stretch, and tell whether every frame looked for was there."""
    lengths, wanted = [0] * len(task.matrices), task.wanted
    looked_for = int(wanted.nonzero()[0][-1]) + 1 if wanted.any() else 0
    content, decoded, told, row = hashlib.sha256(), 0, 0, -1
    with out.open("wb") as file:
        for number, frame in numbered(stretch) if looked_for else ():
            before, row = row, number - task.stretch.first
            if row >= looked_for:
                break
            if row <= before or row < 0:
                continue
            decoded += 1
            if wanted[row]:
                picture = encode_aligned(frame, task.matrices[row], task.size)
                content.update(picture)
                lengths[row] = file.write(picture)
            if row - told >= STEP:
                advance(row - told)
                told = row
    advance(len(lengths) - told)
    left_out = sum(number < task.stretch.first + looked_for for number in task.stretch.left_out)
    return Part(lengths, decoded, content.hexdigest()), decoded == looked_for - left_out


def align_parts(tasks: Iterable[Task], workers: int | None, progress: Progress) -> None:
    """Do all tasks in up to `workers` processes (default: one per core; 1: in this process)."""
    count = workers or cores.available()
    if count == 1:
        for task in tasks:
            align_part(task, progress.advance)
    else:
        in_processes(align_part, tasks, count, progress)


def in_processes(work: Callable, tasks: Iterable[Task], count: int, progress: Progress) -> None:
    """Let `work` (a task, and what to tell of its advance) do all tasks in `count` processes."""
    done = multiprocessing.get_context("spawn").Value("q", 0)
    waiting: set[Future] = set()

    def settle(limit: int) -> None:
        while len(waiting) > limit:
            ready, _ = wait(waiting, timeout=LOOK, return_when=FIRST_COMPLETED)
            waiting.difference_update(ready)
            for future in ready:
                future.result()
            progress.advance(done.value - progress.done)

    with cores.side_by_side(count, "aligning frames", _share, done) as pool:
        try:
            for task in tasks:
                waiting.add(pool.submit(_in_worker, work, task))
                settle(AHEAD * count)
            settle(0)
        finally:
            pool.shutdown(cancel_futures=True)  # what is begun is done, and need not be done again


_done = None  # in a worker: the count of frames that all workers share


def _share(done) -> None:
    global _done
    _done = done


def _in_worker(work: Callable, task: Task) -> None:
    def advance(frames: int) -> None:
        with _done.get_lock():  # pyright: ignore[reportOptionalMemberAccess]
            _done.value += frames  # pyright: ignore[reportOptionalMemberAccess]

    work(task, advance)
