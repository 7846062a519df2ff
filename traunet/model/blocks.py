"""The building blocks: squeeze-and-excitation, CBAM, and convolution with BatchNorm and ReLU.

Shapes: features are (B, C, H, W) floats; every block keeps B, and every attention keeps C, H and W too.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Rows = tuple[int, int]  # of a map: the first, and the one behind the last


class BandConv2d(nn.Conv2d):
    """A 3x3 convolution without bias of maps that are level outside a band of rows: only the band is convolved.

    Level means that outside `band` each channel has one value for all pixels and the whole batch: zero, as a hard
    mask leaves it, or what BatchNorm and ReLU make of zero. A convolution is linear: what the band has above this
    ground and the ground itself are convolved apart and added. Of the ground 3 x 3 pixels suffice, since its edges
    and its inside are the same all along.
    """

    def __init__(self, channels: int, out_channels: int, band: Rows):
        super().__init__(channels, out_channels, 3, padding=1, bias=False)
        self.band = band

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[-2:]
        top, bottom = widened(self.band, height)
        # Grad-CAM asks, in evaluation, for gradients of the level rows too.
        if (top, bottom) == (0, height) or (torch.is_grad_enabled() and not self.training):
            return super().forward(features)
        level = 0 if top > 0 else height - 1
        ground = features[:1, :, level : level + 1, :1]
        band = super().forward(features[:, :, top:bottom] - ground)
        nine = super().forward(ground.expand(-1, -1, 3, 3))
        return F.pad(band, (0, 0, top, height - bottom)) + _stretched(_stretched(nine, 2, height), 3, width)


def widened(band: Rows, height: int) -> Rows:
    """The rows that a 3x3 convolution of `band` reaches: one more on either side, where there is one."""
    return max(band[0] - 1, 0), min(band[1] + 1, height)


class ConvBNReLU(nn.Sequential):
    """A 3x3 convolution without bias, BatchNorm and ReLU: (B, channels, H, W) -> (B, out_channels, H, W).

    With `band`, the maps that enter must be level outside these rows: see `BandConv2d`.
    """

    def __init__(self, channels: int, out_channels: int, band: Rows | None = None):
        super().__init__(
            BandConv2d(channels, out_channels, band)
            if band
            else nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class SqueezeExcitation(nn.Module):
    """Weigh the channels: "SE is a lightweight gating mechanism to learn channel attention" (section 3).

    "two dimensionality-reduction fully connected (FC) layers with reduction ratio r, s = sigma(W2 delta(W1 z))"
    (equation 2), on z, the mean of each channel (equation 1).

    Decision: the "+ U" of equation 3 is the shortcut of the residual block around the module, as in SENet-50 and
    its published weights; the module itself only multiplies. In the decoder, which has no shortcut, nothing is
    added. The other reading adds U inside the module, so that a channel could never be switched off.
    """

    def __init__(self, channels: int, reduction: int):
        super().__init__()
        self.down = nn.Conv2d(channels, _squeezed(channels, reduction), 1)
        self.up = nn.Conv2d(_squeezed(channels, reduction), channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        squeezed = features.mean((2, 3), keepdim=True)
        return features * torch.sigmoid(self.up(torch.relu(self.down(squeezed))))


class ChannelAttention(nn.Module):
    """CBAM's channel attention, the "AT" of Table 2.

    "CBAM uses both max pooling and average pooling to perform squeezing, and add the output of both squeezed parts
    at the final step." (section 3). `gate` returns the weights (B, C, 1, 1): a forward hook on it sees them.
    """

    def __init__(self, channels: int, reduction: int):
        super().__init__()
        self.down = nn.Conv2d(channels, _squeezed(channels, reduction), 1, bias=False)
        self.up = nn.Conv2d(_squeezed(channels, reduction), channels, 1, bias=False)
        self.gate = nn.Sigmoid()

    def excite(self, squeezed: Tensor) -> Tensor:
        return self.up(torch.relu(self.down(squeezed)))

    def forward(self, features: Tensor) -> Tensor:
        average = features.mean((2, 3), keepdim=True)
        maximum = features.amax((2, 3), keepdim=True)
        return features * self.gate(self.excite(average) + self.excite(maximum))


class SpatialAttention(nn.Module):
    """CBAM's spatial attention, the "ST" of Table 2.

    "Firstly the channel dimension C is squeezed into 1 while dimensions H and W keep unchanged. After squeezing, a
    convolution block is used to learn the spatial feature, and then the learned feature map is expanded back to C
    with same values. Finally element-wise multiply" (section 3). `gate` returns the map (B, 1, H, W): a forward
    hook on it sees what the network looks at.

    Decision: the two squeezed maps (mean and maximum over the channels) enter one 7x7 convolution with BatchNorm
    as two channels, as in CBAM's own paper; "add the output of both squeezed parts" is taken to speak of channel
    attention. The other reading convolves each map alone and adds the results.

    Decision: the map starts open (0.84 on the average) and learns what to close; the paper names no start. The
    weights of channels start around one half (`initialise` says why), so that three CBAMs with nothing between
    them, as in version 1, let a thirteenth through. The alternative is the usual start, half closed in places too:
    an eighth by the places alone, a 64th in all, and version 1, which has no BatchNorm behind them, then stands
    still for its first hundreds of batches.
    """

    def __init__(self, kernel_size: int = 7):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.bn = nn.BatchNorm2d(1)
        nn.init.constant_(self.bn.bias, 2.0)
        self.gate = nn.Sigmoid()

    def forward(self, features: Tensor) -> Tensor:
        squeezed = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], dim=1)
        return features * self.gate(self.bn(self.conv(squeezed)))


class CBAM(nn.Module):
    """One soft attention: "the convolution block attention module (CBAM)", channels first, then places.

    It has no shortcut: "TRA-Net does not use the residual connection in the attention block. By doing so, global
    information can be eliminated." (section 1). Table 2 takes one half away: that half is then `nn.Identity()`.

    Decision: channels before places, as in CBAM's own paper; TRA-Net's names both halves and no order. The other
    readings: places before channels, or both side by side.
    """

    def __init__(self, channel: nn.Module, spatial: nn.Module):
        super().__init__()
        self.channel = channel
        self.spatial = spatial

    def forward(self, features: Tensor) -> Tensor:
        return self.spatial(self.channel(features))


class Residual(nn.Module):
    """A shortcut around a module: features -> features + module(features)."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, features: Tensor) -> Tensor:
        return features + self.module(features)


