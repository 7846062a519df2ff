"""A few bytes that claim a picture of gigapixels are refused before it is there."""

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from traunet.data.video import frame_shape
from traunet.faces.media import MediaError, open_media


def write_gif(path: Path, width: int, height: int) -> Path:
    """Twenty frames of one pixel, in a GIF that claims a large screen for them."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    corner = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    path.write_bytes(screen + (b"\x21\xf9\x04\0\x0a\0\0\0" + corner) * 20 + b";")
    return path


def write_png(path: Path, width: int, height: int) -> Path:
    """The beginning of a picture, of which nothing follows."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 99)))
    return path


def test_a_video_that_claims_huge_pictures_is_refused(tmp_path):
    path = write_gif(tmp_path / "film.gif", 8193, 8192)
    with pytest.raises(MediaError, match=r"film\.gif: its pictures are too large \(8193 x 8192 pixels.*; convert"):
        open_media(path)
    with pytest.raises(ValueError, match=r"film\.gif: its pictures are too large \(8193 x 8192 pixels.*; convert"):
        frame_shape(path)


def test_a_picture_of_a_video_that_grows_on_the_way_is_not_decoded(tmp_path, monkeypatch):
    path = write_gif(tmp_path / "film.gif", 300, 200)
    monkeypatch.setattr("traunet.faces.media.MOST_PIXELS", 300 * 200 - 1)  # less than its header was allowed
    with pytest.raises(MediaError, match=r"film\.gif: damaged after frame 0"):
        list(open_media(path).pictures())


def test_a_photograph_that_claims_huge_pictures_is_refused(tmp_path):
    path = write_png(tmp_path / "face.png", 13000, 13000)
    with pytest.raises(
        MediaError, match=r"face\.png: the photograph is too large \(13000 x 13000 .*make it smaller"
    ):
        open_media(path)


@pytest.mark.parametrize("size", [(11648, 8736), (12000, 9000)])
def test_photographs_as_large_as_cameras_take_them_are_looked_at(tmp_path, size):
    assert not open_media(write_png(tmp_path / "face.png", *size)).is_video


def test_a_small_one_of_the_same_making_is_read(tmp_path):
    film = write_gif(tmp_path / "film.gif", 300, 200)
    assert frame_shape(film) == (200, 300)
    assert next(open_media(film).pictures()).shape == (200, 300, 3)
    with Image.open(write_png(tmp_path / "face.png", 30, 20)) as image:
        assert image.size == (30, 20)
