"""Weights for the trunk: the VGGFace2 releases of SENet-50, and the project's own small trunks.

A file says by its names which release it is, and with that how its pixels are ordered and centred: the port is
BGR, the authors' is RGB. Taking one for the other gives features that look plausible and are useless.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from torch import Tensor

from traunet.config import PAPER
from traunet.model.foreign import foreign
from traunet.model.pickled import load_arrays
from traunet.model.releases import FILES, HEADS, authors_name, ports_name
from traunet.model.senet import SENet
from traunet.model.torchfiles import refuse_hidden_bulk, refuse_legacy_bulk
from traunet.model.weighing import PickleDamagedError, PickleRefusedError

FORMAT = "traunet trunk 1"
OWN = "a trunk of this project"
AUTHORS, PORT = "the authors' release", "the PyTorch port"
VGGFACE2 = (AUTHORS, PORT)
TORCH_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LARGEST = 2**30  # bytes; SENet-50's releases have up to 170 MB


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


@dataclass(frozen=True, eq=False)
class TrunkFile:
    """A weights file, read: which release it is, the state of a SENet, and how that one's pixels are normalised.

    `left_out` are the file's own names and shapes that no trunk has: the layer on top that names 8,631 people.
    """

    release: str
    state: State
    normalisation: Normalisation
    left_out: dict[str, tuple[int, ...]]

    def __str__(self) -> str:
        parameters = sum(value.numel() for name, value in self.state.items() if is_parameter(name))
        left = ", ".join(f"{name} {shape}" for name, shape in self.left_out.items())
        order, mean = self.normalisation.channel_order, self.normalisation.mean
        return (
            f"{self.release}, {parameters:,} parameters, input {order}, mean {mean}; left out: {left or 'nothing'}"
        )


@dataclass(frozen=True)
class Fit:
    """How a state fits a trunk: how many entries do, what the trunk misses, what is named or shaped otherwise."""

    fitting: int
    missing: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()  # each with both shapes

    @property
    def whole(self) -> bool:
        return not self.missing and not self.differing

    def __str__(self) -> str:
        missing = f"{len(self.missing)} missing" + (f" ({_some(self.missing)})" if self.missing else "")
        differing = f", {len(self.differing)} do not fit ({_some(self.differing)})" if self.differing else ""
        return f"{self.fitting} entries fit, {missing}{differing}"


def is_parameter(name: str) -> bool:
    """Whether an entry of a state is learnt by gradient; the others are BatchNorm's statistics."""
    return name.endswith((".weight", ".bias"))


def read_trunk(path: Path) -> TrunkFile:
    """Read any of the releases, or a file of `save_trunk`; a file tells by its names which it is.

    "Then the weights of SENet-50 pre-trained on VGGface-2 dataset were loaded." (section 3)

    Decision: the file that is named wherever one is asked for is a release called `ft`, trained on MS-Celeb-1M and
    then on VGGFace2, since both publishers have it. The other reading is `scratch`, trained on VGGFace2 alone, of
    which only the port has a file; it is read as well, and neither was at hand to compare.

    Raises WeightsError for what is no such file, holds more than arrays, holds names that are not SENet's, or
    values that are not finite.
    """
    path = Path(path)
    read = _release(_read(path), path)
    for name, value in read.state.items():
        if not _is_finite(value):
            raise WeightsError(
                f"{path}: {name} holds values that are not finite, upon which nothing is learnt; fetch it again, "
                f"or use {FILES}"
            )
    return read


def _is_finite(values: Tensor) -> bool:
    """Whether no value is infinite, or none; the extremes, which pass NaN on, are found in a few milliseconds."""
    return not values.numel() or all(extreme.isfinite() for extreme in values.float().aminmax())


def _release(content: dict, path: Path) -> TrunkFile:
    if content.get("format") == FORMAT:
        return _own(content, path)
    tensors = _tensors(content, path)
    if "conv1_7x7_s2.weight" in tensors:
        return _renamed(AUTHORS, tensors, authors_name, VGGFACE2_RGB, path)
    if "conv1.weight" in tensors:
        return _renamed(PORT, tensors, ports_name, VGGFACE2_BGR, path)
    raise WeightsError(
        f"{path}: no release of SENet-50 that is known here; its names begin {list(tensors)[:3]}. Use {FILES}"
    )


def load_trunk(path: Path) -> tuple[State, Normalisation]:
    """What `read_trunk` reads -> (state of a SENet, how its pixels are normalised)."""
    read = read_trunk(path)
    return read.state, read.normalisation


