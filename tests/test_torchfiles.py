"""Files of torch's that do harm where torch reads them: refused before, in either of its formats."""

import io
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from bulk import Bomb, copies, deep, doubled, lists, text

from traunet.model.weights import WeightsError, load_trunk


def number(value: int) -> bytes:
    return b"\x8a\x0a" + value.to_bytes(10, "little")


def call(name: bytes, *arguments: bytes) -> bytes:
    return b"ctorch" + name + b"(" + b"".join(arguments) + b"tR"


def storage(count: int, kind: bytes = b"Byte", key: bytes = b"0") -> bytes:
    """A storage of so many numbers, which begin in a file of torch's as often as it is named."""
    named = text(b"storage") + b"ctorch\n" + kind + b"Storage\n" + text(key) + text(b"cpu")
    return b"(" + named + number(count) + b"tQ"


def tensor(stored: bytes, size: int, stride: int) -> bytes:
    """A tensor of one axis."""
    rest = b"\x89ccollections\nOrderedDict\n)R"
    return call(
        b"._utils\n_rebuild_tensor_v2\n", stored, b"K\x00", number(size), b"\x85", number(stride), b"\x85", rest
    )


def holding(program: bytes) -> bytes:
    return b"\x80\x02}" + text(b"conv1.weight") + program + b"s."


def hexes() -> bytes:
    """A text of 64 letters, of which each letter is written as two, 28 times: 17 GB; and 40 kB to allow for it."""
    once = b"c_codecs\nencode\n"
    return holding(text(b" " * 40_000) + b"0" + once * 28 + text(b"a" * 64) + (text(b"hex") + b"\x86R") * 28)


WIDE = 10**10
BULK = {
    "letters": (hexes(), r"asks for _codecs\.encode"),
    "repeated": (holding(tensor(storage(8), WIDE, 0)), "claims larger arrays"),
    "past its end": (holding(tensor(storage(8), WIDE, 1)), "claims larger arrays"),
    "storage": (holding(tensor(storage(WIDE), 8, 1)), "claims larger arrays"),
    "storage twice": (holding(storage(8) + b"0" + tensor(storage(WIDE), WIDE, 1)), "claims larger arrays"),
    "made whole": (
        holding(
            call(
                b"._utils\n_rebuild_device_tensor_from_cpu_tensor\n",
                *(tensor(storage(8), WIDE, 0), b"ctorch\nfloat64\n", text(b"cpu"), b"\x89"),
            )
        ),
        r"asks for torch\._utils\._rebuild_device_tensor_from_cpu_tensor",
    ),
    "called": (holding(call(b"\nFloatStorage\n", number(WIDE))), "damaged"),
    "changed": (
        holding(tensor(storage(8), 8, 1) + b"(" + storage(8) + b"K\x00" + number(WIDE) + b"\x85K\x01\x85tb"),
        "changes an array",
    ),
    "deep": (deep(), "lie one in another without end"),
}


