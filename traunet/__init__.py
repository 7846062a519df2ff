"""traunet: the executable companion of the TRA-Net paper on facial action unit detection."""

import os
from contextlib import suppress
from pathlib import Path

__version__ = "0.1.0"


def source_files(folder: str) -> tuple[tuple[str, int, int], ...]:
    """Place, time of change and size of each module in a folder; hidden ones are an editor's."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".py") and not name.startswith("."):
                path = Path(place, name)
                with suppress(OSError):  # it has just vanished
                    told = path.stat()
                    found.append((str(path), told.st_mtime_ns, told.st_size))
    return tuple(sorted(found))


# Before any other module is loaded: what is edited from now on may differ from what runs (records/sources.py).
FILES_AT_FIRST = source_files(__path__[0])
