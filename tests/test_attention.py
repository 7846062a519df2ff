import numpy as np
import pytest
import torch
from pictures import SIZE, TINY, PaintedStore
from torch import nn

from traunet.attention import attended, grad_cam, settle, share_inside, spatial_attention
from traunet.config import VARIANTS
from traunet.facs import REGION_AUS
from traunet.model.tranet import build
from traunet.model.weights import Normalisation

STORE = PaintedStore(frames=2, subjects=("SN001", "SN002"))
IMAGES = STORE.images(STORE.usable)


def network(variant: str = "tranet") -> nn.Module:
    torch.manual_seed(0)
    return build(variant, TINY.model, TINY.align, Normalisation()).eval()


class Corner(nn.Module):
    """Says yes to AU1 by the brightness of the upper left quarter, to AU26 by that of the lower right."""

    def __init__(self):
        super().__init__()
        self.features = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.ones_(self.features.weight)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = self.features(images.float() / 255)
        half = bright.shape[-1] // 2
        corners = [bright[:, :, :half, :half], bright[:, :, half:, half:]]
        yes = [corner.square().mean((1, 2, 3)) for corner in corners]
        return torch.stack([yes[0], *[0 * yes[0]] * 6, yes[1]], dim=1)


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_and_au_has_a_map_for_each_image(variant):
    net = network(variant)
    for au in ("AU1", "AU9", "AU26"):
        maps = grad_cam(net, IMAGES, au)
        assert maps.shape == (len(IMAGES), SIZE, SIZE)
        assert maps.min() >= 0
        assert maps.max() <= 1


@pytest.mark.parametrize(("au", "region"), [("AU4", 0), ("AU9", 1), ("AU12", 2)])
def test_nothing_outside_its_hard_mask_speaks_for_an_au(au, region):
    net, heard = network(), nn.Identity()
    branch = net.branches[list(REGION_AUS)[region]]  # pyright: ignore
    branch.cbams[0] = nn.Sequential(heard, branch.cbams[0])  # pyright: ignore
    maps = grad_cam(net, IMAGES, au, layer=heard)
    outside = net.masks[region].numpy() == 0  # pyright: ignore
    step = SIZE // len(outside)
    deep_outside = np.kron(outside, np.ones((step, step))).astype(bool)
    deep_outside[:, :] &= np.roll(deep_outside, step, axis=0) & np.roll(deep_outside, -step, axis=0)
    assert maps[:, deep_outside].max() < 1e-6


def test_grad_cam_follows_gradient_times_activation():
    net = Corner()
    images = np.full((2, 8, 8, 3), 100, dtype=np.uint8)
    images[0, 1, 1] = 255
    maps = grad_cam(net, images, "AU1", layer=net.features)
    assert maps[0].argmax() == 9
    assert maps[0, 1, 1] == pytest.approx(1, abs=1e-5)


def test_maps_do_not_depend_on_the_batches():
    net = network()
    assert np.allclose(grad_cam(net, IMAGES, "AU2"), grad_cam(net, IMAGES, "AU2", batch_size=1), atol=1e-4)


def test_asking_leaves_the_network_as_it_was():
    net = network().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    learning = {name for name, parameter in net.named_parameters() if parameter.requires_grad}
    grad_cam(net, IMAGES, "AU6")
    spatial_attention(net, IMAGES)
    assert net.training
    assert {name for name, parameter in net.named_parameters() if parameter.requires_grad} == learning
    assert 0 < len(learning) < len(list(net.parameters()))  # the first blocks are frozen
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not any(part._forward_hooks for part in net.modules())


