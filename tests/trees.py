"""Tiny DISFA trees in the official layout, and the means to spoil them, for the tests of everything above."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import count
from pathlib import Path

import av
import cv2
import numpy as np
import scipy.io

from traunet.facs import CHIN, DISFA_AUS, MAX_INTENSITY, NOSE_ROOT, NOSE_TIP

RED, GREEN = (230, 30, 30), (30, 230, 30)  # the discs drawn on the nose's midpoint and on the chin
FROM_ONE = ("SN031",)  # subjects whose landmark files are named l00001_lm.mat


def face_points(center: tuple[float, float], reach: float, tilt: float = 0.0) -> np.ndarray:
    """66 points in DISFA's order around a nose midpoint, the chin `reach` pixels from it, tilted by radians."""
    t = np.linspace(-np.pi / 2, np.pi / 2, 17)
    jaw = np.column_stack([0.85 * np.sin(t), np.cos(t)])
    brow = np.column_stack([np.linspace(0.2, 0.7, 5), [-0.55, -0.62, -0.65, -0.62, -0.55]])
    bridge = np.column_stack([np.zeros(4), np.linspace(-0.25, 0.25, 4)])
    nostrils = np.column_stack([np.linspace(-0.15, 0.15, 5), np.full(5, 0.32)])
    ring = np.linspace(np.pi, -np.pi, 6, endpoint=False)
    eye = np.column_stack([0.14 * np.cos(ring), -0.06 * np.sin(ring)])
    ring = np.linspace(np.pi, -np.pi, 12, endpoint=False)
    lip = np.column_stack([0.3 * np.cos(ring), 0.6 - 0.1 * np.sin(ring)])
    inner = lip[[1, 3, 5, 7, 9, 11]] * [0.7, 1.0]
    left_brow = (brow * [-1, 1])[::-1]
    parts = [
        jaw,
        left_brow,
        brow,
        bridge,
        nostrils,
        eye - np.array([0.4, 0.3]),
        eye + np.array([0.4, -0.3]),
        lip,
        inner,
    ]
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return np.concatenate(parts) @ turn.T * reach + center


def subject_points(subject: str, frames: int, height: int, width: int) -> np.ndarray:
    """Where the landmarks of a subject of `write_tree` are, in pixels counted from 0: (frames, 66, 2)."""
    rng = np.random.default_rng(int(subject[2:]))
    reach = 0.25 * min(height, width)
    return np.stack(
        [
            face_points((width / 2 + rng.uniform(-4, 4), height / 2.5 + rng.uniform(-4, 4)), reach, tilt)
            for tilt in rng.uniform(-0.3, 0.3, frames)
        ]
    )


def grey_of(frame: int) -> int:
    """The background of a frame (from 1), by which a test recognises it."""
    return 20 + 9 * ((frame - 1) % 24)


def draw(frame: int, points: np.ndarray, height: int, width: int) -> np.ndarray:
    """A picture whose background tells its number, with a red disc on the nose's midpoint, a green on the chin."""
    image = np.full((height, width, 3), grey_of(frame), dtype=np.uint8)
    for point, colour in (((points[NOSE_ROOT] + points[NOSE_TIP]) / 2, RED), (points[CHIN], GREEN)):
        center = tuple(int(value) for value in np.round(point * 16))
        cv2.circle(image, center, 5 * 16, colour, thickness=-1, lineType=cv2.LINE_AA, shift=4)
    return image


