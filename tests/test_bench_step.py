"""The bench of a training step measures what it says, on a network that is too small to judge by."""

import pytest
import torch
from pictures import PaintedStore
from torch import nn

from traunet.bench import gpu
from traunet.bench.step import Step, arithmetic, measure
from traunet.config import ModelConfig
from traunet.machines.machine import Machine

SMALL = ModelConfig(width=4, depths=(1, 1, 1, 1), reduction=4, branch_width=8, hidden=8)


def test_a_small_network_gives_every_figure(tmp_path):
    figures = measure(tmp_path, SMALL, size=64, batch_size=4, rounds=1, width=8)
    assert [figure.unit for figure in figures] == ["GFLOP/s", "GFLOP/s", "s", "s"]
    assert all(figure.value > 0 and figure.reference > 0 for figure in figures)
    assert [figure.holds is None for figure in figures] == [False, False, True, False]


def test_arithmetic_is_counted_as_the_closed_form_has_it():
    convolution = nn.Conv2d(6, 10, 3, padding=1, bias=False)
    features = torch.randn(2, 6, 8, 8)
    forward = 2 * (6 * 9) * 10 * (2 * 8 * 8)
    assert arithmetic(lambda: convolution(features)) == forward
    assert arithmetic(lambda: convolution(features).sum().backward()) == 2 * forward


def test_only_arithmetic_that_is_done_is_counted():
    step = Step(SMALL, 64)
    batch = torch.zeros(2, 3, 64, 64, dtype=torch.uint8), torch.zeros(2, 8)
    done = arithmetic(lambda: step(batch))
    with step.whole():
        whole = arithmetic(lambda: step(batch))
    assert done == arithmetic(lambda: step(batch))
    channels, rows, columns = SMALL.branch_width, 8, 8
    row = 3 * 2 * (9 * channels) * channels * 2 * columns  # forward and backward, both pictures
    convolved = [5, 6, 6, 8, 5, 6]  # rows of the first and second convolution, in each branch; one is whole
    nine = 5 * 3 * 2 * (9 * channels) * channels * 9
    assert whole - done == pytest.approx(row * (6 * rows - sum(convolved)) - nine)


@pytest.mark.parametrize("room", [10**9, 10**11])
def test_the_bar_is_for_the_way_that_disfas_pictures_would_take(room, monkeypatch):
    """24 rendered pictures fit every GPU; DISFA's 19 GB do not."""
    monkeypatch.setattr("traunet.fitting.resident.room", lambda device: room)
    monkeypatch.setattr(gpu, "room", lambda device: room)
    store = PaintedStore()
    figures = gpu.compare(store, Machine("cpu"), SMALL, batch_size=4, batches=2, rounds=1, width=8)  # pyright: ignore
    barred = {figure.what: figure.at_most is not None for figure in figures if "training steps" in figure.what}
    assert barred == {
        f"2 training steps on the GPU, {gpu.STAYING}": room == 10**11,
        f"2 training steps on the GPU, {gpu.COMING}": room == 10**9,
    }


def test_the_gpus_figures_are_taken_on_any_device_and_kept_to_gpus(tmp_path):
    here = Machine("cpu", workers=1)
    figures = gpu.compare(PaintedStore(), here, SMALL, batch_size=4, batches=2, rounds=1, width=8)  # pyright: ignore
    assert [figure.unit for figure in figures] == ["TFLOP/s", "s", "s", "s"]
    assert all(figure.value > 0 and figure.reference > 0 for figure in figures)
    assert figures[-1].value <= figures[-2].value  # of an epoch, the time in which Python waits for its batches
    assert figures[-1].at_most
    assert figures[-2].at_most
    assert gpu.measure(tmp_path, here) == []
    assert not list(tmp_path.iterdir())
