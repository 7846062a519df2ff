"""Read NumPy arrays out of a pickle that came from the net, and nothing else.

A pickle can name any function and have it called. Here every name but the few that a pickled array needs is
refused, and those lead to the plain Python below, not into NumPy's own unpickling.
"""

import io
import pickle
import pickletools
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ZIP = b"PK\x03\x04"
NUMBERS = ("f2", "f4", "f8", "i4", "i8")
MEASURE = 12  # how often a pickle may hand on what it holds; a list of names and arrays does so 7 times
STEPS = {opcode.code: opcode for opcode in pickletools.opcodes}
GROWING = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD")  # they change what stands lowest


class PickleRefusedError(pickle.UnpicklingError):
    """The pickle asks for something that is not an array of numbers."""


class PickleDamagedError(pickle.UnpicklingError):
    """The pickle ends early, or is none."""


class _Type:
    """Stands for numpy.dtype while a pickle is read."""

    def __init__(self, code: str, *_):
        if code not in NUMBERS:
            raise PickleRefusedError(f"it holds an array of type {code!r}, and only numbers are read")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for numpy.ndarray while a pickle is read."""

    def __init__(self, *_):
        self.values = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, data = state
        data = data.encode("latin1") if isinstance(data, str) else data  # Python 2 wrote its bytes as text
        values = np.frombuffer(data, kind.dtype).reshape(shape, order="F" if fortran else "C")
        self.values = values.astype(kind.dtype.newbyteorder("="))


class _Buffer(_Array):
    """Stands for NumPy's _frombuffer while a pickle of protocol 5 is read, Python's own since 3.14."""

    def __init__(self, data: bytes, kind: _Type, shape: tuple, order: str, axes: tuple | None = None):
        self.__setstate__((1, shape, kind, order == "F", data))
        if order == "K" and axes is not None:  # they lie in another order than they are counted in
            self.values = self.values.transpose(axes)


class _Text:
    """Stands for _codecs.encode while a pickle is read: Python 3 writes bytes as text in old protocols."""

    def __new__(cls, text: str, _):
        return str.encode(text, "latin1")


class _Names(dict):
    """What a state dict is, if not a plain dictionary."""


ALLOWED = {
    ("collections", "OrderedDict"): _Names,
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.numeric", "_frombuffer"): _Buffer,
    ("numpy._core.numeric", "_frombuffer"): _Buffer,
    ("_codecs", "encode"): _Text,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Finds these names and no other."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file, encoding="latin1")
        # Classes of its own, since a pickle can set attributes of those that it is given.
        self.known = {name: type(stand_in.__name__, (stand_in,), {}) for name, stand_in in ALLOWED.items()}

    def find_class(self, module: str, name: str):
        if (module, name) not in self.known:
            raise PickleRefusedError(
                f"it asks for {module}.{name}, which could run code, and only arrays are read"
            )
        return self.known[module, name]


def load_arrays(path: Path) -> object:
    """The first object of a pickle file, Python 2's too, in which a dictionary's arrays are NumPy arrays.

    Raises PickleRefusedError for a pickle that names anything else, before anything of it has run.
    """
    refuse_bulk(path)
    content = _ArrayUnpickler(io.BytesIO(path.read_bytes())).load()
    if not isinstance(content, dict):
        return content
    return {name: value.values if isinstance(value, _Array) else value for name, value in dict.items(content)}


def refuse_bulk(path: Path, pickles: int = 1) -> None:
    """Raise PickleRefusedError if one of a file's first pickles would become far larger than the file."""
    data = path.read_bytes()  # from memory: of a file on disk as much is set aside as a length claims
    file = io.BytesIO(data)
    for _ in range(pickles):
        _weigh(file, len(data))


def _weigh(file: io.BytesIO, size: int) -> None:
    """Walk through the next pickle of a file of `size` bytes without carrying it out, and weigh what it makes.

    A handful of bytes can ask for gigabytes, or for an eternity: a far place in memory, one text made bytes again
    and again, one dictionary copied, a list of lists that are all the same. So whatever is put into something, or
    handed to a call, counts each time.
    """
    weighing = _Weighing(size)
    for opcode, argument in _steps(file):
        weighing.follow(opcode, argument)


