"""Videos, frame by frame: one thread, one frame in memory at a time, and no frame lost from the count."""

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.error import FFmpegError

from traunet.data.packets import Index, index_of, opened, packets_of

NONE = 0  # the number of a frame that is not wanted
STRETCH = 500  # frames that are decoded in one go when a video is divided; a second or two of work


class Stretch(NamedTuple):
    """A run of a video's frames that starts with a key frame, and the packets of the file that hold them.

    The packets may hold a few frames more: those between two key frames can lie behind the second in the file.
    """

    video: Path
    packet: int  # the first packet, from 0
    times: tuple[int | None, ...]  # presentation times of the packets, in the file's order; None: it does not tell
    numbers: tuple[int, ...]  # of the packets' frames, from 1 in the whole video; empty: only counting tells them
    first: int  # number of the first frame, from 1
    frames: int

    @property
    def left_out(self) -> list[int]:
        """Numbers of frames that the recorder left out: the file holds nothing at their times."""
        there = set(self.numbers)
        own = range(self.first, self.first + self.frames)
        return [number for number in own if number not in there] if there else []


def frame_shape(video: Path) -> tuple[int, int]:
    """Height and width of its frames in pixels, as the file tells them."""
    with opened(video) as container:
        stream = container.streams.video[0]
        return stream.height, stream.width


def frame_rate(video: Path) -> float:
    """Frames a second, as the file tells them; 0 if it does not."""
    with opened(video) as container:
        return float(container.streams.video[0].average_rate or 0)


class Count(NamedTuple):
    """How many frames a file really holds, those that a recorder left out included.

    `doubtful` are those of which neither the file nor the number of labels tells whether they were left out.
    """

    frames: int
    doubtful: int


def count_frames(video: Path, labelled: int | None = None) -> Count:
    """Count a video's frames: a truncated file's header still promises all of them.

    `labelled`: of so many there are labels. Raises ValueError where frames are left out and nothing tells which.
    """
    index = index_of(video, labelled)
    if index.gaps:
        _numbers(video, index)
    return Count(index.frames, index.doubtful)


def whole(video: Path, labelled: int | None = None) -> Stretch:
    """The whole video as one stretch."""
    return divide(video, None, labelled)[0]


def divide(video: Path, length: int | None = STRETCH, labelled: int | None = None) -> list[Stretch]:
    """Cut a video at key frames into stretches of at least `length` frames but for the last; None: one stretch.

    A video that does not tell its times, or tells them wrong, is not divided. `labelled`: of so many frames there
    are labels. Raises ValueError where frames are left out and nothing tells which.
    """
    index = index_of(video, labelled)
    numbers = _numbers(video, index)
    total = max(numbers, default=len(index.times))
    cuts = _cuts(video, index, length) if length is not None and numbers else [0]
    begins = [0, *(numbers[cut] - 1 for cut in cuts[1:]), total]
    made = []
    for cut, begin, end in zip(cuts, begins, begins[1:], strict=False):
        stop = max((packet + 1 for packet, number in enumerate(numbers) if number <= end), default=total)
        part = slice(cut, stop)
        made.append(Stretch(video, cut, tuple(index.times[part]), tuple(numbers[part]), begin + 1, end - begin))
    return made


def _numbers(video: Path, index: Index) -> list[int]:
    """The numbers of the packets' frames; empty where only counting tells them."""
    if _are_true(video, index):
        return index.numbers
    if index.gaps and index.labelled is not None:
        raise ValueError(
            f"{video}: {index.gaps} of its frames were left out, and as the file holds frames in another order "
            "than they are shown in, it does not tell which; convert it at its own rate, so that the frame before "
            "stands for each of them"
        )
    return []


def _are_true(video: Path, index: Index) -> bool:
    """Whether frames come out of the decoder in the order of the packets' times.

    An AVI file has no times, and FFmpeg counts packets instead, or guesses from their types. That is wrong of
    frames that the file holds in another order than they are shown in: H.264 with B-frames, or MPEG-4 whose
    packets hold two frames. Only decoding tells; it is asked where frames may be reordered, and of a file that
    has times only where these know nothing of it.
    """
    told = [time for time in index.times if time is not None]
    if not index.reorders or len(told) < len(index.times) or (index.timed and told != sorted(told)):
        return True
    every = Stretch(video, 0, tuple(index.times), (), 1, len(index.times))
    shown = [frame.pts or 0 for frame in _decoded(every) if frame is not None]
    return shown == sorted(shown)


def _cuts(video: Path, index: Index, length: int) -> list[int]:
    """The packets at which stretches of so many frames begin."""
    first, *later = _spaced(_clean_cuts(index.times, index.keys), length)
    return [first, *_where_decoding_begins(video, index.times, later)]


def _clean_cuts(times: list[int | None], keys: list[bool]) -> list[int]:
    """The key frames that all packets before them in the file precede in time as well."""
    shown = np.array(times, dtype=np.int64)
    return (
        1 + np.flatnonzero((np.maximum.accumulate(shown)[:-1] < shown[1:]) & np.array(keys[1:], bool))
    ).tolist()


