"""The aligned frames on disk: written once by several processes, read in any order, in little memory.

A store is a folder: `images.bin` (JPEG pictures one after another), `frames.parquet` (one row per labelled frame,
with the place of its picture), `landmarks.npy` (aligned, float32, rows x 66 x 2) and `manifest.json`.
"""

import dataclasses
import hashlib
import json
import os
import platform
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd

import traunet
from traunet.config import AlignConfig
from traunet.data.align import can_align
from traunet.data.aligning import Aligned, Task, align_subjects
from traunet.data.disfa import NOT_DECODABLE, Tree, count_reasons

IMAGES, FRAMES, LANDMARKS, MANIFEST = "images.bin", "frames.parquet", "landmarks.npy", "manifest.json"
PLACE = ["offset", "length"]  # of a frame's picture in images.bin; length 0: it has none
NO_FACE = "landmarks are no face"


class AlignedStore:
    """Aligned frames, read from disk when asked for; may be shared with, or sent to, other processes."""

    def __init__(self, path: Path, manifest: dict):
        self.path, self.manifest = path, manifest
        table = pd.read_parquet(path / FRAMES)
        self._places = table[PLACE].to_numpy()
        self.frames = table.drop(columns=PLACE)
        self.usable = np.flatnonzero(self.frames["usable"].to_numpy(dtype=bool))

    @classmethod
    def open(cls, path: Path, config: AlignConfig | None = None) -> "AlignedStore":
        """Open a store; with `config`, only if it was aligned with these settings.

        Raises FileNotFoundError if there is none, ValueError if it is damaged or was made with other settings.
        """
        path = Path(path)
        if not (path / MANIFEST).is_file():
            raise FileNotFoundError(f"{path}: no store of aligned frames; make one: traunet prepare --out {path}")
        try:
            manifest = json.loads((path / MANIFEST).read_text())
            sizes = {name: (path / name).stat().st_size for name in manifest["bytes"]}
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(f"{path}: the store is damaged ({error}); delete it and prepare it again") from error
        if sizes != manifest["bytes"]:
            name = next(name for name in sizes if sizes[name] != manifest["bytes"][name])
            raise ValueError(
                f"{path / name}: the store is damaged ({sizes[name]} bytes where {manifest['bytes'][name]} were "
                f"written); delete it and prepare it again"
            )
        if config is not None:
            _refuse_other_settings(path, manifest["align"], config)
        return cls(path, manifest)

    def __len__(self) -> int:
        return len(self.frames)

    def __reduce__(self):
        return AlignedStore.open, (self.path,)

    def __repr__(self) -> str:
        usable = len(self.usable)
        return f"AlignedStore({self.manifest['dataset']}, {len(self)} frames, {usable} usable, {self.size} px)"

    @property
    def fingerprint(self) -> str:
        """A hash of all that the store holds: equal data, labels and settings have equal fingerprints."""
        return self.manifest["fingerprint"]

    @property
    def align(self) -> AlignConfig:
        settings = dict(self.manifest["align"])
        return AlignConfig(**{**settings, "center": tuple(settings["center"])})

    @property
    def size(self) -> int:
        return self.align.size

    def image(self, i: int) -> np.ndarray:
        """The aligned picture of row `i`: uint8 RGB, size x size x 3. Only usable frames have one."""
        offset, length = (int(value) for value in self._places[i])
        if not length:
            row = self.frames.iloc[i]
            raise ValueError(
                f"{self.path}: frame {row['frame']} of {row['subject']} has no picture ({row['reason']}); use the "
                f"rows of store.usable"
            )
        encoded = np.frombuffer(os.pread(self._file, length, offset), dtype=np.uint8)
        picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
        if picture is None:
            raise ValueError(
                f"{self.path / IMAGES}: picture {i} is damaged; delete the store and prepare it again"
            )
        return picture

    def images(self, indices: Iterable[int]) -> np.ndarray:
        """The aligned pictures of these rows: uint8 RGB (N, size, size, 3)."""
        rows = list(indices)
        pictures = np.empty((len(rows), self.size, self.size, 3), dtype=np.uint8)
        for picture, row in zip(pictures, rows, strict=True):
            picture[:] = self.image(row)
        return pictures

    def landmarks(self, i: int) -> np.ndarray:
        """The 66 points of row `i` in pixels of the aligned picture: float32 (66, 2), NaN if it is not usable."""
        return np.array(self._landmarks[i])

    @cached_property
    def _file(self) -> int:
        # Read with pread, which has no position of its own: any number of threads and processes may share it.
        return os.open(self.path / IMAGES, os.O_RDONLY)

    @cached_property
    def _landmarks(self) -> np.ndarray:
        return np.load(self.path / LANDMARKS, mmap_mode="r")

    def __del__(self):
        if "_file" in self.__dict__:
            os.close(self._file)


def _refuse_other_settings(path: Path, made: dict, config: AlignConfig) -> None:
    wanted = json.loads(json.dumps(dataclasses.asdict(config)))
    if made != wanted:
        raise ValueError(
            f"{path}: this store was aligned with {_listed(made)}, but {_listed(wanted)} is asked for; delete it "
            f"or give another folder"
        )


