"""Files that come in the place of weights: each is called what it is, and no text of torch's is passed on."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from argparse import Namespace
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PosixPath

import numpy as np
import pytest
import torch
from torch import nn

from traunet.model.foreign import foreign
from traunet.model.weights import WeightsError, load_trunk


def weights() -> bytes:
    buffer = io.BytesIO()
    torch.save({"conv1.weight": torch.zeros(2)}, buffer)
    return buffer.getvalue()


def said_of(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(WeightsError) as refused:
        load_trunk(path)
    said = str(refused.value)
    assert said.startswith(f"{path}: ")
    assert not any(word in said for word in ("weights_only", "arbitrary", "torch.load", "\n"))
    return said.removeprefix(f"{path}: ")


def tarred(form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        member = tarfile.TarInfo("senet50_ft_pytorch/senet50_ft_dims_2048.pth")
        member.size = len(weights())
        archive.addfile(member, io.BytesIO(weights()))
    return buffer.getvalue()


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


ARCHIVES = {
    "senet50_ft.tar": tarred(),
    "ustar.pth": tarred(tarfile.USTAR_FORMAT),
    "pax.tar": tarred(tarfile.PAX_FORMAT),
    "senet50_ft.tar.gz": gzip.compress(tarred()),
    "senet50_ft.tar.xz": lzma.compress(tarred()),
    "senet50_ft.tar.bz2": bz2.compress(tarred()),
    "senet50_ft.zip": zipped(**{"senet50_ft_dims_2048.pth": weights()}),
    "senet50_ft.7z": b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(40),
    "senet50_ft.rar": b"Rar!\x1a\x07\x01\x00" + bytes(40),
    "senet50_ft.tar.zst": b"\x28\xb5\x2f\xfd" + bytes(40),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_is_to_be_unpacked_and_is_not_called_damaged(tmp_path, name):
    said = said_of(tmp_path / name, ARCHIVES[name])
    assert said == "an archive; unpack it, and give the .pth or .pkl that is in it"


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(40)
HEADER = b'{"conv1.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
FORMATS = {
    "rcmalli_vggface_tf_senet50.h5": (HDF5, "an HDF5 file, as Keras writes it"),
    "senet50.weights": (HDF5, "an HDF5 file"),
    "senet50.keras": (zipped(**{"config.json": b"{}", "model.weights.h5": HDF5}), "a network of Keras's"),
    "senet50.pt": (zipped(**{"net/data.pkl": b"", "net/constants.pkl": b""}), "a TorchScript program"),
    "model.safetensors": (struct.pack("<Q", len(HEADER)) + HEADER + bytes(4), "a safetensors file"),
    "conv1.npy": (written(lambda file: np.save(file, np.zeros(3))), "an array of NumPy's without names"),
    "senet50.npz": (written(lambda file: np.savez(file, a=np.zeros(3))), "arrays of NumPy's"),
    "senet50_ft-dag.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a file of MATLAB's"),
    "senet50_ft.caffemodel": (b"\x0a\x0bVGG_SENET50" + bytes(40), "a network of Caffe's"),
    "senet50_ft.prototxt": (b'name: "SENet50"', "the plan of a network of Caffe's"),
    "senet50.onnx": (b"\x08\x07\x12\x07pytorch" + bytes(40), "an ONNX file"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_another_format_is_called_by_its_name(tmp_path, name):
    content, kind = FORMATS[name]
    said = said_of(tmp_path / name, content)
    assert said.startswith(kind)
    assert said.endswith(", which is not read; use senet50_ft_dims_2048.pth or senet50_ft_weight.pkl")


@pytest.mark.parametrize("page", [b"<!DOCTYPE html>", b"\xef\xbb\xbf\r\n <HTML>", b"<?xml version='1.0'?><Error>"])
def test_a_page_that_was_saved_instead_of_the_file_is_told(tmp_path, page):
    said = said_of(tmp_path / "senet50_ft_weight.pkl", page + b"<body>Quota exceeded</body></html>")
    assert said.startswith("a web page was saved in place of the file; fetch senet50_ft_dims_2048.pth or")


TEXTS = [b"404 Not", b"conv1.weight 0.1\n" * 99, "Gewichte f\xfcr SENet\r\n".encode("latin1"), b'{"conv1": [0.1]}']


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_told_as_such(tmp_path, text):
    said = said_of(tmp_path / "senet50_ft_weight.pkl", text)
    assert said.startswith("a text file, which holds no weights; fetch senet50_ft_dims_2048.pth or")


def test_a_zip_whose_directory_is_damaged_is_refused_as_a_damaged_file(tmp_path):
    """A byte of the version, of a name, of a size: zipfile and torch have a word of their own for each."""
    whole = weights()
    directory = whole.index(b"PK\x01\x02")
    for place in range(directory, directory + 60):
        spoilt = bytearray(whole)
        spoilt[place] ^= 0xFF
        (tmp_path / "some.pth").write_bytes(spoilt)
        with suppress(WeightsError):
            load_trunk(tmp_path / "some.pth")
    for place in (6, 46):
        spoilt = bytearray(whole)
        spoilt[directory + place] = 0xFF
        assert said_of(tmp_path / "some.pth", bytes(spoilt)).startswith("damaged, or no weights file (")


def test_a_pointer_of_git_lfs_is_told(tmp_path):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 112611321\n"
    said = said_of(tmp_path / "senet50_ft_weight.pkl", pointer)
    assert said == "a pointer of git-lfs, not the file itself; fetch that (git lfs pull)"


@pytest.mark.parametrize(
    "content", [weights(), weights()[:-20], b"", b"(dp0\nS'conv1", b"ccopy_reg\n_r\n", b"\x80\x02}."]
)
def test_what_may_be_weights_is_left_to_their_reader(tmp_path, content):
    (tmp_path / "some.pth").write_bytes(content)
    assert foreign(tmp_path / "some.pth") is None


def test_words_of_torchs_about_a_file_that_it_cannot_read_are_not_passed_on(tmp_path, monkeypatch):
    def load(*_, **__):
        raise RuntimeError("Re-running torch.load with weights_only=False can result in arbitrary code execution")

    monkeypatch.setattr(torch, "load", load)
    said = said_of(tmp_path / "some.pth", weights())
    assert said.startswith("damaged, or no weights file (RuntimeError); fetch it again, or use senet50_ft_dims")


def test_a_pickle_that_ends_as_a_zip_file_is_weighed_as_the_pickle_it_is(tmp_path):
    """Torch reads it from its beginning, in the old format."""
    numbers = [1] * 100
    for _ in range(4):
        numbers = [numbers] * 100
    bomb = written(lambda file: torch.save({"a": numbers}, file, _use_new_zipfile_serialization=False))
    assert "become far larger" in said_of(tmp_path / "some.pth", bomb + weights())


@pytest.mark.parametrize(
    ("content", "protocol", "said"),
    [
        (
            {"state_dict": {"a": torch.zeros(2)}, "best": np.float64(0.5)},
            2,
            "asks for numpy.*scalar, .* weights alone",
        ),
        ({"a": torch.zeros(3)}, 4, "cannot read it, as if saved with a pickle_protocol"),
        ({"a": torch.zeros(3)}, 5, "cannot read it, as if saved with a pickle_protocol"),
        (
            {"args": Namespace(lr=0.1)},
            2,
            r"asks for argparse\.Namespace, .* only weights .*save its state_dict alone",
        ),
        (
            {"out": PosixPath("a")},
            2,
            r"asks for pathlib\.\S*PosixPath, .* only weights are read; save its state_dict",
        ),
        (nn.Linear(2, 2), 2, r"whole pickled module \(torch.nn.modules.linear.Linear\)"),
    ],
)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_what_no_weights_file_holds_is_called_what_it_is(tmp_path, content, protocol, said):
    torch.save(content, tmp_path / "some.pth", pickle_protocol=protocol)
    with pytest.raises(WeightsError, match=said):
        load_trunk(tmp_path / "some.pth")
