"""What a person can do when the operating system refuses: one line for each kind of refusal."""

import errno
import re
import shutil
from pathlib import Path

ROOM = "make room and give the same command again: it goes on from what is finished"
GONE = {errno.EIO, errno.ESTALE, errno.ENXIO, errno.ENODEV}
ELSEWHERE = "choose a folder where you may write (--out; TRAUNET_BUILD stands for all of build/)"
# The last four come from a GPU that others have filled, or keep to themselves, before torch has any of it.
OUT_OF_MEMORY = re.compile(
    r"^OutOfMemoryError|can't allocate memory|CUDA out of memory"
    r"|CUDA error: out of memory|CU(?:DNN|BLAS)_STATUS_ALLOC_FAILED|busy or unavailable"
)
# NumPy and torch tell of a write that was cut short without the system's number.
CUT_SHORT = re.compile(r"\d+ requested and \d+ written|inline_container\.cc|PytorchStreamWriter failed")


def concerns_writing(error: BaseException) -> bool:
    """Whether an error without a number, perhaps no OSError at all, means that a file could not be written."""
    return CUT_SHORT.search(str(error)) is not None and "Reader" not in str(error)


def concerns_memory(error: BaseException) -> bool:
    """Whether an error means that memory was not enough, that of the machine or of its GPU."""
    return isinstance(error, MemoryError) or OUT_OF_MEMORY.search(f"{type(error).__name__}: {error}") is not None


def advice(error: BaseException, folder: Path, reading: bool = False) -> str:
    """What happened, where, and what to do, on one line; `folder` is where the command was writing, or `reading`.

    An error of this library has a message that says so already, and no number of the operating system's.
    """
    number, file = getattr(error, "errno", None), _file(error) or folder
    if number == errno.ENOSPC or (number is None and concerns_writing(error)):
        return _full(folder)
    if number == errno.ENOMEM or (number is None and concerns_memory(error)):
        first = re.split(r"(?<!\d)\.\s+(?=[A-Z])|\n", str(error).strip())[0] or "memory was not enough"
        return one_line(
            f"{first}: free some (who else uses the machine, or the GPU?), or take another device "
            f"(--device cpu), more GPUs (--devices) or a larger machine; the same command goes on"
        )
    if number == errno.EDQUOT:
        said = f"{folder}: your share of this disk (quota) is used up; {ROOM}"
    elif number == errno.EROFS:
        said = f"{file}: cannot be written, its disk is mounted read-only; {ELSEWHERE}"
    elif number in (errno.EACCES, errno.EPERM):
        may_not = "read it; ask its owner" if reading else f"read or write it; ask its owner, or {ELSEWHERE}"
        said = f"{file}: you may not {may_not}"
    elif number == errno.ENOENT:
        said = (
            f"{file}: is not there, or no longer; was it moved, or its disk taken away? Put it back and try again"
        )
    elif number in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY):
        said = f"{file}: stands in the way ({_words(error)}); move it, or choose another name"
    elif number in GONE:
        said = f"{file}: its disk does not answer ({_words(error)}); is it still mounted? Then try again"
    elif number in (errno.EMFILE, errno.ENFILE):
        said = f"{file}: too many files are open; allow more with `ulimit -n 4096` and try again"
    elif number == errno.ENOLCK:
        asked = "ask who runs it (NFS: do lockd and statd run?) and try again"
        said = f"{file}: its file server gives no locks now; {asked}"
    elif number is not None:
        said = f"{file}: {_words(error)}; mend that and try again"
    else:
        said = str(error)
    return one_line(said)


def one_line(text: str) -> str:
    """The text on one line, without what would move a terminal's cursor or change its colours."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def harmless(line: str) -> str:
    """A line as it may be printed: what would move a cursor, or is no UTF-8 in a name on a disk, is spelt out."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)


def _full(folder: Path) -> str:
    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(nearest).free / 1e9
    return one_line(
        f"{folder}: the disk is full ({free:.1f} GB free here), or that of the temporary files (TMPDIR); {ROOM}"
    )


def _file(error: BaseException) -> str:
    """The file of the error; Arrow leaves it in the text."""
    named = getattr(error, "filename", None) or (re.search(r"'([^']+)'", str(error)) or ("", ""))[1]
    return named.decode(errors="replace") if isinstance(named, bytes) else str(named)


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
