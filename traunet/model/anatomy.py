"""A network taken apart: shape, parameters and arithmetic of every stage, measured from the network itself.

Shapes are (channels, height, width). Arithmetic is counted in multiply-adds of one picture, two of torch's
FLOPs each: those of convolutions and of fully connected layers. Adding a bias, BatchNorm, pooling and weighing are
left out, as is usual. A convolution counts as if it went over the whole map, as the paper writes it; the rows that
a hard mask leaves at zero are in fact passed over (`traunet.model.blocks.BandConv2d`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from traunet.config import AlignConfig, ModelConfig
from traunet.model.blocks import ChannelAttention, Residual, SpatialAttention
from traunet.model.decoder import Decoder
from traunet.model.tranet import TRANet, build
from traunet.model.weights import Normalisation

Shape = tuple[int, int, int]
BLOCKS = {"block 1": ("conv1.", "bn1."), **{f"block {n}": (f"layer{n - 1}.",) for n in (2, 3, 4, 5)}}
TRAITS: dict[str, type[nn.Module]] = {
    "channel": ChannelAttention,
    "spatial": SpatialAttention,
    "convolutions": nn.Conv2d,
    "residual": Residual,
    "pooling": nn.MaxPool2d,
}


@dataclass(frozen=True)
class Stage:
    """One stage of a network. `part` is trunk, decoder, masks, or the name of a branch.

    `kind` is block, decoder, mask, attention, followers or head; `traits` says which of `TRAITS` it is made of.
    """

    title: str
    part: str
    kind: str
    given: Shape
    shape: Shape
    parameters: int
    multiply_adds: int
    frozen: bool
    traits: tuple[str, ...] = ()

    @property
    def size(self) -> str:
        """The shape as it is written: 512 x 28 x 28, and of a vector only its length."""
        return " × ".join(map(str, self.shape if self.shape[1:] != (1, 1) else self.shape[:1]))


@dataclass(frozen=True)
class Part:
    """A stage before it is measured: its modules, the one whose output leaves it, and its place."""

    title: str
    part: str
    kind: str
    modules: tuple[nn.Module, ...]
    first: nn.Module
    last: nn.Module


def outline(variant: str, model: ModelConfig, align: AlignConfig) -> TRANet:
    """A variant's network as shapes without numbers, on torch's meta device: it costs neither memory nor time."""
    with torch.device("meta"):
        return built(variant, model, align)


def built(variant: str, model: ModelConfig, align: AlignConfig) -> TRANet:
    """A variant's network as it stands before training, on a trunk of chance."""
    return build(variant, model, align, Normalisation("RGB", (0.0, 0.0, 0.0), 1.0)).eval()


def stages(net: TRANet, size: int) -> list[Stage]:
    """All stages of a network in the order in which a picture of `size` x `size` pixels goes through them.

    Stages that do nothing, such as an attention that an ablation took away, are left out.
    """
    shapes, work = _watched(net, size)
    return [_measured(part, shapes, work) for part in _parts(net)]


def _measured(part: Part, shapes: Mapping, work: Mapping) -> Stage:
    parameters = [p for module in part.modules for p in module.parameters()]
    leaves = {leaf for module in part.modules for leaf in module.modules()}
    return Stage(
        part.title,
        part.part,
        part.kind,
        given=shapes[part.first][0],
        shape=shapes[part.last][1],
        parameters=sum(p.numel() for p in parameters),
        multiply_adds=sum(work.get(leaf, 0) for leaf in leaves),
        frozen=bool(parameters) and not any(p.requires_grad for p in parameters),
        traits=_traits(part.modules),
    )


def _parts(net: TRANet) -> Iterator[Part]:
    trunk = net.trunk
    yield Part("block 1", "trunk", "block", (trunk.conv1, trunk.bn1), trunk.conv1, trunk.pool)
    for number, layer in enumerate((trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4), start=2):
        yield Part(f"block {number}", "trunk", "block", (layer,), layer, layer)
    if isinstance(net.decoder, Decoder):
        for number, stage in ((4, net.decoder.block4), (3, net.decoder.block3)):
            yield Part(f"decoder {number}", "decoder", "decoder", (stage,), stage, stage)
    if len(net.masks) > 1:
        yield Part("hard masks", "masks", "mask", (net.hard_masks,), net.hard_masks, net.hard_masks)
    for name, branch in net.branches.items():
        yield from _branch_parts(name, branch)


