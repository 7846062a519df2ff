"""How a command ends that is told to: by a scheduler, by Ctrl-C, by a terminal or a reader that has left."""

import errno
import io
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

TOLD = (signal.SIGTERM, signal.SIGHUP)
TIDYING = 10  # seconds in which another such signal does not disturb what the first one ended


class Terminated(SystemExit):
    """Told to end by a signal; the code is the one that a shell would give, 143 or 129."""

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.number = number

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return Terminated, (self.number,)


class PrintingError(ValueError):
    """What a command prints cannot be written, as to a full disk."""


@contextmanager
def terminable() -> Iterator[None]:
    """Being terminated, or losing the terminal, ends what runs as an error would: nothing half written stays.

    Another signal shortly after the first is not heard; a later one is, should the first have been lost. What
    others hear, or what is ignored (as under nohup), stays so.
    """
    since = -float("inf")

    def end(number: int, _: object) -> None:
        nonlocal since
        if time.monotonic() - since > TIDYING:
            since = time.monotonic()
            raise Terminated(number)

    main = threading.current_thread() is threading.main_thread()
    heard = [number for number in TOLD if main and signal.getsignal(number) is signal.SIG_DFL]
    for number in heard:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_DFL)


def code_of(error: BaseException) -> int | None:
    """The code that a shell would give to what was told to end: 130 for Ctrl-C, 141 if nobody reads. Else None."""
    # While numba compiles, it wraps what ends it.
    told = error.__cause__ if isinstance(error, SystemError) else error
    if isinstance(told, Terminated):
        return 128 + told.number
    if isinstance(told, BrokenPipeError) and nobody_reads():
        return 128 + signal.SIGPIPE
    return 128 + signal.SIGINT if isinstance(told, KeyboardInterrupt) else None


def tell(text: str = "", end: str = "\n", stream: TextIO | None = None) -> None:
    """Print what a command was asked for; BrokenPipeError if nobody reads, PrintingError if there is no room."""
    try:
        print(text, end=end, file=stream, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PrintingError(
            f"what is printed cannot be written ({error.strerror}); make room where it goes, or send it elsewhere"
        ) from error


def say(text: str) -> None:
    """Print a line for the user beside what a command prints; nothing if the terminal is gone."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError as error:
        if error.errno in (errno.EIO, errno.EPIPE):  # else what is full may have room again for the next line
            _drop(sys.stderr)


@contextmanager
def printing() -> Iterator[None]:
    """Print any letter, and drop in the end what cannot be written: Python would tell of it, by a code of 120."""
    speak_any_locale()
    try:
        yield
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            try:
                stream.flush()
            except (OSError, ValueError):  # the latter if it was closed
                _drop(stream)


def nobody_reads() -> bool:
    """Whether who read what is printed has left, as after `| head`; then nothing more is."""
    asked = select.poll()
    asked.register(sys.stdout.fileno(), 0)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in asked.poll(0)):
        return False
    _drop(sys.stdout)
    return True


def _drop(stream: TextIO) -> None:
    """Let what waits in a stream, and what is printed to it from now on, go nowhere."""
    with suppress(ValueError), Path(os.devnull).open("w") as nowhere:  # one in memory has no number
        os.dup2(nowhere.fileno(), stream.fileno())


def speak_any_locale() -> None:
    """Print a question mark for a letter that the terminal's encoding lacks, instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
