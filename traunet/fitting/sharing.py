"""Several processes that share every batch of a training give what one process gives with the whole batch.

Torch's data-parallel training averages the gradients. For the result to be one process's, each must have an equal
share of the batch, BatchNorm must see all of it, and what is scored must be counted once.
"""

from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn


def place() -> tuple[int, int]:
    """Which of how many processes this is: (rank, count); (0, 1) for one that works alone."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, 1
    return dist.get_rank(), dist.get_world_size()


def gathered(mine: np.ndarray) -> np.ndarray:
    """Put together what every process computed of rows[rank::count]: row for row as they were, none repeated."""
    _, count = place()
    if count == 1:
        return mine
    parts: list[Any] = [None] * count
    dist.all_gather_object(parts, mine)
    whole = np.empty((sum(map(len, parts)), *mine.shape[1:]), dtype=mine.dtype)
    for rank, part in enumerate(parts):
        whole[rank::count] = part
    return whole


class _SumOfAll(torch.autograd.Function):
    """The sum over all processes; what is passed back is the sum of what each passes back."""

    @staticmethod
    def forward(ctx, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        return _SumOfAll.apply(grad_outputs[0].contiguous())  # pyright: ignore[reportReturnType]


class SharedBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm over the shares of all processes; names and values of its state are `nn.BatchNorm2d`'s.

    Torch's own works on GPUs alone, and so could not be held against one process where there is none.
    """

    def forward(self, input: Tensor) -> Tensor:
        _, count = place()
        if not self.training or count == 1:
            return super().forward(input)
        wide = input.float()  # sums of half precision would lose what is rare
        pixels = count * wide.numel() // wide.shape[1]
        mean = _sum(wide) / pixels
        centred = wide - mean[:, None, None]
        variance = _sum(centred.square()) / pixels
        self._note(mean.detach(), variance.detach() * pixels / max(pixels - 1, 1))
        scale = torch.rsqrt(variance + self.eps) * self.weight
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)

    @torch.no_grad()
    def _note(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None  # torch's own default everywhere here
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1


def _sum(features: Tensor) -> Tensor:
    """Over the batch and the pixels of all processes: (B, C, H, W) -> (C,)."""
    return _SumOfAll.apply(features.sum((0, 2, 3)))  # pyright: ignore[reportReturnType]


def share_batch_norm(net: nn.Module) -> None:
    """Let every BatchNorm below `net` see the shares of all processes. Changes it in place."""
    for module in net.modules():
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(module, name, _shared(child))


def _shared(norm: nn.BatchNorm2d) -> SharedBatchNorm2d:
    shared = SharedBatchNorm2d(norm.num_features, norm.eps, norm.momentum)
    shared.weight, shared.bias = norm.weight, norm.bias
    for name, buffer in norm.named_buffers(recurse=False):
        setattr(shared, name, buffer)
    return shared.train(norm.training)
