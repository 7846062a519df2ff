"""Pickles that do harm: one that would leave a file behind, and small ones that would become large."""

import struct
from pathlib import Path


class Bomb:
    """Leaves a file behind if its pickle is carried out."""

    def __init__(self, fuse: Path):
        self.fuse = fuse

    def __reduce__(self):
        return Path.touch, (self.fuse,)


def text(value: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value


ENTRIES = b"(" + b"".join(b"J" + struct.pack("<i", number) + b"N" for number in range(20_000)) + b"u"


def copies() -> bytes:
    """A dictionary of 20,000 entries, copied 1,000 times."""
    made = b"}q\x00" + ENTRIES + b"ccollections\nOrderedDict\nq\x01]"
    return b"\x80\x02" + made + b"h\x01h\x00\x85Ra" * 1_000 + b"."


def lists() -> bytes:
    """A list of 100 times the same list, of 100 times the same, and so on: 100,000,000 numbers."""
    made = b"]q\x00(" + b"K\x01" * 100 + b"e"
    for depth in range(3):
        made += b"]q" + bytes([depth + 1]) + b"(" + (b"h" + bytes([depth])) * 100 + b"e"
    return b"\x80\x02" + made + b"}" + text(b"conv1.weight") + b"h\x03s."


def doubled() -> bytes:
    """A name that is a pair of twice the same pair, of twice the same, and so on: to hash it takes 2^22 steps."""
    return b"\x80\x02}K\x01" + b"q\x00h\x00\x86" * 22 + b"Ns."


def deep() -> bytes:
    """A name that is a tuple of a tuple of a tuple, and so on: Python would ask for its hash until it falls."""
    return b"\x80\x02})" + b"\x85" * 150_000 + b"Ns."
