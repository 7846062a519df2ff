import os
import signal
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from pictures import TINY, PaintedStore
from torch import nn
from torch.nn import functional as F

from traunet.attention import grad_cam
from traunet.data import folds
from traunet.facs import AUS
from traunet.fitting import crank
from traunet.fitting.feeding import Draws
from traunet.fitting.loop import Descent
from traunet.machines import gpus
from traunet.machines.machine import Machine
from traunet.model.tranet import build
from traunet.model.weights import Normalisation
from traunet.training import Selection, WeightedPlan, branch_loss, fit, mean_f1, predict, thinned

ONE = Machine(device="cpu", threads=1)
STORE = PaintedStore()


def network(variant: str = "tranet", seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build(variant, TINY.model, TINY.align, Normalisation())


class Glance(nn.Module):
    """Sees eight cells' brightness through one linear layer each: quick, and it can learn the painted pictures."""

    def __init__(self):
        super().__init__()
        self.see = nn.Conv2d(3, 1, 4, stride=4)
        self.answer = nn.Linear(256, len(AUS))
        self.modes: list[bool] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.modes.append(self.training)
        return self.answer(self.see(images.float() / 128 - 1).flatten(1))


def glance(config=TINY.train, machine: Machine = ONE, **changes):
    torch.manual_seed(0)
    net, config = Glance(), replace(config, **changes)
    split = folds.split(STORE.frames, 1, config.held_out_subjects)
    return net, fit(net, STORE, split, config, machine=machine, progress=None)  # pyright: ignore


def test_the_loss_is_the_sum_of_the_three_branches_losses():
    logits, labels = torch.randn(5, 8), (torch.rand(5, 8) > 0.5).float()
    parts = [slice(0, 3), slice(3, 5), slice(5, 8)]
    expected = sum(F.binary_cross_entropy_with_logits(logits[:, part], labels[:, part]) for part in parts)
    assert torch.allclose(branch_loss(logits, labels), torch.as_tensor(expected))


def test_rows_are_drawn_with_their_probabilities_and_flips_with_theirs():
    rows, weights = np.array([10, 20, 30]), np.array([0.7, 0.3, 0.0])
    config = replace(TINY.train, batches_per_epoch=200, batch_size=20)
    draws = list(Draws(WeightedPlan(rows, weights, config), 200, 0.25, 0))
    drawn, flips = (np.stack(part) for part in zip(*draws, strict=True))
    assert drawn.shape == (200, 20)
    assert np.mean(drawn == 10) == pytest.approx(0.7, abs=0.03)
    assert not np.any(drawn == 30)
    assert flips.mean() == pytest.approx(0.25, abs=0.03)


def test_equal_seeds_give_equal_networks_and_other_seeds_others():
    (one, first), (other, second), (_, third) = glance(), glance(), glance(seed=1)
    assert all(torch.equal(first.state_dict[name], second.state_dict[name]) for name in first.state_dict)
    assert not torch.equal(first.state_dict["answer.weight"], third.state_dict["answer.weight"])
    assert first.history.equals(second.history)
    assert np.array_equal(predict(one, STORE, STORE.usable), predict(other, STORE, STORE.usable))  # pyright: ignore


def test_fit_leaves_the_callers_random_numbers_and_threads_alone():
    torch.manual_seed(3)
    expected, threads = torch.rand(1), torch.get_num_threads()
    net = Glance()
    torch.manual_seed(3)
    fit(net, STORE, folds.split(STORE.frames, 1, 3), TINY.train, machine=ONE, progress=None)  # pyright: ignore
    assert torch.equal(torch.rand(1), expected)
    assert torch.get_num_threads() == threads


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_loading_processes_change_nothing_but_the_time():
    (_, alone), (_, helped) = glance(max_epochs=2), glance(machine=replace(ONE, workers=1), max_epochs=2)
    assert all(torch.equal(alone.state_dict[name], helped.state_dict[name]) for name in alone.state_dict)


def test_what_can_be_seen_is_learned():
    _, result = glance(max_epochs=5, batches_per_epoch=40, batch_size=32, evaluation_stride=1)
    loss, held_out, test = (result.history[name].to_numpy() for name in ("loss", "f1_held_out", "f1_test"))
    assert held_out[-1] > 0.9
    assert test[-1] > 0.9
    assert loss[-1] < loss[0] / 2


def test_the_rate_falls_along_a_cosine_or_stays():
    _, falling = glance(max_epochs=4, learning_rate=0.04, final_learning_rate=0.0)
    expected = [0.02 * (1 + np.cos(np.pi * epoch / 4)) for epoch in range(4)]
    assert falling.history["learning_rate"].to_numpy() == pytest.approx(expected)
    _, constant = glance(learning_rate=0.01, final_learning_rate=0.01)
    assert set(constant.history["learning_rate"].round(12)) == {0.01}


def test_nothing_is_evaluated_before_the_first_evaluation():
    _, result = glance(max_epochs=4, first_evaluation=3)
    assert result.history["f1_held_out"].isna().tolist() == [True, True, False, False]
    assert result.history["f1_test"].isna().tolist() == [True, True, False, False]
    assert result.chosen_epoch >= 3


def test_the_last_epoch_is_evaluated_even_when_the_first_evaluation_lies_behind_it():
    _, result = glance(max_epochs=2, first_evaluation=10)
    assert result.chosen_epoch == 2


def test_the_chosen_network_is_the_one_that_the_history_calls_best():
    net, result = glance(max_epochs=3, batches_per_epoch=10)
    assert result.selected_on == "held-out subjects"
    assert result.chosen_epoch == np.argmax(result.history["f1_held_out"]) + 1
    net.load_state_dict(result.state_dict)
    split = folds.split(STORE.frames, 1, 3)
    rows = thinned(STORE.frames, split.held_out, TINY.train.evaluation_stride)
    again = mean_f1(folds.labels(STORE.frames)[rows], predict(net, STORE, rows))  # pyright: ignore
    assert again == pytest.approx(result.history["f1_held_out"].max())


def test_without_held_out_subjects_the_test_fold_chooses_as_in_the_paper():
    _, result = glance(held_out_subjects=0)
    assert result.selected_on == "test fold"
    assert all(result.history["f1_held_out"].isna())
    assert result.chosen_epoch == np.argmax(result.history["f1_test"]) + 1


def test_training_stops_when_the_score_has_not_risen_for_the_patience():
    selection, net = Selection(patience=2), nn.Linear(1, 1)
    scores = [0.3, 0.5, 0.5, 0.4]
    assert [selection.offer(epoch, score, net) for epoch, score in enumerate(scores, 1)] == [False] * 3 + [True]
    assert selection.epoch == 2
    _, result = glance(max_epochs=20, patience=1, learning_rate=1e-9, final_learning_rate=1e-9)
    assert len(result.history) < 20


def test_the_state_that_is_kept_does_not_change_with_the_network():
    selection, net = Selection(patience=2), nn.Linear(1, 1)
    selection.offer(1, np.nan, net)
    kept = selection.state["weight"].clone()
    nn.init.constant_(net.weight, 9.0)
    assert torch.equal(selection.state["weight"], kept)


def test_thinning_takes_every_nth_frame_of_each_subject():
    rows = folds.split(STORE.frames, 2).test
    kept = STORE.frames.iloc[thinned(STORE.frames, rows, 3)]
    assert kept.groupby("subject")["frame"].apply(list).tolist() == [[1, 4, 8]] * 9  # frame 7 is not usable


def test_predictions_do_not_depend_on_the_batches_and_leave_the_mode_alone():
    net = network().train()
    rows = STORE.usable[:7]
    together = predict(net, STORE, rows, 7, ONE)  # pyright: ignore
    assert together.shape == (7, 8)
    assert np.allclose(together, predict(net, STORE, rows, 2, ONE), atol=1e-5)  # pyright: ignore
    assert np.allclose(together[::-1], predict(net, STORE, rows[::-1], 3, ONE), atol=1e-5)  # pyright: ignore
    assert net.training
    assert np.all((together >= 0) & (together <= 1))


@pytest.mark.parametrize("reduction", [2, 8])  # 8 leaves layers of one unit, whose weights lie in memory both ways
def test_a_network_that_has_answered_can_be_filled_trained_and_looked_into(reduction):
    torch.manual_seed(0)
    net = build("tranet", replace(TINY.model, reduction=reduction), TINY.align, Normalisation())
    predict(net, STORE, STORE.usable[:2], machine=ONE)  # pyright: ignore
    net.load_state_dict({name: value.clone() for name, value in net.state_dict().items()})
    fit(net, STORE, folds.split(STORE.frames, 1, 3), TINY.train, machine=ONE, progress=None)  # pyright: ignore
    predict(net, STORE, STORE.usable[:2], machine=ONE)  # pyright: ignore
    assert not any(part.is_inference() for part in (*net.parameters(), *net.buffers()))
    assert grad_cam(net, STORE.images(STORE.usable[:1]), "AU12").shape == (1, STORE.size, STORE.size)


@pytest.mark.parametrize(
    ("listed", "cuda", "said"), [(["GPU-a"], "13.0", True), ([], "13.0", False), (["GPU-a"], None, False)]
)
def test_a_gpu_that_torch_cannot_use_is_not_passed_over_in_silence(monkeypatch, listed, cuda, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(gpus, "here", lambda: listed)
    with pytest.raises(ValueError, match="update the driver") if said else nullcontext():
        assert Machine().torch_device().type == "cpu"
    assert Machine("cpu").torch_device().type == "cpu"


@pytest.mark.parametrize(("capability", "old"), [((7, 0), True), ((7, 5), False), ((12, 1), False)])
@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_gpu_that_torch_has_no_code_for_is_told_before_its_first_step(monkeypatch, capability, old, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_90a", "sm_120", "compute_120"])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    said = r"Tesla V100 has compute capability 7\.0, and torch .* computes from 7\.5 on: take a newer GPU"
    with pytest.raises(ValueError, match=said) if old else nullcontext():
        assert Machine(device).torch_device().type == "cuda"


def test_a_machine_of_several_gpus_is_nothing_to_warn_of(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    glance(max_epochs=1)


def test_frozen_blocks_come_out_of_training_as_they_went_in():
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    config = replace(TINY.train, max_epochs=1, weight_decay=0.1)
    fit(net, STORE, folds.split(STORE.frames, 1, 3), config, machine=ONE, progress=None)  # pyright: ignore
    frozen = ("normalise.", "trunk.conv1.", "trunk.bn1.", "trunk.layer1.")
    same = {name: torch.equal(value, before[name]) for name, value in net.state_dict().items()}
    assert all(same[name] for name in same if name.startswith(frozen))
    assert not any(same[name] for name in same if name.endswith("weight") and not name.startswith(frozen))


def test_a_loss_that_is_not_finite_stops_with_advice():
    with pytest.raises(ValueError, match="lower the learning rate"):
        glance(learning_rate=1e30, final_learning_rate=1e30, batches_per_epoch=6)


def test_an_unknown_device_is_named_with_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown device 'tpu'.*cpu, cuda"):
        Machine(device="tpu").torch_device()


def test_training_writes_no_file_and_prints_one_line_an_epoch_in_a_log(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    split = folds.split(STORE.frames, 1, 3)
    fit(Glance(), STORE, split, TINY.train, machine=ONE, progress="tranet, fold 1")  # pyright: ignore
    printed = capsys.readouterr()
    assert not list(tmp_path.iterdir())
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert [line[:30] for line in lines] == [f"tranet, fold 1: epoch {epoch} of 2: " for epoch in (1, 2)]
    assert all("loss" in line and "f1 test" in line for line in lines)


def test_ctrl_c_stays_ctrl_c():
    handler = signal.getsignal(signal.SIGINT)

    class Interrupted(Glance):
        def forward(self, images):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(), STORE, folds.split(STORE.frames, 1), TINY.train, machine=ONE, progress=None)  # pyright: ignore
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_users_environment_sets_nothing_in_a_training(monkeypatch):
    monkeypatch.setenv("PL_TRAINER_LIMIT_TRAIN_BATCHES", "1")
    assert crank._trainer(2, ONE).limit_train_batches == 1.0
    assert os.environ["PL_TRAINER_LIMIT_TRAIN_BATCHES"] == "1"


def test_being_terminated_is_no_success():
    class Terminated(Glance):
        def forward(self, images):
            os.kill(os.getpid(), signal.SIGTERM)
            return super().forward(images)

    with pytest.raises(SystemExit) as stop:
        fit(Terminated(), STORE, folds.split(STORE.frames, 1), TINY.train, machine=ONE, progress=None)  # pyright: ignore
    assert stop.value.code == 143


def test_the_rate_and_momentum_reach_torchs_sgd():
    net = nn.Linear(2, 2)
    net.bias.requires_grad_(False)
    group = Descent(0.1, 0.01, 0.9, 0.001).optimizer(net).param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.1, 0.9, 0.001)
    assert [parameter.shape for parameter in group["params"]] == [net.weight.shape]
