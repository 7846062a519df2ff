"""TRA-Net and the rows of Table 2: what each is made of, what it sees, and that it learns."""

import dataclasses

import pytest
import torch
from torch import nn

from traunet import facs
from traunet.config import VARIANTS, AlignConfig, ModelConfig, Variant
from traunet.model.blocks import SpatialAttention
from traunet.model.readings import READINGS, TAKEN
from traunet.model.regions import HardMasks, region_masks
from traunet.model.tranet import BUILDERS, Normalise, build, build_on_trunk
from traunet.model.weights import VGGFACE2_BGR, Normalisation, save_trunk

SMALL = ModelConfig(width=4, depths=(1, 1, 1, 1), reduction=4, branch_width=8, hidden=8)
ALIGN = AlignConfig(size=64)


def network(variant: str, size: int = 64, config: ModelConfig = SMALL):
    torch.manual_seed(0)
    return build(variant, config, AlignConfig(size=size), Normalisation())


def faces(count: int = 2, size: int = 64) -> torch.Tensor:
    shape = (count, 3, size, size)
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


def test_every_variant_of_the_paper_can_be_built():
    assert BUILDERS.keys() == VARIANTS.keys()


def test_an_unknown_variant_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match=r"unknown variant 'resnet'.*tranet_v1"):
        network("resnet")


def test_a_variant_that_is_listed_without_a_builder_is_an_error_that_says_where_one_belongs(monkeypatch):
    monkeypatch.setitem(VARIANTS, "tranet_wide", Variant("tranet_wide", "TRA-Net, wide"))
    with pytest.raises(ValueError, match=r"'tranet_wide' has no builder.*tranet\.BUILDERS"):
        network("tranet_wide")


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_turns_faces_into_a_logit_for_each_au_and_passes_gradients(variant):
    net = network(variant).train()
    logits = net(faces())
    assert logits.shape == (2, len(facs.AUS))
    logits.square().sum().backward()
    without = [n for n, p in net.named_parameters() if p.requires_grad and p.grad is None]
    assert not without


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_checkpoint_restores_the_answers(variant):
    net = network(variant).eval()
    other = build(variant, SMALL, ALIGN, VGGFACE2_BGR).eval()
    other.load_state_dict(net.state_dict())
    torch.testing.assert_close(net(faces()), other(faces()), atol=0, rtol=0)


@pytest.mark.parametrize("variant", ["senet", "tranet", "tranet_v1"])
@pytest.mark.parametrize("size", [65, 96, 150, 224])
def test_any_size_of_face_will_do(variant, size):
    with torch.no_grad():
        assert network(variant, size).eval()(faces(1, size)).shape == (1, 8)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_face_alone_has_the_logits_it_has_in_a_batch(variant):
    net = network(variant).eval()
    torch.testing.assert_close(net(faces())[:1], net(faces()[:1]), atol=1e-5, rtol=1e-5)


def test_the_heads_have_three_two_and_three_aus_in_the_order_of_the_tables():
    net = network("tranet")
    heads = {region: branch.predict[-1].out_features for region, branch in net.branches.items()}  # pyright: ignore
    assert heads == {"upper": 3, "middle": 2, "lower": 3}
    assert tuple(au for region in facs.REGIONS for au in facs.REGION_AUS[region]) == facs.AUS


@pytest.mark.parametrize("size", [7, 8, 12, 28])
def test_upper_and_lower_masks_share_no_row_and_leave_none_out(size):
    upper, _, lower = region_masks(size, 0.5)
    assert (upper + lower == 1).all()


@pytest.mark.parametrize("size", [8, 12, 28])
def test_the_middle_mask_reaches_a_quarter_of_the_height_to_both_sides_of_the_centre(size):
    middle = region_masks(size, 0.5)[1]
    assert middle.flip(0).equal(middle)
    assert middle[:, 0].sum() == size / 2


def test_masks_follow_the_centre_of_the_aligned_face():
    upper, middle, lower = region_masks(20, 0.4)[:, :, 0]
    assert upper.nonzero().flatten().tolist() == list(range(8))
    assert middle.nonzero().flatten().tolist() == list(range(3, 13))
    assert lower.nonzero().flatten().tolist() == list(range(8, 20))


def test_masks_and_features_of_unlike_size_are_an_error_that_says_what_to_do():
    with pytest.raises(ValueError, match=r"AlignConfig\.size"):
        HardMasks(region_masks(8, 0.5))(torch.zeros(1, 4, 12, 12))


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v not in ("senet", "senet_cbam")])
def test_a_branch_is_blind_to_features_outside_its_region(variant):
    net = network(variant).eval()
    features = torch.rand(1, SMALL.branch_width, 8, 8, generator=torch.Generator().manual_seed(1))
    for region, mask in zip(facs.REGIONS, net.masks, strict=True):
        index = facs.REGIONS.index(region)
        elsewhere = features + 5 * (1 - mask)
        seen, unseen = (net.branches[region](net.hard_masks(f)[index]) for f in (features, elsewhere))
        torch.testing.assert_close(seen, unseen, atol=0, rtol=0)