def fit_of(trunk: torch.nn.Module, state: State) -> Fit:
    """Compare a state with a trunk by names and shapes; nothing is changed."""
    wanted = {name: tuple(value.shape) for name, value in trunk.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    differing = [
        f"{name} is {shape}, not {wanted.get(name)}" for name, shape in found.items() if shape != wanted.get(name)
    ]
    missing = sorted(wanted.keys() - found.keys())
    return Fit(len(found) - len(differing), tuple(missing), tuple(sorted(differing)))


def fill_trunk(trunk: torch.nn.Module, state: State, path: Path) -> None:
    """Put a state, read from `path`, into a SENet, whole or not at all; WeightsError if names or shapes differ."""
    fit = fit_of(trunk, state)
    if not fit.whole:
        raise WeightsError(f"{path}: {misfit(fit, state)}")
    trunk.load_state_dict(state)


def misfit(fit: Fit, state: State) -> str:
    """What to do about a state that does not fit a trunk; if it is SENet-50's, the trunk is what is wrong."""
    with torch.device("meta"):
        papers = SENet(PAPER.model)
    if fit_of(papers, state).whole:
        return (
            "SENet-50's weights, and the profiles demo and smoke have a smaller trunk: say PROFILE=paper "
            "(--profile paper), or leave the weights out"
        )
    return (
        f"does not fit this trunk: {fit}; use another file, or the width, depths and reduction that this one was "
        "trained with"
    )


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def save_trunk(path: Path, state: State, normalisation: Normalisation) -> None:
    """Write the project's own trunk file: plain tensors, and how the pixels were normalised."""
    path = Path(path)
    # torch writes the stem into the file: a random name would vary. So what has it goes first; it may be a link.
    temporary = path.with_name(path.name + ".part")
    temporary.unlink(missing_ok=True)
    content = {"format": FORMAT, "normalisation": asdict(normalisation), "state": dict(state)}
    torch.save(content, temporary)
    temporary.replace(path)


def _renamed(
    release: str, tensors: State, rename: Callable[[str], str | None], normalisation: Normalisation, path: Path
) -> TrunkFile:
    others = {name: tuple(value.shape) for name, value in tensors.items() if rename(name) is None}
    unknown = [name for name in others if name.split(".")[0] not in HEADS]
    if unknown:
        raise WeightsError(f"{path}: {len(unknown)} names are not SENet-50's, such as {unknown[:3]}")
    state = {new: value.float() for name, value in tensors.items() if (new := rename(name))}
    for name in [name for name in state if name.endswith("running_mean")]:
        state[name.replace("running_mean", "num_batches_tracked")] = torch.tensor(0)
    return TrunkFile(release, state, normalisation, others)


def _tensors(content: dict, path: Path) -> State:
    """The file's arrays as plain tensors, which together are not larger than the file."""
    try:
        content = dict(dict.items(content))
        if not all(isinstance(value, np.ndarray | Tensor) for value in content.values()):
            raise TypeError("not an array")  # a list of lists can be without end
        tensors = {name: torch.as_tensor(value) for name, value in content.items()}
        if any(value.is_quantized or value.is_complex() or value.is_nested for value in tensors.values()):
            raise TypeError("not plain numbers")
    except (TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: holds more than arrays by name; use senet50_ft_dims_2048.pth") from error
    plain = all(value.layout == torch.strided and value.device.type == "cpu" for value in tensors.values())
    if not plain or sum(value.numel() * value.element_size() for value in tensors.values()) > path.stat().st_size:
        raise WeightsError(f"{path}: refused: it claims larger arrays than it holds. Use {FILES}")
    return tensors


def _own(content: dict, path: Path) -> TrunkFile:
    try:
        settings, state = content["normalisation"], _tensors(content["state"], path)
        normalisation = Normalisation(**{**settings, "mean": tuple(settings["mean"])})
    except WeightsError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WeightsError(f"{path}: a trunk file with parts missing ({error}); make it anew") from error
    return TrunkFile(OWN, state, normalisation, {})


def _read(path: Path) -> dict:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file; give one with WEIGHTS= or --weights")
    if kind := foreign(path):
        raise WeightsError(f"{path}: {kind}")
    if path.stat().st_size > LARGEST:
        size = path.stat().st_size / 2**30
        raise WeightsError(f"{path}: {size:.1f} GB, and no weights of SENet-50 have more than 0.2; use {FILES}")
    try:
        content = _content(path)
    except PickleRefusedError as error:
        raise WeightsError(f"{path}: refused: {error}. Use {FILES}") from error
    except PermissionError as error:
        raise WeightsError(f"{path}: may not be read ({error.strerror}); ask its owner") from error
    except Exception as error:  # where a file was cut decides what is raised, and by which package
        said = f"damaged, or no weights file ({_in_our_words(error)}); fetch it again, or use {FILES}"
        raise WeightsError(f"{path}: {said}") from error
    # As a plain dictionary: an ordered one's methods may have been changed by the pickle that it comes from.
    named = dict(dict.items(content)) if isinstance(content, dict) else {}
    if not named or not all(isinstance(name, str) for name in named):
        raise WeightsError(f"{path}: holds no weights by name; use {FILES}")
    return named


def _in_our_words(error: Exception) -> str:
    """What is told of an error: no text of torch's, which advises to read the file without the guard."""
    if isinstance(error, PickleDamagedError):
        return str(error)
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _content(path: Path) -> object:
    with path.open("rb") as file:
        head = file.read(2)
    if head == b"PK":
        refuse_hidden_bulk(path)
    else:
        content = load_arrays(path)
        if content != TORCH_LEGACY_MAGIC:
            return content
        refuse_legacy_bulk(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        unread = "torch's reader that runs no code cannot read it, as if saved with a pickle_protocol not its own"
        raise PickleRefusedError(unread) from error
