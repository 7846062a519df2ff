"""Files of torch's, looked through before torch reads them: only tensors that lie in them are let pass.

Torch's own reader runs no code, but functions that it does call make gigabytes of a handful of bytes. So a file's
plan is read here first, with stand-ins in the place of all that it names.
"""

import io
import math
import pickle
import re
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from traunet.model.weighing import Names, PickleDamagedError, PickleRefusedError, weigh

ZIP = b"PK\x03\x04"
END, END64, LOCATOR64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"  # how the last 98 bytes of a zip are divided
LEGACY_PICKLES = 5  # the magic number, the version, the system, the content, the names of what follows
BYTES = {
    **dict.fromkeys(("BoolStorage", "ByteStorage", "CharStorage"), 1),
    **dict.fromkeys(("ShortStorage", "HalfStorage", "BFloat16Storage"), 2),
    **dict.fromkeys(("IntStorage", "FloatStorage"), 4),
    **dict.fromkeys(("LongStorage", "DoubleStorage"), 8),
}
LARGER = "it claims larger arrays than it holds"


class _Tensor:
    """Stands for a tensor that lies within its storage."""

    def __setstate__(self, state: object) -> None:
        raise PickleRefusedError("it changes an array after making it, and torch writes none so")


class _Plan(pickle.Unpickler):
    """Reads what torch would make of a pickle, and makes none of it.

    A storage is the count of its numbers here; `held` tells how many bytes lie in the file under its name.
    """

    def __init__(self, program: bytes, size: int, held: Callable[[str], int]):
        super().__init__(io.BytesIO(program))
        self.left, self.held = size, held
        self.storages: dict[str, tuple[int, int]] = {}
        self.known = {
            ("collections", "OrderedDict"): Names,
            ("torch._utils", "_rebuild_tensor"): self.tensor,
            ("torch._utils", "_rebuild_tensor_v2"): self.tensor,
            ("torch._utils", "_rebuild_parameter"): self.parameter,
            **{("torch", kind): size for kind, size in BYTES.items()},
        }

    def find_class(self, module: str, name: str):
        if (module, name) not in self.known:
            raise PickleRefusedError(_unlike_weights(f"{module}.{name}"))
        return self.known[module, name]

    def persistent_load(self, pid: tuple) -> int:
        _, width, key, _, count, *view = pid
        if not isinstance(key, str) or any(view):
            raise PickleRefusedError("it names its arrays as torch does not")
        if key not in self.storages:
            self.storages[key] = width, count
            self.left -= width * count
            if not 0 <= width * count <= self.held(key) or self.left < 0:
                raise PickleRefusedError(LARGER)
        if self.storages[key] != (width, count):
            raise PickleRefusedError(LARGER)
        return count

    def tensor(self, storage: int, offset: int, size: tuple, stride: tuple, *_) -> _Tensor:
        reach = offset + 1 + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
        if math.prod(size) and max(reach, math.prod(size)) > storage:
            raise PickleRefusedError(LARGER)
        return _Tensor()

    def parameter(self, data: _Tensor, *_) -> _Tensor:
        return data


def refuse_hidden_bulk(path: Path) -> None:
    """Refuse a zip whose parts unpack to more than the file holds, as torch packs none, or whose pickles would.

    Raises PickleDamagedError for what torch would not read as a zip.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(len(ZIP))
        if head != ZIP or not zipfile.is_zipfile(path):  # what only ends as a zip file is a pickle to torch
            raise PickleDamagedError("it is cut short")
        _refuse_second_list(file, size)
    with zipfile.ZipFile(path) as archive:
        parts = {part.orig_filename: part for part in archive.infolist()}  # the other name may be one for show
        unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > size:
            raise PickleRefusedError(f"its parts unpack to {unpacked} bytes, and torch packs none")
        if len({name.lower() for name in parts}) < len(archive.infolist()):  # torch does not tell a from A
            raise PickleRefusedError("two of its parts have one name")
        for name, part in parts.items():
            if name.lower().endswith(".pkl"):
                folder = name.rpartition("/")[0]
                _look_through(
                    io.BytesIO(archive.read(part)),
                    size,
                    lambda key, at=folder: parts[f"{at}/data/{key}"].file_size,
                )


def refuse_legacy_bulk(path: Path) -> None:
    """The same of a file in the format that torch wrote until 2020: pickles, and then the numbers."""
    data = path.read_bytes()
    file = io.BytesIO(data)
    for _ in range(LEGACY_PICKLES):
        _look_through(file, len(data), lambda key: len(data))


def _look_through(file: io.BytesIO, size: int, held: Callable[[str], int]) -> None:
    begin = file.tell()
    weigh(file, size)
    _Plan(file.getvalue()[begin : file.tell()], size, held).load()


def _refuse_second_list(file, size: int) -> None:
    """Refuse a zip in which torch's reader could find another list of parts than Python's.

    Torch's goes to where the end says that the list begins, Python's to as many bytes before the end as it has.
    """
    file.seek(max(0, size - 98))
    tail = file.read().rjust(98, b"\0")
    end, length, start = size - 22, *struct.unpack_from("<LL", tail, 88)
    sound = tail[76:80] == END and tail[96:] == b"\0\0"  # no comment, in which another end may stand
    if tail[56:60] == LOCATOR64:
        end, (length, start) = size - 98, struct.unpack_from("<QQ", tail, 40)
        sound = sound and tail[:4] == END64 and struct.unpack_from("<Q", tail, 64)[0] == end
    if not sound or start + length != end:
        raise PickleRefusedError("it has two lists of its parts, or one that does not lie at its end")


def _unlike_weights(asked: str) -> str:
    """What a file is that asks for this."""
    if asked.endswith(("multiarray._reconstruct", "numeric._frombuffer")):  # a .pkl that was saved with torch
        return "it holds NumPy arrays in torch's format; give the pickle that they come from"
    if asked.startswith("numpy."):
        return f"it asks for {asked}, as a number of NumPy's beside the weights does; save the weights alone"
    if asked.split(".")[0] in sys.stdlib_module_names or re.match(r"torch\.(?!nn\.)", asked):
        return f"it asks for {asked}, and only weights are read; save its state_dict alone, where it was made"
    return f"it holds a whole pickled module ({asked}), which can run any code on loading"
