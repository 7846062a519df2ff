"""DISFA as it lies on disk, read into one table of frames. Its quirks are handled here and nowhere else.

"DISFA contains videos from 27 individuals. AUs were coded frame-by-frame, and 66 landmarks were annotated by AAM
(bad annotations has been marked)." (section 4.1)

Decision: the left camera's videos alone are read. DISFA has two cameras, and the paper names none; the
alternatives are the right one, or both.
"""

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from traunet.data.annotations import read_labels, read_landmarks
from traunet.data.layout import (
    BAD_FRAMES_FILE,
    Folders,
    find,
    find_folders,
    find_videos,
    is_rendered,
    labelled_subjects,
    refuse_no_file,
)
from traunet.data.original import SUBJECTS, USABLE, VIDEO
from traunet.data.video import Count, count_frames, frame_rate, frame_shape

# The data set's own log of frames whose landmarks are wrong: frames count from 1, both ends belong to the range.
# Decision: frames marked bad are neither trained on nor scored; the other reading scores all frames.
BAD_FRAMES: dict[str, tuple[tuple[int, int], ...]] = {
    "SN001": ((398, 420), (3190, 3243)),
    "SN002": ((800, 826),),
    "SN004": ((4541, 4555),),
    "SN006": ((1349, 1405),),
    "SN009": ((1736, 1808), (1851, 1885)),
    "SN011": ((4529, 4533), (4830, 4845)),
    "SN021": (
        *((574, 616), (985, 1164), (1190, 1205), (1305, 1338)),
        *((1665, 1710), (1862, 2477), (2554, 4657), (4710, 4722)),
    ),
    "SN023": ((1021, 1049), (3378, 3557), (3584, 3668), (4547, 4621), (4741, 4772), (4825, 4845)),
    "SN025": ((4596, 4662), (4816, 4835)),
    "SN027": ((3461, 3494), (4738, 4785)),
    "SN028": ((1875, 1885), (4571, 4690)),
    "SN029": ((4090, 4543),),
    "SN030": ((939, 962), (1406, 1422), (2100, 2132), (2893, 2955)),
}
SURPLUS = 24  # frames that a video may have more than labels, or one in a hundred: more, and it is another video

MARKED_BAD = "marked bad"
NOT_DECODABLE = "not decodable"

FIRST_PIXEL = 1  # of DISFA's coordinates; those of a rendered tree always count from 1


@dataclass(frozen=True)
class Tree:
    """A DISFA tree, read.

    `frames` has one row per labelled frame: `subject`, `frame` (from 1), the intensities of the twelve AUs,
    `usable`, and `reason` (why it is not usable, else ''). `landmarks` holds (frames, 66, 2) pixel coordinates
    per subject, counted from 0, NaN where there are none. `notes` are the warnings given while reading.
    """

    root: Path
    frames: pd.DataFrame
    landmarks: dict[str, np.ndarray]
    videos: dict[str, Path]
    notes: tuple[str, ...] = ()

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(self.videos)

    @property
    def synthetic(self) -> bool:
        return is_rendered(self.root)

    @property
    def dataset(self) -> str:
        """The name that every page and table must show; the paper's is that of all people and nearly all frames.

        Without one in a hundred of the frames that can be used it is a part, with which nothing printed is judged.
        """
        if self.synthetic:
            return "synthetic DISFA"
        usable = self.frames.loc[self.frames["usable"], "subject"]
        people = len({*usable} & set(SUBJECTS))
        if people < len(SUBJECTS):
            return f"DISFA, {people} of {len(SUBJECTS)} people"
        return "DISFA" if len(usable) >= 0.99 * USABLE else f"DISFA, {len(usable)} of {USABLE} frames"

    def report(self) -> pd.DataFrame:
        """Frames per subject: how many, how many usable, and how many kept out for each reason."""
        return count_reasons(self.frames)


def count_reasons(frames: pd.DataFrame) -> pd.DataFrame:
    """One row per subject and a last row `all`: `frames`, `usable`, and a column for each reason met."""
    reason = frames["reason"].where(~frames["usable"], "usable")
    counts = pd.crosstab(frames["subject"], reason)
    columns = ["usable", *sorted(set(counts.columns) - {"usable"})]
    counts = counts.reindex(columns=columns, fill_value=0)
    counts.insert(0, "frames", counts.sum(axis=1))
    counts.loc["all"] = counts.sum()
    return counts.rename_axis(index="subject", columns=None)


def read_tree(root: Path, subjects: Sequence[str] | None = None, first_pixel: int | None = None) -> Tree:
    """Read the labels and landmarks of a DISFA tree, real or synthetic, and find its videos.

    File names match without regard to case. `subjects` limits the reading (default: all that are there).
    Decision: coordinates count pixels from 1, as MATLAB does, and `first_pixel` (FIRST_PIXEL) is subtracted; the
    data set does not say, and 0 is the other reading. It moves the aligned picture by at most one pixel of the
    source.

    Raises FileNotFoundError for a missing folder, video or label, ValueError for labels that cannot be read and
    for what is there twice.
    Frames that cannot be used are kept, marked with a reason, counted, and warned of.
    """
    root = Path(root)
    folders = find_folders(root)
    videos = find_videos(folders.videos)
    bad = read_bad_frames(root)
    first = first_pixel_of(root) if first_pixel is None else first_pixel
    parts, landmarks, notes = [], {}, []
    chosen = _chosen(root, folders, videos, subjects)
    for subject in chosen:
        frames, landmarks[subject], subject_notes = _read_subject(
            folders, subject, videos.get(subject), bad.get(subject, ()), first
        )
        parts.append(frames)
        notes += subject_notes
    for note in notes:
        warnings.warn(note, stacklevel=2)
    table = pd.concat(parts, ignore_index=True)
    return Tree(root, table, landmarks, {subject: videos[subject] for subject in chosen}, tuple(notes))


