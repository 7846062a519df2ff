"""The trunk, against timm's `legacy_seresnet50` with the same weights."""

import pytest
import timm
import torch

from traunet.config import ModelConfig
from traunet.model.senet import SENet, block3_size, block5_size

SMALL = ModelConfig(width=4, depths=(1, 2, 1, 1), reduction=4)


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 70, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def pair():
    """Ours and timm's, with the same weights, no statistic left at its start."""
    theirs = timm.create_model("legacy_seresnet50", pretrained=False)
    generator = torch.Generator().manual_seed(1)
    for name, value in theirs.state_dict().items():
        if "running" in name or ("bn" in name and value.is_floating_point()):
            value.copy_(torch.rand(value.shape, generator=generator) * 0.5 + 0.5)
    ours = SENet(ModelConfig())
    renames = {"layer0.": "", "se_module.fc1": "se.down", "se_module.fc2": "se.up"}
    state = {name: value for name, value in theirs.state_dict().items() if not name.startswith("last_linear")}
    for old, new in renames.items():
        state = {name.replace(old, new): value for name, value in state.items()}
    ours.load_state_dict(state)
    return ours, theirs


def blocks_of_timm(net, images):
    out = net.pool0(net.layer0(images))
    blocks = []
    for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
        out = layer(out)
        blocks.append(out)
    return blocks


@pytest.mark.parametrize("training", [True, False])
def test_the_trunk_equals_timms_seresnet50_block_by_block(pair, images, training):
    ours, theirs = (net.train(training) for net in pair)
    with torch.no_grad():
        for mine, reference in zip(ours(images), blocks_of_timm(theirs, images), strict=True):
            torch.testing.assert_close(mine / reference.std(), reference / reference.std(), atol=1e-5, rtol=1e-5)


def test_the_full_trunk_has_the_published_number_of_parameters(pair):
    assert sum(p.numel() for p in pair[0].parameters()) == 26_039_024


@pytest.mark.parametrize("size", [64, 96, 112, 161, 224])
def test_sizes_and_channels_are_known_before_any_image(size):
    trunk = SENet(SMALL).eval()
    blocks = trunk(torch.zeros(1, 3, size, size))
    assert [block.shape[1] for block in blocks] == trunk.out_channels
    assert blocks[1].shape[-2:] == (block3_size(size), block3_size(size))
    assert blocks[3].shape[-2:] == (block5_size(size), block5_size(size))


def test_a_224_pixel_image_has_28_by_28_and_7_by_7_features():
    assert (block3_size(224), block5_size(224)) == (28, 7)


def test_an_image_alone_has_the_features_it_has_in_a_batch(images):
    trunk = SENet(SMALL).eval()
    torch.testing.assert_close(trunk(images)[3][:1], trunk(images[:1])[3])


def test_training_leaves_the_first_two_blocks_as_they_were(images):
    trunk = SENet(SMALL)
    trunk.freeze_first_blocks()
    trunk.train()
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in trunk.parameters() if p.requires_grad], lr=0.1)
    trunk(images)[3].square().mean().backward()
    optimiser.step()
    changed = {n.split(".")[0] for n, value in trunk.state_dict().items() if not value.equal(before[n])}
    assert changed == {"layer2", "layer3", "layer4"}


def test_frozen_blocks_stay_frozen_when_training_begins_again():
    trunk = SENet(SMALL)
    trunk.freeze_first_blocks()
    trunk.eval().train()
    assert not any(part.training for block in trunk.first_blocks for part in block.modules())
    assert trunk.layer2.training


def test_no_gradient_reaches_the_frozen_blocks_and_nothing_is_kept_for_them(images):
    trunk = SENet(SMALL)
    trunk.freeze_first_blocks()
    entered = []
    for stage in (trunk.layer1, trunk.layer2, trunk.layer3):
        stage.register_forward_pre_hook(lambda _, args: entered.append(args[0].requires_grad))
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda kept_one: kept.append(kept_one) or kept_one, lambda one: one
    ):
        blocks = trunk.train()(images)
    assert entered == [False, False, True]
    assert blocks[0].grad_fn is None
    sizes = {tuple(tensor.shape[-2:]) for tensor in kept if tensor.dim() == 4}
    assert (35, 32) not in sizes  # block 1's maps
    assert sum(tensor.data_ptr() == blocks[0].data_ptr() for tensor in kept) == 2  # what enters block 3, twice
