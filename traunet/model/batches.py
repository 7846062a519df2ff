"""Pictures on their way into a network."""

import numpy as np
import torch


def as_batch(images: np.ndarray) -> torch.Tensor:
    """Pictures as a network takes them: uint8 RGB (N, H, W, 3) -> uint8 (N, 3, H, W); ValueError for any others.

    Floats would pass through a network just as well, and shares of 255 would all be black to it.
    """
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"pictures are (N, H, W, 3) uint8 RGB, not {images.shape} {images.dtype}; one alone is picture[None]"
        )
    return torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
