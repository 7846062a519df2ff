"""Photographs and videos of any origin are read upright, or refused by name."""

from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from odd_media import with_a_latin_title, with_damaged_notes
from photographs import LANDSCAPE, LEAVING, NOBODY, PORTRAIT, VIDEO, WITH_ALPHA, pixels, real
from PIL import Image

from traunet.faces.media import MediaError, open_media, picture_writer


def pattern(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A picture with a bright upper left corner, whose brightness elsewhere is its number."""
    picture = np.full((height, width, 3), 10 * number, np.uint8)
    picture[: height // 2, : width // 2] = 250
    return picture


def write_video(path, pictures, rate=Fraction(20)):
    with picture_writer(path, rate) as write:
        for picture in pictures:
            write(picture)
    return path


def turned(video, copy):
    """Copy an MP4 with the note that telephones leave: turn this picture clockwise by a quarter."""
    content = bytearray(video.read_bytes())
    matrix = content.index(b"tkhd") + 44
    quarter = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], ">i4")
    content[matrix : matrix + 36] = quarter.tobytes()
    copy.write_bytes(content)
    return copy


@pytest.mark.parametrize("name", [PORTRAIT, WITH_ALPHA, LANDSCAPE])
def test_a_photograph_is_one_rgb_picture(name):
    media = open_media(real(name))
    (picture,) = media.pictures()
    assert not media.is_video
    assert picture.dtype == np.uint8
    assert picture.shape == pixels(name).shape


@pytest.mark.parametrize(("name", "frames"), [(VIDEO, 72), (NOBODY, 95), (LEAVING, 169)])
def test_a_real_video_is_read_to_its_end(name, frames):
    media = open_media(real(name))
    assert media.is_video
    assert sum(1 for _ in media.pictures()) == frames


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".tiff", ".bmp", ".mp4", ""])
def test_the_content_decides_what_a_file_is_not_its_name(tmp_path, suffix):
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(pattern(3)).save(path, format="WEBP" if suffix == ".webp" else "PNG")
    (picture,) = open_media(path).pictures()
    assert picture.shape == (48, 64, 3)


def test_a_photograph_stands_upright_as_the_camera_noted(tmp_path):
    turn = Image.Exif()
    turn[0x0112] = 6  # the orientation tag: turn clockwise by a quarter
    Image.fromarray(pattern(3)).save(tmp_path / "photo.png", exif=turn)
    (picture,) = open_media(tmp_path / "photo.png").pictures()
    np.testing.assert_array_equal(picture, np.rot90(pattern(3), -1))


def test_a_video_stands_upright_as_the_camera_noted(tmp_path):
    level = write_video(tmp_path / "level.mp4", [pattern(n) for n in range(3)])
    upright = turned(level, tmp_path / "turned.mp4")
    for picture, before in zip(open_media(upright).pictures(), open_media(level).pictures(), strict=True):
        np.testing.assert_array_equal(picture, np.rot90(before, -1))


@pytest.mark.parametrize("size", [(48, 64), (49, 65)])
def test_a_video_written_and_read_again_is_the_same(tmp_path, size):
    pictures = [pattern(n, *size) for n in range(12)]
    media = open_media(write_video(tmp_path / "out.mp4", pictures, Fraction(519168, 19667)))
    read = list(media.pictures())
    assert media.rate == pytest.approx(Fraction(519168, 19667), rel=1e-4)
    assert len(read) == 12
    for picture, before in zip(read, pictures, strict=True):
        assert np.abs(picture.astype(int) - before[:48, :64]).mean() < 4


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_media(tmp_path / "nowhere.jpg")


def test_an_empty_file_is_named(tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(MediaError, match=r"empty\.mp4: the file is empty"):
        open_media(tmp_path / "empty.mp4")


@pytest.mark.parametrize("name", ["notes.txt", "notes.jpg", "notes.mp4"])
def test_text_is_neither_photograph_nor_video(tmp_path, name):
    (tmp_path / name).write_text("no picture here\n" * 500)
    with pytest.raises(MediaError, match=f"{name}: neither a photograph nor a video"):
        open_media(tmp_path / name)


@pytest.mark.parametrize("text", ["P5", "P6 was the fifth subject", "P5\n64 48\n70000\n", "P6\n-1 x\n255\n"])
def test_a_text_that_begins_like_a_picture_is_named(tmp_path, text):
    (tmp_path / "notes.txt").write_text(text)
    with pytest.raises(MediaError, match=r"notes\.txt: neither a photograph nor a video"):
        open_media(tmp_path / "notes.txt")


@pytest.mark.parametrize("content", [b"P2\n2 1\n255\n1 300\n", b"P1\n2 1\n2 3\n"])
def test_a_picture_in_letters_with_values_that_cannot_be_is_named(tmp_path, content):
    (tmp_path / "odd.pgm").write_bytes(content)
    with pytest.raises(MediaError, match=r"odd\.pgm: the photograph is damaged"):
        list(open_media(tmp_path / "odd.pgm").pictures())


def test_a_picture_whose_head_alone_is_there_is_named(tmp_path):
    Image.fromarray(pattern(3)).save(tmp_path / "whole.webp", format="WEBP")
    (tmp_path / "half.webp").write_bytes((tmp_path / "whole.webp").read_bytes()[:40])
    with pytest.raises(MediaError, match=r"half\.webp: the photograph is damaged"):
        open_media(tmp_path / "half.webp")


def test_a_photograph_that_points_far_beyond_itself_is_named(tmp_path):
    """The system's error names no file then."""
    (tmp_path / "far.tif").write_bytes(b"II+\0\x08\0\0\0" + (2**63 - 1).to_bytes(8, "little") + bytes(64))
    with pytest.raises(MediaError, match=r"far\.tif: the photograph is damaged"):
        open_media(tmp_path / "far.tif")


RAMP = np.tile(np.arange(256, dtype=np.uint16), (4, 1))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_of_grey_are_scaled_to_eight(tmp_path, format):
    Image.fromarray(RAMP * 257).save(tmp_path / "deep", format=format)
    (picture,) = open_media(tmp_path / "deep").pictures()
    np.testing.assert_array_equal(picture, np.stack([RAMP] * 3, axis=-1))
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("maximum", [255, 1023, 65535])
def test_the_largest_value_of_a_grey_picture_is_white(tmp_path, maximum):
    values = np.array([0, maximum], ">u2" if maximum > 255 else "u1")
    (tmp_path / "odd.pgm").write_bytes(b"P5\n2 1\n%d\n" % maximum + values.tobytes())
    (picture,) = open_media(tmp_path / "odd.pgm").pictures()
    assert picture.tolist() == [[[0] * 3, [255] * 3]]


def test_twelve_bits_of_grey_are_scaled_to_eight(tmp_path):
    Image.fromarray(RAMP[:, :2]).save(tmp_path / "deep.tif")
    content = bytearray((tmp_path / "deep.tif").read_bytes())
    bits, place = (content.index(np.array(tag, "<u2").tobytes()) + 8 for tag in ([258, 3], [273, 4]))
    content[bits] = 12  # a sample
    content[content[place] :] = b"\x80\x0f\xff" * 4  # 2048 and 4095, in rows
    (tmp_path / "deep.tif").write_bytes(content)
    (picture,) = open_media(tmp_path / "deep.tif").pictures()
    assert picture[..., 0].tolist() == [[128, 255]] * 4


def test_sixteen_bits_of_grey_stand_upright_too(tmp_path):
    turn = Image.Exif()
    turn[0x0112] = 6
    Image.fromarray(RAMP * 257).save(tmp_path / "deep.png", exif=turn)
    (picture,) = open_media(tmp_path / "deep.png").pictures()
    np.testing.assert_array_equal(picture[..., 0], np.rot90(RAMP, -1))


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_grey_without_a_known_white_is_refused_by_name(tmp_path, kind):
    Image.fromarray(RAMP.astype(kind)).save(tmp_path / "deep.tif")
    with pytest.raises(MediaError, match=r"deep\.tif: does not tell which of its values is white"):
        list(open_media(tmp_path / "deep.tif").pictures())


@pytest.mark.parametrize("name", ["take12:30.mp4", "file:x.mp4", "a%20b.mp4", "-x #1?.mp4", "%03d.mp4"])
def test_a_video_may_have_any_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(Path(name), [pattern(n) for n in range(3)])
    assert Path(name).is_file()
    assert len(list(open_media(Path(name)).pictures())) == 3


def test_a_video_that_cannot_be_read_is_named_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("take12:30.avi").write_bytes(b"RIFF")
    with pytest.raises(MediaError, match=r"^take12:30\.avi: neither a photograph nor a video"):
        open_media(Path("take12:30.avi"))


def test_a_playlist_is_not_followed_to_other_files(tmp_path):
    video = write_video(tmp_path / "secret.mp4", [pattern(1)])
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {video.name}\n")
    with pytest.raises(MediaError, match="neither a photograph nor a video"):
        open_media(tmp_path / "list.mp4")


def test_sound_alone_is_no_video(tmp_path):
    with closing(av.open(str(tmp_path / "sound.mp4"), "w")) as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux([*stream.encode(sound), *stream.encode(None)])
    with pytest.raises(MediaError, match="has no pictures"):
        open_media(tmp_path / "sound.mp4")


def test_a_damaged_photograph_is_named(tmp_path):
    path = tmp_path / "half.jpg"
    path.write_bytes(real(PORTRAIT).read_bytes()[:30_000])
    with pytest.raises(MediaError, match=r"half\.jpg: the photograph is damaged"):
        list(open_media(path).pictures())


def test_a_photograph_whose_notes_are_damaged_is_named(tmp_path):
    with pytest.raises(MediaError, match=r"notes\.jpg: the photograph is damaged"):
        list(open_media(with_damaged_notes(tmp_path / "notes.jpg")).pictures())


@pytest.mark.parametrize("name", ["v.avi", "v.mp4"])
def test_a_title_in_another_encoding_is_no_fault_of_the_video(tmp_path, name):
    assert len(list(open_media(with_a_latin_title(tmp_path / name, 6)).pictures())) == 6


@pytest.mark.parametrize("name", [VIDEO, NOBODY, LEAVING])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.8])
def test_a_truncated_video_is_named(tmp_path, name, share):
    content = real(name).read_bytes()
    path = tmp_path / f"cut_{name}"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(MediaError, match=path.name):
        list(open_media(path).pictures())


@pytest.mark.parametrize(("name", "options"), [("cut.avi", {}), ("cut.mp4", {"movflags": "faststart"})])
def test_a_truncated_video_is_named_though_its_index_comes_first(tmp_path, name, options):
    path, random = tmp_path / name, np.random.default_rng(0)
    with closing(av.open(str(path), "w", options=options)) as container:
        stream = container.add_stream("mpeg4", rate=20, options={})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(30):
            frame = av.VideoFrame.from_ndarray(random.integers(0, 255, (48, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(MediaError, match=name):
        list(open_media(path).pictures())


def test_a_photograph_that_would_fill_the_memory_is_named(tmp_path, monkeypatch):
    Image.fromarray(pattern(3)).save(tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(MediaError, match=r"large\.png: the photograph is too large"):
        open_media(tmp_path / "large.png")


def test_a_video_of_an_unknown_codec_is_not_called_damaged(tmp_path):
    video = write_video(tmp_path / "new.mp4", [pattern(n) for n in range(3)])
    video.write_bytes(video.read_bytes().replace(b"avc1", b"qz77"))
    with pytest.raises(MediaError, match=r"new\.mp4: nothing here decodes its codec; convert it"):
        open_media(video)
