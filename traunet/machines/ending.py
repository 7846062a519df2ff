"""How a command ends that is told to: by a scheduler, by Ctrl-C, by a terminal or a reader that has left."""

import io
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

TOLD = (signal.SIGTERM, signal.SIGHUP)


class Terminated(SystemExit):
    """Told to end by a signal; the code is the one that a shell would give, 143 or 129."""

    def __init__(self, number: int):
        super().__init__(128 + number)
        self.number = number


@contextmanager
def terminable() -> Iterator[None]:
    """Being terminated, or losing the terminal, ends what runs as an error would: nothing half written stays.

    Only the first time counts, so that none disturbs the tidying up. What is heard by others or ignored (as under
    nohup) stays so.
    """

    def end(number: int, _: object) -> NoReturn:
        for one in heard:
            signal.signal(one, signal.SIG_IGN)
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
    if isinstance(error, Terminated):
        return 128 + error.number
    # Of Ctrl-C while it compiles numba makes an error of its own.
    interrupt = isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt)
    return 128 + signal.SIGINT if interrupt else None


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
