"""Alignment: one similarity transformation per frame, the same for the picture and for its landmarks.

"For each frame, a similarity transformation was performed for face alignment. Two rules were used: (1) make the
landmark located in the middle of the nose tip and nose root close to the centre of the frame; (2) make the
landmark located in the middle of the lower jaw close the bottom of the frame. By doing so, the shape of the face
can keep unchanged, and the face was put straight." (section 4.1)

Pixels are counted from 0 and coordinates name pixel centres: a picture of W pixels is mirrored about (W - 1) / 2.
"""

import numpy as np

from traunet.config import AlignConfig
from traunet.facs import CHIN, NOSE_ROOT, NOSE_TIP

MIN_FACE = 1.0  # source pixels from the nose's midpoint to the chin, below which there is no face to align

BEYOND = 0.25  # of the picture's side


def can_align(landmarks: np.ndarray) -> np.ndarray:
    """Whether the two points that fix the transformation are there and apart: (..., 66, 2) -> (...) bool."""
    reach = np.linalg.norm(landmarks[..., CHIN, :] - nose_midpoint(landmarks), axis=-1)
    return np.nan_to_num(reach, nan=0.0) >= MIN_FACE


def lies_in(landmarks: np.ndarray, height: int, width: int) -> np.ndarray:
    """Whether the two points lie in a picture of this size, the chin perhaps below: (..., 66, 2) -> (...) bool.

    Where they do not, an aligned view would show next to nothing of the picture.
    """
    size = np.array([width, height])
    nose, chin = nose_midpoint(landmarks), landmarks[..., CHIN, :]
    inside = (nose >= -0.5) & (nose <= size - 0.5) & (chin >= -size * BEYOND) & (chin <= size * (1 + BEYOND))
    return np.all(inside, axis=-1)


def nose_midpoint(landmarks: np.ndarray) -> np.ndarray:
    """The paper's centre of the face, midway between root and tip of the nose: (..., 66, 2) -> (..., 2)."""
    return (landmarks[..., NOSE_ROOT, :] + landmarks[..., NOSE_TIP, :]) / 2


def target_points(config: AlignConfig) -> tuple[np.ndarray, np.ndarray]:
    """Where the nose's midpoint and the chin go, in pixels (x, y) of the aligned frame.

    Decision: shares of the size are measured from the frame's edge, half a pixel before the first pixel's centre,
    so that 0.5 lies between the two middle rows, where the hard masks part, and a flip keeps the face in place.
    The other reading measures from the first pixel's centre.
    """
    x, y = config.center
    return np.array([x, y]) * config.size - 0.5, np.array([x, config.chin]) * config.size - 0.5


def face_transform(landmarks: np.ndarray, config: AlignConfig) -> np.ndarray:
    """The similarities (..., 2, 3) that put the nose's midpoint at the centre and the chin straight below it.

    Takes landmarks (..., 66, 2), of one frame or of many. Two points fix rotation, uniform scale and translation,
    so both rules hold exactly. Raises ValueError where there is no face.
    Decision: "close [to] the bottom" is `AlignConfig.chin` = 0.95 of the height; the paper gives no number.
    Others considered: 1.0 would cut the chin's edge, 0.9 shows more of the forehead and less of the face.
    """
    if not np.all(can_align(landmarks)):
        raise ValueError("the nose and the chin are missing or coincide: these landmarks are no face to align")
    nose, chin = nose_midpoint(landmarks).astype(float), landmarks[..., CHIN, :].astype(float)
    new_nose, new_chin = target_points(config)
    # As complex numbers a similarity is one multiplication: its modulus scales, its argument rotates.
    turn = complex(*(new_chin - new_nose)) / ((chin - nose) @ np.array([1, 1j]))
    linear = np.stack([np.stack([turn.real, -turn.imag], -1), np.stack([turn.imag, turn.real], -1)], -2)
    return np.concatenate([linear, (new_nose - np.einsum("...ij,...j->...i", linear, nose))[..., None]], -1)


def transform_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a (2, 3) matrix to points (..., 2), or N matrices (N, 2, 3) to the points (N, L, 2) of N frames."""
    offset = matrix[:, 2] if matrix.ndim == 2 else matrix[:, None, :, 2]
    return points @ matrix[..., :2].swapaxes(-1, -2) + offset
