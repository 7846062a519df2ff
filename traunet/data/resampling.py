"""Resampling: a picture, or one plane of it, seen through an affine transformation, without aliasing and fast.

A hundred samples under every pixel would be the plain way. Here the source is smoothed a little instead, only
where it is looked at, and then sampled once: to the eye the same, at a tenth of the time.
"""

import math

import cv2
import numpy as np

# Per axis, what is seen should be averaged over as many source pixels as one new pixel covers: a box of variance
# s^2 / 12 for a shrinkage by s. The three weights (a, 1 - 2a, a) have the variance 2a, hence a = s^2 / 24, which
# suffices to s = sqrt(8), where a = 1/3. Beyond, whole blocks of pixels are averaged first.
WIDEST = math.sqrt(8)
TINY = 1e-12
BINOMIAL = 0.15  # from this weight on (1, 2, 1) / 4 will do, which is three times as fast as other weights


def warp(image: np.ndarray, matrix: np.ndarray, size: int, outside: float = 0) -> np.ndarray:
    """Resample an image (H, W[, C]) into (size, size[, C]) by a (2, 3) matrix; beyond its edges is `outside`.

    Shrinking averages what falls on one pixel, so that no fine detail turns into noise.
    """
    (a, b, x), (c, d, y) = (
        matrix.tolist()
    )  # single numbers are faster in Python than in numpy, and this runs often
    shrink = 1 / max(math.hypot(a, c), TINY), 1 / max(math.hypot(b, d), TINY)
    blocks = [min(math.ceil(s / WIDEST), length) for s, length in zip(shrink, image.shape[1::-1], strict=True)]
    (left, top), part = _seen(image, matrix, size, blocks, outside)
    if not part.size:
        return np.full((size, size, *image.shape[2:]), outside, image.dtype)
    part = _smoothed(_averaged(part, blocks), shrink, blocks)
    left, top = left + (blocks[0] - 1) / 2, top + (blocks[1] - 1) / 2
    inner = (
        (a * blocks[0], b * blocks[1], x + a * left + b * top),
        (c * blocks[0], d * blocks[1], y + c * left + d * top),
    )
    return cv2.warpAffine(part, np.array(inner), (size, size), borderValue=(outside,) * 4)


def _seen(
    image: np.ndarray, matrix: np.ndarray, size: int, blocks: list[int], outside: float
) -> tuple[tuple[int, int], np.ndarray]:
    """The corner (x, y) and the pixels of the part that shows in the result, made of whole blocks."""
    (a, b, x), (c, d, y) = matrix.tolist()
    determinant = a * d - b * c
    middle, reach = (size - 1) / 2, (size + 1) / 2
    x, y = middle - x, middle - y
    middles = (d * x - b * y) / determinant, (a * y - c * x) / determinant
    reaches = (abs(d) + abs(b)) * reach / abs(determinant), (abs(a) + abs(c)) * reach / abs(determinant)
    spans = []
    for middle, reach, block, length in zip(middles, reaches, blocks, image.shape[1::-1], strict=True):
        first = min(max(math.floor(middle - reach) - block - 1, 0), length)
        wide = max(math.ceil(middle + reach) + block + 2 - first, 0)
        spans.append((first, min(-(-min(wide, length - first) // block) * block, length - first)))
    (left, width), (top, height) = spans
    part = image[top : top + height, left : left + width]
    missing = -height % blocks[1], -width % blocks[0]
    if any(missing) and part.size:  # the last block sticks out of the picture
        part = cv2.copyMakeBorder(part, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=(outside,) * 4)
    return (left, top), part


def _averaged(part: np.ndarray, blocks: list[int]) -> np.ndarray:
    if blocks == [1, 1]:
        return part
    height, width = part.shape[:2]
    return cv2.resize(part, (width // blocks[0], height // blocks[1]), interpolation=cv2.INTER_AREA)


def _weight(shrink: float, block: int) -> float:
    """The weight of both neighbours; blocks have averaged some already, and blur by being sampled between them."""
    if shrink <= 1:
        return 0.0
    return min(max((shrink**2 - 3 * block**2 + 3) / (24 * block**2), 0.0), 0.33)


def _smoothed(part: np.ndarray, shrink: tuple[float, float], blocks: list[int]) -> np.ndarray:
    weights = [_weight(s, block) for s, block in zip(shrink, blocks, strict=True)]
    if max(weights) == 0:
        return part
    if min(weights) >= BINOMIAL:
        return cv2.GaussianBlur(part, (3, 3), 0)
    return cv2.GaussianBlur(part, (3, 3), _sigma(weights[0]), sigmaY=_sigma(weights[1]))


def _sigma(weight: float) -> float:
    """OpenCV asks for the Gaussian with these weights."""
    return math.sqrt(-0.5 / math.log(weight / (1 - 2 * weight))) if weight > 0 else 1e-3
