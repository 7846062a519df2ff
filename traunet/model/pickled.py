"""Read NumPy arrays out of a pickle that came from the net, and nothing else.

A pickle can name any function and have it called. Here every name but the few that a pickled array needs is
refused, and those lead to the plain Python below, not into NumPy's own unpickling.
"""

import io
import pickle
from pathlib import Path

import numpy as np

from traunet.model.weighing import Names, PickleRefusedError, weigh

NUMBERS = ("f2", "f4", "f8", "i4", "i8")


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


ALLOWED = {
    ("collections", "OrderedDict"): Names,
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
    data = path.read_bytes()  # from memory: of a file on disk as much is set aside as a length claims
    weigh(io.BytesIO(data), len(data))
    content = _ArrayUnpickler(io.BytesIO(data)).load()
    if not isinstance(content, dict):
        return content
    return {name: value.values if isinstance(value, _Array) else value for name, value in dict.items(content)}
