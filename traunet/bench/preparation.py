"""How fast frames are prepared, beside decoding alone with the same decoder, processes and stretches of video.

Frames repeat: a few rendered heads are filmed once, and the film's packets go round until it is long enough. The
subjects are links to these films. What is measured is `prepare`; the labels and landmarks are not read from files.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd

from traunet.bench.decoding import decode_part, picture_part
from traunet.bench.figure import Figure
from traunet.bench.peak import PeakMemory
from traunet.config import AlignConfig, SynthConfig
from traunet.data import original
from traunet.data.aligning import Advance, Task, in_processes
from traunet.data.disfa import Tree
from traunet.data.preparing import prepare
from traunet.data.progress import Progress
from traunet.data.video import divide
from traunet.facs import DISFA_AUS
from traunet.machines import cores
from traunet.synth.tree import OFFICIAL_SUBJECTS, performances, scene

AT_LEAST, MEMORY, DISK, LINEAR = 0.8, 2e9, 3e9, 1.1  # the bars
ROUND = 24  # frames of a film before it repeats
HEADS = 3
CODECS: dict[str, dict[str, Any]] = {
    "mjpeg": {"codec": "mjpeg", "pix_fmt": "yuvj444p", "options": {"qmin": "1", "qmax": "2", "b": "1000000000"}},
    "mjpeg 4:2:0": {"codec": "mjpeg", "pix_fmt": "yuvj420p", "options": {"qmin": "2", "qmax": "3"}},
    "mpeg4": {"codec": "mpeg4", "pix_fmt": "yuv420p", "options": {"qmin": "2", "qmax": "3", "g": "12"}},
    "h264": {"codec": "libx264", "pix_fmt": "yuv420p", "options": {"crf": "18", "g": "12"}},
}


Head = tuple[list[np.ndarray], np.ndarray]  # pictures (H, W, 3), and the landmarks (frames, 66, 2) in them


def measure(
    scratch: Path,
    frames: int = original.LENGTH,
    subjects: int = 2,
    size: int = 224,
    shape: tuple[int, int] = (768, 1024),
    rounds: int = 1,
    codecs: tuple[str, ...] = tuple(CODECS),
    full: bool = False,
    heads: list[Head] | None = None,
) -> Iterator[Figure]:
    """Prepare trees of these codecs, the first also at a quarter and half of its length; in some 9 minutes.

    The first is what a synthetic tree is made of; DISFA's own is not known here. Videos are as long as DISFA's: in
    short ones the start of the processes, which decoding alone needs too, hides what preparing costs. `full` takes
    all 27 subjects, which by these rates takes an hour and a half, and 6 GB of scratch. `heads` are filmed instead
    of rendered ones.
    """
    if full:
        subjects = len(OFFICIAL_SUBJECTS)
    heads = heads or _rendered(shape)
    config = AlignConfig(size=size)
    for number, codec in enumerate(codecs):
        tree = loop_tree(scratch / "tree", heads, frames, subjects, codec)
        rates = [_compare(tree, config, scratch / "store") for _ in range(rounds)]
        yield from _rate_figures(codec, rates, len(tree.frames))
        if number == 0:
            yield from _growth_figures(heads, tree, codec, config, scratch)
        shutil.rmtree(tree.root)


def _rendered(shape: tuple[int, int]) -> list[Head]:
    # In other processes, so that what rendering holds is not counted as what preparing holds.
    with cores.side_by_side(cores.available(), "rendering heads") as pool:
        return list(pool.map(_acted, OFFICIAL_SUBJECTS[:HEADS], [shape] * HEADS))


def _acted(subject: str, shape: tuple[int, int]) -> Head:
    config = SynthConfig(height=shape[0], width=shape[1])
    moments = performances(config)[subject].moments
    shot = [scene(config, subject).render(moments[frame], frame) for frame in range(1000, 1000 + ROUND)]
    return [image for image, _ in shot], np.stack([landmarks for _, landmarks in shot])


def loop_tree(root: Path, heads: list[Head], frames: int, subjects: int, codec: str) -> Tree:
    """A tree of so many subjects whose videos of `frames` frames show the heads in turn, again and again."""
    root.mkdir(parents=True)
    names = OFFICIAL_SUBJECTS[:subjects]
    films = [_film(root / f"film{n}", head[0], frames, **CODECS[codec]) for n, head in enumerate(heads)]
    videos = {name: root / f"{name}{films[0].suffix}" for name in names}
    for number, video in enumerate(videos.values()):
        os.link(films[number % len(films)], video)
    rows = np.arange(frames)
    landmarks = {name: heads[number % len(heads)][1][rows % ROUND] for number, name in enumerate(names)}
    table = pd.DataFrame({"subject": np.repeat(names, frames), "frame": np.tile(rows + 1, len(names))})
    return Tree(root, table.assign(**dict.fromkeys(DISFA_AUS, 0), usable=True, reason=""), landmarks, videos)


def _film(path: Path, images: list[np.ndarray], frames: int, codec: str, pix_fmt: str, options: dict) -> Path:
    """Encode the images once, and write their packets until there are so many frames."""
    path = path.with_suffix(".mp4" if codec == "libx264" else ".avi")
    once = path.with_stem("once")
    with av.open(str(once), "w") as container:
        stream = container.add_stream(codec, rate=20, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.thread_count = 1
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    with av.open(str(once)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy, base = target.add_stream_from_template(stream), stream.time_base or Fraction(1, 20)
        packets = [packet for packet in source.demux(stream) if packet.size]
        for turn, packet in islice(_rounds(packets), frames):
            again, later = av.Packet(bytes(packet)), int(turn * Fraction(ROUND, 20) / base)
            again.pts, again.dts = (packet.pts or 0) + later, (packet.dts or 0) + later
            again.time_base, again.is_keyframe, again.stream = base, packet.is_keyframe, copy
            target.mux(again)
    once.unlink()
    return path


def _rounds(packets: list[av.Packet]) -> Iterator[tuple[int, av.Packet]]:
    turn = 0
    while True:
        yield from ((turn, packet) for packet in packets)
        turn += 1


def _decode_all(tree: Tree, work: Callable[[Task, Advance], None]) -> np.ndarray:
    """What it costs to decode a tree, and do no more than `work` does with it."""
    nothing, start = np.empty((0, 2, 3)), _spent()
    tasks = (Task(part, nothing, 0, Path()) for video in tree.videos.values() for part in divide(video))
    with Progress("decoded", len(tree.frames), shown=False) as progress:
        in_processes(work, tasks, cores.available(), progress)
    return _spent() - start


def _prepare_all(tree: Tree, config: AlignConfig, out: Path) -> np.ndarray:
    start = _spent()
    prepare(tree, out, config, workers=cores.available(), progress=False, replace=True)
    return _spent() - start


def _spent() -> np.ndarray:
    """Seconds on the clock, and of all cores together, so far."""
    times = os.times()
    return np.array([time.perf_counter(), sum(times[:4])])


def _compare(tree: Tree, config: AlignConfig, out: Path) -> np.ndarray:
    """The cost to prepare, to decode alone, and to decode to pictures; (3, 2): by the clock, of all cores.

    Decoding alone is measured before and after: other work on the machine comes and goes.
    """
    before = _decode_all(tree, decode_part)
    prepared = _prepare_all(tree, config, out)
    return np.stack([prepared, (before + _decode_all(tree, decode_part)) / 2, _decode_all(tree, picture_part)])


def _rate_figures(codec: str, costs: list[np.ndarray], frames: int) -> list[Figure]:
    """Preparing beside decoding alone, which has the bar, and beside decoding to pictures."""
    every = np.stack(costs)  # (rounds, 3, 2)
    made = []
    for against, way in (("decode them and nothing else", 1), ("decode them to RGB pictures", 2)):
        ratios = every[:, way] / every[:, 0]  # (rounds, 2)
        middle = every[int(np.argsort(ratios[:, 0])[(len(costs) - 1) // 2]), :, 0]
        note = f"{cores.available()} processes; counted in seconds of all cores {np.median(ratios[:, 1]):.2f}"
        if len(costs) > 1:
            note += f"; median of {len(costs)}, from {ratios[:, 0].min():.2f} to {ratios[:, 0].max():.2f}"
        seconds = float(every[:, (0, way), 0].sum())
        rates, bar = frames / middle, AT_LEAST if way == 1 else None
        what = f"prepare frames of {codec} video"
        made.append(Figure(what, rates[0], "frames/s", against, rates[way], bar, seconds=seconds, note=note))
    return made


def _growth_figures(heads: list[Head], tree: Tree, codec: str, config: AlignConfig, scratch: Path) -> list[Figure]:
    """Time, memory and disk as the videos get longer."""
    store, length = scratch / "store", len(tree.frames) // len(tree.videos)
    seconds, memory = [], []
    for part in (4, 2, 1):
        shorter = loop_tree(scratch / f"part{part}", heads, length // part, len(tree.videos), codec)
        with PeakMemory() as peak:
            seconds.append(float(_prepare_all(shorter, config, store)[0]) / len(shorter.frames))
        memory.append(peak.bytes)
        shutil.rmtree(shorter.root)
    kept = sum(file.stat().st_size for file in store.iterdir()) / len(tree.frames) * original.FRAMES
    raw = original.FRAMES * config.size**2 * 3
    note = f"{length} frames a video; at a half: {seconds[1] * 1e3:.2f} ms, {memory[1] / 1e6:.0f} MB"
    quarter = "the same at a quarter of the length"
    time = ("time a frame at full length", seconds[2] * 1e3, "ms", quarter, seconds[0] * 1e3)
    held = ("memory of all processes", memory[2], "bytes", quarter, memory[0])
    made = [
        Figure(*time, **{"at_most": LINEAR, "note": note}),
        Figure(*held, **{"at_most": MEMORY, "of_ratio": False, "memory": memory[2], "note": note}),
        Figure("disk for DISFA's frames", kept, "bytes", "raw pixels", raw, at_most=DISK, of_ratio=False),
    ]
    return [figure for figure in made if figure.value]  # 0: this system does not tell what processes hold
