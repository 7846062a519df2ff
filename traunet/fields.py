"""Receptive fields, measured by gradient: which pixels of a picture move one cell of a feature map, and how much.

Two things are told apart. The *theoretical* field is what the convolutions and poolings reach at all: a square. The
*effective* field is what a trained network makes of it on real pictures: how far each pixel moves the cell. It is
smaller, and it is larger too: squeeze-and-excitation averages over the whole map, so every cell hangs a little on
every pixel.
"""

from collections.abc import Callable
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from traunet.anatomy import hooked
from traunet.facs import AUS, REGION_AUS
from traunet.model.blocks import ChannelAttention, SqueezeExcitation
from traunet.model.tranet import TRANet

STAGES = ("block 2", "block 3", "block 4", "block 5", "decoded")
CANVAS = (64, 704)  # pixels: wider than any field of SENet-50, and low, since fields are as high as wide


def feature_maps(net: TRANet, images: Tensor) -> dict[str, Tensor]:
    """The maps of blocks 2 to 5 and the decoded features, by the names of `STAGES`."""
    features = net.trunk(net.normalise(images))
    return dict(zip(STAGES, [*features, net.decoder(features)], strict=True))


def theoretical_fields(net: TRANet, canvas: tuple[int, int] = CANVAS) -> dict[str, int]:
    """The side, in pixels, of the square that can move one cell of each stage through convolutions and poolings.

    Measured by gradient in a copy of the network whose weights are all positive, whose maxima are means and whose
    channel weights stand still, so that nothing is lost by chance: what has a gradient is what can be reached. Widths
    do not matter, so give a slim network of the same depths.
    """
    slim, sides = _all_positive(net), {}
    images = torch.ones(1, 3, *canvas, dtype=torch.float64, requires_grad=True)
    with hooked(_gates(slim), lambda module, given, out: out.detach()):
        for name, maps in feature_maps(slim, images).items():
            row, column = (length // 2 for length in maps.shape[-2:])
            (moved,) = torch.autograd.grad(maps[0, :, row, column].sum(), images, retain_graph=True)
            sides[name] = int((moved.abs().sum((0, 1, 2)) > 0).sum())
    return sides


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
    copy.trunk.pool = nn.AvgPool2d(3, stride=old.stride, ceil_mode=True)  # pyright: ignore[reportAttributeAccessIssue]
    return copy


def gradient_map(net: TRANet, images: np.ndarray, answer: Callable[[Tensor], Tensor]) -> np.ndarray:
    """How much each pixel moves an answer: images uint8 (N, H, W, 3) -> (H, W), adding up to 1 over the picture.

    `answer` takes the images (N, 3, H, W) and returns one number or vector a picture. Absolute gradients are summed
    over the colours and averaged over the pictures, each of which counts alike.
    """
    batch = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().requires_grad_()
    training = net.training
    try:
        (moved,) = torch.autograd.grad(answer(batch).sum(), batch)
    finally:
        net.train(training)
    amounts = moved.abs().sum(1).double()
    total = amounts.sum((1, 2), keepdim=True)
    return (amounts / total.clamp_min(torch.finfo(total.dtype).tiny)).mean(0).numpy()


def effective_fields(net: TRANet, images: np.ndarray, place: tuple[float, float]) -> dict[str, np.ndarray]:
    """For each stage, how much each pixel moves the cell at `place` (x, y, as shares of the size): maps (H, W)."""

    def cell(name: str) -> Callable[[Tensor], Tensor]:
        def answer(batch: Tensor) -> Tensor:
            maps = feature_maps(net, batch)[name]
            row, column = (int(share * maps.shape[-1]) for share in place[::-1])
            return maps[:, :, row, column]

        return answer

    return {name: gradient_map(net, images, cell(name)) for name in STAGES}


def side_of_most(moved: np.ndarray, most: float = 0.9) -> float:
    """The side of a square as large as the fewest pixels that together hold `most` of a map."""
    sums = np.cumsum(np.sort(moved, axis=None)[::-1])
    return float(np.sqrt(1 + np.searchsorted(sums, most * sums[-1])))


def outside_square(moved: np.ndarray, place: tuple[float, float], side: int) -> float:
    """The share of a map that lies outside of a square of `side` pixels around a place (x, y, as shares)."""
    rows, columns = np.indices(moved.shape)
    x, y = place[0] * moved.shape[1], place[1] * moved.shape[0]
    inside = (abs(rows + 0.5 - y) <= side / 2) & (abs(columns + 0.5 - x) <= side / 2)
    return float(moved[~inside].sum() / moved.sum()) if moved.sum() else float("nan")


def answer_maps(net: TRANet, images: np.ndarray) -> dict[str, np.ndarray]:
    """For each region, how much each pixel moves the answers of its branch: maps (H, W).

    The hard mask cuts the feature map, not the picture: what it lets through has been computed from pixels beyond.
    """
    columns = {region: [AUS.index(au) for au in aus] for region, aus in REGION_AUS.items()}
    return {
        region: gradient_map(net, images, lambda batch, chosen=chosen: net(batch)[:, chosen])
        for region, chosen in columns.items()
    }
