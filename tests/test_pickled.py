"""Malicious weights files run nothing, change nothing and take little more memory or time than they have bytes."""

import pickle
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from bulk import ENTRIES, Bomb, copies, deep, doubled, lists, text

from traunet.model import pickled
from traunet.model.weights import WeightsError, load_trunk

RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n"


def refused(path: Path, content: bytes, match: str | None = None) -> None:
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=match):
        load_trunk(path)


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "senet50_ft_weight.pkl"


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("wrap", [lambda b: b, lambda b: {"conv1.weight": b}, lambda b: [np.ones(2), {"a": (b,)}]])
def test_no_protocol_lets_a_pickle_run_code(file, tmp_path, protocol, wrap):
    content = pickle.dumps(wrap(Bomb(tmp_path / "ran")), protocol=protocol)
    refused(file, content, "refused: it asks for")
    assert not (tmp_path / "ran").exists()
    pickle.loads(content)
    assert (tmp_path / "ran").exists()  # the bomb was a real one


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'touch ran'\ntR.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93(S'touch ran'\ntR.",  # STACK_GLOBAL
        b"(S'touch ran'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch ran'\no.",  # OBJ
        b"\x80\x02cbuiltins\neval\n(S'1'\ntR.",
        b"\x80\x02c__builtin__\neval\n(S'1'\ntR.",
        b"\x80\x02cnumpy\nload\n(S'ran'\ntR.",
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct.__globals__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x12dtype.__setstate__\x93.",
        b"\x80\x02ctraunet.model.pickled\npickle\n.",
    ],
)
def test_every_way_of_naming_something_is_refused(file, tmp_path, monkeypatch, program):
    monkeypatch.chdir(tmp_path)
    refused(file, program, "refused: it asks for")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02cnumpy\ndtype\n(S'O8'\ntR.",
        b"\x80\x02cnumpy\ndtype\n(]tR.",
        b"\x80\x02cnumpy\ndtype\n(tR.",
        b"\x80\x02cnumpy\ndtype\n(S'f4'\nK\x00K\x01tR(K\x03]NNtb.",
        b"\x80\x02" + RECONSTRUCT + b"(tR(K\x01(K\x02tNI00\nS'abc'\ntb.",
        b"\x80\x02" + RECONSTRUCT + b"(tR}S'x'\nK\x01sb.",
        b"\x80\x02" + RECONSTRUCT + b"}S'x'\nK\x01sb.",  # state for the stand-in's own class
        b"\x80\x02" + RECONSTRUCT + b"N}S'x'\nK\x01s\x86b.",
        b"\x80\x02c_codecs\nencode\nN}S'x'\nK\x01s\x86b.",
        b"\x80\x02c_codecs\nencode\n}S'x'\nK\x01sb.",
        b"\x80\x02c_codecs\nencode\n(K\x01K\x02tR.",
        b"\x80\x02c_codecs\nencode\n)\x81.",
        b"\x80\x02\x82\x01.",  # EXT1
        b"Psome id\n.",  # PERSID
        b"\x80\x02K\x01Q.",  # BINPERSID
        b"\x80\x02K\x01.",
        b"\x80\x09.",
    ],
)
def test_allowed_names_with_odd_arguments_are_an_error_and_change_nothing(file, program):
    stand_ins = (*pickled.ALLOWED.values(), pickled.load_arrays)
    before = [dict(vars(one)) for one in stand_ins]
    refused(file, program)
    assert [dict(vars(one)) for one in stand_ins] == before


def encodings() -> bytes:
    """One text of 100 kB, asked for as bytes 2,000 times: 200 MB."""
    once = b"c_codecs\nencode\nq\x01h\x00X\x06\x00\x00\x00latin1\x86R"
    return b"\x80\x02]" + text(b"a" * 100_000) + b"q\x000" + (once + b"a") * 2_000 + b"."


