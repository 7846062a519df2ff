"""The trunk: SENet-50 with its Caffe habits, of any width and depth."""

import torch
from torch import Tensor, nn

from traunet.config import ModelConfig
from traunet.model.blocks import SqueezeExcitation, initialise

EXPANSION = 4  # a bottleneck's output has four times the channels of its 3x3 convolution


class Bottleneck(nn.Module):
    """A residual block of SENet: "SE is used in each block of ResNet-50 to form the SENet-50" (section 3).

    As in Caffe, the stride sits in the first 1x1 convolution and in the shortcut's.
    """

    def __init__(self, channels: int, width: int, stride: int, reduction: int):
        super().__init__()
        out_channels = EXPANSION * width
        self.conv1 = nn.Conv2d(channels, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.se = SqueezeExcitation(out_channels, reduction)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(channels, out_channels, stride)

    def forward(self, features: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(features)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.se(self.bn3(self.conv3(out)))
        return self.relu(out + self.downsample(features))


class SENet(nn.Module):
    """The backbone "for extracting global information": (B, 3, H, W) -> the features of blocks 2, 3, 4 and 5.

    A normalised image becomes four maps of `out_channels` channels at 1/4, 1/8, 1/16 and 1/32 of its size. With
    the default `ModelConfig` this is SENet-50, 26,039,024 parameters. Block 1 is the stem; blocks 2 to 5 are
    `layer1` to `layer4`, as ResNet named them.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        widths = [config.width * 2**n for n in range(4)]
        self.out_channels = [EXPANSION * width for width in widths]
        self.conv1 = nn.Conv2d(3, config.width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(config.width)
        self.relu = nn.ReLU(inplace=True)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        stages = zip([config.width, *self.out_channels], widths, config.depths, (1, 2, 2, 2), strict=False)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(channels, width, depth, stride, config.reduction) for channels, width, depth, stride in stages
        )
        self.frozen = False
        initialise(self)

    @property
    def first_blocks(self) -> tuple[nn.Module, ...]:
        """Blocks 1 and 2: the stem and `layer1`."""
        return self.conv1, self.bn1, self.layer1

    def freeze_first_blocks(self) -> None:
        """Keep blocks 1 and 2 as they are: "I froze the first two blocks of the backbone" (section 4.1).

        Decision: frozen means the weights and the BatchNorm statistics, in training too; the other reading lets
        the statistics drift towards the new faces.
        """
        self.frozen = True
        for block in self.first_blocks:
            block.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "SENet":
        super().train(mode)
        if self.frozen:
            for block in self.first_blocks:
                block.eval()
        return self

    def forward(self, image: Tensor) -> list[Tensor]:
        # Maps lie in memory as the weights do, however the pictures come: a mixture is slowest.
        image = image.contiguous(memory_format=_layout(self.conv1.weight))
        block2 = self.layer1(self.pool(self.relu(self.bn1(self.conv1(image)))))
        block3 = self.layer2(block2)
        block4 = self.layer3(block3)
        return [block2, block3, block4, self.layer4(block4)]


def block3_size(size: int) -> int:
    """The height and width of block 3's features, from an image's: 224 -> 28."""
    stem = (size + 1) // 2
    pooled = stem // 2
    return (pooled + 1) // 2


def block5_size(size: int) -> int:
    """The height and width of block 5's features, from an image's: 224 -> 7."""
    return (block3_size(size) + 3) // 4


def _layout(weight: Tensor) -> torch.memory_format:
    last = weight.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _stage(channels: int, width: int, depth: int, stride: int, reduction: int) -> nn.Sequential:
    first = Bottleneck(channels, width, stride, reduction)
    return nn.Sequential(first, *(Bottleneck(EXPANSION * width, width, 1, reduction) for _ in range(depth - 1)))


def _shortcut(channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and channels == out_channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))
