"""A store gives back what the videos showed, in any order and to any process, and is whole or not there."""

import json
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import chunks
import numpy as np
import pytest
import trees

from traunet.config import AlignConfig
from traunet.data.align import nose_midpoint
from traunet.data.disfa import read_tree
from traunet.data.preparing import prepare
from traunet.data.store import AlignedStore
from traunet.facs import CHIN, DISFA_AUS
from traunet.records.provenance import file_sha256

CONFIG = AlignConfig(size=64)


def prepared(root: Path, out: Path, config: AlignConfig = CONFIG, workers: int = 1, **settings) -> AlignedStore:
    return prepare(read_tree(root), out, config, workers=workers, progress=False, **settings)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = trees.write_tree(tmp_path_factory.mktemp("data") / "DISFA", missing=[("SN031", 4)])
    (folder / "bad_frames.csv").write_text("subject,first,last\nSN001,2,3\n")
    return folder


@pytest.fixture(scope="module")
def store(root, tmp_path_factory) -> AlignedStore:
    return prepared(root, tmp_path_factory.mktemp("stores") / "store")


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_labelled_frame_has_a_row_and_every_usable_one_a_picture(store):
    assert len(store) == 18
    assert list(store.frames.columns) == ["subject", "frame", *DISFA_AUS, "usable", "reason"]
    unusable = store.frames[~store.frames["usable"]]
    assert list(zip(unusable["subject"], unusable["frame"], unusable["reason"], strict=True)) == [
        ("SN001", 2, "marked bad"),
        ("SN001", 3, "marked bad"),
        ("SN031", 4, "no landmarks"),
    ]
    assert set(store.usable) == set(range(18)) - set(unusable.index)
    for i in unusable.index:
        assert np.isnan(store.landmarks(i)).all()
        with pytest.raises(ValueError, match=r"has no picture \((marked bad|no landmarks)\)"):
            store.image(i)


def test_a_picture_is_that_of_its_row(store):
    for i in store.usable:
        image = store.image(i)
        assert image.shape == (64, 64, 3)
        assert image.dtype == np.uint8
        assert np.median(image) == pytest.approx(trees.grey_of(store.frames["frame"][i]), abs=4)


def test_picture_and_landmarks_are_aligned(store):
    for i in store.usable:
        points = store.landmarks(i)
        np.testing.assert_allclose(nose_midpoint(points), [31.5, 31.5], atol=1e-3)
        np.testing.assert_allclose(points[CHIN], [31.5, 0.95 * 64 - 0.5], atol=1e-3)
        rows, columns = np.nonzero(np.abs(store.image(i).astype(int) - trees.RED).sum(axis=2) < 120)
        assert rows.mean() == pytest.approx(31.5, abs=1)
        assert columns.mean() == pytest.approx(31.5, abs=1)


def test_labels_reach_the_store_unchanged(store):
    for subject in ("SN001", "SN031"):
        rows = store.frames[store.frames["subject"] == subject]
        np.testing.assert_array_equal(rows[list(DISFA_AUS)], trees.intensities_of(subject, 6))


def test_many_pictures_come_in_the_order_asked_for(store):
    order = store.usable[::-1]
    np.testing.assert_array_equal(store.images(order), [store.image(i) for i in order])
    assert store.images([]).shape == (0, 64, 64, 3)


def test_the_manifest_tells_where_the_store_comes_from(store):
    manifest = json.loads((store.path / "manifest.json").read_text())
    assert manifest == store.manifest
    assert manifest["counts"] == {"frames": 18, "usable": 15, "marked bad": 2, "no landmarks": 1}
    assert (manifest["dataset"], manifest["synthetic"], manifest["source"]) == (
        "DISFA, 3 of 27 people",
        False,
        "DISFA",
    )
    assert store.align == CONFIG
    assert store.size == 64
    assert {"traunet", "numpy", "opencv", "av", "simplejpeg", "python"} == set(manifest["versions"])


def test_a_synthetic_tree_makes_a_store_that_says_so(tmp_path):
    root = trees.write_tree(tmp_path / "DISFA", subjects=["SN001"], frames=2)
    (root / "SYNTHETIC.json").write_text("{}")
    assert prepared(root, tmp_path / "store").manifest["dataset"] == "synthetic DISFA"


def test_several_processes_write_the_same_store_as_one(root, store, tmp_path):
    twin = prepared(root, tmp_path / "twin", workers=2)
    assert twin.fingerprint == store.fingerprint
    np.testing.assert_array_equal(twin.images(twin.usable), store.images(store.usable))


