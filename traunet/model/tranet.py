"""TRA-Net, its first version, and the rows of Table 2: one network, composed of different parts."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from traunet import facs
from traunet.config import VARIANTS, AlignConfig, ModelConfig, named
from traunet.model.blocks import (
    CBAM,
    ChannelAttention,
    ConvBNReLU,
    Residual,
    Rows,
    SpatialAttention,
    initialise,
    widened,
)
from traunet.model.decoder import Decoder, LastBlock
from traunet.model.regions import HardMasks, RegionBranch, region_masks
from traunet.model.senet import SENet, block3_size, block5_size
from traunet.model.weights import Normalisation, fill_trunk, load_trunk

WHOLE_FACE = {"face": facs.AUS}


class Normalise(nn.Module):
    """Pixels as the trunk's weights expect them: RGB (B, 3, H, W), 0 to 255 -> floats in the weights' order.

    Order, mean and scale lie in the state, so that a checkpoint brings its own.
    """

    order: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, normalisation: Normalisation):
        super().__init__()
        order = ["RGB".index(channel) for channel in normalisation.channel_order]
        self.register_buffer("order", torch.tensor(order))
        self.register_buffer("mean", torch.tensor(normalisation.mean).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(float(normalisation.scale)))

    def forward(self, images: Tensor) -> Tensor:
        return (images[:, self.order].to(self.mean.dtype) - self.mean) / self.scale


class TRANet(nn.Module):
    """The three regions based attention network: RGB images (B, 3, H, W), 0 to 255 -> logits (B, 8) of `facs.AUS`.

    `trunk` is the SENet, `masks` the hard masks (R, H, W) and `branches` one branch a region, in the same order.
    """

    def __init__(
        self,
        normalise: nn.Module,
        trunk: SENet,
        decoder: nn.Module,
        hard_masks: HardMasks,
        branches: Mapping[str, nn.Module],
    ):
        super().__init__()
        self.normalise = normalise
        self.trunk = trunk
        self.decoder = decoder
        self.hard_masks = hard_masks
        self.branches = nn.ModuleDict(branches)

    @property
    def masks(self) -> Tensor:
        return self.hard_masks.masks

    def forward(self, images: Tensor) -> Tensor:
        features = self.decoder(self.trunk(self.normalise(images)))
        regions = self.hard_masks(features)
        logits = [branch(region) for branch, region in zip(self.branches.values(), regions, strict=True)]
        return torch.cat(logits, dim=1)


def cbam(channels: int, reduction: int) -> nn.Module:
    """The soft attention of TRA-Net."""
    return CBAM(ChannelAttention(channels, reduction), SpatialAttention())


def cbam_without_channel(channels: int, reduction: int) -> nn.Module:
    """ "CBAM w/o AT represents CBAM module without channel attention block" (section 4.3)."""
    return CBAM(nn.Identity(), SpatialAttention())


def cbam_without_spatial(channels: int, reduction: int) -> nn.Module:
    """ "CBAM w/o ST represents CBAM module without spatial attention block" (section 4.3)."""
    return CBAM(ChannelAttention(channels, reduction), nn.Identity())


def cbam_with_residual(channels: int, reduction: int) -> nn.Module:
    """ "a residual connection in CBAM modules to keep the information of the input feature map" (section 4.3).

    Decision: one shortcut around each CBAM, from its input to its output. The other reading has one around each of
    its halves.
    """
    return Residual(cbam(channels, reduction))


def no_cbam(channels: int, reduction: int) -> nn.Module:
    """Table 2's rows without CBAM.

    Decision: only the attention goes; the convolutions behind it stay, so that the row differs from TRA-Net in
    nothing else. The other reading takes "the three continuous CBAM modules" with their convolutions.
    """
    return nn.Identity()


def convolutions(channels: int, live: Rows, height: int) -> list[nn.Module]:
    """What follows each of the three CBAMs in version 2.

    "Two convolution layers with residual connection and a max pooling layer are connected to the end of first two
    CBAM blocks, and two convolution layers and a average pooling layer are connected to the last CBAM block."
    (section 3)

    Decision: 3x3 with BatchNorm and ReLU, as many channels out as in; the residual connection skips the two of
    them. The average pooling follows the last CBAM, as the text says; the other reading is Figure 1's caption,
    which puts it behind "the first".

    The hard mask leaves only the `live` of the `height` rows; the first two convolutions pass over the others.
    """

    def two(first: Rows | None = None, second: Rows | None = None) -> nn.Module:
        return nn.Sequential(ConvBNReLU(channels, channels, first), ConvBNReLU(channels, channels, second))

    masked = two(live, widened(live, height))
    return [nn.Sequential(Residual(pair), nn.MaxPool2d(2)) for pair in (masked, two())] + [two()]


def no_convolutions(channels: int, live: Rows, height: int) -> list[nn.Module]:
    """Version 1: "After passing through three CBAM blocks, the masked feature map is fed to two FC layers"."""
    return [nn.Identity() for _ in range(3)]


def backbone(config: ModelConfig, align: AlignConfig, normalise: nn.Module) -> TRANet:
    """ "SENet-50 denotes the backbone model" (section 4.3): trunk, average pooling, two FC layers for eight AUs.

    Decision: no decoder, as the paper counts it beside the backbone; the other reading keeps it in every row.
    """
    trunk = SENet(config)
    channels, size = trunk.out_channels[-1], block5_size(align.size)
    face = RegionBranch([], [], channels, config.hidden, len(facs.AUS))
    return TRANet(normalise, trunk, LastBlock(), HardMasks(torch.ones(1, size, size)), {"face": face})


def divided(
    config: ModelConfig,
    align: AlignConfig,
    normalise: nn.Module,
    attention: Callable[[int, int], nn.Module] = cbam,
    followers: Callable[[int, Rows, int], list[nn.Module]] = convolutions,
) -> TRANet:
    """Trunk, decoder and hard masks, and for each region its own branch."""
    masks = HardMasks(region_masks(block3_size(align.size), align.center[1]))
    return _decoded(config, normalise, masks, facs.REGION_AUS, attention, followers)


def undivided(config: ModelConfig, align: AlignConfig, normalise: nn.Module) -> TRANet:
    """Table 2's row without hard masks: trunk and decoder, and one branch of three CBAMs that sees the whole face.

    Decision: one branch, as the hard masks are what makes three: "After the hard attention, three independent
    branches are generated" (section 5). The other reading keeps three branches and feeds each the whole face.
    """
    size = block3_size(align.size)
    return _decoded(config, normalise, HardMasks(torch.ones(1, size, size)), WHOLE_FACE, cbam, convolutions)


def _decoded(config, normalise, hard_masks: HardMasks, regions, attention, followers) -> TRANet:
    trunk = SENet(config)
    width = config.branch_width
    decoder = Decoder(trunk.out_channels, width, config.reduction)
    branches = {
        region: RegionBranch(
            [attention(width, config.reduction) for _ in range(3)],
            followers(width, live, hard_masks.masks.shape[1]),
            width,
            config.hidden,
            len(aus),
        )
        for (region, aus), live in zip(regions.items(), hard_masks.live_rows(), strict=True)
    }
    return TRANet(normalise, trunk, decoder, hard_masks, branches)


BUILDERS: Mapping[str, Callable[[ModelConfig, AlignConfig, nn.Module], TRANet]] = {
    "senet": backbone,
    "senet_cbam": undivided,
    "senet_hm": partial(divided, attention=no_cbam),
    "hm_cbam_no_channel": partial(divided, attention=cbam_without_channel),
    "hm_cbam_no_spatial": partial(divided, attention=cbam_without_spatial),
    "tranet_residual": partial(divided, attention=cbam_with_residual),
    "tranet": divided,
    "tranet_v1": partial(divided, followers=no_convolutions),
}


def build(variant: str, config: ModelConfig, align: AlignConfig, normalisation: Normalisation) -> TRANet:
    """Compose a variant for aligned frames of `align`, its first two blocks frozen; ValueError for unknown names.

    The weights are drawn from torch's global generator: seed it first.
    """
    if variant in VARIANTS and variant not in BUILDERS:
        raise ValueError(f"variant {variant!r} has no builder; give it one in tranet.BUILDERS")
    net = named("variant", variant, dict(BUILDERS))(config, align, Normalise(normalisation))
    initialise(net)
    net.trunk.freeze_first_blocks()
    return net


def build_on_trunk(
    variant: str, config: ModelConfig, align: AlignConfig, path: Path
) -> tuple[TRANet, Normalisation]:
    """The same, upon a trunk that was trained before, and the normalisation that this trunk expects.

    "As the backbone SENet-50 has been pre-trained on VGG face 2 datasets, I froze the first two blocks of the
    backbone and trained the rest part of TRA-Net." (section 4.1) `path` is any file that `load_trunk` reads;
    WeightsError if it does not fit `config`.
    """
    state, normalisation = load_trunk(path)
    net = build(variant, config, align, normalisation)
    fill_trunk(net.trunk, state, path)
    return net, normalisation
