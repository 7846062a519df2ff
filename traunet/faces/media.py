"""Photographs and videos from anywhere: read as RGB pictures, written whole or not at all."""

import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, SAMPLEFORMAT, TiffImageFile

from traunet.data.packets import FORMATS, MOST_PIXELS, address, too_large
from traunet.records.keeping import whole

PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM")
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg")
VIDEO_SUFFIXES = (".mp4",)
LARGEST_PHOTO = 2**27  # pixels, in 3 GB of memory; cameras of medium format and telephones give up to 108 million
UNSIGNED = 1  # of TIFF's formats of a sample


class MediaError(ValueError):
    """A file that cannot be read as a photograph or a video; the message names it and says what to do."""


@dataclass(frozen=True)
class Media:
    """A photograph, or a video of `rate` frames a second (None: a photograph)."""

    path: Path
    rate: Fraction | None = None

    @property
    def is_video(self) -> bool:
        """Whether the pictures follow each other in time."""
        return self.rate is not None

    def pictures(self) -> Iterator[np.ndarray]:
        """Every picture, upright, (H, W, 3) uint8 RGB; raises MediaError where the file is damaged."""
        return _frames(self.path) if self.is_video else iter([_photograph(self.path)])


def open_media(path: Path) -> Media:
    """Look at what a file contains, whatever its name; raises FileNotFoundError or MediaError."""
    path = Path(path)
    if not path.is_file():
        what = "is a folder; give one file of it" if path.is_dir() else "there is no such file; correct the name"
        raise FileNotFoundError(f"{path}: {what}")
    if path.stat().st_size == 0:
        raise MediaError(f"{path}: the file is empty; copy or download it again")
    return Media(path) if _is_photograph(path) else Media(path, _frame_rate(path))


def _is_photograph(path: Path) -> bool:
    try:
        with _opened(path) as image:
            said = too_large(*image.size, LARGEST_PHOTO)
    except (UnidentifiedImageError, ValueError):  # the latter of a text that begins like a PPM file
        return False
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path}: the photograph is too large ({error}); make it smaller") from error
    except OSError as error:
        if error.filename is not None:  # the system's own, which names the file
            raise
        raise _damaged(path, error) from error
    if said:
        raise MediaError(f"{path}: the photograph is {said}; make it smaller")
    return True


def _opened(path: Path) -> Image.Image:
    with warnings.catch_warnings(category=Image.DecompressionBombWarning, action="ignore"):  # we have a limit
        return Image.open(path, formats=PHOTO_FORMATS)


def _damaged(path: Path, error: Exception) -> MediaError:
    return MediaError(f"{path}: the photograph is damaged ({error}); copy or download it again")


def _photograph(path: Path) -> np.ndarray:
    try:
        with _opened(path) as image:
            white, upright = _white(image), ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise _damaged(path, error) from error
    if white is None:
        return np.array(upright.convert("RGB"))
    if white == 0:
        raise MediaError(f"{path}: does not tell which of its values is white; save it with 8 or 16 bits a pixel")
    shades = np.rint(np.arange(white + 1) * (255 / white)).astype(np.uint8)
    return np.repeat(shades[np.asarray(upright)][..., None], 3, axis=2)


def _white(image: Image.Image) -> int | None:
    """The value that is white in a picture of more than 8 bits of grey, which Pillow would cut off at 255.

    0: the file does not tell; None: any other picture.
    """
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return None
    if isinstance(image, TiffImageFile):
        bits, kind = (image.tag_v2.get(tag, (1,))[0] for tag in (BITSPERSAMPLE, SAMPLEFORMAT))
        return 2**bits - 1 if kind == UNSIGNED and bits <= 16 else 0
    return 2**16 - 1 if image.mode != "F" else 0


@contextmanager
def _video(path: Path) -> Iterator[Any]:
    # A title in another encoding than UTF-8 says nothing against the pictures.
    with av.open(address(path), options={"format_whitelist": FORMATS}, metadata_errors="replace") as container:
        if not container.streams.video:
            raise MediaError(f"{path}: has no pictures, only sound; give a photograph or a video")
        if container.streams.video[0].codec_context is None:
            raise MediaError(f"{path}: nothing here decodes its codec; convert it, to H.264 for instance")
        stream = container.streams.video[0]
        if said := too_large(stream.width, stream.height):
            raise MediaError(f"{path}: its pictures are {said}; convert it to smaller ones")
        stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}  # its size may change on the way
        stream.thread_type = "NONE"  # one thread a process is the rule of the whole project
        yield container


def _frame_rate(path: Path) -> Fraction:
    try:
        with _video(path) as video:
            return video.streams.video[0].average_rate or Fraction(25)
    except FFmpegError as error:
        raise MediaError(
            f"{path}: neither a photograph nor a video that can be read; "
            "give a JPEG, PNG, MP4, MOV or AVI file, or copy it again if it should be one"
        ) from error


def _frames(path: Path) -> Iterator[np.ndarray]:
    count = 0
    with _video(path) as video:
        announced = video.streams.video[0].frames
        try:
            for frame in video.decode(video=0):
                yield np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90))
                count += 1
        except FFmpegError as error:
            raise MediaError(f"{path}: damaged after frame {count} ({error.strerror}); copy it again") from error
    # Edit lists hide a few of the announced frames in sound files; one tenth is more than they do.
    if count < 0.9 * announced or count == 0:
        raise MediaError(f"{path}: ends after frame {count} of {announced}; the file is cut short, copy it again")


@contextmanager
def whole_or_nothing(path: Path) -> Iterator[Path]:
    """A sibling to write to, which takes the place of `path` at the end, or vanishes if anything fails."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; give the name of a file to write")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: the folder {path.parent} does not exist; make it first")
    with whole(path) as partial:
        yield partial


@contextmanager
def picture_writer(path: Path, rate: Fraction | None) -> Iterator[Callable[[np.ndarray], None]]:
    """Write the pictures given to the yielded function, all of one size: a PNG or JPEG (`rate` None) or an MP4.

    Shapes: (H, W, 3) uint8 RGB; a video's odd last row or column is cut off, since its colours come in pairs.
    Raises ValueError if the file's suffix does not fit.
    """
    suffixes, kind = (PHOTO_SUFFIXES, "photograph") if rate is None else (VIDEO_SUFFIXES, "video")
    if Path(path).suffix.lower() not in suffixes:
        raise ValueError(f"{path}: the overlay of a {kind} is a file with suffix {' or '.join(suffixes)}")
    with whole_or_nothing(path) as partial:
        if rate is None:
            yield lambda image: Image.fromarray(image).save(partial, quality=95)
        else:
            with _mp4_writer(partial, rate) as write:
                yield write


@contextmanager
def _mp4_writer(path: Path, rate: Fraction) -> Iterator[Callable[[np.ndarray], None]]:
    with av.open(address(path), "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=rate.limit_denominator(10000), options={"crf": "20"})
        stream.pix_fmt = "yuv420p"

        def write(image: np.ndarray) -> None:
            height, width = (size // 2 * 2 for size in image.shape[:2])
            if not stream.codec_context.is_open:
                stream.height, stream.width = height, width
            even = np.ascontiguousarray(image[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))

        yield write
        container.mux(stream.encode(None))