def settled(variant: str) -> tuple[nn.Module, dict[str, list[torch.Tensor]]]:
    """A network settled on two batches, and what entered its BatchNorms meanwhile."""
    net = network(variant)
    entered = {name: [] for name, part in net.named_modules() if isinstance(part, nn.BatchNorm2d)}

    def noting(note: list[torch.Tensor]):
        return lambda part, args: note.append(args[0].clone())

    for name, note in entered.items():
        net.get_submodule(name).register_forward_pre_hook(noting(note))
    assert settle(net.train(), [IMAGES[::2], IMAGES[1::2]]) is net
    return net, entered


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_what_was_drawn_takes_the_mean_of_the_batches_statistics_and_the_trunk_keeps_its_own(variant):
    before, (net, entered) = network(variant).state_dict(), settled(variant)
    for name, batches in entered.items():
        norm = net.get_submodule(name)
        if name.startswith("trunk."):
            mean, spread = before[f"{name}.running_mean"], before[f"{name}.running_var"]
        else:
            mean = torch.stack([seen.mean((0, 2, 3)) for seen in batches]).mean(0)
            spread = torch.stack([seen.transpose(0, 1).flatten(1).var(1) for seen in batches]).mean(0)
        assert torch.allclose(norm.running_mean, mean, atol=1e-5)  # pyright: ignore
        assert torch.allclose(norm.running_var, spread, rtol=1e-4, atol=1e-6)  # pyright: ignore
        assert norm.momentum == nn.BatchNorm2d(1).momentum
    assert variant == "senet" or any(not name.startswith("trunk.") for name in entered)


def test_settling_changes_no_weight_leaves_no_gradient_and_forgets_what_was_before():
    net, before = settled("tranet")[0], network().state_dict()
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    after = {name: value.clone() for name, value in net.state_dict().items()}
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.endswith(statistics) and not name.startswith("trunk.") for name in changed)
    assert not any(part.training for part in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())
    settle(net, [IMAGES[::2], IMAGES[1::2]])
    assert all(torch.equal(value, after[name]) for name, value in net.state_dict().items())


def test_no_images_have_no_maps():
    assert grad_cam(network(), IMAGES[:0], "AU1").shape == (0, SIZE, SIZE)


def test_each_au_is_asked_in_its_own_branch():
    net = network()
    for region, aus in REGION_AUS.items():
        assert all(attended(net, au, stage=2) is net.branches[region].cbams[2] for au in aus)  # pyright: ignore
    with pytest.raises(ValueError, match="unknown action unit 'AU3'"):
        attended(net, "AU3")


def test_the_networks_own_attention_has_three_maps_a_branch():
    seen = spatial_attention(network(), IMAGES)
    assert list(seen) == ["upper", "middle", "lower"]
    for stages in seen.values():
        assert [maps.shape for maps in stages] == [(len(IMAGES), SIZE, SIZE)] * 3
        assert all((maps > 0).all() and (maps < 1).all() for maps in stages)


@pytest.mark.parametrize(("variant", "branches"), [("senet", 0), ("hm_cbam_no_spatial", 0), ("senet_cbam", 1)])
def test_variants_without_spatial_attention_show_none(variant, branches):
    assert len(spatial_attention(network(variant), IMAGES)) == branches


def test_spatial_attention_is_what_the_gate_multiplies_by():
    net = network()
    heard = []
    cbam = net.branches["upper"].cbams[0]  # pyright: ignore
    handle = cbam.spatial.register_forward_hook(lambda module, args, out: heard.append((args[0], out)))
    maps = spatial_attention(net, IMAGES)["upper"][0]
    handle.remove()
    (features, attended_to) = heard[0]
    gate = (attended_to.sum(1) / features.sum(1)).nan_to_num().numpy()
    inside = features.sum(1).numpy() > 1e-3
    step = SIZE // gate.shape[-1]
    centres = maps[:, step // 2 :: step, step // 2 :: step]
    assert np.abs(centres - gate)[inside].max() < 0.25  # enlarged by interpolation


def test_the_share_inside_a_mask_is_a_share_of_the_map():
    maps = np.zeros((3, 4, 4))
    maps[0, :2] = 1
    maps[1, 0, 0] = 5
    mask = np.zeros((4, 4), dtype=bool)
    mask[0] = True
    assert share_inside(maps, mask) == pytest.approx([0.5, 1.0, np.nan], nan_ok=True)


def test_an_even_map_has_the_share_that_chance_gives():
    mask = np.random.default_rng(0).random((5, 6, 6)) < 0.3
    assert share_inside(np.ones((5, 6, 6)), mask) == pytest.approx(mask.mean(axis=(1, 2)))
