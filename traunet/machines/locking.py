"""Locks on files. The operating system drops them when their process ends, however it ends: none is ever stale.

Some file systems have no locks between nodes (mounts of Lustre and BeeGFS). There is none there, with a warning: a
lock of another kind, a file that says who holds it, would outlive a killed job, and the next would wait forever.
"""

import errno
import fcntl
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

NONE = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}  # what file systems answer that have no locks
EVERY = 0.5  # seconds between two tries: others may hold a lock for hours, on a file server


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Wait until no other process is in here with this file."""
    lock = FileLock(file, fallback_to_soft=False, poll_interval=EVERY)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in NONE:
            raise
        _warn_of_none(file)
    try:
        yield
    finally:
        lock.release()


def locked(file: Path, wait: bool = False) -> int | None:
    """A descriptor that holds the lock until all who have it close it or end; None if another process holds it."""
    # A link could have us make a file anywhere.
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        if error.errno not in NONE:
            os.close(descriptor)
            raise
        _warn_of_none(file)
    return descriptor


def _warn_of_none(file: Path) -> None:
    warnings.warn(
        f"{file.parent}: its file system has no locks; start one command at a time that works there", stacklevel=3
    )
