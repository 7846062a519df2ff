"""Action units of any photograph or video of faces: the same alignment and network, one row a face and frame.

A network trained on rendered heads has never seen a real face; `caveat` is the sentence that says so, and it
stands in every overlay.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm import tqdm

from traunet.config import AlignConfig
from traunet.data.align import face_transform
from traunet.data.resampling import warp
from traunet.faces.landmarks import Box, DlibLandmarks, Face
from traunet.faces.media import Media, open_media, picture_writer, whole_or_nothing
from traunet.faces.overlay import NumberedFace, draw
from traunet.facs import AUS
from traunet.machines.advice import concerns_memory, harmless
from traunet.runs import ADVICE, DamagedRunError, Run

if TYPE_CHECKING:
    import torch

COLUMNS = ("file", "frame", "face", *Box._fields, *AUS)
FORMULA = ("=", "+", "-", "@")
SAME_FACE = 0.3  # the least overlap of a face's boxes in neighbouring frames


RENDERED = "Trained on rendered heads only: a poor guide to real faces."


class NoFaceError(ValueError):
    """A photograph or video in which no frontal face was found; the message names it."""


@dataclass(frozen=True)
class Detection:
    """The table of a file, one row per face and frame, and how many frames were looked at."""

    table: pd.DataFrame
    frames: int

    @property
    def frames_without_face(self) -> int:
        """Frames that have no row in the table."""
        return self.frames - len(set(self.table["frame"]))

    def __str__(self) -> str:
        faces, frames = (
            f"{n} {what}{'s' * (n != 1)}" for n, what in ((len(self.table), "face"), (self.frames, "frame"))
        )
        return f"{faces} in {frames}; {self.frames_without_face} without a face"


class FaceNumbers:
    """Gives a face of a video the same number in every frame.

    Decision: a face keeps its number while its box overlaps the box where that number was last seen by 0.3
    (intersection over union), the largest overlaps first; anything else is a new face. No one is recognised: who
    leaves and comes back elsewhere is a new face. In a photograph faces count from left to right.
    """

    def __init__(self):
        self._last: dict[int, Box] = {}

    def of(self, boxes: Sequence[Box]) -> list[int]:
        """The numbers, from 1 on, of the faces of the next frame."""
        overlaps = ((box.overlap(last), i, n) for i, box in enumerate(boxes) for n, last in self._last.items())
        numbers: dict[int, int] = {}
        for overlap, index, number in sorted(overlaps, reverse=True):
            if overlap >= SAME_FACE and index not in numbers and number not in numbers.values():
                numbers[index] = number
        for index in range(len(boxes)):
            numbers.setdefault(index, 1 + max([*self._last, *numbers.values()], default=0))
        self._last |= {numbers[index]: box for index, box in enumerate(boxes)}
        return [numbers[index] for index in range(len(boxes))]


def load_network(run: Run) -> tuple["torch.nn.Module", AlignConfig]:
    """The trained network of a run, ready to predict, and the alignment that its pictures need.

    Raises DamagedRunError if the checkpoint was changed, or does not hold the weights of the run's own variant.
    """
    import torch

    state = run.state_dict()
    with torch.device("meta"):  # takes no memory, whatever the settings ask for
        planned = _built(run).state_dict()
    unlike = DamagedRunError(f"{run.checkpoint}: does not hold the weights of this {run.variant}; {ADVICE}")
    if _shapes(planned) != _shapes(state):
        raise unlike
    net = _built(run)
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise unlike from error
    return net.eval(), run.align


def _shapes(state: "dict[str, torch.Tensor]") -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in state.items()}


def _built(run: Run) -> "torch.nn.Module":
    from traunet.model.tranet import build
    from traunet.model.weights import Normalisation

    try:
        return build(run.variant, run.model, run.align, Normalisation(**run.normalisation))
    except (TypeError, ValueError, ZeroDivisionError, RuntimeError) as error:
        if concerns_memory(error):
            raise
        raise run.of_another_version(error) from error


def caveat(run: Run) -> str:
    """What a reader must know before believing a run's answers on real faces; empty if it learned from such."""
    return RENDERED if run.provenance["synthetic"] else ""


def align_face(image: np.ndarray, face: Face, align: AlignConfig) -> np.ndarray:
    """One face, put straight as in training: (H, W, 3) uint8 -> (size, size, 3) uint8."""
    return warp(image, face_transform(face.landmarks, align), align.size)


