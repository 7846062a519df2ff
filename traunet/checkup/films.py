"""Videos, decoded to their very end: what a header says of a file is no proof of what is in it."""

from collections.abc import Callable, Collection
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError


@dataclass(frozen=True)
class Film:
    """What a video holds; frames count from 1.

    `promised` is the header's number of frames (0 if it gives none), `stored` how many the file has bytes of,
    `damaged` those that cannot be decoded.
    """

    path: Path
    width: int
    height: int
    fps: float
    codec: str
    promised: int
    stored: int
    damaged: tuple[int, ...]

    @property
    def decoded(self) -> int:
        return self.stored - len(self.damaged)

    @property
    def lost(self) -> int:
        """Frames that the header promises and the file does not hold."""
        return max(0, self.promised - self.stored)


Watcher = Callable[[int, np.ndarray], None]


def watch(video: Path, wanted: Collection[int] = (), see: Watcher | None = None) -> Film:
    """Decode every frame of a video, and show those that are `wanted` to `see` as (number, RGB picture).

    One thread, one frame in memory at a time. A damaged frame keeps its number. Raises ValueError for what is no
    video, FileNotFoundError if there is none.
    """
    times = _times(video)
    shown_at = sorted(time for time in times if time is not None)
    numbers = {time: number for number, time in enumerate(shown_at, start=1)}
    sound: set[int] = set()
    with _opened(video) as container:
        stream = container.streams.video[0]
        for frame in _frames(container, stream):
            number = len(sound) + 1 if frame.pts is None else numbers.get(frame.pts, len(sound) + 1)
            sound.add(number)
            if see and number in wanted:
                see(number, frame.to_ndarray(format="rgb24"))
        damaged = tuple(number for number in range(1, len(times) + 1) if number not in sound)
        about = (stream.width, stream.height, float(stream.average_rate or 0), stream.codec_context.name)
        return Film(video, *about, promised=stream.frames, stored=len(times), damaged=damaged)


@contextmanager
def _opened(video: Path):
    """Open for decoding in one thread, since the videos are read side by side, and with nothing patched up."""
    if not video.is_file():
        raise FileNotFoundError(f"{video}: no such video; restore the file")
    try:
        container = av.open(str(video))
    except (FFmpegError, OSError) as error:
        raise ValueError(f"{video}: empty, truncated or not a video ({error.strerror}); copy it again") from error
    with container:
        if not container.streams.video:
            raise ValueError(f"{video}: holds no picture stream; give a video")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.options = {"err_detect": "explode"}
        yield container


def _times(video: Path) -> list[int | None]:
    with _opened(video) as container:
        return [packet.pts for packet in container.demux(video=0) if packet.size]


def _frames(container, stream):
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except FFmpegError:
            continue
        yield from (frame for frame in frames if not frame.is_corrupt)
