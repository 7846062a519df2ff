"""Two processes that share every batch, held against one that has it whole."""

import os
import resource
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
import torch.distributed as dist
from pictures import TINY, PaintedStore
from torch import multiprocessing, nn
from torch.utils.data import DataLoader, TensorDataset

from traunet.data import folds
from traunet.facs import AUS
from traunet.fitting.crank import turn
from traunet.fitting.feeding import Draws
from traunet.fitting.sharing import SharedBatchNorm2d, gathered, place, share_batch_norm
from traunet.machines.ending import Terminated, terminable
from traunet.machines.machine import Machine
from traunet.model.tranet import build
from traunet.model.weights import Normalisation
from traunet.training import WeightedPlan, fit, predict

ONE = Machine(device="cpu", threads=1)
TWO = replace(ONE, devices=2)
FEW_STEPS = replace(TINY.train, max_epochs=2, batches_per_epoch=2, learning_rate=0.01, final_learning_rate=0.01)


def network() -> nn.Module:
    torch.manual_seed(0)
    return build("tranet", TINY.model, TINY.align, Normalisation())


def trained(machine: Machine):
    store, net = PaintedStore(), network()
    split = folds.split(store.frames, 1, 3)
    return net, fit(net, store, split, FEW_STEPS, machine=machine, progress=None)  # pyright: ignore