def predict_faces(faces: np.ndarray, net: "torch.nn.Module") -> np.ndarray:
    """The network's probabilities: aligned faces (B, H, W, 3) uint8 RGB -> (B, A) in the order of `facs.AUS`.

    Raises ValueError for other pictures.
    """
    import torch

    from traunet.model.batches import as_batch

    if not len(faces):
        return np.zeros((0, len(AUS)), np.float32)
    device = next(net.parameters()).device
    images = as_batch(faces).contiguous().to(device)
    with torch.inference_mode():
        return net.eval()(images).sigmoid().cpu().numpy()


def detect(
    images: Sequence[np.ndarray], net: "torch.nn.Module", align: AlignConfig, finder: DlibLandmarks
) -> list[list[tuple[Face, np.ndarray]]]:
    """For every picture (H, W, 3) uint8 RGB its faces, each with its probabilities (A,)."""
    found = [finder.faces(image) for image in images]
    pairs = zip(images, found, strict=True)
    aligned = [align_face(image, face, align) for image, faces in pairs for face in faces]
    probabilities = iter(predict_faces(np.array(aligned), net))
    return [[(face, next(probabilities)) for face in faces] for faces in found]


def predict_file(
    path: Path,
    net: "torch.nn.Module",
    align: AlignConfig,
    out_csv: Path,
    overlay: Path | None = None,
    *,
    note: str = "",
    finder: DlibLandmarks | None = None,
    batch_size: int = 8,
) -> Detection:
    """Write the action units of a photograph or video to a CSV file, and an overlay if asked; all or nothing.

    Columns: file (with ./ before a name that a spreadsheet would compute), frame (from 1), face, left, top, right,
    bottom (pixels), and the probability of each AU. Frames without a face have no row. `note` is printed below the
    overlay, a PNG or JPEG for a photograph, an MP4 without sound for a video. Raises NoFaceError if there is no
    face at all, MediaError for a file that cannot be read.
    """
    path = Path(path)
    media = open_media(path)
    _refuse_outputs(path, out_csv, overlay)
    rows: list[dict] = []
    frame = 0
    with ExitStack() as stack:
        partial = stack.enter_context(whole_or_nothing(out_csv))
        show = stack.enter_context(picture_writer(overlay, media.rate)) if overlay else None
        for frame, image, faces in _follow(media, net, align, finder or DlibLandmarks(), batch_size):
            rows += [_row(path, frame, *face) for face in faces]
            if show:
                show(draw(image, faces, note))
        if not rows:
            raise NoFaceError(f"{path}: no frontal face in {frame} frame(s); give a picture that shows one")
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        table.to_csv(partial, index=False, float_format="%.4f")
    return Detection(table, frame)


def _refuse_outputs(path: Path, table: Path, overlay: Path | None) -> None:
    for output in filter(None, (table, overlay)):
        if Path(output).resolve() == path.resolve():
            raise ValueError(f"{output}: is the file to read; choose another name to write to")
    if overlay and Path(overlay).resolve() == Path(table).resolve():
        raise ValueError(f"{overlay}: the table and the overlay cannot be one file; choose another name for one")
    if Path(table).suffix.lower() != ".csv" and not Path(table).is_dir():
        raise ValueError(f"{table}: the table is written as CSV; give a name that ends in .csv")


def _follow(
    media: Media, net: "torch.nn.Module", align: AlignConfig, finder: DlibLandmarks, batch_size: int
) -> Iterator[tuple[int, np.ndarray, list[NumberedFace]]]:
    """Every frame with its number, its picture and its faces; `batch_size` frames are held at a time."""
    numbers = FaceNumbers()
    shown = tqdm(media.pictures(), desc=media.path.name, unit="frame", disable=None, leave=False)
    frames = enumerate(shown, start=1)
    while batch := list(islice(frames, batch_size)):
        found = detect([image for _, image in batch], net, align, finder)
        for (frame, image), faces in zip(batch, found, strict=True):
            known = numbers.of([face.box for face, _ in faces])
            yield frame, image, [(n, *face) for n, face in zip(known, faces, strict=True)]


def _row(path: Path, frame: int, number: int, face: Face, probabilities: np.ndarray) -> dict:
    scores = dict(zip(AUS, probabilities.tolist(), strict=True))
    # A spreadsheet would compute a name that begins like a formula; with ./ before it, it is still the file's.
    name = harmless(f"./{path.name}" if path.name.startswith(FORMULA) else path.name)
    return {"file": name, "frame": frame, "face": number, **face.box._asdict(), **scores}
