"""The work of preparing: every video decoded once, its frames aligned, subjects side by side in processes."""

import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from traunet.config import AlignConfig
from traunet.data.align import face_transform, transform_points, warp
from traunet.data.video import numbered_frames

# Decision: pictures are kept as JPEG of quality 95 without chroma subsampling. Raw pixels would take 19 GB at 224
# pixels for DISFA, and PNG about half of that; JPEG takes a few, and reading one costs 0.1 ms at 96 pixels.
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


class Task(NamedTuple):
    """One subject's work, small enough to be sent to another process."""

    subject: str
    video: Path
    landmarks: np.ndarray  # (frames, 66, 2) in the video
    wanted: np.ndarray  # (frames,) bool
    config: AlignConfig
    pictures: Path  # where the encoded pictures go, one after another


class Aligned(NamedTuple):
    """What came of it."""

    landmarks: np.ndarray  # float32 (frames, 66, 2) in the aligned picture, NaN where there is none
    lengths: np.ndarray  # (frames,) bytes of the picture; 0: not wanted, or it could not be decoded


def align_subject(task: Task) -> Aligned:
    """Decode one video, align its wanted frames and append their pictures to the task's file."""
    lengths = np.zeros(len(task.wanted), dtype=np.int64)
    landmarks = np.full(task.landmarks.shape, np.nan, dtype=np.float32)
    with task.pictures.open("wb") as file:
        for number, image in numbered_frames(task.video):
            row = number - 1
            if row >= len(task.wanted):
                break
            if task.wanted[row]:
                matrix = face_transform(task.landmarks[row], task.config)
                landmarks[row] = transform_points(task.landmarks[row], matrix)
                lengths[row] = file.write(encode(warp(image, matrix, task.config.size)))
    return Aligned(landmarks, lengths)


def encode(image: np.ndarray) -> bytes:
    """An aligned RGB picture as the bytes that the store keeps."""
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), JPEG)[1].tobytes()


def align_subjects(tasks: list[Task], workers: int | None = None, progress: bool = True) -> list[Aligned]:
    """Do all tasks in up to `workers` processes (default: one per core; 1: in this process), in their order."""
    count = min(workers or _cores(), len(tasks))
    results = map(align_subject, tasks) if count <= 1 else _in_processes(tasks, count)
    return list(_shown(results, tasks, progress))


def _cores() -> int:
    """Cores that this process may use; a container or a scheduler often grants fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(tasks: list[Task], count: int) -> Iterator[Aligned]:
    # Started afresh, not forked: a fork copies the locks of FFmpeg, OpenCV and torch threads and can wait forever.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        try:
            futures = [pool.submit(align_subject, task) for task in tasks]
            for future in futures:
                yield future.result()
        except BrokenProcessPool as error:
            raise ChildProcessError(
                "a worker process died while aligning frames: out of memory, or the calling script lacks "
                "`if __name__ == '__main__':`; try again with one worker"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _shown(results: Iterator[Aligned], tasks: list[Task], progress: bool) -> Iterator[Aligned]:
    """Pass the results on, with a bar on a terminal and a plain line per subject in a log."""
    on_terminal = sys.stderr.isatty()
    with tqdm(total=len(tasks), desc="align", unit="subject", disable=not (progress and on_terminal)) as bar:
        for number, (task, result) in enumerate(zip(tasks, results, strict=True), start=1):
            bar.update()
            if progress and not on_terminal:
                line = f"aligned {task.subject} ({number}/{len(tasks)}): {np.count_nonzero(result.lengths)} frames"
                print(line, file=sys.stderr, flush=True)
            yield result