def in_group(rank: int, work, folder: str, *rest) -> None:
    """One of two processes of a gloo group."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    work(rank, folder, *rest)
    dist.barrier()  # a process that left while the other was still joining would break its connection
    dist.destroy_process_group()


def together(folder, work, *rest) -> None:
    # Children of a server that has loaded torch once start in no time.
    multiprocessing.set_forkserver_preload(["traunet.training"])
    multiprocessing.start_processes(in_group, (work, str(folder), *rest), nprocs=2, start_method="forkserver")  # pyright: ignore


@pytest.fixture(scope="module")
def alone_and_shared():
    return trained(ONE), trained(TWO)


def test_two_processes_learn_what_one_learns_from_the_same_global_batch(alone_and_shared):
    (_, alone), (_, shared) = alone_and_shared
    for name, value in alone.state_dict.items():
        assert torch.allclose(value.float(), shared.state_dict[name].float(), atol=1e-5), name
    assert shared.chosen_epoch == alone.chosen_epoch
    initial = network().state_dict()
    moved = [name for name in initial if not torch.equal(initial[name], alone.state_dict[name])]
    assert len(moved) > 50  # it is no standstill that agrees


def test_two_processes_note_the_losses_and_scores_of_one(alone_and_shared):
    (_, alone), (_, shared) = alone_and_shared
    assert list(shared.history.columns) == list(alone.history.columns)
    assert np.allclose(shared.history, alone.history, atol=1e-5, equal_nan=True)


def test_the_network_in_hand_is_the_one_that_was_trained(alone_and_shared):
    (one, _), (two, _) = alone_and_shared
    rows = PaintedStore().usable[:20]
    answers = [predict(net, PaintedStore(), rows, machine=ONE) for net in (one, two)]  # pyright: ignore
    assert np.allclose(*answers, atol=1e-5)
    assert not any(isinstance(module, SharedBatchNorm2d) for module in two.modules())


def test_two_processes_take_a_stopped_training_up_with_few_files_open(tmp_path, alone_and_shared):
    (_, alone), _ = alone_and_shared
    store, net, resume = PaintedStore(), network(), tmp_path / "unfinished.pt"
    split, once = folds.split(store.frames, 1, 3), replace(FEW_STEPS, max_epochs=1)
    fit(network(), store, split, once, machine=TWO, progress=None, resume=resume)  # pyright: ignore
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Fewer than there are tensors: the network's, as many of the best epoch, and the momentum.
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (len(list(Path("/dev/fd").iterdir())) + len(net.state_dict()), hard)
    )
    try:
        shared = fit(net, store, split, FEW_STEPS, machine=TWO, progress=None, resume=resume)  # pyright: ignore
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert shared.sittings == [1]
    for name, value in alone.state_dict.items():
        assert torch.allclose(value.float(), shared.state_dict[name].float(), atol=1e-5), name


def normalise_share(rank: int, folder: str, features: torch.Tensor, weights: torch.Tensor) -> None:
    norm = nn.Sequential(nn.BatchNorm2d(3))
    share_batch_norm(norm)
    share = features[rank::2].clone().requires_grad_()
    result = norm(share)
    (result * weights[rank::2]).sum().backward()
    found = {"result": result.detach(), "grad": share.grad, "state": norm.state_dict()}
    found |= {name: parameter.grad for name, parameter in norm.named_parameters()}
    torch.save(found, f"{folder}/{rank}.pt")


def test_a_shared_batchnorm_is_torchs_on_the_whole_batch_forwards_and_backwards(tmp_path):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(6, 3, 5, 4, generator=generator) * 3 + 100
    weights = torch.randn(6, 3, 5, 4, generator=generator)
    together(tmp_path, normalise_share, features, weights)
    halves = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]
    norm, whole = nn.Sequential(nn.BatchNorm2d(3)), features.clone().requires_grad_()
    result = norm(whole)
    (result * weights).sum().backward()
    assert whole.grad is not None
    for rank, half in enumerate(halves):
        assert torch.allclose(half["result"], result[rank::2], atol=1e-4)
        assert torch.allclose(half["grad"], whole.grad[rank::2], atol=1e-4)
        assert half["state"].keys() == norm.state_dict().keys()
        for name, value in norm.state_dict().items():
            assert torch.allclose(half["state"][name].float(), value.float(), atol=1e-4), name
    for name, parameter in norm.named_parameters():
        assert parameter.grad is not None
        assert torch.allclose(halves[0][name] + halves[1][name], parameter.grad, atol=1e-4), name


def gather_shares(rank: int, folder: str, rows: np.ndarray) -> None:
    assert place() == (rank, 2)
    np.save(f"{folder}/{rank}.npy", gathered(rows[rank::2] * 10))


def test_what_is_scored_is_counted_once_and_in_its_order(tmp_path):
    rows = np.arange(14).reshape(7, 2)  # an odd number: one process has one row more
    together(tmp_path, gather_shares, rows)
    assert all(np.array_equal(np.load(tmp_path / f"{rank}.npy"), rows * 10) for rank in range(2))


def draw_share(rank: int, folder: str, draws: Draws) -> None:
    np.savez(f"{folder}/{rank}.npz", *[np.stack([rows, flips]) for rows, flips in draws])


def test_the_shares_of_all_processes_are_the_batch(tmp_path):
    plan = WeightedPlan(np.arange(50), np.full(50, 0.02), FEW_STEPS)
    together(tmp_path, draw_share, Draws(plan, 2, 0.5, 3))
    halves = [np.load(tmp_path / f"{rank}.npz") for rank in range(2)]
    for batch, (rows, flips) in enumerate(Draws(plan, 2, 0.5, 3)):
        whole = np.empty((2, len(rows)), dtype=int)
        for rank, half in enumerate(halves):
            whole[:, rank::2] = half[f"arr_{batch}"]
        assert np.array_equal(whole, np.stack([rows, flips]))


def test_a_batch_that_cannot_be_divided_evenly_is_refused():
    with pytest.raises(ValueError, match="a batch of 8 cannot be divided among 3 devices"):
        replace(ONE, devices=3).check_sharing(8)


def test_more_devices_than_there_are_is_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("traunet.machines.machine.unused_gpu", lambda: "")
    with pytest.raises(ValueError, match="4 devices were asked for, but torch finds 2"):
        Machine(device="cuda", devices=4).check_sharing(8)


class Failing(nn.Module):
    def __init__(self):
        super().__init__()
        self.answer = nn.Linear(1, len(AUS))

    def forward(self, images):
        raise ValueError("the picture is upside down")


def test_a_process_that_fails_is_reported_in_one_line():
    store = PaintedStore()
    split = folds.split(store.frames, 1, 3)
    with pytest.raises(ChildProcessError, match=r"one of the 2 training processes failed.*upside down"):
        fit(Failing(), store, split, FEW_STEPS, machine=TWO, progress=None)  # pyright: ignore


class Noted(pl.LightningModule):
    """A network that notes which processes train it."""

    def __init__(self, folder: Path):
        super().__init__()
        self.folder, self.layer = folder, nn.Linear(2, 1)

    def training_step(self, batch):
        (self.folder / str(os.getpid())).touch()
        time.sleep(0.1)
        return self.layer(batch[0]).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def test_processes_that_share_batches_end_with_the_one_that_is_terminated(tmp_path):
    failed = threading.Event()  # else the signal would come later, and end the tests

    def terminate() -> None:
        while len(list(tmp_path.iterdir())) < 2:
            if failed.wait(0.1):
                return
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate)
    thread.start()
    try:
        with pytest.raises(Terminated), terminable():
            turn(Noted(tmp_path), DataLoader(TensorDataset(torch.zeros(4000, 2)), 4), 1, TWO)
    finally:
        failed.set()
        thread.join()
    children = multiprocessing.active_children()
    for child in children:
        child.join(30)
    assert not any(child.is_alive() for child in children)
