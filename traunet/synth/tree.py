"""The tree of a synthetic DISFA: the official layout with its official quirks, so that one reader serves both.

Decision: DISFA's landmarks probably count pixels from 1, as MATLAB does, so the tree is written that way too. The
other reading is 0.
"""

import functools
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import av
import numpy as np
import scipy.io
from tqdm import tqdm

from traunet.config import Expression, SynthConfig
from traunet.facs import DISFA_AUS
from traunet.machines import cores
from traunet.synth.acting import Performance, perform
from traunet.synth.head import Head
from traunet.synth.scene import Scene

OFFICIAL_SUBJECTS = tuple(f"SN{n:03d}" for n in [*range(1, 14), 16, 17, 18, 21, *range(23, 33)])
SHORTER = "SN010"  # one frame fewer than the others
ONE_BASED_LANDMARKS = ("SN027", "SN028", "SN029", "SN030", "SN031", "SN032")  # named l00001_lm.mat
MISSING_LANDMARK = ("SN031", 3631)  # subject and 1-based frame of 4845; scaled to the video's length
EXTRA_LANDMARK = "SN002"  # one landmark file more than frames
BAD_STRETCH = ("SN030", 0.43, 0.49)  # subject, first and last share of the video whose landmarks are wrong
FULL_LENGTH = 4845
MAT_HEAD = b"MATLAB 5.0 MAT-file, written by traunet".ljust(116)

Job = tuple[Path, SynthConfig, str, Performance]  # the tree, its settings, a subject and what it does


def heads(n: int) -> tuple[str, ...]:
    """Names of n subjects beyond DISFA's own, for training the small trunk."""
    return tuple(f"SN{100 + k:03d}" for k in range(n))


def write_tree(
    out: Path,
    config: SynthConfig,
    subjects: Sequence[str] = OFFICIAL_SUBJECTS,
    workers: int | None = None,
    progress: bool = True,
) -> None:
    """Render a synthetic DISFA into `out`, which must not exist or be empty; whole or not at all.

    Heads are rendered in up to `workers` processes (default: one per core; 1: in this process), which are started
    afresh, so a script that calls this with more must do so under `if __name__ == "__main__":`. Raises
    FileExistsError when `out` holds something.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty; choose another folder or remove it first")
    played = performances(config, tuple(subjects))
    out.parent.mkdir(parents=True, exist_ok=True)
    # Not the process's number in the name: pods have the same small ones. The folder within has the usual rights.
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    partial = scratch / "tree"
    try:
        partial.mkdir()
        jobs = [(partial, config, subject, played[subject]) for subject in subjects]
        with tqdm(total=len(jobs), desc="rendering heads", unit="head", disable=not progress) as shown:
            for _ in _side_by_side(jobs, workers or cores.available()):
                shown.update()
        _write_root_files(partial, config, subjects)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _side_by_side(jobs: list[Job], workers: int) -> Iterator[None]:
    if min(workers, len(jobs)) <= 1:
        yield from map(_write_subject, jobs)
        return
    with cores.side_by_side(min(workers, len(jobs)), "rendering heads") as pool:
        yield from pool.map(_write_subject, jobs)


def length(config: SynthConfig, subject: str) -> int:
    """How many frames the subject's video has."""
    return config.frames - (subject == SHORTER)


