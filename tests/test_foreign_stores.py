"""A store that comes from elsewhere: what its tables and pictures claim is held against what is there."""

import json
import shutil
import zlib
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from mishaps import copy

from traunet.data.store import AlignedStore
from traunet.records.provenance import file_sha256


def placed(folder: Path, **columns: object) -> Path:
    """The store with other values in its table, for which its manifest vouches."""
    table, manifest = folder / "frames.parquet", json.loads((folder / "manifest.json").read_text())
    pd.read_parquet(table).assign(**columns).to_parquet(table, index=False)
    for name in manifest["bytes"]:
        manifest["bytes"][name] = (folder / name).stat().st_size
    manifest["sha256"][table.name] = file_sha256(table)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(
    "columns", [{"length": 2**40}, {"length": -5}, {"offset": -5}, {"offset": 2**62}, {"offset": "x"}]
)
def test_pictures_that_lie_outside_of_their_file_are_refused(columns, tmp_path):
    with pytest.raises(ValueError, match=r"frames\.parquet: the store is damaged.*; delete it and prepare"):
        AlignedStore.open(placed(copy("store", tmp_path), **columns))


def test_a_table_of_more_rows_than_have_landmarks_is_not_read(tmp_path, monkeypatch):
    """The same row a million times takes no room on disk."""
    folder = copy("store", tmp_path)
    table = pd.read_parquet(folder / "frames.parquet")
    pd.concat([table] * 2, ignore_index=True).to_parquet(folder / "frames.parquet", index=False)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["bytes"]["frames.parquet"] = (folder / "frames.parquet").stat().st_size
    manifest["sha256"]["frames.parquet"] = file_sha256(folder / "frames.parquet")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.setattr(pd, "read_parquet", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=r"frames\.parquet: the store is damaged.*more rows than landmarks\.npy"):
        AlignedStore.open(folder)


@pytest.mark.parametrize(("suffix", "size"), [(".jpg", 1000), (".png", 64)])
def test_a_picture_of_another_size_or_kind_is_not_decoded(suffix, size, tmp_path, monkeypatch):
    folder = copy("store", tmp_path)
    picture = cv2.imencode(suffix, np.zeros((size, size, 3), np.uint8))[1].tobytes()
    (folder / "images.bin").write_bytes(picture)
    placed(folder, offset=0, length=len(picture), crc32=zlib.crc32(picture))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match=r"images\.bin: picture 0 is damaged; delete the store"):
        AlignedStore.open(folder).image(0)


@pytest.mark.parametrize("text", ["[" * 100_000, None])
def test_a_manifest_nested_without_end_or_of_other_settings_is_refused(text, tmp_path):
    folder = copy("store", tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["align"]["zoom"] = 1
    (folder / "manifest.json").write_text(text or json.dumps(manifest))
    with pytest.raises(ValueError, match="the store is damaged, or of another version"):
        AlignedStore.open(folder)


def test_a_store_may_be_moved(tmp_path):
    moved = shutil.move(copy("store", tmp_path), tmp_path / "elsewhere")
    store = AlignedStore.open(Path(moved))
    assert store.image(store.usable[0]).shape == (store.size, store.size, 3)
