"""On a real GPU: it computes what a CPU computes, to the precision that it has. Skipped where there is none."""

import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from pictures import TINY, PaintedStore

from traunet.bench.gpu import compare
from traunet.config import VARIANTS
from traunet.data import folds
from traunet.fitting.feeding import Draws, loader
from traunet.fitting.loop import Adapter, Descent
from traunet.fitting.resident import ResidentStore, resident
from traunet.machines import acceleration, gpus
from traunet.machines.machine import Machine
from traunet.model.tranet import build
from traunet.model.weights import Normalisation
from traunet.training import WeightedPlan, branch_loss, fit, predict

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here"),
    # Of Python 3.12 and later, where loading processes are forked: beside a GPU there is always a second thread.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype:UserWarning"),
]
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
HERE, THERE = Machine("cpu", workers=0), Machine("cuda", workers=2)
STORE = PaintedStore()
STEPS = replace(TINY.train, batches_per_epoch=20, max_epochs=4, batch_size=16)
EVEN = replace(
    STEPS, final_learning_rate=STEPS.learning_rate
)  # so that no rate hangs on how many epochs are to come


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Convolutions in whole single precision where single precision is asked for."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def network(variant: str = "tranet"):
    torch.manual_seed(0)
    return build(variant, TINY.model, TINY.align, Normalisation())


def images(count: int = 8) -> torch.Tensor:
    return torch.from_numpy(STORE.images(STORE.usable[:count])).permute(0, 3, 1, 2)


def gradients(net, device: torch.device, precision: AbstractContextManager | None = None) -> list[torch.Tensor]:
    """Of one step, in the mode and the precision that the caller set."""
    labels = torch.from_numpy(folds.labels(STORE.frames, 3)[STORE.usable[:8]].astype(np.float32))
    net.zero_grad()
    with precision or nullcontext():
        loss = branch_loss(net(images().to(device)), labels.to(device))
    loss.backward()
    return [part.grad.float().cpu() for part in net.parameters() if part.grad is not None]


