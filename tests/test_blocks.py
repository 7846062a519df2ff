"""The blocks, against timm's with the same weights, and against what the paper says of them."""

import pytest
import torch
from timm.layers.cbam import CbamModule
from timm.models.senet import SEModule
from torch import nn

from traunet.config import PAPER, AlignConfig
from traunet.model.blocks import CBAM, ChannelAttention, ConvBNReLU, Residual, SpatialAttention, SqueezeExcitation
from traunet.model.tranet import build
from traunet.model.weights import Normalisation


@pytest.fixture
def features():
    return torch.randn(2, 32, 9, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)


def copy_weights(source: nn.Module, target: nn.Module, renames: dict[str, str]) -> None:
    """Give `target` the weights of `source`, drawn anew so that no bias or statistic is left at its start."""
    generator = torch.Generator().manual_seed(1)
    state = {name: value.clone() for name, value in source.state_dict().items()}
    for name, value in state.items():
        if value.is_floating_point():
            state[name] = torch.rand(value.shape, generator=generator) + 0.1
            state[name] -= 0.0 if "running_var" in name else 0.6
    source.load_state_dict(state)
    for old, new in renames.items():
        state = {name.replace(old, new): value for name, value in state.items()}
    target.load_state_dict(state)


def assert_same_values_and_gradients(ours: nn.Module, theirs: nn.Module, features: torch.Tensor) -> None:
    weights = torch.randn(features.shape, generator=torch.Generator().manual_seed(2))
    gradients = []
    for module in (ours, theirs):
        (gradient,) = torch.autograd.grad((module(features) * weights).sum(), features)
        gradients.append(gradient)
    torch.testing.assert_close(ours(features), theirs(features), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-5)


def our_cbam(channels: int) -> CBAM:
    return CBAM(ChannelAttention(channels, 16), SpatialAttention())


TIMM_CBAM = {"channel.fc1": "channel.down", "channel.fc2": "channel.up", "spatial.conv.conv": "spatial.conv"}
TIMM_CBAM |= {"spatial.conv.bn": "spatial.bn"}


def test_squeeze_and_excitation_equals_timms(features):
    theirs, ours = SEModule(32, 16), SqueezeExcitation(32, 16)
    copy_weights(theirs, ours, {"fc1": "down", "fc2": "up"})
    assert_same_values_and_gradients(ours, theirs, features)


@pytest.mark.parametrize("training", [True, False])
def test_cbam_equals_timms(features, training):
    theirs, ours = CbamModule(32), our_cbam(32)
    copy_weights(theirs, ours, TIMM_CBAM)
    assert_same_values_and_gradients(ours.train(training), theirs.train(training), features)


@pytest.mark.parametrize("half", ["channel", "spatial"])
def test_cbam_without_one_half_equals_timms_without_it(features, half):
    theirs, ours = CbamModule(32), our_cbam(32)
    copy_weights(theirs, ours, TIMM_CBAM)
    setattr(theirs, half, nn.Identity())
    setattr(ours, half, nn.Identity())
    assert_same_values_and_gradients(ours, theirs, features)


def test_attention_only_ever_weakens_features(features):
    for attention in (our_cbam(32), SqueezeExcitation(32, 8), ChannelAttention(32, 8), SpatialAttention()):
        assert (attention(features).abs() <= features.abs()).all()


def test_spatial_attention_has_the_same_values_for_every_channel(features):
    ratio = SpatialAttention()(features) / features
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio), atol=1e-4, rtol=1e-4)


def test_channel_attention_has_the_same_values_at_every_place(features):
    ratio = ChannelAttention(32, 8)(features) / features
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio), atol=1e-4, rtol=1e-4)


def test_a_hook_on_the_gate_sees_the_spatial_map(features):
    cbam, maps = CBAM(nn.Identity(), SpatialAttention()), []
    cbam.spatial.gate.register_forward_hook(lambda *args: maps.append(args[-1]))  # pyright: ignore
    out = cbam(features)
    assert maps[0].shape == (2, 1, 9, 7)
    torch.testing.assert_close(out, features * maps[0])


@pytest.mark.parametrize("variant", ["tranet", "tranet_v1", "senet_cbam"])
def test_at_the_start_channel_attention_is_neither_shut_nor_open(variant):
    torch.manual_seed(0)
    net = build(variant, PAPER.model, AlignConfig(size=96), Normalisation()).train()
    gates: list[torch.Tensor] = []
    for part in net.modules():
        if isinstance(part, ChannelAttention):
            part.gate.register_forward_hook(lambda *args: gates.append(args[-1]))  # pyright: ignore
    blurred = nn.functional.interpolate(255 * torch.rand(4, 3, 12, 12), size=96, mode="bilinear")
    with torch.no_grad():
        net(blurred)
    assert len(gates) == (3 if variant == "senet_cbam" else 9)
    for gate in gates:
        assert ((gate < 0.05) | (gate > 0.95)).float().mean() < 0.05


def test_features_that_are_zero_stay_zero_through_cbam(features):
    masked = features * (torch.arange(9) < 4).float()[:, None]
    assert (our_cbam(32)(masked)[:, :, 4:] == 0).all()


def test_a_residual_adds_what_came_in(features):
    torch.testing.assert_close(Residual(nn.Identity())(features), 2 * features)


def test_a_convolution_keeps_the_size_and_returns_nothing_negative(features):
    out = ConvBNReLU(32, 5)(features)
    assert out.shape == (2, 5, 9, 7)
    assert out.min() == 0
