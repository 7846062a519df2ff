"""One subject of a tree, examined whole: labels, landmarks and every frame of the video."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from traunet.checkup.faces import Sample, Sightings
from traunet.checkup.films import Film, watch
from traunet.data.align import can_align, lies_in
from traunet.data.annotations import landmark_files, read_labels, read_landmarks
from traunet.data.disfa import first_pixel_of, length_notes, marked_bad, read_bad_frames
from traunet.data.layout import Folders, find_videos
from traunet.data.video import count_frames, no_frame
from traunet.faces.landmarks import DlibLandmarks
from traunet.facs import DISFA_AUS, N_LANDMARKS
from traunet.machines.advice import advice

LONGEST = 640  # pixels; faces of videos are large, and a smaller picture is searched faster


@dataclass
class Examined:
    """What was found of a subject; what could not be read is empty, and `problems` says why.

    `landmarks` are read as counting from `first_pixel`; `marked` (frames,) bool are the marked-bad ones; `schemes`
    counts the landmark files by naming scheme.
    """

    subject: str
    labels: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(DISFA_AUS), dtype=np.int8))
    landmarks: np.ndarray = field(default_factory=lambda: np.empty((0, N_LANDMARKS, 2), dtype=np.float32))
    first_pixel: int = 1
    marked: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=bool))
    reasons: Counter = field(default_factory=Counter)
    schemes: Counter = field(default_factory=Counter)
    film: Film | None = None
    sample: Sample = field(default_factory=Sample)
    sightings: Sightings = field(default_factory=Sightings)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return len(self.labels)

    @property
    def usable(self) -> np.ndarray:
        """(frames,) bool: labelled, with landmarks of a face, not marked bad, decoded: what preparing keeps."""
        return self._shown & self._faces

    @property
    def no_face(self) -> np.ndarray:
        """(frames,) bool: kept out for nothing but landmarks that are no face, or none in the picture."""
        return self._shown & ~self._faces

    @property
    def _shown(self) -> np.ndarray:
        if self.film is None or not len(self.landmarks) == len(self.marked) == self.frames:
            return np.zeros(self.frames, dtype=bool)
        shown = np.isfinite(self.landmarks).all(axis=(1, 2)) & ~self.marked
        shown[self.film.stored :] = False
        lost = [*self.film.damaged, *self.film.left_out]
        shown[[number - 1 for number in lost if number <= len(shown)]] = False
        return shown

    @property
    def _faces(self) -> np.ndarray:
        if self.film is None or len(self.landmarks) != self.frames:
            return np.zeros(self.frames, dtype=bool)
        return can_align(self.landmarks) & lies_in(self.landmarks, self.film.height, self.film.width)


def scheme_of(name: str) -> str:
    """The naming scheme of a landmark file, as one writes it down."""
    return "l00001 (from 1)" if name.lower().startswith("l") else "SN001_0000 (from 0)"


def examine_subject(root: Path, folders: Folders, subject: str) -> Examined:
    """Read all there is of a subject; whatever is wrong with it is a line of `problems`, never an exception."""
    found = Examined(subject)
    for read in (_read_labels, _read_landmarks, _read_log, _watch):
        try:
            read(found, root, folders)
        except (ValueError, OSError) as error:
            found.problems.append(advice(error, root, reading=True))
        except Exception as error:  # a damaged file can raise anything from within a package
            found.problems.append(f"{root}: {subject} cannot be examined ({type(error).__name__}: {error})")
    return found


def _read_labels(found: Examined, _: Path, folders: Folders) -> None:
    found.labels = read_labels(folders.labels, found.subject)


def _read_landmarks(found: Examined, root: Path, folders: Folders) -> None:
    files = landmark_files(folders.landmarks, found.subject)
    found.schemes = Counter(scheme_of(path.name) for path in files.values())
    frames = found.frames or max(files)
    found.first_pixel = first_pixel_of(root)
    found.landmarks, reason, found.notes = read_landmarks(
        folders.landmarks, found.subject, frames, found.first_pixel
    )
    found.reasons = Counter(reason[reason != ""])


def _read_log(found: Examined, root: Path, _: Folders) -> None:
    ranges = read_bad_frames(root).get(found.subject, ())
    found.marked = marked_bad(ranges, found.frames)
    sound = found.landmarks.copy()
    sound[: found.frames][found.marked[: len(sound)]] = np.nan
    sound[~can_align(sound)] = np.nan
    found.sample = Sample.of(sound)


def _watch(found: Examined, _: Path, folders: Folders) -> None:
    video = find_videos(folders.videos).get(found.subject)
    if video is None:
        raise FileNotFoundError(
            f"{folders.videos}: no video of {found.subject}; add LeftVideo{found.subject}_comp.avi"
        )
    wanted = {*found.sample.calm, *found.sample.fast}
    found.film = watch(video, wanted, _looker(found), labelled=found.frames or None)
    if not found.film.decoded:
        raise no_frame(video)
    if found.frames:
        found.notes += length_notes(video, count_frames(video, found.frames), found.frames)


def _looker(found: Examined) -> Callable[[int, np.ndarray], None]:
    calm = set(found.sample.calm)
    return lambda number, picture: found.sightings.look(_finder(), number, picture, mirror=number in calm)


@cache
def _finder() -> DlibLandmarks:
    """One for each process: loading its models takes longer than a subject's sample."""
    return DlibLandmarks(longest=LONGEST)
