"""What is done for speed changes nothing but the rounding, and on a CPU not even that."""

from collections import Counter

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from traunet.config import VARIANTS, AlignConfig, ModelConfig
from traunet.facs import AUS
from traunet.fitting.loop import Descent
from traunet.machines import acceleration
from traunet.model.tranet import build
from traunet.model.weights import Normalisation
from traunet.training import branch_loss

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
SMALL = ModelConfig(width=4, depths=(1, 1, 1, 1), reduction=4, branch_width=8, hidden=8)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return build("tranet", SMALL, AlignConfig(size=64), Normalisation()).eval()


@pytest.fixture
def images():
    return torch.randint(0, 256, (2, 3, 64, 64), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)


@pytest.fixture
def gpu(monkeypatch):
    """A stand-in for a GPU of some capability: what is decided for it, not what it computes."""

    def of(capability: tuple[int, int]) -> torch.device:
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
        return CUDA

    return of


def test_a_placed_network_lies_channels_last_and_says_the_same(net, images):
    with torch.no_grad():
        before = net(images)
        placed = acceleration.placed(net, CPU)
        torch.testing.assert_close(placed(images), before, atol=1e-4, rtol=1e-4)
    assert placed is net
    weights = [part.weight for part in net.modules() if isinstance(part, nn.Conv2d)]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


def test_maps_lie_as_the_weights_do_however_the_pictures_come(net, images):
    lies = []
    net.trunk.layer1.register_forward_pre_hook(
        lambda _, args: lies.append(args[0].is_contiguous(memory_format=torch.channels_last))
    )
    for memory_format in (torch.channels_last, torch.contiguous_format):
        net.to(memory_format=memory_format)
        for other in (torch.channels_last, torch.contiguous_format):
            net(images.contiguous(memory_format=other))
    assert lies == [True, True, False, False]


def test_a_cpu_computes_in_single_precision(net, images):
    assert acceleration.precision(CPU) == "32-true"
    with torch.no_grad(), acceleration.autocast(CPU):
        assert net(images).dtype == torch.float32


@pytest.mark.parametrize(
    ("capability", "precision"), [((7, 5), "32-true"), ((8, 0), "bf16-mixed"), ((9, 0), "bf16-mixed")]
)
def test_a_gpu_mixes_precisions_where_it_computes_bfloat16_itself(gpu, capability, precision):
    assert acceleration.precision(gpu(capability)) == precision


def test_mixed_precision_moves_the_answers_by_little(net, images):
    with torch.no_grad():
        exact = net(images)
        with torch.autocast("cpu", torch.bfloat16):
            mixed = net(images)
    assert (mixed.float() - exact).abs().max() < 0.1 * exact.abs().max()


def test_all_of_the_branches_computes_in_the_lower_precision(net, images):
    """One map of single precision makes single precision of all that follows it."""
    met = {}
    for name, part in net.named_modules():
        if name.startswith("branches."):
            part.register_forward_hook(
                lambda _, args, out, name=name: met.update({name: (args[0].dtype, out.dtype)})
            )
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        net(images)
    assert len(met) > 60
    assert {dtype for pair in met.values() for dtype in pair} == {torch.bfloat16}


class Maps(TorchDispatchMode):
    """Notes the operations that give maps, of more than one pixel and fewer than the pictures have."""

    def __init__(self):
        super().__init__()
        self.met = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor) and out.ndim == 4 and 1 < out.shape[-1] < 64:
            self.met.append((func.overloadpacket.__name__, out.device.type, out.dtype))
        return out


@pytest.fixture
def mixed_as_a_gpu_does():
    """Autocast of CUDA, also where there is none: `torch.autocast` itself would turn it off there."""
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    torch.set_autocast_enabled("cuda", True)
    yield
    torch.set_autocast_enabled("cuda", False)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_map_on_a_gpu_is_of_the_lower_precision(variant, mixed_as_a_gpu_does):
    """On tensors that have a device, a type and a size, and no values: CUDA's autocast differs from a CPU's."""
    net = build(variant, SMALL, AlignConfig(size=64), Normalisation()).train()  # its masks have values, as ever
    with FakeTensorMode() as mode, torch.device("cuda"):
        net._apply(lambda tensor: mode.from_tensor(tensor).to("cuda"))
        images = torch.empty(2, 3, 64, 64, dtype=torch.uint8)
        with Maps() as maps:
            net(images)
    names, devices, dtypes = map(set, zip(*maps.met, strict=True))
    assert len(maps.met) > 50
    assert "convolution" in names
    assert ("upsample_nearest2d" in names) == (variant != "senet")
    assert (devices, dtypes) == ({"cuda"}, {torch.bfloat16}), [one for one in maps.met if one[2] != torch.bfloat16]


def test_gradients_of_mixed_precision_point_where_the_exact_ones_do(net, images):
    labels = torch.ones(2, len(AUS))
    gradients = []
    for enabled in (False, True):
        net.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = branch_loss(net(images), labels)
        loss.backward()
        gradients.append(torch.cat([part.grad.flatten() for part in net.parameters() if part.grad is not None]))
    assert torch.cosine_similarity(*gradients, dim=0) > 0.95
    assert 0.8 < gradients[1].norm() / gradients[0].norm() < 1.25


class HostTraffic(TorchDispatchMode):
    """Notes every operation that brings a value from the host to a GPU, or back, and waits for all before it."""

    WAITING = ("lift_fresh", "scalar_tensor", "_local_scalar_dense", "nonzero", "masked_select", "is_nonzero")

    def __init__(self):
        super().__init__()
        self.met = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        self.met.update([name] * (name in self.WAITING))
        return func(*args, **(kwargs or {}))


def test_what_would_make_a_gpu_wait_is_noticed():
    with HostTraffic() as traffic:
        columns = torch.ones(4, 3)
        columns[:, [0, 2]].sum().item()
        columns[0] = 2
    assert set(traffic.met) == {"lift_fresh", "_local_scalar_dense"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_of_training_never_makes_a_gpu_wait(variant, images):
    net = build(variant, SMALL, AlignConfig(size=64), Normalisation()).train()
    labels, descent = torch.zeros(2, len(AUS)), Descent(0.1, 0.1, 0.9, 0.001).optimizer(net)
    with HostTraffic() as traffic:
        branch_loss(net(images), labels).backward()
        descent.step()
    assert not traffic.met
