"""What a preparation has done so far, kept while it runs so that one that was killed goes on where it stopped."""

import glob
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
import simplejpeg

from traunet.data.aligning import HALF, Part, Task
from traunet.data.pictures import QUALITY
from traunet.data.video import Stretch
from traunet.machines.locking import alone
from traunet.records.provenance import code_hash, file_sha256

PICTURES = ".pictures"
NEW = "new"  # the store while it is put together
LOCK = "lock"
GONE = ".gone-"


class Unfinished:
    """A folder of parts. A part is named by all that it depends on, so none is ever taken for another."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.code = code_hash(["traunet.data.aligning"])
        self.named: set[str] = set()

    def task(self, stretch: Stretch, matrices: np.ndarray, size: int) -> Task:
        """The task of a stretch, with the place of its part."""
        video, content = stretch.video.stat(), hashlib.sha256(np.ascontiguousarray(matrices).tobytes())
        inputs = [
            *(str(stretch.video.resolve()), video.st_size, video.st_mtime_ns, stretch[1:]),
            *(content.hexdigest(), matrices.shape, size, QUALITY, self.code),
            [module.__version__ for module in (av, cv2, np, simplejpeg)],
        ]
        name = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
        self.named.add(name)
        return Task(stretch, matrices, size, self.folder / f"{name}{PICTURES}")

    def holds(self, task: Task) -> bool:
        """Whether an earlier call has done this task, and its part is still what it was."""
        try:
            part = Part.of(task)
            return file_sha256(task.pictures) == part.sha256
        except (OSError, ValueError, TypeError):
            return False

    def forget_others(self) -> None:
        """Remove the parts of other trees and settings: those that no task was named after."""
        for path in [*self.folder.glob(f"*{PICTURES}"), *self.folder.glob("*.json")]:
            if path.stem not in self.named:
                path.unlink()

    def clear(self) -> None:
        """Remove what was half written when an earlier call was killed."""
        shutil.rmtree(self.folder / NEW, ignore_errors=True)
        for path in self.folder.glob(f"*{HALF}*"):
            path.unlink(missing_ok=True)

    @property
    def empty(self) -> bool:
        """Whether it holds no picture."""
        return not any(path.stat().st_size for path in self.folder.glob(f"*{PICTURES}"))


@contextmanager
def unfinished(folder: Path) -> Iterator[Unfinished]:
    """The folder, made if need be and held by one process at a time; it goes when all went well or it is empty."""
    try:
        with _held(folder):
            work = Unfinished(folder)
            work.clear()
            try:
                yield work
            except BaseException:
                shutil.rmtree(folder / NEW, ignore_errors=True)
                if work.empty:
                    _put_away(folder)
                raise
            _put_away(folder)
    finally:  # with no lock in it held: NFS keeps the name of a file, and so its folder, while anyone has it open
        for gone in folder.parent.glob(f"{glob.escape(folder.name)}{GONE}*"):
            shutil.rmtree(gone, ignore_errors=True)


def _put_away(folder: Path) -> None:
    """Take its name from the folder at once: others may wait for the lock in it, and then begin a new one."""
    folder.rename(tempfile.mkdtemp(prefix=f"{folder.name}{GONE}", dir=folder.parent))


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Wait for other processes that work in this folder, which may be gone when they are done."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                _refuse_foreign(folder)
                stack.enter_context(alone(folder / LOCK))
            except FileNotFoundError:
                continue
            if (folder / LOCK).exists():
                yield
                return


def _refuse_foreign(folder: Path) -> None:
    """Raise if the folder lies elsewhere, or holds what was not made here: all of it will be removed."""
    if folder.is_symlink():
        raise FileExistsError(f"{folder}: is a link, and what it leads to would be removed; remove the link")
    held = {path.name for path in folder.iterdir()}
    if held and LOCK not in held:
        raise FileExistsError(f"{folder}: holds something else, which would be removed; give another folder")
