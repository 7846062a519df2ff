"""The bench of preparing measures what it says, on trees that are too small to judge by."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import trees

from traunet.bench import peak
from traunet.bench.preparation import CODECS, loop_tree, measure
from traunet.data.video import count_frames, numbered_frames
from traunet.workspace import PROJECT


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


# Alone in a process with little else: of a library that others map too, each holds a share that varies.
PEAK = """
import time
import numpy as np
from traunet.bench.peak import PeakMemory

with PeakMemory() as before:
    pass
with PeakMemory() as peak:
    held = np.ones(25_000_000)
    began = time.monotonic()
    while peak.bytes < before.bytes + 0.9 * held.nbytes and time.monotonic() < began + 60:
        time.sleep(0.05)
    del held
print(peak.bytes - before.bytes)
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="the kernel tells it on Linux only")
def test_the_peak_of_memory_is_seen_though_it_is_over_at_the_end():
    command = [sys.executable, "-c", PEAK]
    told = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert 0.9 < int(told.stdout) / 200_000_000 < 1.5


def test_what_is_held_at_the_end_is_seen_though_a_look_was_under_way(monkeypatch):
    watch, looking, held = peak.PeakMemory(), threading.Event(), 1

    def look(_: int) -> int:
        seen = held
        looking.set()
        watch.over.wait(60)
        return seen

    monkeypatch.setattr(peak, "_family", lambda process: [process])
    monkeypatch.setattr(peak, "_held", look)
    with watch:
        assert looking.wait(60)
        held = 2
    assert watch.bytes == 2