def write_video(
    path: Path,
    images: Iterable[np.ndarray],
    fps: int = 20,
    codec: str = "mjpeg",
    options: dict | None = None,
    numbers: Iterable[int] | None = None,
) -> Path:
    """Write RGB images as a real video file; `numbers` are their frames', from 1, where others lack."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps, options={"qmin": "2", "qmax": "2", **(options or {})})
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuvj444p" if codec == "mjpeg" else "yuv420p"
        for image, number in zip(images, numbers or count(1), strict=False):
            if not stream.codec_context.is_open:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number - 1, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def spoil_frame(video: Path, number: int) -> None:
    """Overwrite the inside of one frame (from 1) of a video; its length and its place in the file stay."""
    with av.open(str(video)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        picture = bytes(packets[number - 1])
    spoilt = picture[:8] + bytes(len(picture) - 8)
    video.write_bytes(video.read_bytes().replace(picture, spoilt, 1))


def lose_frame(video: Path, number: int) -> None:
    """Overwrite the header of one chunk (from 1) of an AVI file, as a bad sector does."""
    with av.open(str(video)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size and packet.pos]
    data = bytearray(video.read_bytes())
    data[places[number - 1] - 8 : places[number - 1]] = bytes(8)
    video.write_bytes(data)


def hide_frames(video: Path, out: Path, count: int) -> Path:
    """Copy an MP4 file; an edit list hides its first frames from players."""
    with av.open(str(video)) as source, av.open(str(out), "w", options={"avoid_negative_ts": "disabled"}) as made:
        copied = made.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                by = count * (packet.duration or 0)
                packet.pts, packet.dts, packet.stream = (packet.pts or 0) - by, (packet.dts or 0) - by, copied
                made.mux(packet)
    return out


def video_file(root: Path, subject: str) -> Path:
    return root / "Videos_LeftCamera" / f"LeftVideo{subject}_comp.avi"


def label_file(root: Path, subject: str, au: str) -> Path:
    return root / "ActionUnit_Labels" / subject / f"{subject}_{au.lower()}.txt"


def landmark_file(root: Path, subject: str, frame: int) -> Path:
    """The file of a frame (from 1), in the naming scheme of this subject."""
    name = f"l{frame:05d}_lm.mat" if subject in FROM_ONE else f"{subject}_{frame - 1:04d}_lm.mat"
    return root / "Landmark_Points" / subject / "tmp_frame_lm" / name


def write_landmarks(path: Path, points: np.ndarray) -> None:
    """Write points given in pixels from 0 as DISFA does, in pixels from 1."""
    scipy.io.savemat(path, {"pts": points + 1.0})


def write_labels(root: Path, subject: str, intensities: np.ndarray) -> None:
    """Write (frames, 12) intensities as twelve text files of `frame,intensity`."""
    label_file(root, subject, "AU1").parent.mkdir(parents=True, exist_ok=True)
    for au, column in zip(DISFA_AUS, intensities.T, strict=True):
        lines = "".join(f"{frame},{value}\n" for frame, value in enumerate(column, start=1))
        label_file(root, subject, au).write_text(lines)


def intensities_of(subject: str, frames: int) -> np.ndarray:
    """Intensities (frames, 12) of a subject of `write_tree`: mostly 0, the rest 1 to 5."""
    rng = np.random.default_rng(1000 + int(subject[2:]))
    acting = rng.random((frames, len(DISFA_AUS))) < 0.3
    return acting * rng.integers(1, MAX_INTENSITY + 1, (frames, len(DISFA_AUS)))


def write_tree(
    root: Path,
    subjects: Sequence[str] = ("SN001", "SN006", "SN031"),
    frames: int = 6,
    height: int = 96,
    width: int = 128,
    missing: Sequence[tuple[str, int]] = (),
    extra: Sequence[str] = (),
) -> Path:
    """Write a whole, sound tree; `missing` (subject, frame) lack landmarks, `extra` subjects have one too many."""
    for subject in subjects:
        points = subject_points(subject, frames, height, width)
        video_file(root, subject).parent.mkdir(parents=True, exist_ok=True)
        images = (draw(number, own, height, width) for number, own in enumerate(points, start=1))
        write_video(video_file(root, subject), images)
        write_labels(root, subject, intensities_of(subject, frames))
        landmark_file(root, subject, 1).parent.mkdir(parents=True, exist_ok=True)
        for frame, own in enumerate(points, start=1):
            if (subject, frame) not in missing:
                write_landmarks(landmark_file(root, subject, frame), own)
        if subject in extra:
            write_landmarks(landmark_file(root, subject, frames + 1), points[-1])
    return root


def usable(tree, subject: str) -> list[bool]:
    return tree.frames.loc[tree.frames["subject"] == subject, "usable"].tolist()


def reasons(tree, subject: str) -> dict[int, str]:
    kept_out = tree.frames[(tree.frames["subject"] == subject) & ~tree.frames["usable"]]
    return dict(zip(kept_out["frame"], kept_out["reason"], strict=True))


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
