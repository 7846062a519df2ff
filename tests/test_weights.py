"""The releases of VGGFace2's SENet-50, rebuilt with their names; and files that must be refused."""

import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from traunet.config import DEMO, PAPER, SMOKE, ModelConfig
from traunet.model.senet import SENet
from traunet.model.weights import (
    VGGFACE2_BGR,
    VGGFACE2_RGB,
    Normalisation,
    WeightsError,
    authors_name,
    fill_trunk,
    load_trunk,
    ports_name,
    save_trunk,
)

SMALL = ModelConfig(width=4, depths=(2, 1, 1, 1), reduction=4)


@pytest.fixture
def trunk() -> SENet:
    torch.manual_seed(0)
    return SENet(SMALL)


def renamed(trunk: SENet, to_ours, candidates: list[str]) -> dict[str, torch.Tensor]:
    """The trunk's state under a release's names, which `to_ours` must turn back into ours."""
    theirs = {to_ours(name): name for name in candidates}
    return {theirs[name]: value for name, value in trunk.state_dict().items() if "tracked" not in name}


def kinds(modules: list[str]) -> list[str]:
    suffixes = ("weight", "bias", "running_mean", "running_var")
    return [f"{module}.{suffix}" for module in modules for suffix in suffixes]


def ports_state(trunk: SENet) -> dict[str, torch.Tensor]:
    parts = ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "conv4", "conv5", "downsample.0", "downsample.1")
    blocks = [f"layer{n}.{i}.{part}" for n in range(1, 5) for i in range(2) for part in parts]
    state = renamed(trunk, ports_name, kinds(["conv1", "bn1", *blocks]))
    return {**state, "fc.weight": torch.zeros(10, 128), "fc.bias": torch.zeros(10)}


def authors_state(trunk: SENet) -> dict[str, torch.Tensor]:
    parts = ("1x1_reduce", "3x3", "1x1_increase", "1x1_proj")
    parts = [*parts, *(f"{part}_bn" for part in parts), "1x1_down", "1x1_up"]
    blocks = [f"conv{n}_{b}_{part}" for n in range(2, 6) for b in (1, 2) for part in parts]
    state = renamed(trunk, authors_name, kinds(["conv1_7x7_s2", "conv1_7x7_s2_bn", *blocks]))
    return {**state, "classifier.weight": torch.zeros(10, 128, 1, 1), "classifier.bias": torch.zeros(10)}


def assert_fills(path, trunk: SENet) -> Normalisation:
    state, normalisation = load_trunk(path)
    torch.manual_seed(1)
    other = SENet(SMALL)
    fill_trunk(other, state, path)
    assert all(value.equal(trunk.state_dict()[name]) for name, value in other.state_dict().items())
    return normalisation


def python2_pickle(arrays: dict[str, np.ndarray]) -> bytes:
    """A pickle as Python 2 wrote it (protocol 2, text as bytes), opcode by opcode."""

    def text(value: bytes) -> bytes:
        return b"T" + struct.pack("<i", len(value)) + value

    out = b"\x80\x02}"
    for name, array in arrays.items():
        shape = b"(" + b"".join(b"J" + struct.pack("<i", n) for n in array.shape) + b"t"
        kind = b"cnumpy\ndtype\n(" + text(array.dtype.str[1:].encode()) + b"K\x00K\x01tR"
        kind += b"(K\x03" + text(array.dtype.str[:1].encode()) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + text(b"b") + b"tR"
        out += text(name.encode()) + empty + b"(K\x01" + shape + kind + b"\x89" + text(array.tobytes()) + b"tbs"
    return out + b"."


def as_arrays(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in state.items()}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_the_port_is_read_as_bgr(tmp_path, trunk, protocol):
    path = tmp_path / "senet50_ft_weight.pkl"
    path.write_bytes(pickle.dumps(as_arrays(ports_state(trunk)), protocol=protocol))
    assert assert_fills(path, trunk) == VGGFACE2_BGR


def test_the_port_is_read_as_python_2_wrote_it(tmp_path, trunk):
    path = tmp_path / "senet50_scratch_weight.pkl"
    path.write_bytes(python2_pickle(as_arrays(ports_state(trunk))))
    assert pickle.loads(path.read_bytes(), encoding="latin1").keys() == ports_state(trunk).keys()
    assert assert_fills(path, trunk) == VGGFACE2_BGR


@pytest.mark.parametrize("zipped", [True, False])
def test_the_authors_release_is_read_as_rgb(tmp_path, trunk, zipped):
    path = tmp_path / "senet50_ft_dims_2048.pth"
    torch.save(authors_state(trunk), path, _use_new_zipfile_serialization=zipped)
    assert assert_fills(path, trunk) == VGGFACE2_RGB


