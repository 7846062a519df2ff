"""What a video file tells of its frames without decoding them: its packets, their times, and what it lost.

A frame's number is its label's; so a file of which frames are lost or hidden is refused here, before any of those
behind gets the number of another.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from av.error import FFmpegError

# So many of a video's frames, or this share, are taken for left out by the recorder; else times are uneven.
FEW, GAPS = 3, 0.1
AVI = "avi"
MOST_EARLY = 16  # frames that H.264 lets stand before one that is shown before them
CHUNK_HEADER = 8  # bytes that stand before a packet in an AVI file

# Without this list FFmpeg plays plain text as terminal art and follows playlists to other files.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpeg,mpegts,mpegvideo,asf,flv,ogg,gif"

# No video's picture is larger, and a few hundred bytes can claim one that takes all memory; DISFA has 1024 x 768.
MOST_PIXELS = 8192**2


def too_large(width: int, height: int, most: int = MOST_PIXELS) -> str | None:
    """What to say of pictures that are not read for their size; None if they are."""
    if width * height <= most:
        return None
    return f"too large ({width} x {height} pixels, where up to {most:,} are read)"


def address(file: Path) -> str:
    """A file's name for FFmpeg, which takes what stands before a colon for a protocol."""
    return f"file:{file.resolve()}"


@contextmanager
def opened(video: Path):
    """Open a video for decoding in one thread: FFmpeg's own threads stall when several processes decode.

    Nothing damaged is patched up. Raises FileNotFoundError or ValueError for what is no video.
    """
    if not video.is_file():
        raise FileNotFoundError(f"{video}: no such video; restore the file or correct the path")
    try:
        # A title in another encoding than UTF-8 says nothing against the pictures.
        container = av.open(address(video), options={"format_whitelist": FORMATS}, metadata_errors="replace")
    except PermissionError as error:
        raise ValueError(f"{video}: may not be read ({error.strerror}); ask its owner") from error
    except (FFmpegError, OSError) as error:
        raise ValueError(f"{video}: empty, truncated or not a video ({error.strerror}); copy it again") from error
    with container:
        if not container.streams.video:
            raise ValueError(f"{video}: holds no picture stream; give a video")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise ValueError(
                f"{video}: nothing here decodes its codec; convert it, frame for frame, or copy it again"
            )
        if said := too_large(stream.width, stream.height):
            raise ValueError(f"{video}: its pictures are {said}; convert it, frame for frame, to smaller ones")
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        # Without this a damaged frame is patched up from the one before and passes for a good one.
        # And where the size of pictures changes on the way, one that is too large is a damaged one.
        stream.codec_context.options = {"err_detect": "explode", "max_pixels": str(MOST_PIXELS)}
        yield container


def packets_of(container) -> Iterator[av.Packet]:
    """The packets that hold a frame, from where the container stands."""
    return (packet for packet in container.demux(container.streams.video[0]) if packet.size)


class Index(NamedTuple):
    times: list[int | None]  # presentation time of every packet, in the file's order
    keys: list[bool]  # whether it is a key frame
    reorders: bool  # whether the decoder may show frames in another order than the file's
    late: int = 0  # time before the first frame, in which the recorder wrote nothing
    labelled: int | None = None  # how many labels the video has, if that is known
    perhaps_late: int = 0  # frames that the recorder may have left out before the first, which nothing decides
    timed: bool = False  # whether the file tells its times; an AVI file does not, and FFmpeg makes them up

    # Decision: a gap in the times is a frame that the recorder left out, unless the file has exactly as many
    # pictures as labels. Then whoever labelled them saw no gap: FFmpeg, too, makes one behind the first picture of
    # an AVI file with sound. The other reading, that a gap is always one, moves all labels behind it by a frame.
    @property
    def numbers(self) -> list[int]:
        """The number of each packet's frame; empty where times do not tell it."""
        numbers = _by_time(self.times, self.late, self.labelled)
        return _by_order(self.times) if numbers and len(self.times) == self.labelled else numbers

    @property
    def frames(self) -> int:
        """How many frames the file has, with those that the recorder left out."""
        return max(self.numbers, default=len(self.times))

    @property
    def gaps(self) -> int:
        """How many of them it holds nothing for."""
        return self.frames - len(self.times)

    @property
    def doubtful(self) -> int:
        """How many may be none, or may be there besides; labels behind them may be off by so many frames."""
        return 0 if self.labelled in (None, self.frames) else self.gaps - self.cut_off + self.perhaps_late

    @property
    def cut_off(self) -> int:
        """How many of the gaps a cut explains: frames shown before the last, that stood behind it in the file."""
        if self.labelled is None or self.frames >= self.labelled or not self.gaps:
            return 0
        early = _most_early(self.numbers)
        return self.frames - early - sorted(self.numbers)[-1 - early]


