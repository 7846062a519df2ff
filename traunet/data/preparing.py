"""From a tree to a store: every usable frame aligned, once, however often the work is interrupted on the way."""

import dataclasses
import hashlib
import json
import platform
import shutil
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd
import simplejpeg

import traunet
from traunet.config import AlignConfig, canonical_json
from traunet.data.align import can_align, face_transform, lies_in, transform_points
from traunet.data.aligning import Part, Task, align_parts
from traunet.data.disfa import NOT_DECODABLE, Tree, count_reasons
from traunet.data.progress import Progress
from traunet.data.store import FRAMES, IMAGES, LANDMARKS, MANIFEST, SEALED, AlignedStore
from traunet.data.unfinished import NEW, Unfinished, unfinished
from traunet.data.video import divide, frame_shape, no_frame
from traunet.records.provenance import file_sha256

NO_FACE = "landmarks are no face"
Tasks = dict[str, list[Task]]  # of each subject, in the order of the frames


def prepare(
    tree: Tree,
    out: Path,
    config: AlignConfig,
    workers: int | None = None,
    progress: bool = True,
    replace: bool = False,
    resume: Path | None = None,
) -> AlignedStore:
    """Read, align and store every usable frame of a tree; frames that cannot be used stay in the table, counted.

    `workers` processes work on stretches of the videos (default: one per core; 1: in this process). They are
    started afresh, so a script that calls this with more than one must do so under `if __name__ == "__main__":`.
    Under `out` there is a whole store or nothing. What is done is kept in the folder `resume`, on the same disk
    (default: `.<name>.unfinished` beside `out`), until the store is whole: after a kill or an error the next call
    goes on from there, whatever part of it still fits the tree and the settings, and makes the same bytes. The
    disk holds the pictures twice for a moment.

    Raises ValueError if `out` exists (a store may be replaced with `replace`, anything else never), if a video
    holds no frame that can be decoded or if no frame at all can be used, and OSError if a file is gone.
    """
    out = Path(out)
    _refuse_existing(out, config, replace)
    out.parent.mkdir(parents=True, exist_ok=True)
    with unfinished(Path(resume or out.parent / f".{out.name}.unfinished")) as work:
        _refuse_existing(out, config, replace)  # another process may have made it while this one waited
        tasks = _align(tree, config, work, workers, progress)
        new = work.folder / NEW
        new.mkdir()
        _write(new, tree, config, tasks)
        if out.exists():
            out.rename(work.folder / "old")
        new.rename(out)
    return AlignedStore.open(out, config)


def _refuse_existing(out: Path, config: AlignConfig, replace: bool) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MANIFEST).is_file():
        raise ValueError(f"{out}: is there already and is no store of aligned frames; give another folder")
    if not replace:
        AlignedStore.open(out, config)  # says so if it was made with other settings
        raise ValueError(f"{out}: there is a store already; use it, or delete it first")


def _align(tree: Tree, config: AlignConfig, work: Unfinished, workers: int | None, progress: bool) -> Tasks:
    """Do what is not done yet, and return what there is."""
    tasks: Tasks = {subject: [] for subject in tree.subjects}

    def waiting() -> Iterator[Task]:
        for subject, own in tasks.items():
            own += _tasks(tree, subject, config, work)
            for task in own:
                if work.holds(task):
                    shown.find(len(task.matrices))
                else:
                    yield task
            shown.find(len(tree.landmarks[subject]) - sum(len(task.matrices) for task in own))
        work.forget_others()

    with Progress("aligned", len(tree.frames), progress) as shown:
        align_parts(waiting(), workers, shown)
    return tasks


def _tasks(tree: Tree, subject: str, config: AlignConfig, work: Unfinished) -> list[Task]:
    """The stretches of a subject's video, as far as there are labels."""
    matrices = np.full((len(tree.landmarks[subject]), 2, 3), np.nan)
    shape = frame_shape(tree.videos[subject])
    wanted = _usable(tree, subject) & can_align(tree.landmarks[subject]) & lies_in(tree.landmarks[subject], *shape)
    matrices[wanted] = face_transform(tree.landmarks[subject][wanted], config)
    stretches = divide(tree.videos[subject], labelled=len(wanted))
    labelled = [stretch for stretch in stretches if stretch.first <= len(wanted)]
    starts = [stretch.first - 1 for stretch in labelled]
    ends = [stretch.first - 1 + stretch.frames for stretch in labelled]
    return [
        work.task(stretch, matrices[start:end], config.size)
        for stretch, start, end in zip(labelled, starts, ends, strict=True)
    ]


def _usable(tree: Tree, subject: str) -> np.ndarray:
    return tree.frames.loc[tree.frames["subject"] == subject, "usable"].to_numpy(dtype=bool)


def _wanted(tree: Tree, tasks: Tasks) -> dict[str, np.ndarray]:
    """Of which labelled frames of each subject a picture was wanted: (frames,) bool; a video may end before."""
    wanted = {subject: np.zeros(len(tree.landmarks[subject]), dtype=bool) for subject in tasks}
    for subject, own in tasks.items():
        told = [row for task in own for row in task.wanted]
        wanted[subject][: len(told)] = told
    return wanted


