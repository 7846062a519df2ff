"""The folders and files of a DISFA tree that are read, as users have them: renamed, linked, beside others."""

import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDERS = {
    "Videos_LeftCamera": "videos?_leftcamera",
    "ActionUnit_Labels": "actionunit_labels",
    "Landmark_Points": "landmark_points",
}
# Users convert and rename; files beside the videos, such as check sums and resource forks, are none.
VIDEO_NAME = r"leftvideo_?(sn\d+)(?:_comp)?\.(?:avi|mp4|m4v|mkv|mov|mpe?g|wmv)"
LABEL_NAME = r"sn\d+_au\d+\.txt"
SUBJECT_NAME = r"sn\d+"
PACKED = (".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")
BAD_FRAMES_FILE = "bad_frames.csv"  # columns subject,first,last; where a tree ships one, it replaces DISFA's log
SYNTHETIC_MARK = "SYNTHETIC.json"  # stands at the root of a tree that traunet.synth rendered


@dataclass(frozen=True)
class Folders:
    """The three folders of a tree that are read, as they are really spelt."""

    videos: Path
    labels: Path
    landmarks: Path


def find(folder: Path, pattern: str) -> Path | None:
    """The child whose whole name matches, without regard to case: users rename and unpack differently.

    Raises ValueError if there are two, as after unpacking twice: half of the data could be in each.
    """
    matches = [child for child in sorted(folder.iterdir()) if re.fullmatch(pattern, child.name, re.IGNORECASE)]
    if len(matches) > 1:
        raise ValueError(f"{matches[1]}: stands beside {matches[0].name}, and only one can be read; merge them")
    return matches[0] if matches else None


def refuse_no_file(path: Path) -> None:
    """ValueError for what is no file, such as a pipe or a device: who reads one may wait, or read, forever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path}: is no file but a folder, a pipe or a device; restore the file")


def find_folders(root: Path) -> Folders:
    """The folders of a tree; FileNotFoundError says which are missing or packed, and whether they lie deeper."""
    if not root.is_dir():
        what = "is a file; unpack it, for" if root.exists() else "no such folder;"
        raise FileNotFoundError(f"{root}: {what} DISFA must name the data set's top folder")
    found = {name: find(root, pattern) for name, pattern in FOLDERS.items()}
    missing = [name for name, folder in found.items() if folder is None or not folder.is_dir()]
    if missing:
        raise FileNotFoundError(f"{root}: no folder {' or '.join(missing)}; {_where(root, missing)}")
    for folder in filter(None, found.values()):
        _refuse_doubled(folder)
    return Folders(*(folder for folder in found.values() if folder is not None))


def is_rendered(root: Path) -> bool:
    """Whether traunet.synth rendered a tree."""
    return (root / SYNTHETIC_MARK).is_file()


def _where(root: Path, missing: list[str]) -> str:
    """What to do about folders that are not there."""
    children = sorted(root.iterdir())
    for name in missing:
        like = [child for child in children if re.match(FOLDERS[name], child.name, re.IGNORECASE)]
        if packed := [child for child in like if child.suffix.lower() in PACKED]:
            return f"unpack {packed[0].name} there"
        if lost := [child for child in like if child.is_symlink() and not child.exists()]:
            return f"{lost[0].name} is a link that leads nowhere; is its disk mounted?"
    deeper = (place for pattern in ("*/", "*/*/") for place in sorted(root.glob(pattern)) if _holds_folders(place))
    if (place := next(deeper, None)) is not None:
        return f"it seems to be {place}"
    return f"give the folder that holds {', '.join(FOLDERS)}"


def _holds_folders(folder: Path) -> bool:
    try:
        return all(find(folder, pattern) for pattern in FOLDERS.values())
    except (ValueError, OSError):  # two of a kind; or it may not be read
        return False


def _refuse_doubled(folder: Path) -> None:
    """FileNotFoundError for a folder that holds one of its own name and nobody, as unpacking leaves it."""
    inner = [child for child in folder.iterdir() if child.name.lower() == folder.name.lower() and child.is_dir()]
    if inner and not any(re.search(SUBJECT_NAME, child.name, re.IGNORECASE) for child in folder.iterdir()):
        raise FileNotFoundError(
            f"{folder}: holds another {inner[0].name}; move what is in that one up, into the first"
        )


def find_videos(folder: Path) -> dict[str, Path]:
    """The left camera's video of each subject; ValueError if a subject has two."""
    videos: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = re.fullmatch(VIDEO_NAME, path.name, re.IGNORECASE)
        if match and videos.setdefault(match[1].upper(), path) != path:
            raise ValueError(
                f"{path}: a second video of {match[1].upper()}, beside {videos[match[1].upper()].name}; remove one"
            )
    return videos


def labelled_subjects(folder: Path) -> list[str]:
    """The subjects that have a folder of labels."""
    return sorted(path.name.upper() for path in _subjects(folder))


def refuse_strangers(folders: Folders, known: Sequence[str]) -> None:
    """ValueError if there are labels of somebody who is not known, that is, in no fold; before hours of work."""
    strangers = sorted(set(labelled_subjects(folders.labels)) - set(known))
    if strangers:
        raise ValueError(
            f"{folders.labels / strangers[0]}: {', '.join(strangers)} belong to no fold, and are none of DISFA's "
            f"{len(known)} people; move their labels, landmarks and videos elsewhere"
        )


def frame_of(name: str) -> int | None:
    """The frame, from 1, of a landmark file: `SN001_0000_lm.mat` counts from 0, `l00001_lm.mat` from 1."""
    from_zero = re.fullmatch(r"(?i)sn\d+_(\d+)_lm\.mat", name)
    from_one = re.fullmatch(r"(?i)l(\d+)_lm\.mat", name)
    if from_zero:
        return int(from_zero[1]) + 1
    return int(from_one[1]) if from_one else None


def landmark_folder(own: Path) -> Path:
    """Where a person's landmark files lie; FileNotFoundError if that is a link that leads nowhere."""
    inner = find(own, "tmp_frame_lm") or own
    if inner.is_symlink() and not inner.exists():
        raise FileNotFoundError(f"{inner}: is a link that leads nowhere; is its disk mounted?")
    return inner


def files_read(root: Path) -> Iterator[Path]:
    """Every file on which reading a tree hangs, and no other: whatever else appears in it changes nothing."""
    folders = find_folders(root)
    single = (find(root, re.escape(BAD_FRAMES_FILE)), root / SYNTHETIC_MARK)
    yield from (path for path in single if path is not None and path.exists())
    yield from (path for path in folders.videos.iterdir() if re.fullmatch(VIDEO_NAME, path.name, re.IGNORECASE))
    for own in _subjects(folders.labels):
        yield from (path for path in own.iterdir() if re.fullmatch(LABEL_NAME, path.name, re.IGNORECASE))
    for own in _subjects(folders.landmarks):
        yield from (path for path in landmark_folder(own).iterdir() if frame_of(path.name) is not None)


def _subjects(folder: Path) -> Iterator[Path]:
    """The folders of people in it."""
    named = (path for path in sorted(folder.iterdir()) if re.fullmatch(SUBJECT_NAME, path.name, re.IGNORECASE))
    return (path for path in named if path.is_dir())
