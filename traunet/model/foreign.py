"""Files that stand beside VGGFace2's weights on the net, or come in their place, and are not read: what each is.

They are told by how they begin, and by their ending where a format has no beginning of its own; nothing in them is
unpacked.
"""

import re
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

from traunet.model.releases import FILES

BLOCK = 512  # bytes, of which a tar's first header has as many
PACKED = (
    b"\x1f\x8b",  # gzip
    b"\xfd7zXZ\x00",
    b"BZh",
    b"\x28\xb5\x2f\xfd",  # zstd
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
)
BEGINNINGS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes it",
    b"\x93NUMPY": "an array of NumPy's without names",
    b"MATLAB ": "a file of MATLAB's, as MatConvNet has them",
}
ENDINGS = {
    ".caffemodel": "a network of Caffe's",
    ".prototxt": "the plan of a network of Caffe's",
    ".onnx": "an ONNX file",
    ".pb": "a network of TensorFlow's",
}
TEXT = bytes([*b"\t\n\f\r", *range(32, 256)])
PICKLE_IN_LETTERS = re.compile(rb"[(\]})]|c[\w.]+\r?\n\w+\r?\n")  # how protocol 0 begins
ARCHIVE = "an archive; unpack it, and give the .pth or .pkl that is in it"


def foreign(path: Path) -> str | None:
    """What a file is that cannot be weights, and what to do instead; None if it may hold some."""
    # Reading it will tell; the last two are what zipfile says of a directory with bytes gone wrong.
    with suppress(OSError, zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError):
        with path.open("rb") as file:
            head = file.read(BLOCK)
        if head.startswith(PACKED) or _is_tar(head):
            return ARCHIVE
        if head.startswith(b"version https://git-lfs"):
            return "a pointer of git-lfs, not the file itself; fetch that (git lfs pull)"
        if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
            return f"a web page was saved in place of the file; fetch {FILES} itself"
        if zipfile.is_zipfile(path):
            return _zipped(path)
        if kind := _format(path, head):
            return _not_read(kind)
        if _is_text(head):
            return f"a text file, which holds no weights; fetch {FILES} itself"
    return None


def _not_read(kind: str) -> str:
    return f"{kind}, which is not read; use {FILES}"


def _is_text(head: bytes) -> bool:
    return bool(head) and not head.translate(None, TEXT) and not PICKLE_IN_LETTERS.match(head)


def _is_tar(head: bytes) -> bool:
    """Whether it begins as a tar does; `tarfile.is_tarfile` would read as much as the file claims to hold."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def _format(path: Path, head: bytes) -> str | None:
    for beginning, kind in BEGINNINGS.items():
        if head.startswith(beginning):
            return kind
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return "a safetensors file"
    return ENDINGS.get(path.suffix.lower())


def _zipped(path: Path) -> str | None:
    """What a zip file is, by the names in it; torch's own format is one."""
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
    if any(name.endswith("/constants.pkl") for name in names):
        return _not_read("a TorchScript program")
    if any(name.endswith("data.pkl") for name in names):
        return None
    if "model.weights.h5" in names:
        return _not_read("a network of Keras's")
    if names and all(name.endswith(".npy") for name in names):
        return _not_read("arrays of NumPy's (.npz)")
    return ARCHIVE