def test_the_fingerprint_follows_labels_pictures_and_settings(root, store, tmp_path):
    seen = {store.fingerprint, prepared(root, tmp_path / "other", AlignConfig(size=48)).fingerprint}
    changed = trees.write_tree(tmp_path / "changed")
    seen.add(prepared(changed, tmp_path / "a").fingerprint)
    trees.write_labels(changed, "SN001", 5 - trees.intensities_of("SN001", 6))
    seen.add(prepared(changed, tmp_path / "b").fingerprint)
    trees.write_video(trees.video_file(changed, "SN001"), [np.full((96, 128, 3), 99, np.uint8)] * 6)
    seen.add(prepared(changed, tmp_path / "c").fingerprint)
    assert len(seen) == 5


def test_a_store_travels_to_another_process(store):
    again = pickle.loads(pickle.dumps(store))
    i = int(store.usable[0])
    np.testing.assert_array_equal(again.image(i), store.image(i))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        np.testing.assert_array_equal(pool.submit(store.image, i).result(timeout=300), store.image(i))


def test_frames_that_break_while_decoding_are_kept_out_and_warned_of(tmp_path):
    root = trees.write_tree(tmp_path / "DISFA", subjects=["SN001"])
    trees.spoil_frame(trees.video_file(root, "SN001"), 3)
    with pytest.warns(UserWarning, match=r"SN001_comp\.avi: 1 more frames of SN001 .* 'not decodable'"):
        made = prepared(root, tmp_path / "store")
    assert made.frames["reason"].tolist() == ["", "", "not decodable", "", "", ""]
    assert np.median(made.image(3)) == pytest.approx(trees.grey_of(4), abs=4)


def test_landmarks_without_extent_are_kept_out_and_warned_of(tmp_path):
    root = trees.write_tree(tmp_path / "DISFA", subjects=["SN001"])
    trees.write_landmarks(trees.landmark_file(root, "SN001", 5), np.full((66, 2), 40.0))
    with pytest.warns(UserWarning, match="1 more frames of SN001 are kept out as 'landmarks are no face'"):
        made = prepared(root, tmp_path / "store")
    assert made.frames["reason"].tolist() == ["", "", "", "", "landmarks are no face", ""]


@pytest.mark.parametrize(
    ("chin", "fits"), [((60, 100), True), ((60, 130), False), ((-800, 20), False), ((1e4, 50), False)]
)
def test_landmarks_beside_the_picture_are_no_face(tmp_path, chin, fits):
    """96 x 128 pixels; a chin a little below the picture is one."""
    root = trees.write_tree(tmp_path / "DISFA", subjects=["SN001"])
    points = trees.subject_points("SN001", 6, 96, 128)[4]
    points[CHIN] = chin
    trees.write_landmarks(trees.landmark_file(root, "SN001", 5), points)
    with nullcontext() if fits else pytest.warns(UserWarning, match="kept out as 'landmarks are no face'"):
        made = prepared(root, tmp_path / "store")
    assert made.frames["usable"].tolist() == [True, True, True, True, fits, True]


def test_a_frame_that_the_recorder_left_out_moves_no_other(tmp_path):
    root = trees.write_tree(tmp_path / "DISFA", subjects=["SN001"])
    video = trees.video_file(root, "SN001")
    chunks.write_avi(video, chunks.without(chunks.chunks_of(video), [3]), b"MJPG", 128, 96)
    with pytest.warns(UserWarning, match="1 more frames of SN001 are kept out as 'not decodable'"):
        made = prepared(root, tmp_path / "store")
    assert made.frames["reason"].tolist() == ["", "", "not decodable", "", "", ""]
    for row in made.usable.tolist():
        assert np.median(made.image(row)) == pytest.approx(trees.grey_of(row + 1), abs=4)


def test_a_tree_without_a_usable_frame_makes_no_store(tmp_path):
    root = trees.write_tree(tmp_path / "DISFA", subjects=["SN001"])
    (root / "bad_frames.csv").write_text("subject,first,last\nSN001,1,6\n")
    with pytest.raises(ValueError, match=r"not one frame can be used .*6 marked bad"):
        prepared(root, tmp_path / "store")
    assert leftovers(tmp_path) == ["DISFA"]


def test_a_store_made_with_other_settings_is_refused_and_both_are_named(root, store):
    both = "size 64, .* but size 96, .* is asked for"
    with pytest.raises(ValueError, match=both):
        AlignedStore.open(store.path, AlignConfig(size=96))
    with pytest.raises(ValueError, match=both):
        prepared(root, store.path, AlignConfig(size=96))
    assert AlignedStore.open(store.path, CONFIG).fingerprint == store.fingerprint


