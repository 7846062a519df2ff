"""Marks tell the workflow what is finished; they must not tell it when that is no longer so."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from trees import write_tree

from traunet.config import PAPER, SMOKE, VARIANTS
from traunet.machines.locking import alone
from traunet.model.senet import SENet
from traunet.model.weights import VGGFACE2_BGR, Normalisation, WeightsError, save_trunk
from traunet.records.sealing import SEAL, seal
from traunet.workflow import flow, marks
from traunet.workflow.flow import FlowError
from traunet.workspace import Workspace


@pytest.fixture
def workspace(tmp_path):
    return Workspace(SMOKE, tmp_path / "build")


@pytest.fixture
def mark(workspace):
    made = workspace.folder / "store"
    made.mkdir(parents=True)
    mark = workspace.folder / "done" / "store"
    marks.write(mark, workspace, "store", [made])
    return mark


def test_equal_results_give_equal_marks(workspace, mark):
    before = mark.read_bytes()
    marks.write(mark, workspace, "store", [workspace.folder / "store"])
    assert mark.read_bytes() == before
    assert marks.stale(workspace) == {}


def test_a_mark_is_stale_when_what_it_stands_for_is_gone(workspace, mark):
    (workspace.folder / "store").rmdir()
    assert list(marks.stale(workspace)) == [mark]


def test_a_mark_is_stale_when_its_stage_would_be_made_differently_now(workspace, mark):
    workspace.keys["store"] = "another"
    assert list(marks.stale(workspace)) == [mark]


def test_a_mark_that_cannot_be_read_is_stale(workspace, mark):
    mark.write_text("half a ma")
    assert list(marks.stale(workspace)) == [mark]


def test_the_mark_of_results_is_stale_when_a_file_of_them_was_edited_or_their_note_is_lost(workspace):
    results, mark = workspace.folder / "results", workspace.folder / "done" / "results"
    results.mkdir(parents=True)
    for name in ("results.json", "table1.csv"):
        (results / name).write_text("as it was written")
    seal(results)
    marks.write(mark, workspace, "results", [results])
    assert marks.stale(workspace) == {}
    (results / "table1.csv").write_text("forged")
    assert list(marks.stale(workspace)) == [mark]
    seal(results)  # the note anew as well: the mark still knows what was made
    assert list(marks.stale(workspace)) == [mark]
    (results / "table1.csv").write_text("as it was written")
    (results / SEAL).unlink()
    assert list(marks.stale(workspace)) == [mark]


def test_two_books_are_not_made_in_one_folder_at_once(workspace):
    workspace.folder.mkdir(parents=True)
    with (
        alone(workspace.folder / ".make-book.lock"),
        pytest.raises(FlowError, match=r"another `make book`.* is at work there"),
    ):
        flow.make_book(workspace)


@pytest.mark.parametrize(
    ("text", "said"),
    [("jobs:\t5\n\tcores: 1\n", "not plain YAML"), ("", "holds no settings"), ("- jobs\n", "holds no settings")],
)
def test_a_slip_in_a_profile_of_ones_own_is_told_in_words(tmp_path, text, said):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ValueError, match=rf"config\.yaml: {said}"):
        flow.is_local(flow.find_profile(str(tmp_path)))


def test_the_workflow_would_train_every_variant_and_end_with_the_site(tmp_path):
    command = [sys.executable, "-m", "traunet", "book", "--profile", "smoke", "--dry-run", "--cores", "1"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TRAUNET_BUILD": str(tmp_path / "build")}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    *steps, count = done.stdout.splitlines()
    for step in ("tree", "store", "trunk", *(f"train-{name}-123" for name in VARIANTS), "results", "site"):
        assert [line.split()[-1] for line in steps if line.startswith(f"{step} ")] == ["missing"]
    assert f"jobs: {len(steps)} (" in count
    assert not (tmp_path / "build" / "smoke" / "done").exists()


def planned(tmp_path, build, profile="smoke", *given):
    """What `make book` would make, and why, with the build folder of this name."""
    command = [sys.executable, "-m", "traunet", "book", "--profile", profile, *given, "--dry-run", "--cores", "1"]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "TRAUNET_BUILD": str(build)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = (re.fullmatch(r"(\S+) +\d+ cores?  +(.+)", line) for line in done.stdout.splitlines())
    return {job[1]: job[2] for job in jobs if job}


@pytest.mark.parametrize("profile", ["smoke", "paper"])
def test_a_laboratory_plans_the_book_with_its_own_tree_and_weights(tmp_path, profile):
    tree, weights = tmp_path / "disfa", tmp_path / "senet50_ft_dims_2048.pth"
    write_tree(tree, subjects=("SN001",), frames=3)
    with torch.device("meta"):
        released = SENet({"smoke": SMOKE, "paper": PAPER}[profile].model).state_dict()
    save_trunk(weights, {name: torch.zeros(value.shape) for name, value in released.items()}, Normalisation())
    made = planned(tmp_path, tmp_path / "build", profile, "--disfa", tree, "--weights", weights)
    assert "tree" not in made  # it is given
    assert {"store", "trunk", "results", "site"} <= {*made}


def test_a_stale_mark_in_a_build_folder_behind_a_link_is_made_again(tmp_path):
    real, link = tmp_path / "scratch", tmp_path / "build"
    marks = real / "smoke" / "done"
    marks.mkdir(parents=True)
    link.symlink_to(real)
    for name in ("tree", "results"):
        (marks / name).write_text("of another day")
    assert planned(tmp_path, link)["results"] == "what it stands for is gone, or was edited"


def test_a_plan_says_why_what_is_there_is_made_again(tmp_path):
    workspace = Workspace.of("smoke", root=tmp_path / "build")
    for name, stage in (("train-senet-123", "runs"), ("train-tranet-123", "runs"), ("store", "store")):
        marks.write(workspace.folder / "done" / name, workspace, stage, [])
    for name in ("train-senet-123", "train-tranet-123"):
        mark = workspace.folder / "done" / name
        mark.write_text(mark.read_text().replace(workspace.keys["runs"], "another"))
    notebook = workspace.folder / "notebooks" / "01_data.ipynb"
    notebook.parent.mkdir()
    notebook.write_text('{"metadata": {"traunet": {"made_from": {}, "shown": ""}}, "cells": []}')
    why = planned(tmp_path, tmp_path / "build")
    assert why["train-senet-123"] == why["train-tranet-123"] == "the data, settings or code have changed"
    assert why["01_data"].startswith("changed since: its source, the library's code that it imports")
    assert why["site"] == "missing"


def test_marks_of_networks_that_are_gone_stop_nobody(tmp_path):
    marks = tmp_path / "build" / "smoke" / "done"
    marks.mkdir(parents=True)
    for name in ("train-oldnet-123", "train-tranet-1", "train-tranet-123-again7", "train-tranet-123"):
        (marks / name).write_text("of another day")
    trained = {job for job in planned(tmp_path, tmp_path / "build") if job.startswith("train")}
    assert trained == {f"train-{name}-123" for name in VARIANTS}


def test_weights_of_another_network_are_refused_before_anything_is_made(workspace):
    weights = workspace.root / "resnet50_ft_weight.pth"
    weights.parent.mkdir()
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, weights)
    with pytest.raises(WeightsError, match=r"resnet50_ft_weight\.pth: does not fit this trunk"):
        flow.make_book(replace(workspace, weights=weights))
    assert list(workspace.root.iterdir()) == [weights]


def test_senet_50s_weights_without_the_papers_profile_are_refused_with_its_name(workspace, monkeypatch):
    with torch.device("meta"):
        state = SENet(PAPER.model).state_dict()
    monkeypatch.setattr("traunet.model.weights.load_trunk", lambda _: (state, VGGFACE2_BGR))
    weights = workspace.root / "senet50_ft_weight.pkl"
    weights.parent.mkdir()
    weights.touch()
    with pytest.raises(WeightsError, match=r"senet50_ft_weight\.pkl: SENet-50's weights, .*say PROFILE=paper"):
        flow.make_book(replace(workspace, weights=weights), dry_run=True)


@pytest.mark.parametrize(
    ("machines", "said"), [("slurm", "sbatch is not here; say"), ("kubernetes", "no Kubernetes cluster is known")]
)
def test_a_cluster_that_is_not_here_is_told_in_a_line_before_anything_starts(
    workspace, machines, said, tmp_path, monkeypatch
):
    for name in ("KUBERNETES_SERVICE_HOST", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FlowError, match=said):
        flow.make_book(workspace, machines=machines)
    assert not workspace.folder.exists()
