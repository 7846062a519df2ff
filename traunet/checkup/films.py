"""Videos, decoded to their very end: what a header says of a file is no proof of what is in it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from traunet.data.packets import opened
from traunet.data.video import numbered, whole


@dataclass(frozen=True)
class Film:
    """What a video holds; frames count from 1.

    `promised` is the header's number of frames (0 if it gives none), `stored` how many the file goes through,
    `damaged` those that cannot be decoded, `left_out` those that the recorder wrote nothing of.
    """

    path: Path
    width: int
    height: int
    fps: float
    codec: str
    promised: int
    stored: int
    damaged: tuple[int, ...]
    left_out: tuple[int, ...] = ()

    @property
    def decoded(self) -> int:
        return self.stored - len(self.damaged) - len(self.left_out)

    @property
    def lost(self) -> int:
        """Frames that the header promises and the file does not hold."""
        return max(0, self.promised - self.stored)


Watcher = Callable[[int, np.ndarray], None]


def watch(
    video: Path, wanted: Collection[int] = (), see: Watcher | None = None, labelled: int | None = None
) -> Film:
    """Decode every frame of a video, and show those that are `wanted` to `see` as (number, RGB picture).

    One thread, one frame in memory at a time. A damaged frame keeps its number. `labelled`: of so many there are
    labels. Raises ValueError for what is no video, FileNotFoundError if there is none.
    """
    stretch, sound = whole(video, labelled), set[int]()
    for number, frame in numbered(stretch):
        sound.add(number)
        if see and number in wanted:
            see(number, frame.to_ndarray(format="rgb24"))
    left_out = tuple(stretch.left_out)
    damaged = tuple(sorted(set(range(1, stretch.frames + 1)) - sound - set(left_out)))
    with opened(video) as container:
        stream = container.streams.video[0]
        about = (stream.width, stream.height, float(stream.average_rate or 0), stream.codec_context.name)
        return Film(
            video, *about, promised=stream.frames, stored=stretch.frames, damaged=damaged, left_out=left_out
        )