def arrays() -> bytes:
    """One string of 100 kB as 2,000 arrays."""
    kind = b"cnumpy\ndtype\n(S'f4'\nK\x00K\x01tR(K\x03S'<'\nNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    once = RECONSTRUCT + b"(tR(K\x01(M\xa8\x61t" + kind + b"I00\nh\x00tb"
    return b"\x80\x02]" + text(b"a" * 100_000) + b"q\x000" + (once + b"a") * 2_000 + b"."


def encodings_unwatched() -> bytes:
    """The same, after the stand-in for the function was told that an attribute of it is something else."""
    told = b"c_codecs\nencode\nN}" + text(b"spend") + RECONSTRUCT + b"s\x86b0"
    return b"\x80\x02" + told + encodings()[2:]


def copies_of_what_grew() -> bytes:
    """The same, of a dictionary that was empty when it was put into what is handed on."""
    made = b"}q\x00\x85q\x02h\x00" + ENTRIES + b"ccollections\nOrderedDict\nq\x01]"
    return b"\x80\x02" + made + b"h\x01h\x02Ra" * 1_000 + b"."


def colliding() -> bytes:
    """A dictionary of 20,000 numbers of one and the same hash, which are compared each with each."""
    numbers = (number * (2**61 - 1) for number in range(1, 20_000))
    return (
        b"\x80\x02}(" + b"".join(b"\x8a\x0a" + number.to_bytes(10, "little") + b"N" for number in numbers) + b"u."
    )


BULK = [encodings(), encodings_unwatched(), arrays(), copies(), copies_of_what_grew(), lists(), doubled()]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        *((content, "become far larger") for content in BULK),
        (colliding(), "names its parts by what is no text"),
        (b"\x80\x02}(K\x01K\x02\x86Nu.", "names its parts by what is no text"),
        (b"\x80\x02ccollections\nOrderedDict\n](K\x01K\x02\x86N\x86e\x85R.", "names its parts by what is no text"),
        (deep(), "lie one in another without end"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**33) + b"few.", "damaged"),  # BINBYTES8
        (b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"few.", "damaged"),  # FRAME
        (b"\x80\x02X" + struct.pack("<I", 2**32 - 1) + b"few.", "damaged"),
        (b"\x80\x02]r" + struct.pack("<I", 2**31 - 1) + b".", "numbers its parts"),  # LONG_BINPUT
        (b"]p4000000000\n.", "numbers its parts"),  # PUT
        (b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"few.", "damaged"),  # LONG4
    ],
)
def test_a_small_pickle_cannot_take_much_memory(file, content, match):
    tracemalloc.start()
    try:
        refused(file, content, match)
        assert tracemalloc.get_traced_memory()[1] < 60e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f2", "<i8"])
def test_protocol_5_which_hands_arrays_over_as_they_lie_is_read(tmp_path, order, kind):
    array = np.asarray(np.arange(12).reshape(3, 4), dtype=kind, order=order)
    read_only = array.copy(order)
    read_only.flags.writeable = False
    (tmp_path / "new.pkl").write_bytes(pickle.dumps({"a": array, "b": read_only}, protocol=5))
    read = pickled.load_arrays(tmp_path / "new.pkl")
    assert isinstance(read, dict)
    for name in "ab":
        assert np.array_equal(read[name], array)
        assert read[name].dtype == array.dtype.newbyteorder("=")


def test_a_transposed_array_of_protocol_5_is_read(tmp_path):
    """Converters leave weights so: their axes were moved, and NumPy writes them as they lie, with their order."""
    moved = np.arange(120, dtype="f4").reshape(4, 5, 3, 2).transpose(3, 2, 0, 1)
    for protocol in (2, 4, 5):
        (tmp_path / "new.pkl").write_bytes(pickle.dumps({"a": moved}, protocol=protocol))
        read = pickled.load_arrays(tmp_path / "new.pkl")
        assert isinstance(read, dict)
        assert np.array_equal(read["a"], moved)


def test_python_2s_oldest_pickle_is_read_whose_texts_are_no_ascii(tmp_path):
    """As `pickle.dump(weights, file)` wrote it there: protocol 0, an array's bytes as a text in quotes."""
    array = np.array([-1.5, 0.1], dtype="<f4")
    kind = "cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
    new = "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    state = f"(I1\n(I2\nt{kind}I00\nS{repr(array.tobytes())[1:]}\ntb"
    (tmp_path / "old.pkl").write_text(f"(dS'conv1.weight'\n{new}{state}s.", encoding="ascii")
    read = pickled.load_arrays(tmp_path / "old.pkl")
    assert isinstance(read, dict)
    assert np.array_equal(read["conv1.weight"], array)
