"""Kinds of bad input, each spoilt on purpose, and the table of the book that shows the message of each.

`python tests/mishaps.py` writes the table, `book/bad_input.csv`, anew from the messages of today. The kinds stand
in the files of `spoilt`: functions whose names are the words of the table.
"""

import atexit
import contextlib
import csv
import io
import json
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import patch

from traunet.cli import main
from traunet.workspace import PROJECT

TABLE = PROJECT / "book" / "bad_input.csv"
HEADER = ("Where", "What is wrong", "What it says")


@dataclass(frozen=True)
class Attempt:
    """What a user would do; `said` does it and returns the answer. What `goes_on` leaves the bad part out."""

    said: Callable[[], str]
    goes_on: bool = False


@dataclass(frozen=True)
class Mishap:
    """One kind of bad input: `spoil` lays it into an empty folder and returns the attempt to use it."""

    area: str
    kind: str
    spoil: Callable[[Path], Attempt]


MISHAPS: list[Mishap] = []


def mishap(area: str, kind: str | None = None) -> Callable[[Callable[[Path], Attempt]], Callable[[Path], Attempt]]:
    """Enter a function into the table; its name is the kind, unless that cannot be spelt as a name."""

    def enter(spoil: Callable[[Path], Attempt]) -> Callable[[Path], Attempt]:
        MISHAPS.append(Mishap(area, kind or spoil.__name__.replace("_", " "), spoil))
        return spoil

    return enter


def command(*arguments: object) -> Attempt:
    """A command as its user types it: what it says to bad input is one line, the last, and its exit code is 2."""

    def said() -> str:
        code, lines = run(*arguments)
        assert code == 2, f"{code}: {lines}"
        begin = max(number for number, line in enumerate(lines) if line.startswith("traunet"))
        assert begin == len(lines) - 1, f"more than one line: {lines[begin:]}"
        return re.sub(r"^traunet( \w+)?: (error: )?", "", lines[-1])

    return Attempt(said)


def warned(*arguments: object) -> Attempt:
    """A command that leaves out what is bad, says so in one line, and goes on."""

    def said() -> str:
        code, lines = run(*arguments)
        assert code == 0, lines
        return next(line for line in lines if line.startswith("traunet: warning: ")).removeprefix("traunet: ")

    return Attempt(said, goes_on=True)


def run(*arguments: object) -> tuple[int, list[str]]:
    """The exit code of a command and the lines that it wrote to standard error."""
    errors = io.StringIO()
    # With one core no process is started, which takes longer than a few frames do.
    one_core = patch("os.sched_getaffinity", return_value={0}, create=True)
    with (
        contextlib.redirect_stderr(errors),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
        one_core,
    ):
        warnings.simplefilter("default", UserWarning)
        warnings.filterwarnings("ignore", ".* as DISFA's are;")  # a test's own pictures are smaller
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # how argparse leaves
            code = int(stop.code or 0)
    return code, errors.getvalue().splitlines()


def call(function: Callable, *arguments: object, **named: object) -> Attempt:
    """A call of the library: its ValueError or OSError is what a command would print."""

    def said() -> str:
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                function(*arguments, **named)
            except (ValueError, OSError) as error:
                return str(error)
        raise AssertionError("nothing was refused")

    return Attempt(said)


def neutral(message: str, folder: Path) -> str:
    """The message with neither the temporary folder nor the checkout, and nothing else of this machine."""
    for place in (folder.resolve(), folder, PROJECT):
        message = message.replace(f"{place}/", "").replace(str(place), ".")
    if "invalid choice" in message:  # Python 3.11 quotes the choices, 3.13 what was typed
        message = message.replace("'", "")
    return re.sub(r"[\d.]+ GB free", "0.0 GB free", message)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but locks, and what is kept to be looked at or to go on from."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    names = {str(path.relative_to(folder)): path for path in files}
    aside = re.compile(r"(^|/)(failed|book|\.[^/]+\.unfinished)/")
    return {name: path.read_bytes() for name, path in names.items() if not aside.search(name)}


def rows() -> Iterator[tuple[str, str, str]]:
    """The rows of the table, made now; what is not handled is printed, and shown as such."""
    for one in MISHAPS:
        with tempfile.TemporaryDirectory() as folder, at_home(Path(folder)):
            try:
                said = as_code(neutral(one.spoil(Path(folder)).said(), Path(folder)))
            except Exception as error:
                print(f"{one.area}: {one.kind}: NOT HANDLED: {type(error).__name__}: {error}", file=sys.stderr)
                said = "not handled"
        yield one.area, one.kind, said


@contextlib.contextmanager
def at_home(folder: Path) -> Iterator[None]:
    """Work below a folder, whatever the caller's environment names."""
    own = {"TRAUNET_BUILD": str(folder / "build"), "TRAUNET_DISFA": "", "TRAUNET_WEIGHTS": ""}
    own["TRAUNET_SEEDS"] = ""
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def as_code(message: str) -> str:
    """A message as the table shows it: word for word, whatever signs it holds."""
    fence = "``" if "`" in message else "`"
    return f"{fence} {message} {fence}" if "`" in message else f"{fence}{message}{fence}"


def shown() -> dict[tuple[str, str], str]:
    """The table as it lies in the book: (where, what is wrong) -> what it says."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    assert tuple(lines[0]) == HEADER
    return {(area, kind): message for area, kind, message in lines[1:]}


@cache
def sound(kind: str) -> Path:
    """A sound tree, store or run, made once; what is to be spoilt is a copy."""
    from trees import write_tree

    place = Path(tempfile.mkdtemp(prefix="sound-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    folder = place / kind
    if kind == "tree":
        return write_tree(folder, subjects=("SN001",), frames=6)
    if kind == "store":
        code, lines = run("prepare", "--disfa", sound("tree"), "--out", folder, "--profile", "smoke")
        assert code == 0, lines
        return folder
    return _sound_run(folder)


def _sound_run(folder: Path) -> Path:
    from pictures import TINY, PaintedStore

    from traunet.machines.machine import Machine
    from traunet.model.senet import SENet
    from traunet.model.weights import Normalisation, save_trunk
    from traunet.runstore import train_run

    folder.mkdir(parents=True)
    save_trunk(folder / "trunk.pt", SENet(TINY.model).state_dict(), Normalisation())
    machine = Machine(device="cpu", threads=1)
    store = PaintedStore()
    made = train_run(store, folder / "trunk.pt", TINY, "tranet", 1, folder, machine=machine, progress=False)  # pyright: ignore
    return made.path


def copy(kind: str, folder: Path, name: str | None = None) -> Path:
    """A copy of what is sound, to be spoilt."""
    return shutil.copytree(sound(kind), folder / (name or {"tree": "DISFA", "run": "run"}.get(kind, kind)))


def change(file: Path, **entries: object) -> None:
    """Change entries of a JSON file; None takes one out."""
    content = {**json.loads(file.read_text()), **entries}
    file.write_text(json.dumps({name: value for name, value in content.items() if value is not None}))


def write() -> None:
    """Write the table of the book anew."""
    import spoilt

    assert spoilt.AREAS
    made = list(rows())
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *made])


if __name__ == "__main__":
    sys.modules["mishaps"] = sys.modules["__main__"]
    write()
