"""How a command ends that is told to: by a scheduler, by Ctrl-C, by a terminal or a reader that has left."""

import io
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

TOLD = (signal.SIGTERM, signal.SIGHUP)
TIDYING = 10  # seconds in which another such signal does not disturb what the first one ended


class Terminated(SystemExit):
    """Told to end by a signal; the code is the one that a shell would give, 143 or 129."""

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.number = number

    def __reduce__(self) -> tuple[type, tuple[int]]:
        return Terminated, (self.number,)


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
    """The code that a shell would give to what was told to end: 130 for Ctrl-C. None of any other error."""
    # While numba compiles, it wraps what ends it.
    told = error.__cause__ if isinstance(error, SystemError) else error
    if isinstance(told, Terminated):
        return 128 + told.number
    return 128 + signal.SIGINT if isinstance(told, KeyboardInterrupt) else None


def say(text: str) -> None:
    """Print a line for the user beside what a command prints; nothing if the terminal is gone."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def nobody_reads() -> bool:
    """Whether who read what is printed has left, as after `| head`; then nothing more is."""
    asked = select.poll()
    asked.register(sys.stdout.fileno(), 0)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in asked.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def speak_any_locale() -> None:
    """Print a question mark for a letter that the terminal's encoding lacks, instead of an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
