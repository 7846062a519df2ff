"""Pickles that came from elsewhere, weighed before anyone carries them out."""

import io
import pickle
import pickletools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

MEASURE = 12  # how often a pickle may hand on what it holds; a list of names and arrays does so 7 times
DEEPEST = 100  # a part within a part; deeper ones bring down the program that asks for their hash
COLLIDING = 2**61 - 1  # Python hashes whole numbers modulo this one: larger ones can all be made to have one hash
STEPS = {opcode.code: opcode for opcode in pickletools.opcodes}
GROWING = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD")  # they change what stands lowest
NO_NAMES = "it names its parts by what is no text, and only arrays by name are read"


class PickleRefusedError(pickle.UnpicklingError):
    """The pickle asks for something that is not an array of numbers."""


class PickleDamagedError(pickle.UnpicklingError):
    """The pickle ends early, or is none."""


class Names(dict):
    """Stands for an ordered dictionary while a pickle is read: empty, or made of pairs."""

    def __init__(self, pairs: Iterable = ()):
        super().__init__()
        for name, value in pairs:
            if not _is_name(name):
                raise PickleRefusedError(NO_NAMES)
            self[name] = value


def _is_name(value: object) -> bool:
    """Whether nobody can have chosen its hash, so that looking up many of them would take an eternity."""
    return isinstance(value, str | bytes) or (isinstance(value, int) and abs(value) < COLLIDING)


def weigh(file: io.BytesIO, size: int) -> None:
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
    named: bool = False  # whether it may be the name of another
    closed: bool = False
    depth: int = 0


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
            self.make(opcode, argument)

    def keep(self, place: int) -> None:
        if place > self.size:
            raise PickleRefusedError(f"it numbers its parts up to {place}, and only arrays are read")
        self.memory[place] = self.stack[-1]

    def make(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Take from the stack what the step takes, and put there what it makes of that, or what grows by it."""
        parts, takes = [], opcode.stack_before
        if pickletools.markobject in takes:
            parts, self.stack = self.stack, self.below.pop()
            takes = takes[: takes.index(pickletools.markobject)]
        parts += [self.stack.pop() for _ in takes]  # the lowest comes last
        made = parts.pop() if opcode.name in GROWING else _Part(1 + _length(argument), _is_name(argument))
        if not all(part.named for part in _names(opcode.name, parts)):
            raise PickleRefusedError(NO_NAMES)
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
            whole.depth = max(whole.depth, 1 + part.depth)
        if whole.depth > DEEPEST:
            raise PickleRefusedError("its parts lie one in another without end, and only arrays are read")


def _names(step: str, parts: list[_Part]) -> list[_Part]:
    """Those of a step's parts by which others will be looked up."""
    if step in ("SETITEMS", "DICT"):
        return parts[::2]
    if step in ("ADDITEMS", "FROZENSET"):
        return parts
    return parts[1:] if step == "SETITEM" else []  # there the value was on top


def _length(argument: Any) -> int:
    """The bytes of a text or a number that stands in a pickle."""
    if isinstance(argument, int):
        return argument.bit_length() // 8
    return len(argument) if isinstance(argument, str | bytes | bytearray) else 0