def torch_file(path: Path, program: bytes, zipped: bool) -> Path:
    """A file of torch's, in either of its formats, with another pickle in the content's place."""
    torch.save({}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    if not zipped:
        path.write_bytes(content.replace(b"\x80\x02}q\x00.", program))
        return path
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(path, "w") as packed:
        for part in source.infolist():
            packed.writestr(part.filename, program if part.filename.endswith("data.pkl") else source.read(part))
        packed.writestr(f"{path.stem}/data/0", bytes(8))
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_a_bomb_in_either_of_torchs_formats_is_refused(tmp_path, zipped):
    path = tmp_path / "senet50_ft_dims_2048.pth"
    torch.save({"conv1.weight": Bomb(tmp_path / "ran")}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"refused: it holds a whole pickled module.*Use senet50_ft_dims_2048"):
        load_trunk(path)
    assert not (tmp_path / "ran").exists()


def test_a_zip_that_unpacks_to_more_than_it_holds_is_refused(tmp_path):
    plain, path = tmp_path / "plain.pth", tmp_path / "bomb.pth"
    torch.save({"conv1.weight": torch.zeros(100_000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for part in source.infolist():
            packed.writestr(part.filename, source.read(part))
    with pytest.raises(WeightsError, match=r"bomb\.pth: refused: its parts unpack to 40\d+ bytes"):
        load_trunk(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("program", "match"),
    [
        (copies(), "become far larger"),
        (lists(), "become far larger"),
        (doubled(), "become far larger"),
        (b"\x80\x02c__builtin__\nbytearray\nJ" + struct.pack("<i", 10**9) + b"\x85R.", "asks for a bytearray"),
    ],
)
def test_torchs_files_cannot_take_much_memory_either(tmp_path, zipped, program, match):
    path = torch_file(tmp_path / "senet50_ft_dims_2048.pth", program, zipped)
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError, match=match):
            load_trunk(path)
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_of_torchs_that_was_put_together_by_hand_is_read_as_its_own(tmp_path, zipped):
    """So that what is refused above is refused for its pickle."""
    program = b"\x80\x02}" + text(b"conv1.weight") + b"K\x01s."
    with pytest.raises(WeightsError, match="holds more than arrays by name"):
        load_trunk(torch_file(tmp_path / "senet50_ft_dims_2048.pth", program, zipped))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", BULK)
def test_nor_by_a_function_that_torch_calls_or_a_tensor_larger_than_what_is_there(
    tmp_path, monkeypatch, zipped, name
):
    program, match = BULK[name]
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch read it"))
    with pytest.raises(WeightsError, match=match):
        load_trunk(torch_file(tmp_path / "senet50_ft_dims_2048.pth", program, zipped))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_state_with_versions_parameters_and_shared_numbers_is_read(tmp_path, zipped):
    """As modules give it, beside numbers that two names share, or that are only a part of what is stored."""
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    state = net.state_dict(keep_vars=True)
    assert isinstance(state, OrderedDict)
    state["whole"] = torch.arange(12.0).reshape(3, 4)
    state["part"], state["turned"] = state["whole"][1:, :2], state["whole"].T
    state["empty"], state["half"] = torch.zeros(3, 0), torch.zeros(2, dtype=torch.bfloat16)
    path = tmp_path / "state.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"no release of SENet-50 .* begin \['0\.weight', '0\.bias'"):
        load_trunk(path)


@pytest.mark.parametrize("method", [b"get", b"values", b"items", b"keys"])
def test_a_dictionary_of_which_a_method_was_changed_is_read_as_what_it_holds(tmp_path, method):
    changed = b"ccollections\nOrderedDict\n)R}" + text(method) + text(b"x") + b"sb"
    path = torch_file(
        tmp_path / "w.pth", b"\x80\x02" + changed + text(b"k") + tensor(storage(8), 8, 1) + b"s.", True
    )
    with pytest.raises(WeightsError, match=r"no release of SENet-50 .* begin \['k'\]"):
        load_trunk(path)
    own = text(b"format") + text(b"traunet trunk 1") + b"s" + text(b"state") + changed + b"s"
    path = torch_file(tmp_path / "w.pth", b"\x80\x02}" + own + b".", True)
    with pytest.raises(WeightsError, match=r"w\.pth: a trunk file with parts missing"):
        load_trunk(path)


def zipped(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_zip_with_a_second_list_of_its_parts_is_refused(tmp_path):
    """Python's reader takes the one that ends where the end record begins, torch's the one that is named there."""
    first, second = zipped({"w/data.pkl": hexes()}), zipped({"w/data.pkl": holding(b"N")})
    both = first[: first.rindex(b"PK\x05\x06")] + second[:-22] + first[-22:]
    (tmp_path / "two.pth").write_bytes(both)
    with pytest.raises(WeightsError, match=r"two\.pth: refused: it has two lists of its parts"):
        load_trunk(tmp_path / "two.pth")


def test_a_plan_that_only_torch_finds_is_looked_through(tmp_path):
    """It does not tell large letters from small ones."""
    (tmp_path / "w.pth").write_bytes(zipped({"w/DATA.PKL": hexes(), "w/a/data.pkl": holding(b"N")}))
    with pytest.raises(WeightsError, match=r"w\.pth: refused: it asks for _codecs\.encode"):
        load_trunk(tmp_path / "w.pth")
    (tmp_path / "w.pth").write_bytes(zipped({"w/DATA.PKL": holding(b"N"), "w/data.pkl": holding(b"N")}))
    with pytest.raises(WeightsError, match=r"w\.pth: refused: two of its parts have one name"):
        load_trunk(tmp_path / "w.pth")


@pytest.mark.filterwarnings("ignore:.*quantize.*deprecated", "ignore:TypedStorage is deprecated")
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors", "ignore:Validating sparse")
@pytest.mark.parametrize(
    "kind",
    [
        lambda ones: ones.to(torch.complex64),
        lambda ones: torch.quantize_per_tensor(ones, 0.1, 0, torch.qint8),
        lambda ones: torch.nested.nested_tensor([ones, ones[1:]]),
        lambda ones: ones.to_sparse(),
        lambda ones: ones.to("meta"),
        lambda ones: {ones: np.ones(3)},
    ],
    ids=["complex", "quantized", "nested", "sparse", "meta", "named by a tensor"],
)
def test_tensors_of_no_plain_numbers_are_refused(tmp_path, kind):
    torch.save({"conv1.weight": kind(torch.ones(3))}, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match=r"odd\.pth: refused: .* only (weights|arrays)"):
        load_trunk(tmp_path / "odd.pth")
