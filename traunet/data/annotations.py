"""What DISFA says about one subject's frames: intensities in text files, landmarks in MATLAB files."""

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io.matlab._mio import mat_reader_factory

from traunet.data.layout import find, frame_of, landmark_folder, refuse_no_file
from traunet.facs import DISFA_AUS, MAX_INTENSITY, N_LANDMARKS

NO_LANDMARKS = "no landmarks"
DAMAGED_LANDMARKS = "damaged landmarks"
# DISFA itself lacks one landmark file (SN031's l03631) and has one too many for some subjects: no warning then.
TOLERATED_FILES = 1
# Bytes; a file of 66 points takes 1,240, and a small compressed one could unpack into gigabytes.
LARGEST_FILE = 2**16
NUMBERS = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
FARTHEST = 1e5  # pixels from the corner; no picture is so large


def read_labels(folder: Path, subject: str) -> pd.DataFrame:
    """The twelve intensities of every frame of a subject, int8: one column an AU.

    Raises FileNotFoundError for missing files, ValueError for lines that cannot be read or do not count 1, 2, 3, …
    """
    own = find(folder, subject)
    found = {au: own and find(own, rf"{subject}_{au}\.txt") for au in DISFA_AUS}
    files = {au: path for au, path in found.items() if path}
    missing = [f"{subject}_{au.lower()}.txt" for au in DISFA_AUS if au not in files]
    if missing:
        which = ", ".join(missing) if files else f"at all, such as {missing[0]}"
        raise FileNotFoundError(
            f"{folder / subject}: {subject} has no labels {which}; add them or leave the subject out"
        )
    columns, wrong = {}, []
    for au, path in files.items():
        try:
            columns[au] = _read_intensities(path)
        except ValueError as error:
            wrong.append(str(error))
    if not wrong:
        wrong = _uneven(subject, files, columns)
    if wrong:
        others = f" ({len(wrong)} label files of {subject} are wrong, this is the first)" if wrong[1:] else ""
        raise ValueError(wrong[0] + others)
    return pd.DataFrame(columns)


def _uneven(subject: str, files: dict[str, Path], columns: dict[str, np.ndarray]) -> list[str]:
    """A complaint about every file that is shorter than another."""
    longest = max(len(column) for column in columns.values())
    return [
        f"{files[au]}: {len(column)} lines where another AU of {subject} has {longest}; restore the file"
        for au, column in columns.items()
        if len(column) != longest
    ]


def _read_intensities(path: Path) -> np.ndarray:
    """Lines `frame,intensity` without a header; frames count from 1, intensities go from 0 to 5 (A to E)."""
    refuse_no_file(path)
    try:
        lines = pd.read_csv(path, header=None, dtype="int64").to_numpy()
    except (ValueError, OverflowError) as error:  # the latter of numbers beyond 64 bits
        raise ValueError(f"{path}: every line must read 'frame,intensity' ({error}); restore the file") from error
    if lines.shape[1] != 2:
        raise ValueError(
            f"{path}: {lines.shape[1]} columns where 'frame,intensity' was expected; restore the file"
        )
    frame, intensity = lines.T
    wrong = (frame != np.arange(1, len(frame) + 1)) | (intensity < 0) | (intensity > MAX_INTENSITY)
    if wrong.any():
        line = int(wrong.argmax())
        raise ValueError(
            f"{path}: line {line + 1} reads {frame[line]},{intensity[line]}, but frames must count 1, 2, 3, … and "
            f"intensities lie in 0 to {MAX_INTENSITY}; restore the file"
        )
    return intensity.astype(np.int8)


def landmark_files(folder: Path, subject: str) -> dict[int, Path]:
    """The landmark file of each frame, from 1, whatever naming scheme; FileNotFoundError if there is none."""
    own = find(folder, subject)
    inner = own and landmark_folder(own)
    if inner is None or not inner.is_dir():
        raise FileNotFoundError(f"{folder / subject / 'tmp_frame_lm'}: no landmarks of {subject}; add the folder")
    files: dict[int, Path] = {}
    for path in sorted(inner.iterdir()):
        frame = frame_of(path.name)
        owner = re.match(r"(?i)sn(\d+)_", path.name)
        if frame is not None and owner and int(owner[1]) != int(subject[2:]):
            raise ValueError(
                f"{path}: landmarks of SN{owner[1]} among those of {subject}; move them to their folder"
            )
        if frame is not None and files.setdefault(frame, path) != path:
            raise ValueError(f"{path}: a second file for frame {frame}, beside {files[frame].name}; remove one")
    if not files:
        raise FileNotFoundError(
            f"{inner}: no file such as {subject}_0000_lm.mat or l00001_lm.mat; unpack them here"
        )
    return files


