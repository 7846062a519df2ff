"""Photographs and videos whose notes are damaged, or in another encoding, while their pictures are sound."""

from pathlib import Path

import av
import numpy as np
from PIL import Image


def with_damaged_notes(path: Path) -> Path:
    """A photograph to be turned, whose camera calls a text a width."""
    notes = Image.Exif()
    notes[0x0112], notes[0x010E] = 6, "x"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(path, exif=notes)
    path.write_bytes(path.read_bytes().replace(b"\x01\x0e\0\2", b"\1\0\0\2", 1))
    return path


def with_a_latin_title(path: Path, frames: int) -> Path:
    """A video whose title is no UTF-8."""
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "Mueller"
        stream = container.add_stream("mpeg4", rate=20, options={})
        stream.pix_fmt, stream.height, stream.width = "yuv420p", 48, 64
        for number in range(frames):
            picture = np.full((48, 64, 3), 9 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    content = path.read_bytes()
    assert b"Mueller" in content
    path.write_bytes(content.replace(b"Mueller", b"M\xfcller "))
    return path