def _steps(file: io.BytesIO) -> Iterator[tuple[pickletools.OpcodeInfo, Any]]:
    """The steps of a pickle, as `pickletools.genops` has them, which takes Python 2's bytes for ASCII."""
    name = ""
    while name != "STOP":
        code = file.read(1).decode("latin1")
        if code not in STEPS:
            raise PickleDamagedError(f"{code!r} is no step of a pickle" if code else "it ends early")
        opcode = STEPS[code]
        name = opcode.name
        if name == "STRING":
            yield opcode, file.readline()
        else:
            yield opcode, _argument(opcode, file)


def _argument(opcode: pickletools.OpcodeInfo, file: io.BytesIO) -> Any:
    try:
        return opcode.arg.reader(file) if opcode.arg else None
    except ValueError as error:
        raise PickleDamagedError("it ends early, or is no pickle") from error


@dataclass(eq=False)
class _Part:
    """Something that a pickle makes: how many parts it has, with all of theirs, and whether it is one itself."""

    weight: int
    closed: bool = False


class _Weighing:
    """The stack and the memory of an unpickler, as pickletools describes what each step does to them."""

    def __init__(self, size: int):
        self.size, self.left = size, MEASURE * size
        self.stack: list[_Part] = []
        self.below: list[list[_Part]] = []  # what lies under each mark
        self.memory: dict[int, _Part] = {}

    def follow(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Do one step; PickleRefusedError where it leads to too much."""
        name = opcode.name
        if name == "MARK":
            self.below.append(self.stack)
            self.stack = []
        elif name == "DUP":
            self.stack.append(self.stack[-1])
        elif name == "MEMOIZE" or "PUT" in name:
            self.keep(len(self.memory) if argument is None else argument)
        elif "GET" in name:
            self.stack.append(self.memory[argument])
        elif name == "GLOBAL" and argument.endswith(" bytearray"):
            raise PickleRefusedError("it asks for a bytearray, which a number makes of any size")
        elif name == "POP" and not self.stack:
            self.stack = self.below.pop()
        else:
            self.make(opcode, _length(argument))

    def keep(self, place: int) -> None:
        if place > self.size:
            raise PickleRefusedError(f"it numbers its parts up to {place}, and only arrays are read")
        self.memory[place] = self.stack[-1]

    def make(self, opcode: pickletools.OpcodeInfo, length: int) -> None:
        """Take from the stack what the step takes, and put there what it makes of that, or what grows by it."""
        parts, takes = [], opcode.stack_before
        if pickletools.markobject in takes:
            parts, self.stack = self.stack, self.below.pop()
            takes = takes[: takes.index(pickletools.markobject)]
        parts += [self.stack.pop() for _ in takes]  # the lowest comes last
        made = parts.pop() if opcode.name in GROWING else _Part(1 + length)
        self.hand(made, parts)
        if opcode.stack_after:
            self.stack.append(made)

    def hand(self, whole: _Part, parts: list[_Part]) -> None:
        """Put parts into a whole, unless that is a part itself: what holds it was weighed before."""
        weight = sum(part.weight for part in parts)
        whole.weight, self.left = whole.weight + weight, self.left - weight
        if self.left < 0 or (parts and whole.closed):
            raise PickleRefusedError("it would become far larger than it is, and only arrays are read")
        for part in parts:
            part.closed = True


def _length(argument: Any) -> int:
    """The bytes of a text or a number that stands in a pickle."""
    if isinstance(argument, int):
        return argument.bit_length() // 8
    return len(argument) if isinstance(argument, str | bytes | bytearray) else 0


def refuse_hidden_bulk(path: Path) -> None:
    """Refuse a zip whose parts unpack to more than the file holds, as torch packs none, or whose pickles would.

    Raises PickleDamagedError for what torch would not read as a zip.
    """
    with path.open("rb") as file:
        head = file.read(len(ZIP))
    if head != ZIP or not zipfile.is_zipfile(path):  # what only ends as a zip file is a pickle to torch
        raise PickleDamagedError("it is cut short")
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
        if size > path.stat().st_size:
            raise PickleRefusedError(f"its parts unpack to {size} bytes, and torch packs none")
        for part in archive.infolist():
            if part.filename.endswith(".pkl"):
                _weigh(io.BytesIO(archive.read(part)), path.stat().st_size)
