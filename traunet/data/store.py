"""The aligned frames on disk: written once (`traunet.data.preparing`), read in any order, in little memory.

A store is a folder: `images.bin` (JPEG pictures one after another), `frames.parquet` (one row per labelled frame,
with the place and a checksum of its picture), `landmarks.npy` (aligned, float32, rows x 66 x 2), `manifest.json`.
"""

import dataclasses
import json
import os
import zlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import simplejpeg

from traunet.config import AlignConfig
from traunet.records.provenance import file_sha256
from traunet.records.reading import json_of

IMAGES, FRAMES, LANDMARKS, MANIFEST = "images.bin", "frames.parquet", "landmarks.npy", "manifest.json"
FILES = (IMAGES, FRAMES, LANDMARKS)  # whatever a manifest names: a name in a file must not lead elsewhere
SEALED = (FRAMES, LANDMARKS)  # held against their hashes; a picture is looked at when it is read
NOTED = ("align", "bytes", "dataset", "fingerprint", "sha256", "synthetic")  # what every manifest tells
DAMAGED = "the store is damaged, or of another version ({}); delete it and prepare it again"
POINTS = 66 * 2 * np.dtype(np.float32).itemsize  # bytes of a row's landmarks
PLACE = ["offset", "length", "crc32"]  # of a frame's picture in images.bin; length 0: it has none


class AlignedStore:
    """Aligned frames, read from disk when asked for; may be shared with, or sent to, other processes."""

    def __init__(self, path: Path, manifest: dict):
        self.path, self.manifest = path, manifest
        # What is repeated takes no room on disk. Of each row the landmarks hold 66 points, which take theirs.
        if _rows(path / FRAMES) * POINTS > manifest["bytes"][LANDMARKS]:
            raise ValueError(f"it has more rows than {LANDMARKS}")
        table = pd.read_parquet(path / FRAMES)
        self._places = table[PLACE].to_numpy()
        offset, length = table["offset"].to_numpy(np.int64), table["length"].to_numpy(np.int64)
        held = manifest["bytes"][IMAGES]
        if ((offset < 0) | (length < 0) | (offset > held - length)).any():
            raise ValueError(f"it places pictures outside of {IMAGES}")
        self.frames = table.drop(columns=PLACE)
        self.usable = np.flatnonzero(self.frames["usable"].to_numpy(dtype=bool))

    @classmethod
    def open(cls, path: Path, config: AlignConfig | None = None) -> "AlignedStore":
        """Open a store; with `config`, only if it was aligned with these settings.

        Raises FileNotFoundError if there is none, ValueError if it is damaged or was made with other settings.
        """
        path = Path(path)
        if not (path / MANIFEST).is_file():
            raise FileNotFoundError(
                f"{path}: no store of aligned frames; name a folder that `traunet prepare --out` made"
            )
        try:
            manifest = json_of(path / MANIFEST)
            lacking = [name for name in NOTED if name not in manifest]
            lacking += [f"bytes of {name}" for name in FILES if name not in manifest.get("bytes", FILES)]
            lacking += [f"sha256 of {name}" for name in SEALED if name not in manifest.get("sha256", SEALED)]
            if lacking:
                raise ValueError(f"its manifest says nothing of {', '.join(lacking)}")
            written = {name: manifest["bytes"][name] for name in FILES}
            hashes = {name: manifest["sha256"][name] for name in SEALED}
            sizes = {name: (path / name).stat().st_size for name in FILES}
            AlignConfig(**manifest["align"])
        except (ValueError, TypeError, AttributeError, LookupError, OSError) as error:
            raise ValueError(f"{path}: {DAMAGED.format(error)}") from error
        for name in FILES:
            if sizes[name] != written[name]:
                told = f"{sizes[name]} bytes where {written[name]} were written"
                raise ValueError(f"{path / name}: {DAMAGED.format(told)}")
        if config is not None:
            _refuse_other_settings(path, manifest["align"], config)
        for name in SEALED:
            if file_sha256(path / name) != hashes[name]:
                raise ValueError(f"{path / name}: {DAMAGED.format('it is not what was written')}")
        try:
            return cls(path, manifest)
        except (ValueError, TypeError, LookupError, OSError) as error:
            raise ValueError(f"{path / FRAMES}: {DAMAGED.format(error)}") from error

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

    @cached_property
    def align(self) -> AlignConfig:
        settings = dict(self.manifest["align"])
        return AlignConfig(**{**settings, "center": tuple(settings["center"])})

    @property
    def size(self) -> int:
        return self.align.size

    def image(self, i: int) -> np.ndarray:
        """The aligned picture of row `i`: uint8 RGB, size x size x 3. Only usable frames have one."""
        offset, length, checksum = (int(value) for value in self._places[i])
        if not length:
            row = self.frames.iloc[i]
            raise ValueError(
                f"{self.path}: frame {row['frame']} of {row['subject']} has no picture ({row['reason']}); use the "
                f"rows of store.usable"
            )
        encoded = os.pread(self._file, length, offset)
        sound = zlib.crc32(encoded) == checksum and self._is_ours(encoded)
        picture = cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), cv2.IMREAD_COLOR_RGB) if sound else None
        if picture is None:
            raise ValueError(
                f"{self.path / IMAGES}: picture {i} is damaged; delete the store and prepare it again"
            )
        return picture

    def _is_ours(self, encoded: bytes) -> bool:
        """Whether a picture's header tells a JPEG of the store's size: another is not decoded, however large."""
        try:
            return simplejpeg.decode_jpeg_header(encoded)[:2] == (self.size, self.size)
        except ValueError:
            return False

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
        try:
            return np.load(self.path / LANDMARKS, mmap_mode="r")
        except ValueError as error:
            raise ValueError(f"{self.path / LANDMARKS}: {DAMAGED.format(error)}") from error

    def __del__(self):
        if "_file" in self.__dict__:
            os.close(self._file)


def _rows(table: Path) -> int:
    """How many rows a table would have, by its own account; none of them is read."""
    facts = pq.read_metadata(table)
    return sum(facts.row_group(group).num_rows for group in range(facts.num_row_groups))


def _refuse_other_settings(path: Path, made: dict, config: AlignConfig) -> None:
    wanted = json.loads(json.dumps(dataclasses.asdict(config)))
    if made != wanted:
        raise ValueError(
            f"{path}: this store was aligned with {_listed(made)}, but {_listed(wanted)} is asked for; delete it "
            f"or give another folder"
        )


def _listed(settings: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
