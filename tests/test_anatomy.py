"""A network taken apart: nothing is left out, and arithmetic is what torch counts."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.patches import Polygon
from pictures import TINY, PaintedStore
from torch.utils.flop_counter import FlopCounterMode

from traunet.config import PAPER, VARIANTS
from traunet.facs import REGIONS
from traunet.figures import lookfigures, netfigures
from traunet.model import anatomy, fields

mpl.use("Agg")
SIZE = TINY.align.size
IMAGES = PaintedStore(frames=2, subjects=("SN001", "SN002")).images([0, 1, 2])


def tiny(variant: str = "tranet"):
    torch.manual_seed(0)
    return anatomy.built(variant, TINY.model, TINY.align)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_stages_have_all_parameters_and_torchs_own_count_of_arithmetic(variant):
    net = anatomy.outline(variant, PAPER.model, PAPER.align)
    found = anatomy.stages(net, PAPER.align.size)
    with FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, 3, PAPER.align.size, PAPER.align.size, device="meta"))
    assert sum(stage.parameters for stage in found) == sum(p.numel() for p in net.parameters())
    assert 2 * sum(stage.multiply_adds for stage in found) == counter.get_total_flops()


def test_what_leaves_a_stage_enters_the_next_in_trunk_and_branch():
    found = anatomy.stages(tiny(), SIZE)
    for part in ("trunk", *REGIONS):
        chain = [stage for stage in found if stage.part == part and stage.kind != "head"]
        assert all(after.given == before.shape for before, after in pairwise(chain))
    assert [stage.title for stage in found if stage.frozen] == ["block 1", "block 2"]
    assert found[0].given == (3, SIZE, SIZE)


def test_an_ablation_lacks_exactly_what_its_name_says():
    kinds = {name: [s for s in anatomy.stages(tiny(name), SIZE) if s.part == "upper"] for name in VARIANTS}
    assert not any(stage.kind == "attention" for stage in kinds["senet_hm"])
    assert not any(stage.kind == "followers" for stage in kinds["tranet_v1"])
    assert all("channel" not in s.traits for s in kinds["hm_cbam_no_channel"] if s.kind == "attention")
    assert all("spatial" not in s.traits for s in kinds["hm_cbam_no_spatial"] if s.kind == "attention")
    assert all("residual" in s.traits for s in kinds["tranet_residual"] if s.kind == "attention")
    assert all("residual" not in s.traits for s in kinds["tranet"] if s.kind == "attention")


def test_taking_apart_leaves_no_hooks_behind():
    net = tiny()
    anatomy.stages(net, SIZE)
    assert not any(part._forward_hooks for part in net.modules())


def test_drift_is_zero_where_nothing_was_trained_and_counts_statistics():
    start = tiny().trunk.state_dict()
    state = {f"trunk.{name}": value.clone() for name, value in start.items()}
    state["trunk.layer2.0.bn1.running_mean"] += 0.5
    table = anatomy.drift(state, start).set_index("block")
    assert list(table.index[table["largest change"] > 0]) == ["block 3"]  # pyright: ignore
    assert table.loc["block 3", "largest change"] == pytest.approx(0.5)


def test_fields_of_senet_50_follow_from_its_kernels_and_strides():
    config = anatomy.ModelConfig(width=2, reduction=2, branch_width=4, hidden=2)
    sides = fields.theoretical_fields(anatomy.built("tranet", config, PAPER.align))
    # 7x7 at stride 1, pool of 3 at 2, then a 3x3 a block at strides 4, 8, 16 and 32.
    closed = 7 + 2 * 2 + 2 * 4 * np.cumsum([3, 4 * 2, 6 * 4, 3 * 8])
    assert [sides[name] for name in fields.STAGES[:4]] == closed.tolist()
    assert sides["decoded"] > sides["block 5"]


def test_a_cell_moves_with_the_pixels_of_its_own_place():
    net, place = tiny(), (0.25, 0.75)
    boxes = fields.reached_boxes(net, SIZE, place)
    moved = fields.effective_fields(net, IMAGES, place)
    for name in ("block 2", "block 3"):
        left, top, right, bottom = boxes[name]
        assert left <= 0.25 * SIZE < right
        assert top <= 0.75 * SIZE < bottom
        assert fields.outside_box(moved[name], boxes[name]) < 0.5
    assert all(one.sum() == pytest.approx(1) for one in moved.values())


def test_the_fewest_pixels_that_hold_most():
    moved = np.zeros((10, 10))
    moved[:3, :3] = 1
    assert fields.side_of_most(moved, 1.0) == pytest.approx(3)
    assert fields.outside_box(moved, (0, 0, 3, 1)) == pytest.approx(2 / 3)


def test_answers_are_asked_without_leaving_gradients_behind():
    net = tiny()
    maps = fields.answer_maps(net, IMAGES)
    assert set(maps) == set(REGIONS)
    assert all(parameter.grad is None for parameter in net.parameters())


def test_asking_a_network_in_training_changes_nothing_of_it():
    net = tiny().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    fields.answer_maps(net, IMAGES)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_drawn_with_a_box_for_each_stage_that_has_one(variant):
    found = anatomy.stages(tiny(variant), SIZE)
    figure = netfigures.architecture(found, SIZE)
    boxes = [patch for patch in figure.axes[0].patches if type(patch) is Polygon]
    assert len(boxes) == sum(stage.kind in ("block", "decoder", "followers") for stage in found)
    words = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert all(stage.size in words for stage in found if stage.kind in ("block", "decoder"))
    figure.canvas.draw()


def test_the_other_figures_of_the_network_are_drawn():
    networks = {name: anatomy.stages(tiny(name), SIZE) for name in VARIANTS}
    netfigures.branches(networks, SIZE).canvas.draw()
    netfigures.costs(networks).canvas.draw()
    moved = {"block 2": np.zeros((SIZE, SIZE))}
    lookfigures.receptive_fields(IMAGES[0], moved, {"block 2": (0, 0, 9, 9)}).canvas.draw()
    bands = {region: np.ones((SIZE, SIZE), dtype=bool) for region in REGIONS}
    lookfigures.answers_of_pixels(IMAGES[0], {r: np.ones((SIZE, SIZE)) for r in REGIONS}, bands).canvas.draw()


def test_the_branches_of_a_drawn_network_stand_in_columns_though_they_answer_for_unlike_many_aus():
    texts = netfigures.architecture(anatomy.stages(tiny(), SIZE), SIZE).axes[0].texts
    heads = [text.get_position()[0] for text in texts if text.get_text().startswith("mean")]
    assert len(heads) == len(REGIONS)
    assert np.ptp(heads) < 1e-9