def _write(folder: Path, tree: Tree, config: AlignConfig, tasks: Tasks) -> None:
    wanted = _wanted(tree, tasks)
    parts = {subject: [Part.of(task) for task in own] for subject, own in tasks.items()}
    lengths = {subject: _lengths(tree, subject, own) for subject, own in parts.items()}
    for subject, own in parts.items():
        if wanted[subject].any() and not any(part.decoded for part in own):
            raise no_frame(tree.videos[subject])
    every = np.concatenate(list(lengths.values()))
    frames = _judged(tree, np.concatenate(list(wanted.values())), every > 0)
    if not every.any():
        counts = count_reasons(frames).loc["all"].to_dict()
        told = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        raise ValueError(f"{tree.root}: not one frame can be used ({told}); check its videos and landmarks")
    _warn_of_lost(tree, frames)
    content = hashlib.sha256(canonical_json(config).encode())
    content.update(frames.to_csv(index=False).encode())
    _write_landmarks(folder / LANDMARKS, tree, config, lengths, content.update)
    content.update(json.dumps([[part.sha256 for part in own] for own in parts.values()]).encode())
    _join(folder / IMAGES, [task.pictures for own in tasks.values() for task in own])
    places = {"offset": np.cumsum(every) - every, "length": every, "crc32": _checksums(folder / IMAGES, every)}
    frames.assign(**places).to_parquet(folder / FRAMES, index=False)
    manifest = {"fingerprint": content.hexdigest(), **_provenance(folder, tree, config, frames)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, default=int) + "\n", encoding="utf-8")


def _checksums(images: Path, lengths: np.ndarray) -> np.ndarray:
    """Of each picture of the file, which lie one after another; 0 of none."""
    with images.open("rb") as file:
        return np.array([zlib.crc32(file.read(length)) for length in lengths], dtype=np.int64)


def _lengths(tree: Tree, subject: str, parts: list[Part]) -> np.ndarray:
    """Bytes of the picture of each labelled frame; a video may end before its labels do."""
    lengths = np.zeros(len(tree.landmarks[subject]), dtype=np.int64)
    told = [length for part in parts for length in part.lengths]
    lengths[: len(told)] = told
    return lengths


def _write_landmarks(
    out: Path, tree: Tree, config: AlignConfig, lengths: dict[str, np.ndarray], update: Callable[[bytes], None]
) -> None:
    """Write one array of the landmarks of all frames, a subject at a time; NaN where there is no picture."""
    shape = (sum(len(own) for own in lengths.values()), *next(iter(tree.landmarks.values())).shape[1:])
    with out.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for subject, own in lengths.items():
            aligned, points = np.full((len(own), *shape[1:]), np.nan, dtype="<f4"), tree.landmarks[subject]
            stored = own > 0
            if stored.any():
                aligned[stored] = transform_points(points[stored], face_transform(points[stored], config))
            block = aligned.tobytes()
            file.write(block)
            update(block)


def _provenance(folder: Path, tree: Tree, config: AlignConfig, frames: pd.DataFrame) -> dict:
    modules = {"traunet": traunet, "numpy": np, "opencv": cv2, "av": av, "simplejpeg": simplejpeg}
    return {
        "dataset": dataclasses.replace(tree, frames=frames).dataset,  # as the videos decoded
        "synthetic": tree.synthetic,
        "source": tree.root.name,
        "align": dataclasses.asdict(config),
        "frames": len(frames),
        "counts": count_reasons(frames).loc["all"].to_dict(),
        "bytes": {name: (folder / name).stat().st_size for name in (IMAGES, FRAMES, LANDMARKS)},
        "sha256": {name: file_sha256(folder / name) for name in SEALED},
        "versions": {
            "python": platform.python_version(),
            **{name: module.__version__ for name, module in modules.items()},
        },
    }


def _judged(tree: Tree, wanted: np.ndarray, stored: np.ndarray) -> pd.DataFrame:
    """The tree's frames, with those that turned out unusable on the way marked as such."""
    usable = tree.frames["usable"].to_numpy(dtype=bool)
    reason = tree.frames["reason"].to_numpy(dtype=object).copy()
    reason[usable & ~wanted] = NO_FACE
    reason[wanted & ~stored] = NOT_DECODABLE
    return tree.frames.assign(usable=stored, reason=reason)


def _warn_of_lost(tree: Tree, frames: pd.DataFrame) -> None:
    fresh = frames.loc[tree.frames["usable"] & ~frames["usable"], ["subject", "reason"]]
    for (subject, reason), count in fresh.value_counts(sort=False).to_dict().items():
        warnings.warn(
            f"{tree.videos[subject]}: {count} more frames of {subject} are kept out as '{reason}'; check the "
            f"video and the landmarks",
            stacklevel=4,
        )


def _join(out: Path, parts: list[Path]) -> None:
    """Put the parts into one file, one after another; they stay, in case that this is the moment of a kill."""
    with out.open("wb") as file:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, file, 1 << 20)