def distance(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> float:
    """Of two gradients, as a share of the second's length."""
    difference = sum(float((a - b).square().sum()) for a, b in zip(ours, theirs, strict=True))
    return (difference / sum(float(b.square().sum()) for b in theirs)) ** 0.5


@pytest.mark.parametrize("variant", VARIANTS)
def test_single_precision_on_a_gpu_is_the_cpus(variant):
    here = network(variant)
    expected = gradients(here, CPU)
    there = acceleration.placed(network(variant), CUDA)
    assert distance(gradients(there, CUDA), expected) < 1e-3
    with torch.no_grad():
        torch.testing.assert_close(
            there.eval()(images().to(CUDA)).cpu(), here.eval()(images()), atol=1e-3, rtol=1e-3
        )


def test_a_training_is_mixed_and_its_gradients_point_where_the_exact_ones_do():
    assert acceleration.precision(CUDA) == "bf16-mixed"
    net = acceleration.placed(network(), CUDA).train()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    exact = gradients(net, CUDA)
    net.load_state_dict(state)
    mixed = gradients(net, CUDA, acceleration.autocast(CUDA))
    ours, theirs = (torch.cat([part.flatten() for part in parts]) for parts in (mixed, exact))
    assert not torch.equal(ours, theirs)
    # bfloat16 has 8 bits, and BatchNorm over a few pixels of a tiny network makes much of them: 0.91 on a CPU.
    assert torch.cosine_similarity(ours, theirs, dim=0) > 0.8


def test_a_network_trained_there_says_the_same_here():
    net, split = network(), folds.split(STORE.frames, 1, STEPS.held_out_subjects)
    result = fit(net, STORE, split, STEPS, machine=THERE, progress=None)  # pyright: ignore
    assert result.history["loss"].iloc[-1] < result.history["loss"].iloc[0]
    assert all(value.device.type == "cpu" for value in result.state_dict.values())
    net.load_state_dict(result.state_dict)
    there = predict(net, STORE, split.test, machine=THERE)  # pyright: ignore
    fresh = network()
    fresh.load_state_dict(result.state_dict)
    assert np.abs(predict(fresh, STORE, split.test, machine=HERE) - there).max() < 0.03  # pyright: ignore


def test_frozen_blocks_stay_as_they_were():
    net = network()
    before = {name: value.clone() for name, value in net.trunk.layer1.state_dict().items()}
    net.trunk.freeze_first_blocks()
    split = folds.split(STORE.frames, 1, STEPS.held_out_subjects)
    fit(net, STORE, split, replace(STEPS, max_epochs=1), machine=THERE, progress=None)  # pyright: ignore
    for name, value in net.trunk.layer1.state_dict().items():
        assert torch.equal(value.cpu(), before[name]), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_in_a_step_waits_for_the_gpu(variant):
    """Python must run ahead, or the GPU stands still while Python starts the next operation."""
    net = acceleration.placed(network(variant), CUDA).train()
    held = resident(STORE, THERE, shown=False)  # pyright: ignore
    plan = WeightedPlan(STORE.usable, np.full(len(STORE.usable), 1 / len(STORE.usable)), STEPS)
    batches = loader(held, folds.labels(STORE.frames, 3).astype(np.float32), Draws(plan, 20, 0.5, 0), THERE)
    descent = Descent(0.01, 0.01, 0.9, 0.001).optimizer(net)
    try:
        for number, (pictures, labels) in enumerate(batches):
            with acceleration.autocast(CUDA):
                loss = branch_loss(net(pictures), labels)
            descent.zero_grad()
            loss.backward()
            descent.step()
            torch.cuda.set_sync_debug_mode("error" if number else "default")  # the first warms up
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("held", [True, False])
def test_nothing_in_a_step_of_lightnings_waits_for_the_gpu_either(held, monkeypatch):
    """With pictures that lie there, and with those of loading processes."""
    store = resident(STORE, THERE, shown=False) if held else STORE  # pyright: ignore
    strict = []

    def begin(adapter, batch, number) -> None:
        strict.append(number)
        torch.cuda.set_sync_debug_mode("error" if number else "default")  # the first warms up

    def end(adapter, *_) -> None:
        torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(Adapter, "on_train_batch_start", begin)
    monkeypatch.setattr(Adapter, "on_train_batch_end", end)
    split = folds.split(STORE.frames, 1, STEPS.held_out_subjects)
    try:
        fit(network(), store, split, replace(STEPS, max_epochs=1), machine=THERE, progress=None)  # pyright: ignore
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(strict) == STEPS.batches_per_epoch


def test_loading_processes_change_no_batch():
    def losses(workers: int) -> np.ndarray:
        split = folds.split(STORE.frames, 1, STEPS.held_out_subjects)
        fitted = fit(network(), STORE, split, STEPS, machine=Machine("cuda", workers=workers), progress=None)  # pyright: ignore
        return fitted.history["loss"].to_numpy()

    np.testing.assert_allclose(losses(2), losses(0), rtol=0.02)


def test_pictures_that_lie_there_are_the_stores_and_train_the_same_network():
    held, split = resident(STORE, THERE, shown=False), folds.split(STORE.frames, 1, STEPS.held_out_subjects)  # pyright: ignore
    assert isinstance(held, ResidentStore)
    np.testing.assert_array_equal(
        held.pictures[held.places(STORE.usable)].cpu().numpy(), STORE.images(STORE.usable)
    )
    plan, labels = (
        WeightedPlan(split.train, np.full(len(split.train), 1 / len(split.train)), STEPS),
        np.zeros(len(STORE)),
    )
    pairs = [loader(store, labels, Draws(plan, 20, 0.5, 0), THERE) for store in (held, STORE)]  # pyright: ignore
    for (here, _), (there, _) in zip(*pairs, strict=True):
        assert here.device.type == "cuda"
        assert torch.equal(here.cpu(), there)
    losses = []
    for store in (held, STORE):
        fitted = fit(network(), store, split, STEPS, machine=THERE, progress=None)  # pyright: ignore
        losses.append(fitted.history["loss"])
    np.testing.assert_allclose(*losses, rtol=0.02)


def test_a_killed_training_goes_on_there(tmp_path):
    """The child trains until its first epoch is noted, and is killed; what is left goes on to the same losses."""
    state = tmp_path / "state.pt"
    with subprocess.Popen([sys.executable, __file__, state], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        said = child.stdout.readline().strip()
        child.kill()
    assert said == "noted"
    assert state.is_file()
    split = folds.split(STORE.frames, 1, STEPS.held_out_subjects)
    resumed = fit(network(), STORE, split, STEPS, machine=THERE, progress=None, resume=state)  # pyright: ignore
    whole = fit(network(), STORE, split, STEPS, machine=THERE, progress=None)  # pyright: ignore
    assert resumed.sittings
    assert len(resumed.history) == len(whole.history)
    np.testing.assert_allclose(resumed.history["loss"], whole.history["loss"], rtol=0.05)


def test_a_job_gets_a_gpu_by_its_uuid(tmp_path):
    assert gpus.here()
    asked = "import torch; print(torch.cuda.device_count(), torch.zeros(1, device='cuda').item())"
    command = [sys.executable, "-m", "traunet.machines.gpus", "1", sys.executable, "-c", asked]
    own = {**os.environ, "TMPDIR": str(tmp_path)}  # the locks lie there, of jobs of this user's too
    told = subprocess.run(command, env=own, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["1", "0.0"]


def test_the_machine_tells_its_gpu():
    assert THERE.facts()["gpu"] == torch.cuda.get_device_name()


def test_the_bench_gives_every_figure_of_a_gpu():
    figures = compare(STORE, THERE, TINY.model, batch_size=8, batches=4, rounds=1, width=8)  # pyright: ignore
    assert [figure.unit for figure in figures] == ["TFLOP/s", *"sssss"]
    assert sum(figure.at_most is not None for figure in figures[2:]) == 2
    assert all(figure.value > 0 and figure.reference > 0 for figure in figures)
    assert figures[0].memory


def train_until_noted(state) -> None:
    """Say so when an epoch is written, and train on; slowly, so that a kill finds it at work."""
    from pathlib import Path

    from traunet.fitting import unfinished

    write = unfinished.write

    def noting(path: Path, content) -> None:
        write(path, content)
        print("noted", flush=True)
        signal.pause()

    unfinished.write = noting
    split = folds.split(STORE.frames, 1, STEPS.held_out_subjects)
    fit(network(), STORE, split, STEPS, machine=THERE, progress=None, resume=Path(state))  # pyright: ignore


if __name__ == "__main__":
    train_until_noted(sys.argv[1])


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are no two GPUs here")
def test_two_gpus_learn_what_one_learns_and_take_up_where_they_were_stopped(tmp_path):
    alone, together = (replace(THERE, workers=0, devices=count) for count in (1, 2))
    split, once = folds.split(STORE.frames, 1, 3), replace(EVEN, max_epochs=1)
    resume = tmp_path / "unfinished.pt"
    fit(network(), STORE, split, once, machine=together, progress=None, resume=resume)  # pyright: ignore
    one = fit(network(), STORE, split, EVEN, machine=alone, progress=None)  # pyright: ignore
    two = fit(network(), STORE, split, EVEN, machine=together, progress=None, resume=resume)  # pyright: ignore
    assert two.sittings == [1]
    np.testing.assert_allclose(two.history["loss"], one.history["loss"], rtol=0.05)  # in mixed precision
    assert two.history["loss"].iloc[-1] < two.history["loss"].iloc[0]
