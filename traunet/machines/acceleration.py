"""How each kind of device computes a network fastest, with nothing changed but the rounding.

A CPU computes in single precision: there the same seed gives the same bits. A GPU that computes bfloat16 itself
mixes it in.

Decision: nothing is compiled. On two cores, at full size, compiling took three minutes and made steps a tenth
slower. On an H100 with torch 2.11 it took 142 s, beside other work, and steps took 65 instead of 89 ms, which
would pay after 60 epochs; but in mixed precision the gradients of its steps were no numbers. The alternative,
`torch.compile`, may be worth another look with a later torch: hold its gradients against these.
"""

from typing import Literal

import torch
from torch import nn


def placed(net: nn.Module, device: torch.device) -> nn.Module:
    """Bring a network to the device, laid out in memory channels last; changes it in place.

    Decision: channels last everywhere. The alternative, channels first, is faster or slower for networks as wide
    as SENet-50, by the CPU: 3 to 6 % slower on an AMD EPYC of 2024 (three sittings in turns), 7 to 18 % faster on
    one of 2021, which has no AVX-512 (five steps in turns). The demo's network loses 17 to 20 % by it, and a GPU's
    convolutions want channels last.
    """
    return net.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def precision(device: torch.device) -> Literal["32-true", "bf16-mixed"]:
    """Lightning's name of the precision to train in: mixed where the device computes bfloat16 itself.

    Decision: an older GPU, which has half precision alone, computes in single. The alternative, half, needs its
    losses scaled, and the scale would be one more thing that an interrupted training must remember.
    """
    return "bf16-mixed" if device.type == "cuda" and _has_bfloat16(device) else "32-true"


def autocast(device: torch.device) -> torch.autocast:
    """The same precision outside Lightning: a context for the network's forward pass."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision(device) == "bf16-mixed")


def _has_bfloat16(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)
