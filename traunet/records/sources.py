"""What the library's sources and packages hash to, worked out once and not in every process.

To follow what a module imports, and to read that without its comments, takes a second for all stages together; to
hash all text takes a hundredth of that. So `provenance` is asked once for every text of the library, and the build
folder keeps what it said.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from tokenize import TokenError
from typing import Any

import traunet
from traunet.records import provenance
from traunet.records.keeping import digest, remembered
from traunet.records.provenance import file_sha256

BUILD = Path(__file__).resolve().parents[2] / "build"
FOLDER = ".code"  # in the build folder


def code_hash(*modules: str) -> str:
    """As `provenance.code_hash`, without config.py, whose settings count by value and not by their text."""
    left_out = ["traunet.config"]
    told = told_once(["code", modules, left_out], lambda: provenance.code_hash(modules, left_out))
    _first_told.setdefault(modules, told if library_text() == _at_first else EDITED)
    return told


def refuse_edited(*modules: str) -> None:
    """Raise ValueError if what the modules hash to was edited since this process began: it makes nothing of them.

    What it loaded before and what it loads from now on would mix, under a name that stands for one of them.
    """
    if library_text() == _at_first:
        return
    try:
        same = _first_told.get(modules) == code_hash(*modules)
    except (SyntaxError, TokenError, ValueError, OSError):  # half typed, or gone
        same = False
    if not same:
        raise ValueError(
            "traunet: its code was edited since this process began; begin again, "
            "in a notebook by a restart of its kernel"
        )


def told_once(question: Any, compute: Callable[[], Any]) -> Any:
    """What `compute` tells of the library's text, as JSON has it: worked out once for each text of the library.

    The question must hold all else that the answer hangs on, and tell it from other questions.
    """
    return remembered(_kept(question), lambda: [question, library_text()], compute)


def library_text() -> str:
    """A hash of the whole library, docstrings and comments too."""
    folder = Path(provenance.__file__).parents[1]
    return _text(folder, traunet.source_files(str(folder)))


@cache
def _text(folder: Path, files: tuple[tuple[str, int, int], ...]) -> str:
    return digest([[str(Path(file).relative_to(folder)), file_sha256(Path(file))] for file, *_ in files])


def _text_at_first() -> str:
    """The library's text when this process first imported anything of it; EDITED if a file was touched since.

    What the text was then, nobody knows any more, and a module may have been loaded before or after.
    """
    text = library_text()
    return text if traunet.source_files(traunet.__path__[0]) == traunet.FILES_AT_FIRST else EDITED


@cache
def packages(*also: str) -> dict[str, str]:
    """The versions that can move numbers, and of these: a process knows no others than those it started with."""
    return provenance.versions((*provenance.NUMERIC_PACKAGES, *also))


def _kept(question: Any) -> Path:
    """The file for a question; its folder is made where there is a build folder."""
    folder = Path(os.environ.get("TRAUNET_BUILD") or BUILD) / FOLDER
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
    return folder / f"{digest(question)}.json"


EDITED = "edited before anyone asked"
_at_first = _text_at_first()
_first_told: dict[tuple[str, ...], str] = {}  # what it was told first of these modules, if they were as they began
