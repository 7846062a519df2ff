"""The book's own Sphinx extensions, which are no package: by name, as Sphinx finds them."""

import importlib
import sys
from typing import Any

from traunet.workspace import PROJECT


def extension(name: str) -> Any:
    folder = str(PROJECT / "book" / "_ext")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module(name)
