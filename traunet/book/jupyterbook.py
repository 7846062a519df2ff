"""The command `jupyter-book`, as a process that is ready before there is anything to build.

It is given what the command has no option for, a number of cores, and loses no time around the pages. What every
book needs takes two seconds to load; meanwhile whoever `started` it looks whether all is there, and stages it.
"""

import gc
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import importlib_metadata

import traunet.book.chapters  # noqa: F401  (it says what jsonschema need not load)
from traunet.machines import cores

# Stretches of pages a core: one process resolves all references and others write, so that short ones wait less.
STRETCHES = 3
# Of the extensions, what they load when Sphinx has read its settings.
LOADED_LATER = ("myst_nb.sphinx_ext", "sphinx_design.extension", "sphinx_external_toc.events")

Press = subprocess.Popen[str]


@contextmanager
def started() -> Iterator[Press]:
    """The process, ended at the latest when the context is left."""
    command = [sys.executable, "-m", "traunet.book.jupyterbook", str(cores.available())]
    environment = {**os.environ, "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8", "PYTHONOPTIMIZE": ""}
    pipe, text = subprocess.PIPE, "utf-8"
    with subprocess.Popen(
        command, encoding=text, env=environment, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT
    ) as press:
        try:
            yield press
        finally:
            press.kill()


def build(press: Press, folder: Path, *options: str) -> str:
    """Let a process that waits build a folder; what it said. Its `returncode` tells whether that went well."""
    said, _ = press.communicate(json.dumps(["build", str(folder), *options]) + "\n")
    return said


def main() -> None:
    """Load what every book needs, wait for the arguments of `jupyter-book`, and run it on so many cores."""
    gc.disable()  # a build keeps nearly all that it makes, and looking for what it does not took a tenth of it
    for library in (importlib.metadata, importlib_metadata):
        library.entry_points = library.entry_points().select  # pyright: ignore
    count = int(sys.argv[1])

    from jupyter_book import sphinx

    sphinx.build_sphinx = partial(sphinx.build_sphinx, jobs=count if count == 1 else STRETCHES * count)
    from jupyter_book.cli.main import main as jupyter_book  # takes the function by name, so it comes after
    from jupyter_book.config import get_default_sphinx_config
    from sphinx.application import builtin_extensions

    usual: list[str] = get_default_sphinx_config()["extensions"]  # pyright: ignore
    for extension in (*builtin_extensions, *usual, *LOADED_LATER):
        importlib.import_module(extension)
    told = sys.stdin.readline()
    if not told:
        return  # whoever started this ended, or found that there is nothing to build
    try:
        jupyter_book(json.loads(told))
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else bool(ended.code))  # not a second to tidy up


if __name__ == "__main__":
    main()
