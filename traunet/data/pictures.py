"""From a decoded video frame straight to the encoded picture that the store keeps.

A video holds brightness and colour in separate planes, and so does a JPEG. Each plane is aligned by itself and
only where the face is: nothing is turned into RGB and back, and what lies beside the face is never touched.
"""

import av
import cv2
import numpy as np
import simplejpeg

from traunet.data.resampling import View, warp

# Decision: pictures are JPEG of quality 95 with one sample of colour per 2 x 2 pixels, as almost every camera and
# codec keeps them: 1.8 GB at 224 pixels for DISFA, written in 0.1 ms a picture, and not to be told from the
# original by eye. The alternatives, raw pixels and PNG, would take 19 GB and about half of that.
QUALITY = 95

# How many pixels share one sample of colour, along x and y, in the formats that are aligned plane by plane.
PLANAR = {
    **{"yuv420p": (2, 2), "yuvj420p": (2, 2), "yuv422p": (2, 1)},
    **{"yuvj422p": (2, 1), "yuv444p": (1, 1), "yuvj444p": (1, 1)},
}
# The matrices, by FFmpeg's numbers, between colours and planes that a JPEG has too, or that are not told, which
# FFmpeg reads the same way.
AS_IN_JPEG = (2, 5, 6)
FULL_RANGE = 2

_STEPS = np.arange(256.0)
# Video mostly keeps brightness in 16..235 and colour in 16..240; a JPEG uses all 256 steps.
_FULLER = [
    np.clip(np.round((_STEPS - black) * 255 / span + middle), 0, 255).astype(np.uint8)
    for black, span, middle in ((16, 219, 0), (128, 224, 128), (128, 224, 128))
]


def encode_aligned(frame: av.VideoFrame, matrix: np.ndarray, size: int) -> bytes:
    """The frame aligned by a (2, 3) matrix, size x size pixels, as a JPEG file; black beyond the frame's edges.

    Formats whose planes are not those of a JPEG, and odd sizes, take the way over RGB: slower, and the same.
    """
    # Of planes with an odd edge the encoder reads a sample too many, so that the bytes would depend on chance.
    if frame.format.name in PLANAR and int(frame.colorspace) in AS_IN_JPEG and size % 2 == 0:
        return simplejpeg.encode_jpeg_yuv_planes(*aligned_planes(frame, matrix, size), quality=QUALITY)
    image = warp(frame.reformat(format="rgb24", threads=1).to_ndarray(), matrix, size)
    return simplejpeg.encode_jpeg(image, quality=QUALITY, colorsubsampling="420")


def aligned_planes(frame: av.VideoFrame, matrix: np.ndarray, size: int) -> list[np.ndarray]:
    """The aligned picture as a JPEG's planes: Y (size, size), and Cb and Cr of half the size, rounded up.

    Decision: a sample of colour lies in the middle of the pixels that share it, as in a JPEG. The
    other reading, that of some codecs, puts it half a source pixel to the left; neither FFmpeg's own fast
    conversion nor the eye makes the difference.
    """
    sharing = PLANAR[frame.format.name]
    full = frame.format.name.startswith("yuvj") or int(frame.color_range) == FULL_RANGE
    shapes = [(plane.height, plane.width) for plane in frame.planes]
    halved = _between_samples(matrix, sharing, (2, 2))
    brightness = View(shapes[0], matrix, size)
    colours = View(shapes[1], halved, (size + 1) // 2, colours=True)  # both of one shape
    planes = []
    for number, plane in enumerate(frame.planes):
        view, outside = (colours, 128) if number else (brightness, 0 if full else 16)
        aligned = view(_pixels(plane), outside)
        planes.append(aligned if full else cv2.LUT(aligned, _FULLER[number]))
    return planes


def _pixels(plane) -> np.ndarray:
    """A plane's bytes as an array (H, W), which looks into the decoder's own memory."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]


def _between_samples(matrix: np.ndarray, before: tuple[int, int], after: tuple[int, int]) -> np.ndarray:
    """A matrix from pixels to pixels as one from samples to samples, each in the middle of its pixels."""
    (a, b, x), (c, d, y) = matrix.tolist()
    (p, q), (u, v) = before, after
    shift_x = x + (a * (p - 1) + b * (q - 1) - (u - 1)) / 2
    shift_y = y + (c * (p - 1) + d * (q - 1) - (v - 1)) / 2
    return np.array([(a * p / u, b * q / u, shift_x / u), (c * p / v, d * q / v, shift_y / v)])
