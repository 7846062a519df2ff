"""How far a long piece of work has come: a bar on a terminal, a plain line now and then in a log."""

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

EVERY = 10.0  # seconds between two lines in a log


class Progress:
    """Frames done of `total`, shown on standard error with the rate and the time left; a context.

    What an earlier call had done counts as done, but not for the rate, which would promise too much.
    """

    def __init__(self, what: str, total: int, shown: bool = True, clock: Callable[[], float] = time.monotonic):
        self.what, self.total, self.clock = what, total, clock
        self.found = self.done = 0
        on_terminal = sys.stderr.isatty()
        self.lines = shown and not on_terminal
        self.bar = tqdm(total=total, desc=what, unit="frame", smoothing=0) if shown and on_terminal else None
        self.started = self.spoken = clock()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind, *_) -> None:
        if self.bar is not None:
            self.bar.close()
        if self.lines and kind is None:
            self._say(f"in {_spoken(self.clock() - self.started)}")

    def find(self, frames: int) -> None:
        """So many frames were done by an earlier call."""
        self.found += frames
        if self.bar is not None:
            self.bar.initial += frames
            self.bar.update(frames)

    def advance(self, frames: int) -> None:
        """So many frames more are done."""
        self.done += frames
        if self.bar is not None:
            self.bar.update(frames)
        if self.lines and self.clock() - self.spoken >= EVERY:
            self.spoken = self.clock()
            left = f"{self.rate:,.0f} a second, {_spoken(self.seconds_left)} left"
            self._say(left if self.done else "none in this call yet")

    @property
    def rate(self) -> float:
        """Frames a second since the start of this call."""
        return self.done / max(self.clock() - self.started, 1e-9)

    @property
    def seconds_left(self) -> float:
        return (self.total - self.found - self.done) / max(self.rate, 1e-9)

    def _say(self, rest: str) -> None:
        reached = self.found + self.done
        before = f" ({self.found:,} of them earlier)" if self.found else ""
        share = f"{self.what} {reached:,} of {self.total:,} frames{before}"
        print(f"{share}, {rest}", file=sys.stderr, flush=True)


def _spoken(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