def test_without_hard_masks_one_branch_sees_the_whole_face():
    for variant in ("senet", "senet_cbam"):
        net = network(variant)
        assert list(net.branches) == ["face"]
        assert (net.masks == 1).all()


def parts(variant: str) -> dict[str, str]:
    return {name: type(part).__name__ for name, part in network(variant).branches.named_modules()}


@pytest.mark.parametrize(
    ("variant", "gone"),
    [("hm_cbam_no_channel", "ChannelAttention"), ("hm_cbam_no_spatial", "SpatialAttention"), ("senet_hm", "CBAM")],
)
def test_an_ablation_is_tra_net_with_one_part_replaced_by_nothing(variant, gone):
    whole, without = parts("tranet"), parts(variant)
    replaced = {name for name, kind in whole.items() if kind == gone}
    assert len(replaced) == 9
    assert all(without[name] == "Identity" for name in replaced)
    kept = {n: kind for n, kind in whole.items() if not any(n == r or n.startswith(f"{r}.") for r in replaced)}
    assert kept == {name: kind for name, kind in without.items() if name not in replaced}


def test_the_residual_variant_adds_what_entered_each_cbam_and_no_parameter():
    plain, residual = network("tranet").eval(), network("tranet_residual").eval()
    assert [p.shape for p in plain.parameters()] == [p.shape for p in residual.parameters()]
    features = torch.rand(1, 8, 8, 8)
    cbam, wrapped = (net.branches.get_submodule("upper.cbams.0") for net in (plain, residual))
    wrapped.get_submodule("module").load_state_dict(cbam.state_dict())
    torch.testing.assert_close(wrapped(features), features + cbam(features))


def test_version_2_pools_between_its_cbams_and_version_1_does_not():
    for variant, heights in {"tranet": [8, 4, 2], "tranet_v1": [8, 8, 8]}.items():
        net, seen = network(variant).eval(), []
        for part in net.branches["upper"].modules():
            if isinstance(part, SpatialAttention):
                part.gate.register_forward_hook(lambda *args, seen=seen: seen.append(args[-1].shape[-1]))
        net(faces(1))
        assert seen == heights


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_first_two_blocks_are_frozen_in_every_variant(variant):
    net = network(variant).train()
    trained = {name.split(".")[1] for name, p in net.trunk.named_parameters(prefix="t") if p.requires_grad}
    assert trained == {"layer2", "layer3", "layer4"}
    assert not net.trunk.bn1.training


def test_reversed_weights_see_reversed_channels():
    rgb = Normalise(Normalisation("RGB", (10.0, 20.0, 30.0), 2.0))(faces())
    bgr = Normalise(Normalisation("BGR", (30.0, 20.0, 10.0), 2.0))(faces())
    torch.testing.assert_close(rgb.flip(1), bgr)
    torch.testing.assert_close(rgb[:, 0], (faces()[:, 0].float() - 10) / 2)


def test_a_network_stands_on_the_trunk_it_is_given(tmp_path):
    trained = network("tranet").trunk.state_dict()
    save_trunk(tmp_path / "trunk.pt", trained, Normalisation("RGB", (1.0, 2.0, 3.0), 4.0))
    torch.manual_seed(7)
    net, _ = build_on_trunk("tranet_v1", SMALL, ALIGN, tmp_path / "trunk.pt")
    assert all(value.equal(trained[name]) for name, value in net.trunk.state_dict().items())
    assert net.normalise.mean.flatten().tolist() == [1, 2, 3]  # pyright: ignore
    assert not net.trunk.conv1.weight.requires_grad


def test_a_trunk_of_another_width_is_an_error_that_names_the_file(tmp_path):
    save_trunk(tmp_path / "trunk.pt", network("senet").trunk.state_dict(), Normalisation())
    with pytest.raises(ValueError, match=r"trunk\.pt: does not fit"):
        build_on_trunk("tranet", dataclasses.replace(SMALL, width=8), ALIGN, tmp_path / "trunk.pt")


@pytest.mark.parametrize(("variant", "version"), [("tranet_v1", "version1"), ("tranet", "version2")])
def test_the_counted_reading_is_the_network_that_is_built(variant, version):
    with torch.device("meta"):
        net = BUILDERS[variant](ModelConfig(), AlignConfig(), nn.Identity())
    assert sum(p.numel() for p in net.parameters()) == getattr(TAKEN, version)


def test_unlike_readings_come_near_the_77_million_of_version_1():
    near = {reading.name: reading.near for reading in READINGS if reading.near}
    assert len(near) >= 3
    assert TAKEN.name not in near


@pytest.mark.parametrize("variant", ["senet", "tranet"])
def test_a_network_learns_to_tell_a_bright_forehead_from_a_dark_one(variant):
    net, images = network(variant).train(), faces(16) // 4
    wanted = (torch.arange(16) % 2).float()
    images[1::2, :, 8:24] += 150
    optimiser = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
    losses = []
    for _ in range(30):
        loss = nn.functional.binary_cross_entropy_with_logits(net(images)[:, 0], wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 < losses[0]