def initialise(module: nn.Module) -> None:
    """He's initialisation of the convolutions below `module`; the trunk's then take the weights of its file.

    Decision: decoder and branches start with He's normal draws, by outgoing connections, in every convolution,
    those of SE among them; biases, BatchNorm (but for the spatial attention's) and FC layers start as torch makes
    them, and so do the two FC layers of channel attention, here convolutions of 1x1: as in the code of CBAM's
    authors (github.com/Jongchan/attention-module). The paper names no initialisation. The alternatives are torch's
    own draws throughout, Xavier's, or He's in channel attention too: of its gates, in TRA-Net's second and third
    CBAM, whose input no BatchNorm bounds, two in three then start shut or open (below 0.05 or above 0.95).
    """
    connected = {
        layer for part in module.modules() if isinstance(part, ChannelAttention) for layer in (part.down, part.up)
    }
    for part in module.modules():
        if isinstance(part, nn.Conv2d) and part not in connected:
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")


def _squeezed(channels: int, reduction: int) -> int:
    return max(1, channels // reduction)


def _stretched(pixels: Tensor, side: int, length: int) -> Tensor:
    """Three pixels along a side as `length` of them: the first, the middle one again and again, the last.

    To pick them by an index would make a GPU wait until the index has come from the host.
    """
    first, middle, last = pixels.split(1, side)
    sizes = list(middle.shape)
    sizes[side] = length - 2
    return torch.cat([first, middle.expand(sizes), last], side)
