"""The command `jupyter-book`, with what it has no option for: a number of cores, no time lost around the pages.

`python -m traunet.jupyterbook CORES build FOLDER ...`, a process of its own that ends when the book is built.
"""

import gc
import importlib.metadata
import sys
from functools import partial

import importlib_metadata

from traunet import chapters  # noqa: F401  (it says what jsonschema need not load)


def main() -> None:
    """Run `jupyter-book` on so many cores as the first argument says."""
    gc.disable()  # a build keeps nearly all that it makes, and looking for what it does not took a tenth of it
    for library in (importlib.metadata, importlib_metadata):
        library.entry_points = library.entry_points().select  # pyright: ignore
    cores = int(sys.argv.pop(1))

    from jupyter_book import sphinx
    from jupyter_book.cli.main import main as jupyter_book

    sphinx.build_sphinx = partial(sphinx.build_sphinx, jobs=cores)
    jupyter_book()


if __name__ == "__main__":
    main()
