"""A folder on another file system, to which nothing can be moved by its name alone."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")


@contextmanager
def another_disk(folder: Path) -> Iterator[Path]:
    """A new folder on another file system than that of `folder`; skips the test where there is only one."""
    if not MEMORY.is_dir() or MEMORY.stat().st_dev == folder.stat().st_dev:
        pytest.skip("here is only one file system to write to")
    with tempfile.TemporaryDirectory(dir=MEMORY) as new:
        yield Path(new)