def test_an_existing_store_is_replaced_only_when_asked(root, tmp_path):
    first = prepared(root, tmp_path / "store")
    with pytest.raises(ValueError, match="there is a store already"):
        prepared(root, tmp_path / "store")
    second = prepared(root, tmp_path / "store", AlignConfig(size=48), replace=True)
    assert (first.size, second.size) == (64, 48)
    assert leftovers(tmp_path) == ["store"]


def test_a_folder_that_is_no_store_is_never_overwritten(root, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    for out in (tmp_path / "thesis", tmp_path / "thesis" / "chapter.txt"):
        with pytest.raises(ValueError, match="is no store of aligned frames"):
            prepared(root, out, replace=True)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


def test_opening_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere: no store of aligned frames; name a folder"):
        AlignedStore.open(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["images.bin", "frames.parquet", "landmarks.npy", "manifest.json"])
def test_a_damaged_store_is_refused(root, tmp_path, name):
    file = prepared(root, tmp_path / "store").path / name
    os.truncate(file, file.stat().st_size // 2)
    with pytest.raises(ValueError, match=r"the store is damaged.*; delete it and prepare it again"):
        AlignedStore.open(tmp_path / "store")


@pytest.mark.parametrize("name", ["images.bin", "frames.parquet", "landmarks.npy"])
def test_a_store_that_lacks_a_file_is_refused(root, tmp_path, name):
    (prepared(root, tmp_path / "store").path / name).unlink()
    with pytest.raises(ValueError, match="the store is damaged"):
        AlignedStore.open(tmp_path / "store")


@pytest.mark.parametrize("name", ["frames.parquet", "landmarks.npy"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_one_bit_that_flipped_in_a_table_is_noticed(root, tmp_path, name, part):
    file = prepared(root, tmp_path / "store").path / name
    content = bytearray(file.read_bytes())
    content[int(part * len(content))] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: the store is damaged.*; delete it and prepare it again"):
        AlignedStore.open(tmp_path / "store")


def signed(folder: Path, name: str) -> Path:
    """Let the manifest vouch for a file as it is now."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"][name] = file_sha256(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_a_table_that_arrow_cannot_read_is_named_and_so_are_landmarks_that_numpy_cannot(root, tmp_path):
    folder = prepared(root, tmp_path / "store").path
    table, points = folder / "frames.parquet", folder / "landmarks.npy"
    content = bytearray(table.read_bytes())
    content[4:-2000] = bytes(len(content) - 2004)  # the pages; what they mean stands at the end
    points.write_bytes(bytes(points.stat().st_size))
    with pytest.raises(ValueError, match=r"landmarks\.npy: the store is damaged"):
        AlignedStore.open(signed(folder, points.name)).landmarks(0)
    table.write_bytes(content)
    with pytest.raises(ValueError, match=r"frames\.parquet: the store is damaged"):
        AlignedStore.open(signed(folder, table.name))


def test_a_store_of_a_version_that_noted_no_hashes_is_refused(root, tmp_path):
    manifest = prepared(root, tmp_path / "store").path / "manifest.json"
    older = json.loads(manifest.read_text())
    del older["sha256"]
    manifest.write_text(json.dumps(older))
    with pytest.raises(ValueError, match=r"or of another version .*sha256.*; delete it and prepare it again"):
        AlignedStore.open(tmp_path / "store")
    assert prepared(root, tmp_path / "store", replace=True).manifest["sha256"]


def test_a_damaged_picture_is_refused(root, tmp_path):
    made = prepared(root, tmp_path / "store")
    (made.path / "images.bin").write_bytes(bytes((made.path / "images.bin").stat().st_size))
    with pytest.raises(ValueError, match=r"images\.bin: picture 0 is damaged"):
        made.image(0)


def test_a_picture_of_which_one_bit_turned_is_refused_and_no_other(root, tmp_path):
    made = prepared(root, tmp_path / "store")
    content = bytearray((made.path / "images.bin").read_bytes())
    first = made.image(made.usable[0])
    content[-40] ^= 1
    (made.path / "images.bin").write_bytes(content)
    assert np.array_equal(made.image(made.usable[0]), first)
    with pytest.raises(ValueError, match=rf"images\.bin: picture {made.usable[-1]} is damaged; delete the store"):
        made.image(made.usable[-1])