def test_the_two_releases_centre_the_same_colours():
    assert VGGFACE2_RGB.mean == VGGFACE2_BGR.mean[::-1]


def test_a_trunk_of_our_own_comes_back_as_it_was_saved(tmp_path, trunk):
    path, normalisation = tmp_path / "trunk.pt", Normalisation("BGR", (1.0, 2.0, 3.0), 5.0)
    path.with_name(f"{path.name}.part").symlink_to(tmp_path / "thesis")  # which is not written through
    save_trunk(path, trunk.state_dict(), normalisation)
    assert assert_fills(path, trunk) == normalisation
    assert [file.name for file in tmp_path.iterdir()] == ["trunk.pt"]


def test_every_weight_of_senet_50_has_one_name_in_each_release():
    with torch.device("meta"):
        ours = {name for name in SENet(ModelConfig()).state_dict() if "tracked" not in name}
    parts = ("1x1_reduce", "3x3", "1x1_increase", "1x1_proj")
    parts = [*parts, *(f"{part}_bn" for part in parts), "1x1_down", "1x1_up"]
    blocks = [f"conv{n}_{b}_{part}" for n in range(2, 6) for b in range(1, 7) for part in parts]
    names = [authors_name(name) for name in kinds(["conv1_7x7_s2", "conv1_7x7_s2_bn", *blocks])]
    assert ours <= set(names)
    assert len(names) == len(set(names))


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('the pickle ran code')",))