def _branch_parts(name: str, branch: nn.Module) -> Iterator[Part]:
    pairs = zip(branch.cbams, branch.followers, strict=True)  # pyright: ignore[reportArgumentType]
    for number, (cbam, follower) in enumerate(pairs, start=1):
        for title, kind, module in (("attention", "attention", cbam), ("convolutions", "followers", follower)):
            if not isinstance(module, nn.Identity):
                yield Part(f"{title} {number}", name, kind, (module,), module, module)
    yield Part("head", name, "head", (branch.predict,), branch.predict, branch.predict)  # pyright: ignore


def _traits(modules: Iterable[nn.Module]) -> tuple[str, ...]:
    leaves = [leaf for module in modules for leaf in module.modules()]
    return tuple(name for name, kind in TRAITS.items() if any(isinstance(leaf, kind) for leaf in leaves))


def _shape(value: Tensor | list[Tensor]) -> Shape:
    """Of a batch its first picture's shape; of a list, whose maps are alike, that of one."""
    sizes = (value if isinstance(value, Tensor) else value[-1]).shape[1:]
    return (sizes[0], sizes[1], sizes[2]) if len(sizes) == 3 else (sizes[0], 1, 1)


def _watched(net: TRANet, size: int) -> tuple[dict[nn.Module, tuple[Shape, Shape]], dict[nn.Module, int]]:
    """What enters and leaves every module, and the multiply-adds of every layer, in one pass."""
    shapes: dict[nn.Module, tuple[Shape, Shape]] = {}
    work: dict[nn.Module, int] = {}

    def note(module: nn.Module, given: tuple, out: Tensor | list[Tensor]) -> None:
        shapes[module] = (_shape(given[0]), _shape(out))
        work[module] = work.get(module, 0) + multiply_adds(module, out)

    with hooked(net.modules(), note), torch.no_grad():
        net(torch.zeros(1, 3, size, size, device=net.masks.device))
    return shapes, work


def multiply_adds(module: nn.Module, out: Tensor | list[Tensor]) -> int:
    """The multiply-adds of one layer for one picture, from its output: zero unless it convolves or is linear."""
    if isinstance(module, nn.Conv2d | nn.Linear) and isinstance(out, Tensor):
        return out[0].numel() * module.weight[0].numel()
    return 0


@contextmanager
def hooked(modules: Iterable[nn.Module], hook: Callable) -> Iterator[None]:
    """Let a forward hook listen to these modules for a while."""
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def table(found: Iterable[Stage]) -> pd.DataFrame:
    """The stages as a table: part, stage, shape, parameters and multiply-adds (both in millions)."""
    rows = [(s.part, s.title, s.size, s.parameters / 1e6, s.multiply_adds / 1e6) for s in found]
    return pd.DataFrame(rows, columns=["part", "stage", "shape", "parameters, M", "multiply-adds, M"])


def totals(found: Iterable[Stage]) -> pd.Series:
    """Parameters and multiply-adds, in millions, of each part: trunk, decoder, branches together, and all."""
    parts = table(found).assign(part=lambda t: t["part"].where(t["part"].isin(["trunk", "decoder"]), "branches"))
    sums = (
        parts.groupby("part")[["parameters, M", "multiply-adds, M"]]
        .sum()
        .reindex(["trunk", "decoder", "branches"])  # pyright: ignore
    )
    sums.loc["all"] = sums.sum()
    return sums.stack()  # pyright: ignore[reportReturnType]


def drift(state: dict[str, Tensor], start: dict[str, Tensor]) -> pd.DataFrame:
    """How far training moved each block of the trunk: block, numbers, largest change, relative change in %.

    `state` is a trained network's, `start` the trunk's that it began with. BatchNorm's statistics count as well.
    The relative change is the length of all changes of a block beside the length of all it began with.
    """
    rows = []
    for block, prefixes in BLOCKS.items():
        names = [name for name in start if name.startswith(prefixes) and "num_batches" not in name]
        before = torch.cat([start[name].double().flatten() for name in names])
        change = torch.cat([state[f"trunk.{name}"].double().flatten() for name in names]) - before
        rows.append((block, len(before), float(change.abs().max()), float(100 * change.norm() / before.norm())))
    return pd.DataFrame(rows, columns=["block", "numbers", "largest change", "relative change, %"])
