"""Read NumPy arrays out of a pickle that came from the net, and nothing else.

A pickle can name any function and have it called. Here every name but the five that a pickled array needs is
refused, and those five lead to the plain Python below, not into NumPy's own unpickling.
"""

import pickle
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

    def __init__(self, *_):
        self.values = np.empty(0)

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, data = state
        data = data.encode("latin1") if isinstance(data, str) else data  # Python 2 wrote its bytes as text
        values = np.frombuffer(data, kind.dtype).reshape(shape, order="F" if fortran else "C")
        self.values = values.astype(kind.dtype.newbyteorder("="))


ALLOWED = {
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
}


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if (module, name) not in ALLOWED:
            raise PickleRefusedError(
                f"it asks for {module}.{name}, which could run code, and only arrays are read"
            )
        return ALLOWED[module, name]


def load_arrays(path: Path) -> object:
    """The first object of a pickle file, Python 2's too, in which a dictionary's arrays are NumPy arrays.

    Raises PickleRefusedError for a pickle that names anything else, before anything of it has run.
    """
    with path.open("rb") as file:
        content = _ArrayUnpickler(file, encoding="latin1").load()
    if not isinstance(content, dict):
        return content
    return {name: value.values if isinstance(value, _Array) else value for name, value in content.items()}
