"""What a network looks at: Grad-CAM, its own spatial attention, and how much falls on the right muscles."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import cv2
import numpy as np
import torch
from torch import nn

from traunet.facs import AUS, REGION_AUS
from traunet.model.anatomy import hooked
from traunet.model.batches import as_batch
from traunet.model.blocks import SpatialAttention


def grad_cam(
    net: nn.Module,
    images: np.ndarray,
    au: str,
    stage: int = 0,
    layer: nn.Module | None = None,
    batch_size: int = 32,
) -> np.ndarray:
    """Where one AU's logit comes from, by Grad-CAM: images uint8 RGB (N, H, W, 3) -> (N, H, W) float32 in [0, 1].

    Each map is scaled to a maximum of 1 of its own, so that maps say where and not how much; where nothing speaks
    for the AU, a map is 0 throughout. The package takes each map's minimum away before: behind a hard mask, which
    leaves it at 0, that changes nothing; elsewhere an even map comes out empty. `layer` overrides the place, which
    is otherwise `attended(net, au, stage)`. Raises ValueError for other pictures and AUs.

    Decision: a channel's weight is the mean of its gradient over all places of the map, also of rows that the hard
    mask has emptied: so Selvaraju et al. (2017) define Grad-CAM, and so the package computes it. The other reading
    takes the mean over the live rows alone. That matters: on networks of the profile `smoke`, measured
    once, maps of the two readings correlate by 0.51 to 0.94, mean of an AU (single maps also not at all), and the
    share on the moved pixels differs by up to six points.
    """
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    pictures, layer = as_batch(images), layer or attended(net, au, stage)
    maps, target = [], ClassifierOutputTarget(AUS.index(au))
    with _as_it_was(net), _graph_from(layer, net):
        cam = GradCAM(model=net, target_layers=[layer])
        for start in range(0, len(pictures), batch_size):
            batch = pictures[start : start + batch_size]
            maps.append(cam(input_tensor=batch, targets=[target] * len(batch)))  # pyright: ignore
        cam.activations_and_grads.release()
    return np.concatenate(maps) if maps else np.zeros((0, *images.shape[1:3]), dtype=np.float32)


def attended(net: nn.Module, au: str, stage: int = 0) -> nn.Module:
    """The output of the soft attention number `stage` (0, 1 or 2) in the branch that reads this AU.

    Decision: maps are taken behind the first soft attention, where they are finest (28 x 28 of 224 pixels). A
    network without branches of attentions, which Table 2's first row is, is asked at the trunk's last block. The
    alternative, Grad-CAM's usual place behind the last, would cover a region with three cells.
    """
    if au not in AUS:
        raise ValueError(f"unknown action unit {au!r}; choose one of: {', '.join(AUS)}")
    region = next(region for region, aus in REGION_AUS.items() if au in aus)
    branch = net.branches[region] if region in net.branches else net.branches["face"]  # pyright: ignore
    return branch.cbams[stage] if len(branch.cbams) else net.trunk.layer4  # pyright: ignore


@torch.no_grad()
def settle(net: nn.Module, batches: Iterable[np.ndarray]) -> nn.Module:
    """Give what was drawn the statistics of pictures, uint8 (N, H, W, 3) a batch; return the net, in evaluation.

    The BatchNorms of decoder and branches start with mean 0 and variance 1, which no picture has, and which the
    first batches of a training put right. Here they take the mean over these batches of what each of them has. The
    trunk keeps the statistics that it came with, and all weights stay.
    """
    norms = {name: part for name, part in net.named_modules() if isinstance(part, nn.BatchNorm2d)}
    fresh = [norm for name, norm in norms.items() if not name.startswith("trunk.")]
    momenta = [norm.momentum for norm in fresh]
    net.eval()
    for norm in fresh:
        norm.reset_running_stats()
        norm.train().momentum = None  # a mean of all batches
    for images in batches:
        net(as_batch(images).to(next(net.parameters()).device))
    for norm, momentum in zip(fresh, momenta, strict=True):
        norm.momentum = momentum
    return net.eval()


@torch.inference_mode()
def spatial_attention(net: nn.Module, images: np.ndarray) -> dict[str, list[np.ndarray]]:
    """The network's own soft attention: images uint8 RGB (N, H, W, 3) -> for each branch, a (N, H, W) map a CBAM.

    Values are the sigmoid's, between 0 and 1; maps are enlarged to the images' size. Variants without spatial
    attention have none. Regions are masked before: what a map says outside its region meets nothing but zeros.
    Raises ValueError for other pictures.
    """
    pictures = as_batch(images)
    height, width = pictures.shape[2:]
    seen: dict[str, list[np.ndarray]] = {}
    with _as_it_was(net), _listening(net, seen):
        net.eval()
        net(pictures.to(next(net.parameters()).device))
    return {branch: [_enlarged(maps, height, width) for maps in stages] for branch, stages in seen.items()}


def share_inside(maps: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The share of each map that falls on a mask: (N, H, W), (H, W) or (N, H, W) -> (N,); NaN of an empty map.

    A map that is even everywhere has the mask's own share of the picture: `mask.mean()` is what chance gives.
    """
    total = maps.sum(axis=(1, 2))
    inside = (maps * mask).sum(axis=(1, 2))
    return np.divide(inside, total, out=np.full(len(maps), np.nan), where=total > 0)


def _enlarged(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    return np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in maps])


@contextmanager
def _as_it_was(net: nn.Module) -> Iterator[None]:
    """Give the network back in the mode it came in, without gradients."""
    training = net.training
    try:
        yield
    finally:
        net.train(training)
        net.zero_grad(set_to_none=True)


@contextmanager
def _graph_from(layer: nn.Module, net: nn.Module) -> Iterator[None]:
    """Ask for gradients of what comes out of a layer, and of nothing else: most of a network lies before it."""
    learning = [parameter for parameter in net.parameters() if parameter.requires_grad]
    # A copy, since what comes next may write into it.
    handle = layer.register_forward_hook(lambda *seen: seen[-1].requires_grad_().clone())
    try:
        net.requires_grad_(False)
        yield
    finally:
        handle.remove()
        for parameter in learning:
            parameter.requires_grad_()


@contextmanager
def _listening(net: nn.Module, seen: dict[str, list[np.ndarray]]) -> Iterator[None]:
    """Note what every spatial attention's gate says, branch by branch."""
    with ExitStack() as stack:
        for name, branch in net.branches.items():  # pyright: ignore
            if gates := [part.gate for part in branch.modules() if isinstance(part, SpatialAttention)]:
                note = seen.setdefault(name, [])
                stack.enter_context(hooked(gates, lambda *told, note=note: note.append(_plane(told[-1]))))
        yield


def _plane(gate: torch.Tensor) -> np.ndarray:
    return gate.detach()[:, 0].float().cpu().numpy()