def first_pixel_of(root: Path) -> int:
    """From what the coordinates of a tree's landmarks count pixels."""
    return 1 if is_rendered(root) else FIRST_PIXEL


def _chosen(root: Path, folders: Folders, videos: Iterable[str], subjects: Sequence[str] | None) -> list[str]:
    present = sorted({*labelled_subjects(folders.labels), *videos})
    if not present:
        raise FileNotFoundError(
            f"{root}: no subject; expected videos such as {folders.videos}/LeftVideoSN001_comp.avi"
        )
    unknown = sorted(set(subjects or ()) - set(present))
    if unknown:
        raise ValueError(f"{root}: no subject {', '.join(unknown)}; there are {', '.join(present)}")
    return present if subjects is None else sorted(set(subjects))


def _read_subject(
    folders: Folders, subject: str, video: Path | None, bad: Iterable[tuple[int, int]], first_pixel: int
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    if video is None:
        raise FileNotFoundError(
            f"{folders.videos}: no video of {subject}, which has labels; add LeftVideo{subject}_comp.avi or "
            f"remove its labels"
        )
    labels = read_labels(folders.labels, subject)
    landmarks, reason, notes = read_landmarks(folders.landmarks, subject, len(labels), first_pixel)
    count = count_frames(video, len(labels))
    reason[count.frames :] = NOT_DECODABLE
    notes += length_notes(video, count, len(labels))
    reason[marked_bad(bad, len(labels))] = MARKED_BAD
    labels.insert(0, "frame", np.arange(1, len(labels) + 1))
    labels.insert(0, "subject", subject)
    return labels.assign(usable=reason == "", reason=reason.astype(str)), landmarks, notes


def marked_bad(ranges: Iterable[tuple[int, int]], frames: int) -> np.ndarray:
    """Which of a subject's frames lie in the ranges of the log: (frames,) bool; ranges past the end fall away."""
    marked = np.zeros(frames, dtype=bool)
    for first, last in ranges:
        marked[first - 1 : last] = True
    return marked


def length_notes(video: Path, count: Count, labelled: int) -> list[str]:
    """Warnings where a video has not as many frames as labels; ValueError where it must be another one."""
    shown, most = count.frames, max(SURPLUS, labelled // 100)
    if shown > labelled + most or (shown < labelled - most and _has_another_rate(video)):
        raise ValueError(
            f"{video}: {shown} frames for {labelled} labels; was it converted to another rate? Take the original"
        )
    notes = []
    if count.doubtful:
        notes.append(
            f"{video}: whether its recorder left out {count.doubtful} of its frames, neither the file nor its "
            f"{labelled} labels tell; labels behind them may be off by as many: see whether they fit the faces"
        )
    if shown < labelled:
        notes.append(
            f"{video}: {shown} frames for {labelled} labels; {_last(labelled - shown)} kept out as "
            f"'{NOT_DECODABLE}'; if the video was cut short, copy it again"
        )
    if shown > labelled:
        notes.append(f"{video}: {shown} frames for {labelled} labels; {_last(shown - labelled)} ignored")
    return notes


def warn_of_other_pictures(tree: Tree) -> None:
    """Warn where pictures have not DISFA's size, though landmarks are of the originals; not of a rendered tree."""
    width, height, _ = VIDEO
    videos = [] if tree.synthetic else tree.videos.values()
    if other := [path for path in videos if frame_shape(path) != (height, width)]:
        more = f", as in {len(other) - 1} more videos," if other[1:] else ""
        warnings.warn(
            f"{other[0]}: pictures{more} are not of {width} x {height} pixels, as DISFA's are; landmarks must be "
            "in their pixels: traunet doctor sees whether they fit the faces",
            stacklevel=2,
        )


def _has_another_rate(video: Path) -> bool:
    """Whether it is not played at DISFA's, so that what lacks may lack all over it, and not at its end alone."""
    rate = frame_rate(video)
    return rate > 0 and abs(rate - VIDEO[2]) > 0.5


def _last(frames: int) -> str:
    return f"the last {frames} frames are" if frames > 1 else "the last frame is"


def read_bad_frames(root: Path) -> dict[str, list[tuple[int, int]]]:
    """The tree's own log of bad frames if it ships one, else the data set's: frames from 1, both ends included."""
    path = find(root, re.escape(BAD_FRAMES_FILE))
    if path is None:
        return {subject: list(ranges) for subject, ranges in BAD_FRAMES.items()}
    refuse_no_file(path)
    try:
        log = pd.read_csv(path, dtype={"subject": "str", "first": "int64", "last": "int64"})
        first, last = (log[name].to_numpy() for name in ("first", "last"))
        subjects = log["subject"].fillna("").str.strip().str.upper()
    except (ValueError, KeyError, OverflowError) as error:  # the last of numbers beyond 64 bits
        raise ValueError(
            f"{path}: must have the columns subject, first, last, with whole numbers ({error})"
        ) from error
    if ((first < 1) | (last < first)).any():
        raise ValueError(f"{path}: every range must have 1 <= first <= last; correct the file")
    if strange := sorted(set(subjects[~subjects.str.fullmatch(r"SN\d{3}")])):
        raise ValueError(f"{path}: {strange[0]!r} is no subject; write them as SN001, SN002, …")
    ranges: dict[str, list[tuple[int, int]]] = {}
    for subject, *ends in zip(subjects, first.tolist(), last.tolist(), strict=True):
        ranges.setdefault(subject, []).append((ends[0], ends[1]))
    return ranges
