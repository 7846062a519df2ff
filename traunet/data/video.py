"""Videos, frame by frame: one thread, one frame in memory at a time, and no frame lost from the count."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError


@contextmanager
def _opened(video: Path):
    """Open a video for decoding in one thread: FFmpeg's own threads stall when several processes decode."""
    if not video.is_file():
        raise FileNotFoundError(f"{video}: no such video; restore the file or correct the path")
    try:
        container = av.open(str(video))
    except (FFmpegError, OSError) as error:
        raise ValueError(f"{video}: empty, truncated or not a video ({error.strerror}); copy it again") from error
    with container:
        if not container.streams.video:
            raise ValueError(f"{video}: holds no picture stream; give a video")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        # Without this a damaged frame is patched up from the one before and passes for a good one.
        stream.codec_context.options = {"err_detect": "explode"}
        yield container


def _times(video: Path) -> list[int | None]:
    """The presentation time of every frame that the file really holds, read without decoding."""
    with _opened(video) as container:
        return [packet.pts for packet in container.demux(video=0) if packet.size]


def count_frames(video: Path) -> int:
    """How many frames the file really holds; a truncated file's header still promises all of them."""
    return len(_times(video))


def _numbers(video: Path) -> dict[int, int]:
    """The number of the frame shown at each time; empty if the file does not tell its times."""
    times = [time for time in _times(video) if time is not None]
    return {time: number for number, time in enumerate(sorted(times), start=1)}


def numbered_frames(video: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (frame number from 1, uint8 RGB image H x W x 3); a damaged frame is left out but keeps its number.

    Raises FileNotFoundError or ValueError, naming the file, when it cannot be opened or holds no frame at all.
    """
    numbers, last = _numbers(video), 0
    for time, image in _decoded(video):
        last = last + 1 if time is None else numbers.get(time, last + 1)
        yield last, image
    if not last:
        raise ValueError(f"{video}: no frame in it can be decoded; copy the video again")


def _decoded(video: Path) -> Iterator[tuple[int | None, np.ndarray]]:
    """Yield (presentation time, image) of the sound frames."""
    with _opened(video) as container:
        for packet in container.demux(container.streams.video[0]):
            try:
                frames = packet.decode()
            except FFmpegError:
                continue
            for frame in frames:
                if not frame.is_corrupt:
                    yield frame.pts, frame.reformat(format="rgb24", threads=1).to_ndarray()


def decode(video: Path) -> Iterator[np.ndarray]:
    """Yield the frames that can be decoded, as uint8 RGB images H x W x 3."""
    for _, image in numbered_frames(video):
        yield image
