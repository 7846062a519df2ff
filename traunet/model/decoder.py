"""The decoder: the trunk's last features, brought back to block 3's size."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from traunet.model.blocks import ConvBNReLU, SqueezeExcitation


class DecoderStage(nn.Module):
    """Up-sample, join the encoder's features of that size, one convolution, SE."""

    def __init__(self, deep: int, skip: int, out_channels: int, reduction: int):
        super().__init__()
        self.conv = ConvBNReLU(deep + skip, out_channels)
        self.se = SqueezeExcitation(out_channels, reduction)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        with torch.autocast("cuda", enabled=False):  # which would repeat pixels in single precision
            deep = F.interpolate(deep, size=skip.shape[-2:], mode="nearest")
        return self.se(self.conv(torch.cat([deep, skip], dim=1)))


class Decoder(nn.Module):
    """Blocks 3, 4 and 5 -> (B, branch_width, H, W) in block 3's size: 28 x 28 of a 224-pixel image.

    "the last layer before the global average pooling layer is up-sampled by a decoder having the same shape with
    the corresponding part in the last three blocks, where the skip connection is used to keep the lower-level
    features. The SE module is also added to the decoder" (section 3). "The decoder is used for up-sampling, so it
    has only one convolutional layer at each corresponding block." (Figure 1)

    Decision: two stages, which restore the shapes of block 4 (1024 x 14 x 14) and block 3 (512 x 28 x 28) from
    block 5's 7 x 7; each doubles the size by repeating pixels, concatenates the encoder's features of that size
    and convolves 3x3. The paper gives neither kernel, nor kind of up-sampling, nor how the skip joins; version 1's
    "around 77M parameters" does not settle it: unlike readings come near: `traunet.model.readings` counts them.
    """

    def __init__(self, encoder_channels: list[int], width: int, reduction: int):
        super().__init__()
        _, block3, block4, block5 = encoder_channels
        self.block4 = DecoderStage(block5, block4, 2 * width, reduction)
        self.block3 = DecoderStage(2 * width, block3, width, reduction)

    def forward(self, features: list[Tensor]) -> Tensor:
        _, block3, block4, block5 = features
        return self.block3(self.block4(block5, block4), block3)


class LastBlock(nn.Module):
    """No decoder: the features of block 5 as they are."""

    def forward(self, features: list[Tensor]) -> Tensor:
        return features[-1]
