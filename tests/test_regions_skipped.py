"""What the hard masks hold at zero is passed over, and nothing comes out differently."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from traunet.config import VARIANTS, AlignConfig, ModelConfig
from traunet.model import tranet
from traunet.model.blocks import BandConv2d, ConvBNReLU, widened
from traunet.model.regions import HardMasks, region_masks, region_rows
from traunet.model.tranet import TRANet, build
from traunet.model.weights import Normalisation

SMALL = ModelConfig(width=4, depths=(1, 1, 1, 1), reduction=4, branch_width=8, hidden=8)
WITH_CONVOLUTIONS = [name for name in VARIANTS if name not in ("senet", "tranet_v1")]
close = partial(torch.testing.assert_close, atol=1e-9, rtol=1e-9)  # in double precision


def network(variant: str, size: int = 64, center: float = 0.5) -> TRANet:
    torch.manual_seed(0)
    return build(variant, SMALL, AlignConfig(size=size, center=(0.5, center)), Normalisation()).double()


def computing_all(net: nn.Module) -> nn.Module:
    """A copy that has torch's own convolutions, on all rows, with the same weights."""
    whole = copy.deepcopy(net)
    for parent in list(whole.modules()):
        for name, part in parent.named_children():
            if isinstance(part, BandConv2d):
                plain = nn.Conv2d(part.in_channels, part.out_channels, 3, padding=1, bias=False)
                plain.weight = part.weight
                setattr(parent, name, plain)
    return whole


def faces(size: int) -> torch.Tensor:
    shape = (3, 3, size, size)
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(3)).double()


def learned(net: nn.Module, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a training step leaves: logits, gradients of pictures and parameters, BatchNorm's statistics."""
    images = images.clone().requires_grad_()
    logits = net.train()(images)
    (logits * torch.arange(1, 9)).sum().backward()
    assert images.grad is not None
    gradients = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"logits": logits, "images": images.grad, **gradients, **dict(net.named_buffers())}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("size", "center"), [(64, 0.5), (65, 0.4), (96, 0.33), (150, 0.61), (64, 0.05), (64, 1.0)]
)
def test_passing_over_masked_rows_changes_no_logit_gradient_or_statistic(variant, size, center):
    assert_computed_as_a_whole(network(variant, size, center), size)


def assert_computed_as_a_whole(net: TRANet, size: int) -> None:
    whole = computing_all(net)
    with torch.no_grad():
        close(net.eval()(faces(size)), whole.eval()(faces(size)))
    ours, theirs = learned(net, faces(size)), learned(whole, faces(size))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        close(ours[name], value, msg=lambda text, name=name: f"{name}: {text}")


def blurred(size: int, center: float) -> torch.Tensor:
    """Masks that fade over two rows to either side."""
    masks = region_masks(size, center)[:, None]
    return nn.functional.avg_pool2d(masks, (5, 1), 1, (2, 0), count_include_pad=False)[:, 0]


def darkened(self: HardMasks, features: torch.Tensor) -> list[torch.Tensor]:
    """Masks that leave a tenth of what they should keep out."""
    return [features * mask.clamp(min=0.1) for mask in self.masks.to(features.dtype)]


@pytest.mark.parametrize("variant", WITH_CONVOLUTIONS)
def test_masks_that_fade_are_computed_as_far_as_they_reach(variant, monkeypatch):
    monkeypatch.setattr(tranet, "region_masks", blurred)
    net = network(variant, 96)
    assert_computed_as_a_whole(net, 96)
    if variant == "tranet":
        assert net.hard_masks.live_rows() == [(0, 8), (1, 11), (4, 12)]


def test_masks_that_let_a_little_through_everywhere_are_computed_everywhere(monkeypatch):
    monkeypatch.setattr(HardMasks, "forward", darkened)
    assert_computed_as_a_whole(network("tranet", 96), 96)


@pytest.mark.parametrize("variant", WITH_CONVOLUTIONS)
def test_the_masked_half_is_not_convolved(variant):
    net, heights = network(variant).train(), []
    for part in net.modules():
        if isinstance(part, BandConv2d):
            top, bottom = widened(part.band, 8)
            heights.append(bottom - top)
    assert heights == ([8, 8] if variant == "senet_cbam" else [5, 6, 6, 8, 5, 6])


def test_names_and_first_weights_are_those_of_torchs_own_convolutions():
    torch.manual_seed(0)
    ours = ConvBNReLU(3, 5, (0, 4)).state_dict()
    torch.manual_seed(0)
    theirs = ConvBNReLU(3, 5).state_dict()
    assert ours.keys() == theirs.keys()
    assert all(value.equal(theirs[name]) for name, value in ours.items())


@pytest.mark.parametrize("band", [(0, 4), (3, 6), (5, 9), (0, 0), (9, 9), (0, 9), (1, 8)])
@pytest.mark.parametrize("ground", [0.0, 1.5])
def test_a_map_that_is_level_outside_its_band_is_convolved_as_a_whole(band, ground):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(2, 4, 9, 7, generator=generator)
    level = ground * torch.randn(1, 4, 1, 1, generator=generator).expand(2, 4, 9, 7)
    inside = torch.zeros(9, 1)
    inside[band[0] : band[1]] = 1
    features = torch.where(inside > 0, features, level)
    convolution = BandConv2d(4, 6, band).train()
    expected = nn.functional.conv2d(features, convolution.weight, padding=1)
    torch.testing.assert_close(convolution(features), expected, atol=1e-5, rtol=1e-5)


def test_grad_cam_gets_the_gradients_of_masked_rows_too():
    """It averages them over all rows: an evaluated network that is asked for gradients computes all."""
    gradients = []
    net = network("tranet").eval()
    for asked in (net, computing_all(net)):
        seen = []
        cbam = asked.get_submodule("branches.lower.cbams.0")
        cbam.register_forward_hook(lambda *args, seen=seen: (args[-1].retain_grad(), seen.append(args[-1]))[0])
        asked(faces(64))[:, 6].sum().backward()
        gradients.append(seen[0].grad)
    assert gradients[0].shape[-2:] == (8, 8)
    assert (gradients[0][:, :, :3] != 0).any()
    close(*gradients)


@pytest.mark.parametrize("center", [0.0, 0.05, 0.4, 0.5, 0.73, 1.0])
@pytest.mark.parametrize("size", [1, 2, 7, 8, 28])
def test_masks_are_one_in_the_rows_of_their_region(size, center):
    for mask, (top, bottom) in zip(region_masks(size, center), region_rows(size, center), strict=True):
        assert mask[top:bottom].all()
        assert mask.sum() == (bottom - top) * size
        assert HardMasks(mask[None]).live_rows() == [(top, bottom) if bottom > top else (0, 0)]


def test_of_a_network_that_is_only_outlined_every_row_counts_as_live():
    with torch.device("meta"):
        assert HardMasks(region_masks(8, 0.5)).live_rows() == [(0, 8)] * 3
