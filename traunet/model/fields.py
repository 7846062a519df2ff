"""Receptive fields, measured by gradient: which pixels of a picture move one cell of a feature map, and how much.

Two things are told apart. The *theoretical* field is what the convolutions and poolings reach at all: a square.
The *effective* field is what a trained network makes of it on pictures: how far each pixel moves the cell. It is
smaller, and it is larger too: squeeze-and-excitation averages over the whole map, so every cell hangs a little on
every pixel.
"""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from traunet.facs import AUS, REGION_AUS
from traunet.model.anatomy import hooked
from traunet.model.batches import as_batch
from traunet.model.blocks import ChannelAttention, SqueezeExcitation
from traunet.model.tranet import TRANet

STAGES = ("block 2", "block 3", "block 4", "block 5", "decoded")
Place = tuple[float, float]  # x and y, as shares of the width and the height
Box = tuple[int, int, int, int]
CANVAS = (64, 704)  # pixels: wider than any field of SENet-50, and low, since fields are as high as wide


def feature_maps(net: TRANet, images: Tensor) -> dict[str, Tensor]:
    """The maps of blocks 2 to 5 and the decoded features, by the names of `STAGES`."""
    features = net.trunk(net.normalise(images))
    return dict(zip(STAGES, [*features, net.decoder(features)], strict=True))


def theoretical_fields(net: TRANet, canvas: tuple[int, int] = CANVAS) -> dict[str, int]:
    """The side, in pixels, of the square that can move one cell of each stage through convolutions and poolings.

    Measured by gradient in a copy of the network whose weights are all positive, whose maxima are means and whose
    channel weights stand still, so that nothing is lost by chance: what has a gradient is what can be reached.
    Widths do not matter, so give a slim network of the same depths. Of cells whose fields differ, as repeated
    pixels make them, the largest counts.
    """
    sides: dict[str, int] = {name: 0 for name in STAGES}
    for beside in range(4):  # the decoder repeats a pixel four times, and its cells are 8 pixels apart
        place = (0.5 + 8 * beside / canvas[1], 0.5)
        for name, reached in _reached(net, canvas, place).items():
            sides[name] = max(sides[name], int(reached.any(0).sum()))
    return sides


def reached_boxes(net: TRANet, size: int, place: Place) -> dict[str, Box]:
    """The part of a picture of `size` pixels that can move the cell at `place`: left, top, right, bottom."""
    boxes = {}
    for name, reached in _reached(net, (size, size), place).items():
        columns, rows = (np.flatnonzero(reached.any(axis)) for axis in (0, 1))
        boxes[name] = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return boxes


def _reached(net: TRANet, shape: tuple[int, int], place: Place) -> dict[str, np.ndarray]:
    """Which pixels of a picture (H, W) can move the cell at `place`, stage by stage."""
    slim, found = _all_positive(net), {}
    images = torch.ones(1, 3, *shape, dtype=torch.float64, requires_grad=True)
    with hooked(_gates(slim), lambda module, given, out: out.detach()):
        for name, maps in feature_maps(slim, images).items():
            answer = _cell(maps, place).sum()
            (moved,) = torch.autograd.grad(answer, images, retain_graph=True)
            found[name] = (moved.abs().sum((0, 1)) > 0).numpy()
    return found


def _cell(maps: Tensor, place: Place) -> Tensor:
    """The channels (N, C) of the cell at a place."""
    row, column = (int(share * length) for share, length in zip(place[::-1], maps.shape[-2:], strict=True))
    return maps[:, :, row, column]


def _gates(net: nn.Module) -> list[nn.Module]:
    """What turns squeezed features into weights for the channels, in every squeeze-and-excitation."""
    return [part.up for part in net.modules() if isinstance(part, SqueezeExcitation | ChannelAttention)]


def _all_positive(net: TRANet) -> TRANet:
    copy = deepcopy(net).double().eval()
    copy.normalise = nn.Identity()
    for part in copy.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.constant_(part.weight, 1 / part.weight[0].numel())
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.reset_parameters()
    old = copy.trunk.pool
    copy.trunk.pool = nn.AvgPool2d(3, stride=old.stride, ceil_mode=True)  # pyright: ignore
    return copy


def gradient_map(net: TRANet, images: np.ndarray, answer: Callable[[Tensor], Tensor]) -> np.ndarray:
    """How much each pixel moves an answer: images uint8 RGB (N, H, W, 3) -> (H, W), adding up to 1.

    `answer` takes the images (N, 3, H, W) and returns one number or vector a picture. Absolute gradients are
    summed over the colours and averaged over the pictures, each of which counts alike.
    """
    batch = as_batch(images).float().requires_grad_()
    training = net.training
    net.eval()
    try:
        (moved,) = torch.autograd.grad(answer(batch).sum(), batch)
    finally:
        net.train(training)
    amounts = moved.abs().sum(1).double()
    total = amounts.sum((1, 2), keepdim=True)
    return (amounts / total.clamp_min(torch.finfo(total.dtype).tiny)).mean(0).numpy()


def effective_fields(net: TRANet, images: np.ndarray, place: Place) -> dict[str, np.ndarray]:
    """For each stage, how much each pixel moves the cell at `place` (x, y, as shares of the size): maps (H, W)."""

    def cell(name: str) -> Callable[[Tensor], Tensor]:
        def answer(batch: Tensor) -> Tensor:
            return _cell(feature_maps(net, batch)[name], place)

        return answer

    return {name: gradient_map(net, images, cell(name)) for name in STAGES}


def side_of_most(moved: np.ndarray, most: float = 0.9) -> float:
    """The side of a square as large as the fewest pixels that together hold `most` of a map."""
    sums = np.cumsum(np.sort(moved, axis=None)[::-1])
    return float(np.sqrt(1 + np.searchsorted(sums, most * sums[-1])))


def outside_box(moved: np.ndarray, box: Box) -> float:
    """The share of a map that lies outside of a box; NaN of an empty map."""
    left, top, right, bottom = box
    total = moved.sum()
    return float(1 - moved[top:bottom, left:right].sum() / total) if total else float("nan")


def answer_maps(net: TRANet, images: np.ndarray) -> dict[str, np.ndarray]:
    """For each region, how much each pixel moves the answers of its branch: maps (H, W).

    The hard mask cuts the feature map, not the picture: what it lets through has been computed from pixels beyond.
    """
    columns = {region: [AUS.index(au) for au in aus] for region, aus in REGION_AUS.items()}
    return {
        region: gradient_map(net, images, lambda batch, chosen=chosen: net(batch)[:, chosen])
        for region, chosen in columns.items()
    }