def read_landmarks(
    folder: Path, subject: str, n_frames: int, first_pixel: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Landmarks (frames, 66, 2), the reason why each frame has none ('' if it has), and what to warn of."""
    files = landmark_files(folder, subject)
    landmarks = np.full((n_frames, N_LANDMARKS, 2), np.nan, dtype=np.float32)
    reason = np.full(n_frames, "", dtype=object)
    missing = [frame for frame in range(1, n_frames + 1) if frame not in files]
    reason[np.array(missing, dtype=int) - 1] = NO_LANDMARKS
    damaged = []
    for frame in sorted(files.keys() & set(range(1, n_frames + 1))):
        try:
            landmarks[frame - 1] = _read_points(files[frame]) - first_pixel
        except ValueError as error:
            reason[frame - 1] = DAMAGED_LANDMARKS
            damaged.append(str(error))
    extra = len(files) - (n_frames - len(missing))
    notes = _landmark_notes(subject, next(iter(files.values())).parent, missing, damaged, extra)
    return landmarks, reason, [*_counting_notes(subject, files, n_frames), *notes]


def _counting_notes(subject: str, files: dict[int, Path], n_frames: int) -> list[str]:
    """A warning if all files are one off: the name tells where counting begins, and a renamed file lies."""
    late, early = 1 not in files and n_frames + 1 in files, 0 in files and n_frames not in files
    if not late and not early:
        return []
    odd = files[min(files)]
    return [
        f"{odd}: the first landmark file of {subject}, though files of this name count from {0 if late else 1}; "
        f"every frame may have its neighbour's landmarks: rename them"
    ]


def _landmark_notes(subject: str, folder: Path, missing: list[int], damaged: list[str], extra: int) -> list[str]:
    notes = []
    if len(missing) > TOLERATED_FILES:
        notes.append(
            f"{folder}: {len(missing)} frames of {subject} have no landmark file (the first is frame "
            f"{missing[0]}) and are kept out as '{NO_LANDMARKS}'; unpack the landmarks again"
        )
    if damaged:
        notes.append(
            f"{damaged[0]}; {len(damaged)} such frames of {subject} are kept out as '{DAMAGED_LANDMARKS}'; "
            f"restore the landmark files"
        )
    if extra > TOLERATED_FILES:
        notes.append(f"{folder}: {extra} landmark files of {subject} belong to no labelled frame and are ignored")
    return notes


def _read_points(path: Path) -> np.ndarray:
    """The 66 points of one `.mat` file, as they are written; ValueError says what is wrong with them."""
    refuse_no_file(path)
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise ValueError(f"{path}: cannot be read as landmarks ({size} bytes, where 66 points take 1,240)")
    try:
        # As `scipy.io.whosmat` and `loadmat` do, but both with one reader: they take two and a half times as long.
        reader = mat_reader_factory(io.BytesIO(path.read_bytes()))[0]
        told = [(shape, kind) for name, shape, kind in reader.list_variables() if name == "pts"]
        points = None
        # A few bytes can nest cells until C's stack is full, or claim gigabytes: such a value is not begun.
        if told and all(shape == (N_LANDMARKS, 2) and kind in NUMBERS for shape, kind in told):
            points = np.asarray(reader.get_variables(["pts"])["pts"], dtype=np.float64)
    except Exception as error:  # a damaged .mat can raise nearly anything from within SciPy
        raise ValueError(f"{path}: cannot be read as landmarks ({type(error).__name__}: {error})") from error
    if points is None:
        raise ValueError(f"{path}: {_unlike_points(told)}")
    absurd = ~(np.abs(points) < FARTHEST)  # of what is not finite, too
    if absurd.any():
        raise ValueError(f"{path}: 'pts' holds {int(absurd.sum())} values that are no place in a picture")
    return points


def _unlike_points(told: list[tuple[tuple[int, ...], str]]) -> str:
    """Why what a file tells of its `pts`, shape and kind of each, is no 66 points."""
    if not told:
        return "cannot be read as landmarks (it holds no 'pts')"
    if kinds := [kind for _, kind in told if kind not in NUMBERS]:
        return f"cannot be read as landmarks ('pts' is of the class {kinds[0]}, not numbers)"
    shape = next(shape for shape, _ in told if shape != (N_LANDMARKS, 2))
    return f"'pts' has the shape {shape}, not ({N_LANDMARKS}, 2)"