def _listed(settings: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def prepare(
    tree: Tree,
    out: Path,
    config: AlignConfig,
    workers: int | None = None,
    progress: bool = True,
    replace: bool = False,
) -> AlignedStore:
    """Read, align and store every usable frame of a tree; frames that cannot be used stay in the table, counted.

    `workers` processes work on one subject each (default: one per core; 1: in this process). They are started
    afresh, so a script that calls this needs the usual `if __name__ == "__main__":`. Memory does not grow with the
    videos. The store appears whole or not at all. An existing one is replaced only with `replace=True`.

    Raises ValueError or FileNotFoundError, naming the file, if a video cannot be read or `out` is in use.
    """
    out = Path(out)
    _refuse_existing(out, config, replace)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _whole_or_nothing(out) as folder:
        tasks = [_task(tree, subject, config, folder) for subject in tree.subjects]
        results = align_subjects(tasks, workers, progress)
        _write(folder, tree, config, tasks, results)
    return AlignedStore.open(out, config)


def _refuse_existing(out: Path, config: AlignConfig, replace: bool) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MANIFEST).is_file():
        raise ValueError(f"{out}: is there already and is no store of aligned frames; give another folder")
    if not replace:
        AlignedStore.open(out, config)  # says so if it was made with other settings
        raise ValueError(f"{out}: there is a store already; use it, delete it, or ask to replace it")


@contextmanager
def _whole_or_nothing(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its place when all went well, and leaves nothing behind when not."""
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        new = scratch / "new"
        new.mkdir()
        yield new
        if out.exists():
            out.rename(scratch / "old")
        new.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _task(tree: Tree, subject: str, config: AlignConfig, folder: Path) -> Task:
    usable = tree.frames.loc[tree.frames["subject"] == subject, "usable"].to_numpy(dtype=bool)
    landmarks = tree.landmarks[subject]
    wanted = usable & can_align(landmarks)
    return Task(subject, tree.videos[subject], landmarks, wanted, config, folder / f"{subject}.part")


def _write(folder: Path, tree: Tree, config: AlignConfig, tasks: list[Task], results: list[Aligned]) -> None:
    lengths = np.concatenate([result.lengths for result in results])
    frames = _judged(tree, tasks, lengths > 0)
    if not lengths.any():
        counts = count_reasons(frames).loc["all"].to_dict()
        raise ValueError(f"{tree.root}: not one frame can be used ({counts}); check its videos and landmarks")
    _warn_undecodable(tree, frames)
    frames.assign(offset=np.cumsum(lengths) - lengths, length=lengths).to_parquet(folder / FRAMES, index=False)
    np.save(folder / LANDMARKS, np.concatenate([result.landmarks for result in results]))
    content = hashlib.sha256(json.dumps(dataclasses.asdict(config), sort_keys=True).encode())
    content.update(frames.to_csv(index=False).encode())
    content.update((folder / LANDMARKS).read_bytes())
    _join(folder / IMAGES, [task.pictures for task in tasks], content.update)
    manifest = {"fingerprint": content.hexdigest(), **_provenance(folder, tree, config, frames)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, default=int) + "\n")


def _provenance(folder: Path, tree: Tree, config: AlignConfig, frames: pd.DataFrame) -> dict:
    modules = {"traunet": traunet, "numpy": np, "opencv": cv2, "av": av}
    return {
        "dataset": tree.dataset,
        "synthetic": tree.synthetic,
        "source": tree.root.name,
        "align": dataclasses.asdict(config),
        "frames": len(frames),
        "counts": count_reasons(frames).loc["all"].to_dict(),
        "bytes": {name: (folder / name).stat().st_size for name in (IMAGES, FRAMES, LANDMARKS)},
        "versions": {
            "python": platform.python_version(),
            **{name: module.__version__ for name, module in modules.items()},
        },
    }


def _judged(tree: Tree, tasks: list[Task], stored: np.ndarray) -> pd.DataFrame:
    """The tree's frames, with those that turned out unusable on the way marked as such."""
    wanted = np.concatenate([task.wanted for task in tasks])
    usable = tree.frames["usable"].to_numpy(dtype=bool)
    reason = tree.frames["reason"].to_numpy(dtype=object).copy()
    reason[usable & ~wanted] = NO_FACE
    reason[wanted & ~stored] = NOT_DECODABLE
    return tree.frames.assign(usable=stored, reason=reason)


def _warn_undecodable(tree: Tree, frames: pd.DataFrame) -> None:
    fresh = frames.loc[tree.frames["usable"] & ~frames["usable"], ["subject", "reason"]]
    for (subject, reason), count in fresh.value_counts(sort=False).to_dict().items():
        warnings.warn(
            f"{tree.videos[subject]}: {count} more frames of {subject} are kept out as '{reason}'; check the "
            f"video and the landmarks",
            stacklevel=4,
        )


def _join(out: Path, parts: list[Path], update: Callable[[bytes], None]) -> None:
    """Append the subjects' pictures to one file, a megabyte at a time, and remove the parts."""
    with out.open("wb") as file:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(1 << 20):
                    file.write(block)
                    update(block)
            part.unlink()
