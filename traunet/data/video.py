"""Videos, frame by frame: one thread, one frame in memory at a time, and no frame lost from the count."""

from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.error import FFmpegError

STRETCH = 500  # frames that are decoded in one go when a video is divided; a second or two of work


class Stretch(NamedTuple):
    """A run of a video's frames that starts with a key frame, and the packets of the file that hold them.

    The packets may hold a few frames more: those between two key frames can lie behind the second in the file.
    """

    video: Path
    packet: int  # the first packet, from 0
    times: tuple[int | None, ...]  # presentation times of the packets, in the file's order; None: it does not tell
    first: int  # number of the first frame, from 1
    frames: int

    @property
    def shown(self) -> list[int]:
        """The times of its frames, in order; empty if the file does not tell them."""
        told = sorted(time for time in self.times if time is not None)
        begin = bisect_left(told, self.times[0] or 0) if self.packet else 0
        return told[begin:][: self.frames]


# Without this list FFmpeg plays plain text as terminal art and follows playlists to other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,asf,flv,ogg,gif"


@contextmanager
def opened(video: Path):
    """Open a video for decoding in one thread: FFmpeg's own threads stall when several processes decode.

    Nothing damaged is patched up. Raises FileNotFoundError or ValueError for what is no video.
    """
    if not video.is_file():
        raise FileNotFoundError(f"{video}: no such video; restore the file or correct the path")
    try:
        container = av.open(str(video), options={"format_whitelist": FORMATS})
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


def _packets(container) -> Iterator[av.Packet]:
    """The packets that hold a frame, from where the container stands."""
    return (packet for packet in container.demux(container.streams.video[0]) if packet.size)


def _index(video: Path) -> tuple[list[int | None], list[bool]]:
    """Time of every packet, and whether it is a key frame: read without decoding."""
    with opened(video) as container:
        told = [(packet.pts, packet.is_keyframe) for packet in _packets(container)]
    return [time for time, _ in told], [key for _, key in told]


def count_frames(video: Path) -> int:
    """How many frames the file really holds; a truncated file's header still promises all of them."""
    return len(_index(video)[0])


def whole(video: Path) -> Stretch:
    """The whole video as one stretch."""
    return divide(video, None)[0]


def divide(video: Path, length: int | None = STRETCH) -> list[Stretch]:
    """Cut a video at key frames into stretches of at least `length` frames but for the last; None: one stretch.

    A video that does not tell its times, or the same time twice, is not divided.
    """
    times, keys = _index(video)
    cuts = [0] if length is None else _spaced(_clean_cuts(times, keys), length)
    if cuts == [0]:
        return [Stretch(video, 0, tuple(times), 1, len(times))]
    ranked = np.argsort(np.argsort(np.array(times, dtype=np.int64)))  # of each packet's frame in the order of time
    begins = [0, *(int(ranked[cut]) for cut in cuts[1:]), len(times)]
    made = []
    for cut, begin, end in zip(cuts, begins, begins[1:], strict=False):
        stop = int(np.flatnonzero(ranked < end)[-1]) + 1
        made.append(Stretch(video, cut, tuple(times[cut:stop]), begin + 1, end - begin))
    return made


def _clean_cuts(times: list[int | None], keys: list[bool]) -> list[int]:
    """The key frames that all packets before them in the file precede in time as well."""
    if None in times or len(set(times)) < len(times):
        return []
    shown = np.array(times, dtype=np.int64)
    return (
        1 + np.flatnonzero((np.maximum.accumulate(shown)[:-1] < shown[1:]) & np.array(keys[1:], bool))
    ).tolist()


def _spaced(cuts: list[int], length: int) -> list[int]:
    chosen = [0]
    for cut in cuts:
        if cut - chosen[-1] >= length:
            chosen.append(cut)
    return chosen


def numbered(stretch: Stretch) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield (frame number from 1, decoded frame); a damaged frame is left out but keeps its number."""
    shown, last = stretch.shown, stretch.first - 1
    for frame in _decoded(stretch):
        rank = bisect_left(shown, frame.pts) if shown and frame.pts is not None else None
        if rank is not None and rank < len(shown) and shown[rank] == frame.pts:
            last = stretch.first + rank
        elif rank in (0, len(shown)) and stretch.frames < len(stretch.times):
            continue  # of the stretch before or after
        else:
            last += 1
        yield last, frame


def all_before(stretch: Stretch) -> Stretch:
    """The stretch that ends where this one does and starts with the video."""
    times = _index(stretch.video)[0][: stretch.packet] + list(stretch.times)
    return Stretch(stretch.video, 0, tuple(times), 1, stretch.first + stretch.frames - 1)


def _decoded(stretch: Stretch) -> Iterator[av.VideoFrame]:
    """Yield the sound frames of the packets of a stretch, in the order of time."""
    with opened(stretch.video) as container:
        for packet in chain(_sought(container, stretch), [None]):
            try:
                frames = container.streams.video[0].decode(packet)
            except FFmpegError:
                continue
            yield from (frame for frame in frames if not frame.is_corrupt)


def _sought(container, stretch: Stretch) -> Iterator[av.Packet]:
    """The packets of a stretch: found through the file's own index if that leads there, else by counting."""
    packets, skipped = _packets(container), stretch.packet
    if stretch.packet and stretch.times[0] is not None:
        container.seek(stretch.times[0], stream=container.streams.video[0])
        packets = _packets(container)
        found = next(packets, None)
        if found is not None and found.pts == stretch.times[0]:
            packets, skipped = chain([found], packets), 0
        else:
            container.seek(0)
            packets = _packets(container)
    yield from islice(packets, skipped, skipped + len(stretch.times))


def numbered_frames(video: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (frame number from 1, uint8 RGB image H x W x 3); a damaged frame is left out but keeps its number.

    Raises FileNotFoundError or ValueError, naming the file, when it cannot be opened or holds no frame at all.
    """
    number = 0
    for number, frame in numbered(whole(video)):
        yield number, frame.reformat(format="rgb24", threads=1).to_ndarray()
    if not number:
        raise no_frame(video)


def no_frame(video: Path) -> ValueError:
    """What to raise when no frame of a video can be decoded."""
    return ValueError(f"{video}: no frame in it can be decoded; copy the video again")


def decode(video: Path) -> Iterator[np.ndarray]:
    """Yield the frames that can be decoded, as uint8 RGB images H x W x 3."""
    for _, image in numbered_frames(video):
        yield image