def _where_decoding_begins(video: Path, times: list[int | None], cuts: list[int]) -> Iterator[int]:
    """Those of the cuts at which there is a key frame, as the decoder says too.

    An AVI file's index may call every packet one. Some decoders take another frame without a word and go on from a
    grey picture. Only the one frame is decoded.
    """
    with opened(video) as container:
        decoder = container.streams.video[0].codec_context
        for cut in cuts:
            try:
                packets = _sought(container, Stretch(video, cut, (times[cut],), (), 1, 1))
                frames = [frame for packet in (*packets, None) for frame in decoder.decode(packet)]
            except FFmpegError:
                frames = []
            decoder.flush_buffers()
            if frames and frames[0].key_frame:
                yield cut


def _spaced(cuts: list[int], length: int) -> list[int]:
    chosen = [0]
    for cut in cuts:
        if cut - chosen[-1] >= length:
            chosen.append(cut)
    return chosen


def numbered(stretch: Stretch) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield (frame number from 1, decoded frame); a damaged frame is left out but keeps its number.

    Raises ValueError where a damaged frame leaves no way to number those behind it.
    """
    known, last = dict(zip(stretch.times, stretch.numbers, strict=False)), stretch.first - 1
    for frame in _decoded(stretch):
        if frame is None:
            if not known:
                raise ValueError(
                    f"{stretch.video}: a frame behind {last} does not decode, and the file does not tell the "
                    "times of its frames, so that those behind cannot be numbered; copy the video again"
                )
            continue
        last = known.get(frame.pts, last + 1)
        if stretch.first <= last < stretch.first + stretch.frames:  # else it is of the stretch before or after
            yield last, frame


def all_before(stretch: Stretch) -> Stretch:
    """The same frames, reached from the video's start: all packets before are decoded too, and not shown."""
    before = index_of(stretch.video).times[: stretch.packet]
    numbers = (*[NONE] * stretch.packet, *stretch.numbers)
    return stretch._replace(packet=0, times=(*before, *stretch.times), numbers=numbers)


def _decoded(stretch: Stretch) -> Iterator[av.VideoFrame | None]:
    """Yield the frames of the packets of a stretch, in the order of time; None for each that is not sound."""
    damage = _Damage()
    with opened(stretch.video) as container:
        for packet in chain(_sought(container, stretch), [None]):
            if packet is not None:
                damage.pass_on(packet)
            try:
                frames = container.streams.video[0].decode(packet)
            except FFmpegError:
                damage.begin(packet.pts if packet is not None else None)
                yield None
                continue
            for frame in frames:
                if frame.is_corrupt:
                    damage.begin(frame.pts)
                yield None if frame.is_corrupt or frame.pts in damage.spoilt else frame


class _Damage:
    """Which frames to distrust: a damaged one, and up to the next key frame all that may be predicted from it."""

    def __init__(self):
        self.spoilt: set[int | None] = set()  # times of the packets
        self.since_key: list[int | None] = []
        self.spreads = self.spread_before = False

    def pass_on(self, packet: av.Packet) -> None:
        """The decoder is about to get this packet."""
        if packet.is_keyframe:
            self.since_key, self.spreads, self.spread_before = [], False, self.spreads
        self.since_key.append(packet.pts)
        # Frames that are shown before a key frame, but lie behind it, are predicted from those before it as well.
        leads = packet.pts is not None and self.since_key[0] is not None and packet.pts < self.since_key[0]
        if self.spreads or (self.spread_before and leads):
            self.spoilt.add(packet.pts)

    def begin(self, time: int | None) -> None:
        """The frame of this time is damaged."""
        self.spoilt.add(time)
        if time in self.since_key:
            self.spreads = True
            self.spoilt.update(self.since_key[self.since_key.index(time) :])


def _sought(container, stretch: Stretch) -> Iterator[av.Packet]:
    """The packets of a stretch: found through the file's own index if that leads there, else by counting."""
    packets, skipped = packets_of(container), stretch.packet
    if stretch.packet and stretch.times[0] is not None:
        container.seek(stretch.times[0], stream=container.streams.video[0])
        packets = packets_of(container)
        found = next(packets, None)
        if found is not None and found.pts == stretch.times[0]:
            packets, skipped = chain([found], packets), 0
        else:
            container.seek(0)
            packets = packets_of(container)
    yield from islice(packets, skipped, skipped + len(stretch.times))


def numbered_frames(video: Path, labelled: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (frame number from 1, uint8 RGB image H x W x 3); a damaged frame is left out but keeps its number.

    `labelled`: of so many frames there are labels, which may decide what a gap is (`Index`).
    Raises FileNotFoundError or ValueError, naming the file, when it cannot be opened or holds no frame at all.
    """
    number = 0
    for number, frame in numbered(whole(video, labelled)):
        yield number, frame.reformat(format="rgb24", threads=1).to_ndarray()
    if not number:
        raise no_frame(video)


def no_frame(video: Path) -> ValueError:
    """What to raise when no frame of a video can be decoded."""
    return ValueError(f"{video}: no frame in it can be decoded; copy the video again")
