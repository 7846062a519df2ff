"""AVI files as recorders write them, chunk by chunk: some leave frames out, some put two into one chunk."""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import av

Chunk = tuple[bytes, bool]  # the packet, and whether it is a key frame
NOTHING = b"\0\0\1\xb6\x51\x7f"  # an MPEG-4 frame that is the one before again
PACKED = b"\0\0\1\xb2DivX503b1393p"  # DivX's mark of chunks that hold two frames


def chunks_of(video: Path) -> list[Chunk]:
    """The packets of a video, in the file's order."""
    with av.open(str(video)) as container:
        return [(bytes(packet), packet.is_keyframe) for packet in container.demux(video=0) if packet.size]


def write_avi(path: Path, chunks: Sequence[Chunk], fourcc: bytes, width: int, height: int) -> Path:
    """An AVI file of 20 frames a second; an empty chunk is a frame that is left out."""
    movi, index = b"movi", b""
    for content, key in chunks:
        index += b"00dc" + struct.pack("<III", 0x10 if key else 0, len(movi), len(content))
        movi += _chunk(b"00dc", content)
    size = width * height * 3
    avih = struct.pack("<14I", 50_000, 0, 0, 0x10, len(chunks), 0, 1, size, width, height, 0, 0, 0, 0)
    numbers = (0, 0, 0, 0, 1, 20, 0, len(chunks), size, 2**32 - 1, 0, 0, 0, width, height)
    strh = b"vids" + fourcc + struct.pack("<IHHIIIIIIIIHHHH", *numbers)
    strf = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, fourcc, size, 0, 0, 0, 0)
    stream = _list(b"strl", _chunk(b"strh", strh) + _chunk(b"strf", strf))
    body = _list(b"hdrl", _chunk(b"avih", avih) + stream) + _chunk(b"LIST", movi) + _chunk(b"idx1", index)
    path.write_bytes(_chunk(b"RIFF", b"AVI " + body))
    return path


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _list(name: bytes, content: bytes) -> bytes:
    return _chunk(b"LIST", name + content)


def packed(video: Path) -> list[Chunk]:
    """The packets of an MPEG-4 AVI file with B-frames as XviD packs them: P B1, B2, …, and a frame of nothing."""
    with av.open(str(video)) as container:
        header = container.streams.video[0].codec_context.extradata or b""
    chunks, made = chunks_of(video), []
    while chunks:
        content, key = chunks.pop(0)
        if not made:
            begin = min(place for mark in (b"\xb3", b"\xb6") if (place := content.find(b"\0\0\1" + mark)) >= 0)
            content = (content[:begin] or header) + PACKED + content[begin:]
        between = []
        while chunks and _kind(chunks[0][0]) == "B":
            between.append(chunks.pop(0))
        if between:
            made += [(content + between[0][0], key), *between[1:], (NOTHING, False)]
        else:
            made.append((content, key))
    return made


def _kind(packet: bytes) -> str:
    return "IPBS"[packet[packet.find(b"\0\0\1\xb6") + 4] >> 6]


def without(chunks: Iterable[Chunk], numbers: Iterable[int]) -> list[Chunk]:
    """The chunks with these (from 1) empty."""
    return [(b"", False) if number in numbers else chunk for number, chunk in enumerate(chunks, start=1)]