def scene(config: SynthConfig, subject: str, frame: int = 1) -> Scene:
    """The subject's head in the light and before the camera of this frame (1-based); not to be changed."""
    return _take(config, subject, (frame - 1) * config.takes // config.frames)


@functools.lru_cache(maxsize=32)
def _take(config: SynthConfig, subject: str, take: int) -> Scene:
    rng = np.random.default_rng([config.seed, 4, int(subject[2:]), take])
    return Scene(_head(config, subject), rng, config.height, config.width)


@functools.lru_cache(maxsize=4)
def _head(config: SynthConfig, subject: str) -> Head:
    return Head(np.random.default_rng([config.seed, 2, int(subject[2:])]))


def displacement(config: SynthConfig, subject: str, frame: int, au: str) -> np.ndarray:
    """How far `au` moves what each pixel of this frame (1-based) shows: (H, W, 2) pixels, x and y."""
    performance = performances(config)[subject]
    return scene(config, subject, frame).displacement(performance.moments[frame - 1], au)


@functools.lru_cache(maxsize=4)
def performances(config: SynthConfig, subjects: tuple[str, ...] = OFFICIAL_SUBJECTS) -> dict[str, Performance]:
    """What each subject of the tree does, by name."""
    rng = np.random.default_rng([config.seed, 1])
    frames = [length(config, subject) for subject in subjects]
    played = perform(frames, config.fps, config.share_factor, rng, config.expressions)
    return dict(zip(subjects, played, strict=True))


def read_config(root: Path) -> SynthConfig:
    """The settings with which a synthetic tree was written."""
    config = json.loads((root / "SYNTHETIC.json").read_text(encoding="utf-8"))["config"]
    said = config.pop("expressions")
    expressions = tuple(Expression(tuple((au, part) for au, part in e["parts"]), e["rate"]) for e in said)
    return SynthConfig(**config, expressions=expressions)


def _write_root_files(root: Path, config: SynthConfig, subjects: Sequence[str]) -> None:
    about = {"what": "rendered heads in the layout of DISFA; no recording of a person", "config": asdict(config)}
    (root / "SYNTHETIC.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    rows = [
        f"{BAD_STRETCH[0]},{first},{last}" for first, last in [_bad_stretch(config)] if BAD_STRETCH[0] in subjects
    ]
    (root / "bad_frames.csv").write_text("\n".join(["subject,first,last", *rows]) + "\n", encoding="utf-8")


def _bad_stretch(config: SynthConfig) -> tuple[int, int]:
    return max(1, round(BAD_STRETCH[1] * config.frames)), round(BAD_STRETCH[2] * config.frames)


def _write_subject(job: Job) -> None:
    root, config, subject, performance = job
    _write_labels(root, subject, performance.labels)
    folder = root / "Landmark_Points" / subject / "tmp_frame_lm"
    folder.mkdir(parents=True)
    rng = np.random.default_rng([config.seed, 3, int(subject[2:])])
    with _film(root / "Videos_LeftCamera" / f"LeftVideo{subject}_comp.avi", config) as add:
        for frame, moment in enumerate(performance.moments, 1):
            image, landmarks = scene(config, subject, frame).render(moment, frame - 1)
            add(image)
            annotated = _as_annotated(landmarks, config, subject, frame, rng)
            _write_landmarks(folder, subject, frame, annotated, config)
    if subject == EXTRA_LANDMARK:
        _save_points(folder / f"{subject}_{length(config, subject):04d}_lm.mat", landmarks)


@contextmanager
def _film(path: Path, config: SynthConfig) -> Iterator[Callable[[np.ndarray], None]]:
    """An AVI file, near lossless and the same bytes for the same pictures; the context adds one picture a call."""
    path.parent.mkdir(exist_ok=True)
    with av.open(f"file:{path.resolve()}", "w") as container:  # or a name with a colon is an address to FFmpeg
        stream = container.add_stream("mjpeg", rate=config.fps)
        stream.width, stream.height, stream.pix_fmt = config.width, config.height, "yuvj444p"
        stream.bit_rate, stream.codec_context.qmin, stream.codec_context.qmax = 10**9, 1, 2
        stream.codec_context.thread_count = 1
        yield lambda image: container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def _write_labels(root: Path, subject: str, labels: np.ndarray) -> None:
    folder = root / "ActionUnit_Labels" / subject
    folder.mkdir(parents=True)
    for column, au in enumerate(DISFA_AUS):
        lines = (f"{frame},{intensity}" for frame, intensity in enumerate(labels[:, column], 1))
        (folder / f"{subject}_{au.lower()}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _as_annotated(
    landmarks: np.ndarray, config: SynthConfig, subject: str, frame: int, rng: np.random.Generator
) -> np.ndarray:
    """The landmarks as an annotator's tracker would give them: a little noise, and lost in the bad stretch."""
    first, last = _bad_stretch(config)
    jitter = rng.normal(0, 0.003 * config.height, landmarks.shape)
    lost = subject == BAD_STRETCH[0] and first <= frame <= last
    return landmarks + jitter + (0.2 * config.height if lost else 0.0)


def _write_landmarks(folder: Path, subject: str, frame: int, points: np.ndarray, config: SynthConfig) -> None:
    missing = max(1, round(MISSING_LANDMARK[1] / FULL_LENGTH * config.frames))
    if (subject, frame) == (MISSING_LANDMARK[0], missing):
        return
    one_based = subject in ONE_BASED_LANDMARKS
    _save_points(folder / (f"l{frame:05d}_lm.mat" if one_based else f"{subject}_{frame - 1:04d}_lm.mat"), points)


def _save_points(path: Path, points: np.ndarray) -> None:
    content = io.BytesIO()
    scipy.io.savemat(content, {"pts": points + 1.0}, format="5")
    # SciPy writes the time into the file's head, and the same seed would give other bytes each time.
    path.write_bytes(MAT_HEAD + content.getvalue()[len(MAT_HEAD) :])
