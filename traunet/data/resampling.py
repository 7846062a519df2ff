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
# the stored picture (42 to 43 dB, on rendered and photographed faces). Blocks are of 2, 4, 8 ... pixels a side:
# OpenCV halves a picture twice in a ninth of the time in which it thirds it.
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
        (height, width), widest = shape, WIDEST_OF_COLOURS if colours else WIDEST
        self.size = size
        self.blocks = across, down = _block(shrink[0] / widest, width), _block(shrink[1] / widest, height)
        self.weights = (0.0, 0.0) if colours else (_weight(shrink[0], across), _weight(shrink[1], down))
        # From what is seen back to the source: its middle, and how far it reaches.
        determinant, middle, reach = a * d - b * c, (size - 1) / 2, (size + 1) / 2
        u, v = (middle - x) / determinant, (middle - y) / determinant
        reach /= abs(determinant)
        self.spans = (
            _span(d * u - b * v, (abs(d) + abs(b)) * reach, across, width),
            _span(a * v - c * u, (abs(a) + abs(c)) * reach, down, height),
        )
        left, top = self.spans[0][0] + (across - 1) / 2, self.spans[1][0] + (down - 1) / 2
        self.inner = np.array(
            (
                (a * across, b * down, x + a * left + b * top),
                (c * across, d * down, y + c * left + d * top),
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
        if self.blocks == (1, 1):
            return part
        across, down = self.blocks
        missing = -part.shape[0] % down, -part.shape[1] % across
        if any(missing):  # the last block sticks out of the picture
            edges = 0, missing[0], 0, missing[1]
            part = cv2.copyMakeBorder(part, *edges, cv2.BORDER_CONSTANT, value=(outside,) * 4)
        height, width = part.shape[:2]
        # Once halved, a picture is a quarter of the work. Each halving rounds halves up, so there are two at most.
        part = cv2.resize(part, (width // min(across, 2), height // min(down, 2)), interpolation=cv2.INTER_AREA)
        if max(across, down) > 2:
            part = cv2.resize(part, (width // across, height // down), interpolation=cv2.INTER_AREA)
        return part

    def _smoothed(self, part: np.ndarray) -> np.ndarray:
        if max(self.weights) == 0:
            return part
        if min(self.weights) >= BINOMIAL:
            return cv2.GaussianBlur(part, (3, 3), 0)
        return cv2.GaussianBlur(part, (3, 3), _sigma(self.weights[0]), sigmaY=_sigma(self.weights[1]))


def _block(times: float, length: int) -> int:
    """The side of a block: a power of 2, at least `times` and not much more than the picture's side."""
    return 1 << min(math.ceil(math.log2(times)), length.bit_length()) if times > 1 else 1


def _span(middle: float, reach: float, block: int, length: int) -> tuple[int, int]:
    """Along one side the first pixel and the number of those that show in the result, made of whole blocks."""
    first = min(max(math.floor(middle - reach) - block - 1, 0), length)
    wide = min(max(math.ceil(middle + reach) + block + 2 - first, 0), length - first)
    return first, min(-(-wide // block) * block, length - first)


def _weight(shrink: float, block: int) -> float:
    """The weight of both neighbours; blocks have averaged some already, and blur by being sampled between them."""
    if shrink <= 1:
        return 0.0
    return min(max((shrink**2 - 3 * block**2 + 3) / (24 * block**2), 0.0), 0.33)


def _sigma(weight: float) -> float:
    """OpenCV asks for the Gaussian with these weights."""
    return math.sqrt(-0.5 / math.log(weight / (1 - 2 * weight))) if weight > 0 else 1e-3
