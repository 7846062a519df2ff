"""What the jobs at work say of themselves, shown while they run: the last line of each one's log."""

import os
import re
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from traunet.machines.ending import PrintingError, Terminated, tell

FINISHED = re.compile(r"\(\d+ s(?:, [\d.]+ GB)?\)$")  # a job's last line ends with how long it took, and how much
EVERY = {True: 1.0, False: 60.0}  # seconds between two looks: on a terminal, and in a log
TAIL = 4096  # bytes of a log that are read


class Status:
    """One line of status: rewritten in place on a terminal, printed once a minute elsewhere."""

    def __init__(self, logs: Path, stream: TextIO | None = None) -> None:
        self.logs, self.stream = logs, stream or sys.stdout
        self.started, self.terminal = time.time(), self.stream.isatty()
        self._stop, self._lock, self._shown, self._left = threading.Event(), threading.Lock(), "", False
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        with self._lock, suppress(OSError, PrintingError):  # a terminal that is gone
            self._wipe()
        if self._left and isinstance(error, Terminated):
            raise BrokenPipeError from error

    def say(self, line: str) -> None:
        """Print a line that stays, above the status."""
        with self._lock:
            self._wipe()
            tell(line, stream=self.stream)

    def _watch(self) -> None:
        while not self._stop.wait(EVERY[self.terminal]):
            try:
                with self._lock:
                    self._show(" · ".join(at_work(self.logs, self.started)))
            except BrokenPipeError:  # nobody reads any more what is said; who waits for the jobs is to know
                self._left = True
                os.kill(os.getpid(), signal.SIGTERM)
                return
            except PrintingError:  # it meets that itself, with the next line that stays
                return

    def _show(self, text: str) -> None:
        if not text or text == self._shown:
            return
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            self._wipe()
            tell(text[:width], end="", stream=self.stream)
        else:
            tell(f"  {text}", stream=self.stream)
        self._shown = text

    def _wipe(self) -> None:
        if self.terminal and self._shown:
            tell("\r\x1b[2K", end="", stream=self.stream)
        self._shown = ""


def at_work(logs: Path, since: float) -> list[str]:
    """`job: its last words` for every log that was written to since then and whose job has not finished."""
    words = {}
    for log in sorted(logs.glob("*.log")):
        with suppress(OSError):  # a job that begins anew takes its log away
            if log.stat().st_mtime >= since:
                words[log.stem] = last_words(log)
    return [f"{job}: {said}" for job, said in words.items() if said and not FINISHED.search(said)]


def last_words(log: Path) -> str:
    """The last line of a log that is not empty; progress bars rewrite theirs after a carriage return."""
    lines = re.split(r"[\r\n]+", ending(log))
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def ending(log: Path, size: int = TAIL) -> str:
    """The last bytes of a log, as text."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        return file.read().decode("utf-8", errors="replace")
