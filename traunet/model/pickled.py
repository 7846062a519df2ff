"""Read NumPy arrays out of a pickle that came from the net, and nothing else.

A pickle can name any function and have it called. Here every name but the five that a pickled array needs is
refused, and those five lead to the plain Python below, not into NumPy's own unpickling.
"""

import io
import pickle
import pickletools
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

NUMBERS = ("f2", "f4", "f8", "i4", "i8")


class PickleRefusedError(pickle.UnpicklingError):
    """The pickle asks for something that is not an array of numbers."""


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

    spend: Callable[[str, int], None]

    def __init__(self, *_):
        self.values = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, data = state
        self.spend("arrays", len(data))
        data = data.encode("latin1") if isinstance(data, str) else data  # Python 2 wrote its bytes as text
        values = np.frombuffer(data, kind.dtype).reshape(shape, order="F" if fortran else "C")
        self.values = values.astype(kind.dtype.newbyteorder("="))


class _Text:
    """Stands for _codecs.encode while a pickle is read: Python 3 writes bytes as text in old protocols."""

    spend: Callable[[str, int], None]

    def __new__(cls, text: str, _):
        cls.spend("text", len(text))
        return str.encode(text, "latin1")


class _Names(dict):
    """What a state dict is, if not a plain dictionary."""

    spend: Callable[[str, int], None]


ALLOWED = {
    ("collections", "OrderedDict"): _Names,
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): _Text,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Finds six names and no other; what it makes is together no larger than the pickle itself."""

    def __init__(self, file, size: int):
        super().__init__(file, encoding="latin1")
        self.left = {"text": size, "arrays": size}  # bytes; one text can be asked for again and again
        # Classes of its own, since a pickle can set attributes of those that it is given.
        self.known = {
            name: type(stand_in.__name__, (stand_in,), {"spend": self.spend}) for name, stand_in in ALLOWED.items()
        }

    def find_class(self, module: str, name: str):
        if (module, name) not in self.known:
            raise PickleRefusedError(
                f"it asks for {module}.{name}, which could run code, and only arrays are read"
            )
        return self.known[module, name]

    def spend(self, kind: str, size: int) -> None:
        """Count the bytes that are made of the pickle's; PickleRefusedError where they exceed its own."""
        self.left[kind] -= size
        if self.left[kind] < 0:
            raise PickleRefusedError("it would become far larger than it is, and only arrays are read")


def load_arrays(path: Path) -> object:
    """The first object of a pickle file, Python 2's too, in which a dictionary's arrays are NumPy arrays.

    Raises PickleRefusedError for a pickle that names anything else, before anything of it has run.
    """
    data = path.read_bytes()
    _refuse_bulk(data)
    content = _ArrayUnpickler(io.BytesIO(data), len(data)).load()
    if not isinstance(content, dict):
        return content
    return {name: value.values if isinstance(value, _Array) else value for name, value in content.items()}


def _refuse_bulk(data: bytes) -> None:
    """Walk through the pickle without carrying it out: every length it claims, and every place in its memory.

    A handful of bytes can ask for gigabytes, which Python sets aside before it looks whether they are there.
    """
    for opcode, argument, _ in pickletools.genops(io.BytesIO(data)):
        if "PUT" in opcode.name and isinstance(argument, int) and argument > len(data):
            raise PickleRefusedError(f"it numbers its parts up to {argument}, and only arrays are read")


def refuse_hidden_bulk(path: Path) -> None:
    """Refuse a zip whose parts unpack to more than the file holds; torch writes its own uncompressed."""
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
    if size > path.stat().st_size:
        raise PickleRefusedError(f"its parts unpack to {size} bytes, and torch packs none")
