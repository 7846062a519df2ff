"""Resampling: a picture, or one plane of it, seen through an affine transformation, without aliasing and fast.

A hundred samples under every pixel would be the plain way. Here the source is smoothed a little instead, only
where it is looked at, and then sampled once: to the eye the same, at a tenth of the time.
"""

import math

import cv2
import numpy as np

# Per axis, what is seen should be averaged over as many source pixels as one new pixel covers: a box of variance
# s^2 / 12 for a shrinkage by s. The three weights (a, 1 - 2a, a) have the variance 2a, hence a = s^2 / 24, which
# suffices to s = sqrt(8), where a = 1/3. Averaging whole blocks of pixels first blurs more, as what is sampled
# between them is mixed once more, but takes a third of the time. From this shrinkage on it costs less than 1 dB of
# the stored picture (42 to 43 dB, on rendered and photographed faces).
WIDEST = 2.4
# Of colours, which change little from pixel to pixel and are stored at half the size, blocks alone are averaged.
WIDEST_OF_COLOURS = 2.0
TINY = 1e-12
BINOMIAL = 0.15  # from this weight on (1, 2, 1) / 4 will do, which is three times as fast as other weights


def warp(image: np.ndarray, matrix: np.ndarray, size: int, outside: float = 0) -> np.ndarray:
    """Resample an image (H, W[, C]) into (size, size[, C]) by a (2, 3) matrix; beyond its edges is `outside`.

    Shrinking averages what falls on one pixel, so that no fine detail turns into noise.
    """
    return View(image.shape[:2], matrix, size)(image, outside)


class View:
    """A (2, 3) matrix as what to do with pictures of one shape (H, W), to see them as (size, size).

    `colours` are planes of colour: they are smoothed less, and faster.
    """

    def __init__(self, shape: tuple[int, ...], matrix: np.ndarray, size: int, colours: bool = False):
        # Single numbers are faster in Python than in numpy, and this runs often.
        (a, b, x), (c, d, y) = matrix.tolist()
        shrink = 1 / max(math.hypot(a, c), TINY), 1 / max(math.hypot(b, d), TINY)
        widest, sides = WIDEST_OF_COLOURS if colours else WIDEST, shape[1::-1]
        self.size = size
        self.blocks = [min(math.ceil(s / widest), length) for s, length in zip(shrink, sides, strict=True)]
        self.weights = [0.0 if colours else _weight(*one) for one in zip(shrink, self.blocks, strict=True)]
        self.spans = _spans(sides, (a, b, x), (c, d, y), size, self.blocks)
        (left, _), (top, _) = self.spans
        left, top = left + (self.blocks[0] - 1) / 2, top + (self.blocks[1] - 1) / 2
        self.inner = np.array(
            (
                (a * self.blocks[0], b * self.blocks[1], x + a * left + b * top),
                (c * self.blocks[0], d * self.blocks[1], y + c * left + d * top),
            )
        )

    def __call__(self, image: np.ndarray, outside: float = 0) -> np.ndarray:
        """See one picture (H, W[, C]), or one plane of it."""
        (left, width), (top, height) = self.spans
        part = image[top : top + height, left : left + width]
        if not part.size:
            return np.full((self.size, self.size, *image.shape[2:]), outside, image.dtype)
        part = self._smoothed(self._averaged(part, outside))
        return cv2.warpAffine(part, self.inner, (self.size, self.size), borderValue=(outside,) * 4)

    def _averaged(self, part: np.ndarray, outside: float) -> np.ndarray:
        if self.blocks == [1, 1]:
            return part
        (height, width), (across, down) = part.shape[:2], self.blocks
        missing = -height % down, -width % across
        if any(missing):  # the last block sticks out of the picture
            edges = 0, missing[0], 0, missing[1]
            part = cv2.copyMakeBorder(part, *edges, cv2.BORDER_CONSTANT, value=(outside,) * 4)
        fewer = -(-width // across), -(-height // down)
        return cv2.resize(part, fewer, interpolation=cv2.INTER_AREA)

    def _smoothed(self, part: np.ndarray) -> np.ndarray:
        if max(self.weights) == 0:
            return part
        if min(self.weights) >= BINOMIAL:
            return cv2.GaussianBlur(part, (3, 3), 0)
        return cv2.GaussianBlur(part, (3, 3), _sigma(self.weights[0]), sigmaY=_sigma(self.weights[1]))


def _spans(sides, row_x, row_y, size: int, blocks: list[int]) -> list[tuple[int, int]]:
    """Along x and y the first pixel and the number of those that show in the result, made of whole blocks."""
    (a, b, x), (c, d, y) = row_x, row_y
    determinant = a * d - b * c
    middle, reach = (size - 1) / 2, (size + 1) / 2
    x, y = middle - x, middle - y
    middles = (d * x - b * y) / determinant, (a * y - c * x) / determinant
    reaches = (abs(d) + abs(b)) * reach / abs(determinant), (abs(a) + abs(c)) * reach / abs(determinant)
    spans = []
    for middle, reach, block, length in zip(middles, reaches, blocks, sides, strict=True):
        first = min(max(math.floor(middle - reach) - block - 1, 0), length)
        wide = max(math.ceil(middle + reach) + block + 2 - first, 0)
        spans.append((first, min(-(-min(wide, length - first) // block) * block, length - first)))
    return spans


def _weight(shrink: float, block: int) -> float:
    """The weight of both neighbours; blocks have averaged some already, and blur by being sampled between them."""
    if shrink <= 1:
        return 0.0
    return min(max((shrink**2 - 3 * block**2 + 3) / (24 * block**2), 0.0), 0.33)


def _sigma(weight: float) -> float:
    """OpenCV asks for the Gaussian with these weights."""
    return math.sqrt(-0.5 / math.log(weight / (1 - 2 * weight))) if weight > 0 else 1e-3
