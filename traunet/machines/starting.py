"""Where the Python processes that a command starts look for modules: never where its user happens to stand."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SAFE_PATH = "PYTHONSAFEPATH"


@contextmanager
def from_known_places() -> Iterator[None]:
    """Let processes that are started here import what is installed, or lies on a PYTHONPATH, and nothing else.

    Python looks first in the current folder for what `-c`, `-m` and `multiprocessing` start. A data set from
    elsewhere may be that folder and hold a `selectors.py`, which would then run. In this library's own folder all
    is as ever: what is started there runs the library that lies there, though another may be installed.
    """
    before = os.environ.get(SAFE_PATH)
    if not _in_own_folder():
        os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(SAFE_PATH, None)
        else:
            os.environ[SAFE_PATH] = before


def _in_own_folder() -> bool:
    try:
        return Path.cwd() == Path(__file__).resolve().parents[2]
    except FileNotFoundError:  # the current folder is gone
        return False
