"""Where the Python processes that a command starts look for modules: never where its user happens to stand."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

SAFE_PATH = "PYTHONSAFEPATH"


@contextmanager
def from_known_places() -> Iterator[None]:
    """Let processes that are started here import what is installed, or lies on a PYTHONPATH, and nothing else.

    Python looks first in the current folder for what `-c`, `-m` and `multiprocessing` start. A data set from
    elsewhere may be that folder and hold a `selectors.py`, which would then run.
    """
    before = os.environ.get(SAFE_PATH)
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SAFE_PATH]
        else:
            os.environ[SAFE_PATH] = before
