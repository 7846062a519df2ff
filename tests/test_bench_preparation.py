"""The bench of preparing measures what it says, on trees that are too small to judge by."""

from pathlib import Path

import numpy as np
import pytest
import trees

from traunet.bench.peak import PeakMemory
from traunet.bench.preparation import CODECS, loop_tree, measure
from traunet.data.video import count_frames, numbered_frames


@pytest.fixture(scope="module")
def heads():
    rng = np.random.default_rng(0)
    pictures = [[rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(24)] for _ in range(2)]
    return [(images, np.stack([trees.face_points((32, 20), 16.0)] * 24)) for images in pictures]


@pytest.mark.parametrize("codec", CODECS)
def test_a_film_that_repeats_is_as_long_as_asked_for(tmp_path, heads, codec):
    tree = loop_tree(tmp_path / "tree", heads, 55, 3, codec)
    for subject, video in tree.videos.items():
        assert count_frames(video).frames == 55 == len(tree.landmarks[subject])
        frames = [image for _, image in numbered_frames(video)]
        assert len(frames) == 55
        np.testing.assert_array_equal(frames[0], frames[48])
    assert len(tree.frames) == 165


def test_a_small_tree_gives_every_figure_and_leaves_no_tree(tmp_path, heads):
    made = measure(tmp_path, frames=24, subjects=2, size=32, rounds=1, heads=heads, codecs=("mjpeg",))
    figures = list(made)
    assert [figure.unit for figure in figures] == ["frames/s", "frames/s", "ms", "bytes", "bytes"]
    assert all(figure.value > 0 and figure.reference > 0 for figure in figures)
    assert figures[3].memory == figures[3].value
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the kernel tells it on Linux only")
def test_the_peak_of_memory_is_seen():
    with PeakMemory() as before:
        pass
    with PeakMemory() as peak:
        held = np.ones(25_000_000)
        peak.over.wait(0.5)
    assert 0.9 * held.nbytes < peak.bytes - before.bytes < 1.5 * held.nbytes
