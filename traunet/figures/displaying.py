"""How a notebook shows a figure: lines and letters as vectors (SVG), photographs with twice the page's pixels.

Measured on this book's figures: scores take 30 to 90 KB as SVG and 45 to 180 KB at 2x; faces at 2x take 0.2 to
2 MB as PNG, and less as JPEG once they are larger than some 100 px.
"""

import sys
from base64 import b64encode
from io import BytesIO
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

VECTOR, PIXELS, JPEG = "image/svg+xml", "image/png", "image/jpeg"
SCALE = 2  # pixels of a photograph for each of the page
JPEG_QUALITY = 88


def shown(figure: Figure) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """A figure as a notebook keeps it: its text or base64 by kind, and the width in px of a page that it takes.

    Of faces, the smaller of two kinds.
    """
    if not holds_photographs(figure):
        return {VECTOR: _printed(figure, "svg", metadata={"Date": None}).decode()}, {}
    # Drawing takes the time: once, for both kinds.
    quickly = _printed(figure, "png", dpi=SCALE * figure.dpi, pil_kwargs={"compress_level": 1})
    with Image.open(BytesIO(quickly)) as drawn:
        picture = drawn.convert("RGB")
    kinds = {JPEG: _encoded(picture, "JPEG", quality=JPEG_QUALITY)}
    # Packed well, a PNG takes a second, and 0.7 to 0.9 of the room of a quick one: only where it can be smaller.
    if len(quickly) < 2 * len(kinds[JPEG]):
        kinds[PIXELS] = _encoded(picture, "PNG", compress_level=6)
    kind = min(kinds, key=lambda name: len(kinds[name]))
    return {kind: b64encode(kinds[kind]).decode()}, {kind: {"width": picture.width // SCALE}}


def holds_photographs(figure: Figure) -> bool:
    """Whether a picture in colour (H, W, 3) is drawn anywhere; a map of values (H, W) is none."""
    arrays = [image.get_array() for axes in figure.axes for image in axes.images]
    return any(array is not None and array.ndim == 3 for array in arrays)


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _printed(figure: Figure, kind: str, **options: Any) -> bytes:
    buffer = BytesIO()
    # The same figure is the same file; in the dark it lies on a light card.
    style: Any = {"svg.hashsalt": "traunet", "savefig.facecolor": "white"}
    with rc_context(style):
        figure.savefig(buffer, format=kind, bbox_inches="tight", **options)
    return buffer.getvalue()


def settle() -> None:
    """Let the notebook that runs, if one does, show figures so, and in no other way."""
    if "IPython" not in sys.modules:
        return
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    display: Any = shell and shell.display_formatter
    if display:
        for formatter in display.formatters.values():
            formatter.pop(Figure, None)
        display.mimebundle_formatter.for_type(Figure, shown)
