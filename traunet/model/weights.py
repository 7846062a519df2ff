"""Weights for the trunk: the VGGFace2 releases of SENet-50, and the project's own small trunks.

A file says by its names which release it is, and with that how its pixels are ordered and centred: the port is
BGR, the authors' is RGB. Taking one for the other gives features that look plausible and are useless.
"""

import re
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from traunet.model.pickled import PickleRefusedError, load_arrays

FORMAT = "traunet trunk 1"
TORCH_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
HEADS = ("fc", "classifier", "feat_extract")  # what stands on the trunk in the releases, and is not used

# What reading a damaged file raises, depending on where it was cut.
DAMAGE = (
    UnpicklingError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


class WeightsError(ValueError):
    """A weights file that cannot be used; the message names it and says what to do."""


@dataclass(frozen=True)
class Normalisation:
    """How pixels become the trunk's input: (pixel - mean) / scale, channels and mean in `channel_order`."""

    channel_order: str = "RGB"  # or "BGR"
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    scale: float = 64.0

    def __post_init__(self):
        if self.channel_order not in ("RGB", "BGR"):
            raise ValueError(f"channel order {self.channel_order!r}: use 'RGB' or 'BGR'")


VGGFACE2_BGR = Normalisation("BGR", (91.4953, 103.8827, 131.0912), 1.0)
VGGFACE2_RGB = Normalisation("RGB", (131.0912, 103.8827, 91.4953), 1.0)

State = dict[str, Tensor]


def load_trunk(path: Path) -> tuple[State, Normalisation]:
    """Read any of the releases, or a file of `save_trunk` -> (state of a SENet, how its pixels are normalised).

    Raises WeightsError for what is no such file, holds more than arrays, or holds names that are not SENet's.
    """
    path = Path(path)
    content = _read(path)
    if content.get("format") == FORMAT:
        return _own(content, path)
    tensors = _tensors(content, path)
    if "conv1_7x7_s2.weight" in tensors:
        return _renamed(tensors, authors_name, path), VGGFACE2_RGB
    if "conv1.weight" in tensors:
        return _renamed(tensors, ports_name, path), VGGFACE2_BGR
    raise WeightsError(
        f"{path}: no release of SENet-50 that is known here; its names begin {list(tensors)[:3]}. "
        "Use senet50_ft_weight.pkl or senet50_ft_dims_2048.pth"
    )


def fill_trunk(trunk: torch.nn.Module, state: State, path: Path) -> None:
    """Put a state, read from `path`, into a SENet, whole or not at all; WeightsError if names or shapes differ."""
    wanted = {name: tuple(value.shape) for name, value in trunk.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    odd = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if odd:
        examples = ", ".join(f"{name} is {found.get(name)}, not {wanted.get(name)}" for name in odd[:3])
        raise WeightsError(
            f"{path}: does not fit this trunk, {len(odd)} entries differ ({examples}); use another file"
        )
    trunk.load_state_dict(state)


def save_trunk(path: Path, state: State, normalisation: Normalisation) -> None:
    """Write the project's own trunk file: plain tensors, and how the pixels were normalised."""
    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    content = {"format": FORMAT, "normalisation": asdict(normalisation), "state": dict(state)}
    torch.save(content, temporary)
    temporary.replace(path)


def ports_name(name: str) -> str | None:
    """A name of the PyTorch port -> SENet's; None if it is not the trunk's.

    >>> ports_name("layer1.0.conv4.weight")
    'layer1.0.se.down.weight'
    """
    if not re.match(r"(conv1|bn1|layer[1-4])\.", name):
        return None
    return re.sub(r"(layer\d\.\d\.)conv([45])", lambda m: m[1] + ("se.down" if m[2] == "4" else "se.up"), name)


AUTHORS_PARTS = {
    "1x1_reduce": "conv1",
    "1x1_reduce_bn": "bn1",
    "3x3": "conv2",
    "3x3_bn": "bn2",
    "1x1_increase": "conv3",
    "1x1_increase_bn": "bn3",
    "1x1_down": "se.down",
    "1x1_up": "se.up",
    "1x1_proj": "downsample.0",
    "1x1_proj_bn": "downsample.1",
}
AUTHORS_STEM = {"conv1_7x7_s2": "conv1", "conv1_7x7_s2_bn": "bn1"}


def authors_name(name: str) -> str | None:
    """A Caffe-style name of the authors' release -> SENet's; None if it is not the trunk's.

    >>> authors_name("conv2_1_1x1_down.weight")
    'layer1.0.se.down.weight'
    """
    module, _, kind = name.rpartition(".")
    if module in AUTHORS_STEM:
        return f"{AUTHORS_STEM[module]}.{kind}"
    match = re.fullmatch(r"conv([2-5])_(\d)_(\w+)", module)
    if not match or match[3] not in AUTHORS_PARTS:
        return None
    return f"layer{int(match[1]) - 1}.{int(match[2]) - 1}.{AUTHORS_PARTS[match[3]]}.{kind}"


def _renamed(tensors: State, rename, path: Path) -> State:
    unknown = [name for name in tensors if rename(name) is None and name.split(".")[0] not in HEADS]
    if unknown:
        raise WeightsError(f"{path}: {len(unknown)} names are not SENet-50's, such as {unknown[:3]}")
    state = {rename(name): value.float() for name, value in tensors.items() if rename(name) is not None}
    for name in [name for name in state if name.endswith("running_mean")]:
        state[name.replace("running_mean", "num_batches_tracked")] = torch.tensor(0)
    return state


def _tensors(content: dict, path: Path) -> State:
    try:
        return {name: torch.as_tensor(value) for name, value in content.items()}
    except (TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: holds more than arrays by name; use senet50_ft_dims_2048.pth") from error


def _own(content: dict, path: Path) -> tuple[State, Normalisation]:
    try:
        settings = content["normalisation"]
        return content["state"], Normalisation(**{**settings, "mean": tuple(settings["mean"])})
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: a trunk file with parts missing ({error}); make it anew") from error


def _read(path: Path) -> dict:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file; give one with WEIGHTS= or --weights")
    try:
        content = _content(path)
    except PickleRefusedError as error:
        raise WeightsError(
            f"{path}: refused: {error}. Use senet50_ft_dims_2048.pth or senet50_ft_weight.pkl"
        ) from error
    except DAMAGE as error:
        raise WeightsError(f"{path}: damaged, or no weights file; fetch it again ({error})") from error
    if not isinstance(content, dict) or not content or not all(isinstance(name, str) for name in content):
        raise WeightsError(
            f"{path}: holds no weights by name; use senet50_ft_dims_2048.pth or senet50_ft_weight.pkl"
        )
    return content


def _content(path: Path) -> object:
    if not zipfile.is_zipfile(path):
        content = load_arrays(path)
        if content != TORCH_LEGACY_MAGIC:
            return content
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise PickleRefusedError("it holds a whole pickled module, which can run any code on loading") from error
