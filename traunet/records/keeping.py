"""Folders that are kept: found if made from the same inputs, else made, and never half there."""

import glob
import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from traunet.machines.locking import alone
from traunet.records.reading import json_of
from traunet.records.sealing import broken, seal

KEY = ".made-from"  # the file in a kept folder that holds the key of what it was made from
GONE = ".gone"  # in a scratch folder: what is no longer needed
MADE_ANEW = "made anew each time"  # in the place of such a key


def digest(inputs: Any) -> str:
    """A short hash of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16]


def remembered(file: Path, inputs: Callable[[], Any], compute: Callable[[], Any]) -> Any:
    """What `compute` gives for these inputs: as the file has it if it was asked so before, else computed now.

    The inputs must be all that the answer hangs on. The file holds the last answer, as JSON; one that cannot be
    read is as good as none, and where there is no folder, or none that can be written to, nothing is kept. Nor is
    an answer during whose computing an input was edited: nobody knows of which version it is.
    """
    key = digest(inputs())
    try:
        kept = json_of(file)
        if kept["key"] == key:
            return kept["answer"]
    except (OSError, ValueError, LookupError, TypeError):
        pass
    answer = compute()
    if digest(inputs()) == key:
        with suppress(OSError), whole(file) as part:
            part.write_text(json.dumps({"key": key, "answer": answer}), encoding="utf-8")
    return answer


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A sibling to write to, which takes the file's place at the end, or vanishes if anything fails.

    Who reads the file meanwhile sees the former one. Two may write it at once, be it in pods, whose processes have
    the same small numbers: each writes its own, and the last one stays.
    """
    part = file.with_name(f".{secrets.token_hex(4)}.partial.{file.name}")
    try:
        yield part
        _flush(part)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def listing(folder: Path, files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Name, size and time of change of these files of a folder, sorted: tells quickly of any change."""
    return sorted(fact for fact in (_fact(folder, file) for file in files) if fact)


def _fact(folder: Path, file: Path) -> tuple[str, int, int] | None:
    try:
        told = file.stat()
    except FileNotFoundError:  # it has just vanished, or is a link that leads nowhere
        return None
    return file.relative_to(folder).as_posix(), told.st_size, told.st_mtime_ns


def is_fresh(folder: Path, key: str) -> bool:
    """Whether the folder was made, completely, from the inputs that the key stands for."""
    try:
        return (folder / KEY).read_text(encoding="utf-8").strip() == key
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def found_or_made(folder: Path, key: str, make: Callable[[Path], Any], sealed: bool = False) -> Path:
    """Return the folder if it is fresh; else let `make` write it anew, and put that in its place.

    `make` gets a path that does not exist yet. Of two processes that ask at once the second waits and finds. What
    fails or is killed leaves the former folder as it was. A `sealed` one is made again also if a file in it is not
    as it was written.
    """

    def found() -> bool:
        return is_fresh(folder, key) and not (sealed and broken(folder))

    if found():
        return folder
    with _alone(folder) as place:
        if not found():
            _replace(place, lambda new: _make_with_key(new, key, make, sealed))
    return folder


def made_once(folder: Path, make: Callable[[Path], Any]) -> Path:
    """Return the folder if it is there at all: its name says what it was made from. Else as `found_or_made`."""
    if not folder.exists():
        with _alone(folder) as place:
            if not folder.exists():
                _replace(place, make)
    return folder


def removed(file: Path) -> None:
    """Remove a file that may not be there; a read-only disk, which refuses even then, is left in peace."""
    if file.exists():
        file.unlink(missing_ok=True)


def replaced(folder: Path, make: Callable[[Path], Any]) -> Path:
    """Let `make` write the folder anew, found or not, and put that in its place; a failure leaves it as it was."""
    with _alone(folder) as place:
        _replace(place, lambda new: _make_with_key(new, MADE_ANEW, make))
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """Where the folder lies, for one process at a time: a link stays, and what it leads to is made anew."""
    place = folder.resolve() if folder.is_symlink() else folder
    place.parent.mkdir(parents=True, exist_ok=True)
    if place != folder:
        _refuse_unfit(folder, place)
    with alone(place.parent / f".{place.name}.lock"):
        # Else NFS may answer from memory that what another node has made meanwhile is not there.
        os.scandir(place.parent).close()
        if place != folder:
            _refuse_foreign(folder, place)
        for leftover in place.parent.glob(f".{glob.escape(place.name)}.part-*"):
            _clear_away(leftover, place)
        yield place


def _refuse_unfit(link: Path, place: Path) -> None:
    """Raise if the place cannot be put aside for a new one, which is made beside it."""
    if os.path.ismount(place) or not os.access(place.parent, os.W_OK):
        raise OSError(f"{link}: leads to {place}, beside which nothing can be made; link to a folder within that")


def _refuse_foreign(link: Path, place: Path) -> None:
    """Raise if the place holds what was not made here."""
    if place.exists() and not (place / KEY).is_file() and (not place.is_dir() or any(place.iterdir())):
        raise FileExistsError(
            f"{link}: leads to {place}, which holds something else; empty that folder, or remove the link"
        )


def _make_with_key(new: Path, key: str, make: Callable[[Path], Any], sealed: bool = False) -> None:
    make(new)
    if sealed:
        seal(new)
    (new / KEY).write_text(key + "\n", encoding="utf-8")


def _replace(folder: Path, make: Callable[[Path], Any]) -> None:
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.part-", dir=folder.parent))
    try:
        make(scratch / folder.name)
        _flush(scratch / folder.name)
        if folder.exists():
            folder.rename(_former(scratch, folder))
        (scratch / folder.name).rename(folder)
    finally:
        _clear_away(scratch, folder)


def _former(scratch: Path, folder: Path) -> Path:
    return scratch / f"{folder.name}.former"


def _clear_away(scratch: Path, folder: Path) -> None:
    """Remove what was made aside, however far it came; a former folder whose place is empty goes back there."""
    former = _former(scratch, folder)
    if former.exists():
        former.rename(scratch / GONE if folder.exists() else folder)  # what is half removed never goes back
    shutil.rmtree(scratch, ignore_errors=True)  # on NFS it stays while anyone has a file of it open


def _flush(made: Path) -> None:
    """Have a file, or a folder's own files, on the disk before the name vouches for them: the power may go.

    Those further below are many, and made anew in no time. On some file systems it is here that a full disk shows.
    """
    for path in filter(Path.is_file, made.iterdir() if made.is_dir() else [made]):
        with path.open("rb") as file:
            os.fsync(file.fileno())
