"""How each kind of device computes a network fastest, with nothing changed but the rounding.

A CPU computes in single precision, uncompiled: there the same seed gives the same bits, and nine tenths of
the time go into convolutions, which no compiler makes faster.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor, nn


def placed(net: nn.Module, device: torch.device) -> nn.Module:
    """Bring a network to the device, channels last, as the pictures lie too; changes it in place."""
    return net.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def precision(device: torch.device) -> Literal["32-true", "bf16-mixed"]:
    """Lightning's name of the precision to train in: mixed where the device computes bfloat16 itself.

    Decision: an older GPU, which has half precision alone, computes in single: half needs its losses scaled, and
    the scale would be one more thing that an interrupted training must remember.
    """
    return "bf16-mixed" if device.type == "cuda" and _has_bfloat16(device) else "32-true"


def autocast(device: torch.device) -> torch.autocast:
    """The same precision outside Lightning: a context for the network's forward pass."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision(device) == "bf16-mixed")


def compiled(net: nn.Module, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The network's forward pass, compiled on a GPU for which torch has a compiler; else the network itself.

    State, modes and parameters stay the network's own. Hooks that are set later on its parts may go unheard: ask
    the network itself for those.
    """
    if device.type != "cuda" or find_spec("triton") is None or torch.cuda.get_device_capability(device) < (7, 0):
        return net
    return torch.compile(net.forward)


def _has_bfloat16(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= (8, 0)