class _Packet(NamedTuple):
    """What is known of a packet before it is decoded."""

    time: int | None
    key: bool
    place: int | None  # in the file, in bytes
    hidden: bool  # from players, by an edit list


class _Chunk(NamedTuple):
    """An entry of an AVI file's own index: where its packet should be, and when it is shown."""

    place: int
    time: int


def index_of(video: Path, labelled: int | None = None) -> Index:
    """What a file tells of its packets: read without decoding. `labelled`: of so many frames there are labels.

    Raises ValueError where frames are lost or hidden, so that others would get their numbers.
    """
    with opened(video) as container:
        stream = container.streams.video[0]
        chunks = _chunks(container)  # now: reading on adds to them
        packets = [_Packet(one.pts, one.is_keyframe, one.pos, one.is_discard) for one in packets_of(container)]
        reorders, promised = bool(stream.codec_context.has_b_frames), stream.frames
        timed = container.format.name != AVI
    if hidden := sum(packet.hidden for packet in packets):
        raise ValueError(
            f"{video}: an edit list hides {hidden} of its frames from players, and labels may count without them; "
            "convert it, frame for frame, to a file that hides none"
        )
    if lost := _lost(chunks, {packet.place for packet in packets if packet.place is not None}):
        raise ValueError(
            f"{video}: {len(lost)} of the frames in its index cannot be found, the first is frame "
            f"{lost[0].time + 1}, and those behind would get wrong numbers; copy the video again"
        )
    # Where the header lets the whole film begin later, it ends behind the promised number: nothing is left out. A
    # header that was never finished promises too few, but labels of the empty chunks as well are as many as all.
    begin, end = (chunks[0].time, chunks[-1].time + 1) if chunks else (0, 0)
    late = begin if end <= promised or end == labelled else 0
    times, keys = [packet.time for packet in packets], [packet.key for packet in packets]
    return Index(times, keys, reorders, late, labelled, perhaps_late=begin - late, timed=timed)


def _chunks(container) -> list[_Chunk]:
    """The index of an AVI file, without the empty chunks; nothing of other files."""
    entries = container.streams.video[0].index_entries if container.format.name == AVI else ()
    return [_Chunk(entry.pos + CHUNK_HEADER, entry.timestamp) for entry in entries]


def _lost(chunks: list[_Chunk], found: set[int]) -> list[_Chunk]:
    """The chunks that FFmpeg did not come upon though it found later ones, as where a sector is bad.

    It reads over them, and numbers the packets behind as if they had never been. What a file that was cut short
    lacks at its end changes no number.
    """
    last = max(found, default=0)
    # FFmpeg lays the index on the first chunk that it finds; if that is not the first, the ends still agree.
    for off in (0, last - chunks[-1].place) if chunks and found else ():
        met = [chunk.place + off in found for chunk in chunks]
        if 2 * sum(met) > min(len(chunks), len(found)):  # else it means other places, and tells nothing
            return [one for one, is_met in zip(chunks, met, strict=True) if not is_met and one.place + off < last]
    return []


def _most_early(numbers: list[int]) -> int:
    """How many frames stand in the file before one that is shown before them all, at most."""
    shown, early = np.array(numbers), np.zeros(len(numbers), dtype=int)
    for back in range(1, min(MOST_EARLY + 1, len(shown))):
        early[back:] += shown[:-back] > shown[back:]
    return int(early.max())


def _by_time(times: list[int | None], late: int = 0, labelled: int | None = None) -> list[int]:
    """The number of each packet's frame, from 1, by its time; empty where times are missing or there twice.

    Where times go by even steps but for a few gaps, as those of an AVI file do, a gap is a frame that the recorder
    left out: players show the one before again. It keeps its number, or all labels behind it would be a frame off.
    Gaps may be many where with them there are no more frames than labels.
    """
    if not times or None in times or len(set(times)) < len(times):
        return []
    shown = np.array(times, dtype=np.int64)
    steps = np.diff(np.sort(shown))
    step = int(steps.min(initial=1 << 62))
    even = (shown - shown.min() + late) // step + 1
    few = even.max() - len(times) <= max(FEW, GAPS * len(times))
    full = labelled is not None and even.max() <= labelled + FEW
    return even.tolist() if len(steps) and not (steps % step).any() and (few or full) else _by_order(times)


def _by_order(times: list[int | None]) -> list[int]:
    return (1 + np.argsort(np.argsort(np.array(times, dtype=np.int64)))).tolist()
