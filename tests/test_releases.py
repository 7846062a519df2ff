"""SENet-50 at full size, in files with the releases' names and shapes, against timm's `legacy_seresnet50`."""

import copy
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn

from traunet.config import ModelConfig
from traunet.model.senet import SENet
from traunet.model.tranet import Normalise
from traunet.model.weights import VGGFACE2_BGR, VGGFACE2_RGB, fill_trunk, read_trunk

PEOPLE = 8631
PORTS = {"layer0.": "", "se_module.fc1": "conv4", "se_module.fc2": "conv5", "last_linear": "fc"}
CAFFES = {
    **{f"conv{n}": part for n, part in ((1, "1x1_reduce"), (2, "3x3"), (3, "1x1_increase"))},
    **{f"bn{n}": f"{part}_bn" for n, part in ((1, "1x1_reduce"), (2, "3x3"), (3, "1x1_increase"))},
    **{"se_module.fc1": "1x1_down", "se_module.fc2": "1x1_up"},
    **{"downsample.0": "1x1_proj", "downsample.1": "1x1_proj_bn"},
}


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    """timm's network with the releases' top layer, no statistic left at its start."""
    net = timm.create_model("legacy_seresnet50", pretrained=False, num_classes=PEOPLE).eval()
    generator = torch.Generator().manual_seed(1)
    for name, value in net.state_dict().items():
        if "running" in name or ("bn" in name and value.is_floating_point()):
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.5)
    return net


def state_of(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value for name, value in net.state_dict().items() if "tracked" not in name}


def ports_of(name: str) -> str:
    for old, new in PORTS.items():
        name = name.replace(old, new)
    return name


def authors_of(name: str) -> str:
    """timm's name -> the authors', written down apart from the table under test."""
    stem, kind = name.rsplit(".", 1)
    if stem in ("layer0.conv1", "layer0.bn1"):
        return f"conv1_7x7_s2{'_bn' if 'bn' in stem else ''}.{kind}"
    if stem == "last_linear":
        return f"classifier.{kind}"
    match = re.fullmatch(r"layer(\d)\.(\d)\.(.+)", stem)
    assert match
    return f"conv{int(match[1]) + 1}_{int(match[2]) + 1}_{CAFFES[match[3]]}.{kind}"


@pytest.fixture(scope="module")
def port(theirs, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("port") / "senet50_ft_weight.pkl"
    arrays = {ports_of(name): value.numpy() for name, value in state_of(theirs).items()}
    path.write_bytes(pickle.dumps(arrays, protocol=4))
    return path


@pytest.fixture(scope="module")
def authors(theirs, tmp_path_factory) -> Path:
    """Their network takes RGB: the same network, with the stem's input channels turned."""
    path = tmp_path_factory.mktemp("authors") / "senet50_ft_dims_2048.pth"
    state = {authors_of(name): value for name, value in state_of(theirs).items()}
    state["conv1_7x7_s2.weight"] = state["conv1_7x7_s2.weight"].flip(1)
    torch.save(state, path)
    return path


def features(path: Path, pictures: torch.Tensor, dtype: torch.dtype) -> list[torch.Tensor]:
    """Blocks 2 to 5 of uint8 RGB pictures, normalised as the file demands."""
    read, trunk = read_trunk(path), SENet(ModelConfig()).eval()
    fill_trunk(trunk, read.state, path)
    return nn.Sequential(Normalise(read.normalisation), trunk).to(dtype)(pictures)


def features_of_timm(net, pictures: torch.Tensor, dtype: torch.dtype) -> list[torch.Tensor]:
    """The same by hand: blue first, 0 to 255, less the mean."""
    mean = torch.tensor([91.4953, 103.8827, 131.0912]).view(1, 3, 1, 1)
    net, bgr = copy.deepcopy(net).to(dtype), pictures.to(dtype).flip(1) - mean
    out, blocks = net.pool0(net.layer0(bgr)), []
    for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
        out = layer(out)
        blocks.append(out)
    return blocks


# The authors' stem adds its channels up in the other order, which alone moves single precision by 2e-5.
@pytest.mark.parametrize(("release", "dtype"), [("port", torch.float32), ("authors", torch.float64)])
@torch.no_grad()
def test_a_release_gives_timms_features_of_the_same_pictures(request, theirs, release, dtype):
    pictures = torch.randint(0, 256, (1, 3, 70, 64), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    found = features(request.getfixturevalue(release), pictures, dtype)
    for ours, reference in zip(found, features_of_timm(theirs, pictures, dtype), strict=True):
        torch.testing.assert_close(ours / reference.std(), reference / reference.std(), atol=1e-5, rtol=1e-5)


def test_the_report_names_the_release_its_channel_order_and_the_layer_of_8631_people(port, authors):
    read = read_trunk(port)
    assert read.left_out == {"fc.weight": (PEOPLE, 2048), "fc.bias": (PEOPLE,)}
    assert read.normalisation == VGGFACE2_BGR
    assert str(read) == (
        "the PyTorch port, 26,039,024 parameters, input BGR, mean (91.4953, 103.8827, 131.0912); "
        "left out: fc.weight (8631, 2048), fc.bias (8631,)"
    )
    other = read_trunk(authors)
    assert other.normalisation == VGGFACE2_RGB
    assert str(other).startswith("the authors' release, 26,039,024 parameters, input RGB, mean (131.0912,")
    assert set(other.left_out) == {"classifier.weight", "classifier.bias"}
    np.testing.assert_array_equal(other.state["conv1.weight"].flip(1), read.state["conv1.weight"])