@pytest.mark.parametrize("hidden", [Bomb(), {"conv1.weight": Bomb()}, {"conv1.weight": np.array([Bomb()])}])
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path, hidden):
    path = tmp_path / "senet50_ft_weight.pkl"
    path.write_bytes(pickle.dumps(hidden))
    with pytest.raises(WeightsError, match=r"senet50_ft_weight\.pkl: refused: it .*Use senet50_ft_dims_2048"):
        load_trunk(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickled_module_is_refused_with_the_name_of_a_file_that_is_not(tmp_path, zipped):
    path = tmp_path / "senet50_ft_pytorch.pth"
    torch.save(nn.Sequential(nn.Linear(2, 2)), path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"whole pickled module .*Use senet50_ft_dims_2048\.pth"):
        load_trunk(path)


def test_a_pickle_that_was_read_and_saved_with_torch_is_told_apart_from_a_module(tmp_path):
    """As scripts do that are found in public repositories; no code is in it, but torch takes it for some."""
    torch.save({"conv1.weight": np.zeros((64, 3, 7, 7), np.float32)}, tmp_path / "senet50.pth")
    with pytest.raises(
        WeightsError, match=r"NumPy arrays in torch's format; give the pickle .*Use senet50_ft_dims"
    ):
        load_trunk(tmp_path / "senet50.pth")


def torch_bytes(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def damaged(trunk: SENet) -> dict[str, bytes]:
    arrays = pickle.dumps(as_arrays(ports_state(trunk)))
    return {
        "cut.pth": torch_bytes(authors_state(trunk))[:-500],
        "cut.pkl": arrays[:-500],
        "empty.pkl": b"",
    }


@pytest.mark.parametrize("name", ["cut.pth", "cut.pkl", "empty.pkl"])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, trunk, name):
    (tmp_path / name).write_bytes(damaged(trunk)[name])
    with pytest.raises(WeightsError, match=f"{name}: damaged, or no weights file"):
        load_trunk(tmp_path / name)


def test_a_download_that_broke_off_is_said_to_be_cut_short(tmp_path, trunk):
    (tmp_path / "cut.pth").write_bytes(damaged(trunk)["cut.pth"])
    with pytest.raises(WeightsError, match=r"cut\.pth: damaged.* \(it is cut short\); fetch it again"):
        load_trunk(tmp_path / "cut.pth")


@pytest.mark.parametrize("content", [{"a.weight": torch.zeros(1)}, {"conv1.weight": "text"}, [1, 2], {}])
def test_a_file_of_something_else_is_an_error_that_says_which_to_use(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth: .*senet50_ft_dims_2048"):
        load_trunk(tmp_path / "other.pth")


def test_a_name_that_is_not_the_trunks_is_an_error(tmp_path, trunk):
    torch.save({**ports_state(trunk), "layer9.0.conv1.weight": torch.zeros(1)}, tmp_path / "odd.pth")
    with pytest.raises(WeightsError, match=r"odd\.pth: 1 names are not SENet-50's.*layer9"):
        load_trunk(tmp_path / "odd.pth")


def test_a_partial_file_fills_nothing(tmp_path, trunk):
    state = ports_state(trunk)
    del state["layer3.0.bn2.running_var"]
    torch.save(state, tmp_path / "partial.pth")
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    state["layer4.0.conv1.weight"] += 1
    with pytest.raises(
        WeightsError, match=r"partial\.pth: does not fit .*1 missing \(layer3\.0\.bn2\.running_var\)"
    ):
        fill_trunk(trunk, load_trunk(tmp_path / "partial.pth")[0], tmp_path / "partial.pth")
    assert trunk.state_dict()["layer3.0.bn2.running_var"].equal(before["layer3.0.bn2.running_var"])


def test_a_trunk_file_with_a_part_missing_is_an_error(tmp_path):
    torch.save({"format": "traunet trunk 1", "state": {}}, tmp_path / "trunk.pt")
    with pytest.raises(WeightsError, match=r"trunk\.pt: a trunk file with parts missing"):
        load_trunk(tmp_path / "trunk.pt")


def test_a_missing_file_is_an_error_that_says_how_to_give_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pkl: no such weights file; give one with WEIGHTS="):
        load_trunk(tmp_path / "nowhere.pkl")


def test_a_channel_order_that_is_none_is_an_error():
    with pytest.raises(ValueError, match="use 'RGB' or 'BGR'"):
        Normalisation("GBR")


class Python2s(dict):
    """A dictionary that is pickled as an ordered one was by Python 2: as a call with a list of pairs."""

    def __reduce__(self):
        return OrderedDict, ([list(pair) for pair in self.items()],)


@pytest.mark.parametrize("kind", [OrderedDict, Python2s])
def test_an_ordered_dictionary_of_arrays_is_read_as_a_plain_one(tmp_path, trunk, kind):
    theirs = as_arrays(ports_state(trunk))
    for name, content in (("plain.pkl", theirs), ("ordered.pkl", kind(theirs))):
        (tmp_path / name).write_bytes(pickle.dumps(content, protocol=2))
    (plain, _), (ordered, _) = (load_trunk(tmp_path / name) for name in ("plain.pkl", "ordered.pkl"))
    assert plain.keys() == ordered.keys()
    assert all(torch.equal(plain[name], ordered[name]) for name in plain)


@pytest.mark.parametrize("value", [[[1.0, 2.0]], 1.0])
def test_numbers_that_are_no_array_are_no_weights(tmp_path, value):
    for name, write in (("a.pkl", lambda content: pickle.dumps(content, protocol=2)), ("a.pth", torch_bytes)):
        (tmp_path / name).write_bytes(write({"conv1.weight": value}))
        with pytest.raises(WeightsError, match=rf"{name}: holds more than arrays by name; use"):
            load_trunk(tmp_path / name)


def test_a_file_far_too_large_is_refused_before_it_is_read(tmp_path, monkeypatch):
    with (tmp_path / "all.tar").open("wb") as file:
        file.truncate(30 * 2**30)  # takes no room
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
    with pytest.raises(
        WeightsError, match=r"all\.tar: 30\.0 GB, and no weights of SENet-50 have more than 0\.2; use"
    ):
        load_trunk(tmp_path / "all.tar")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("entry", ["layer2.0.bn1.running_var", "layer4.0.conv2.weight"])
def test_values_that_are_not_finite_are_refused_with_their_entry(tmp_path, trunk, entry, value):
    state = trunk.state_dict()
    state[entry].view(-1)[-1] = value
    save_trunk(tmp_path / "trunk.pt", state, VGGFACE2_RGB)
    (tmp_path / "port.pkl").write_bytes(pickle.dumps(as_arrays(ports_state(trunk)), protocol=2))
    for name in ("trunk.pt", "port.pkl"):
        with pytest.raises(WeightsError, match=rf"{name}: {entry} holds values that are not finite"):
            load_trunk(tmp_path / name)


def test_a_number_too_large_for_a_weight_is_not_finite_either(tmp_path, trunk):
    arrays = as_arrays(ports_state(trunk))
    arrays["bn1.weight"] = np.full_like(arrays["bn1.weight"], 1e300, dtype=np.float64)
    (tmp_path / "port.pkl").write_bytes(pickle.dumps(arrays, protocol=2))
    with pytest.raises(WeightsError, match=r"bn1\.weight holds values that are not finite"):
        load_trunk(tmp_path / "port.pkl")


@pytest.mark.parametrize("profile", [DEMO, SMOKE])
def test_senet_50s_weights_are_not_blamed_for_a_smaller_trunk(profile):
    with torch.device("meta"):
        papers, small = SENet(PAPER.model), SENet(profile.model)
    path = Path("senet50_ft_weight.pkl")
    with pytest.raises(WeightsError, match=r"senet50_ft_weight\.pkl: SENet-50's weights, .*say PROFILE=paper"):
        fill_trunk(small, papers.state_dict(), path)
    with pytest.raises(WeightsError, match=r"does not fit this trunk: .*; use another file"):
        fill_trunk(papers, small.state_dict(), path)
