"""A workspace finds or makes each stage, knows what it depends on, and says at once what the user must bring."""

import dataclasses
import re

import pytest
import torch
from disks import another_disk
from projects import call, write_checkout
from trees import write_tree

from traunet import runstore
from traunet.config import DEMO, PAPER, SMOKE, AlignConfig, TrainConfig
from traunet.data import folds
from traunet.model.weights import Normalisation, save_trunk
from traunet.workflow import flow
from traunet.workspace import Workspace

SUBJECTS = ("SN001", "SN002")
pytestmark = pytest.mark.filterwarnings("ignore:.* as DISFA's are;")  # a test's own pictures are smaller


@pytest.fixture
def disfa(tmp_path):
    write_tree(tmp_path / "tree", subjects=SUBJECTS, frames=4)
    return tmp_path / "tree"


def with_settings(workspace, **settings):
    return dataclasses.replace(workspace, profile=dataclasses.replace(workspace.profile, **settings))


def test_a_notebook_finds_the_workspace_that_the_workflow_named(tmp_path, monkeypatch, disfa):
    weights = tmp_path / "weights.pt"
    there = Workspace(SMOKE, tmp_path / "build", disfa, weights, seeds=3)
    for name, value in there.environment.items():
        monkeypatch.setenv(name, value)
    assert Workspace.of("smoke") == there


@pytest.mark.parametrize("name", ["{x}", "{x", "x}"])
def test_a_build_folder_that_snakemake_would_take_for_a_pattern_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setenv("TRAUNET_BUILD", str(tmp_path / name / "build"))
    with pytest.raises(
        ValueError, match=rf"{re.escape(name)}/build: Snakemake .* name a TRAUNET_BUILD without any"
    ):
        Workspace.of("smoke")


def test_a_checkout_may_lie_where_a_name_has_braces(tmp_path):
    """What is made is named as seen from it."""
    checkout = write_checkout(tmp_path / "{x}" / "project")
    (checkout / "build").mkdir()
    (checkout / "build" / "bench.json").write_text("{}")
    done = call(checkout, "-m", "traunet", "book", "--profile", "smoke", "--dry-run", "--cores", "1")
    assert done.returncode == 0, done.stdout
    assert "none was started" in done.stdout


def test_an_unknown_profile_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match="unknown profile 'tiny'; choose one of: smoke, demo, paper"):
        Workspace.of("tiny")


def test_the_papers_profile_without_disfa_or_weights_says_what_to_do(tmp_path, disfa):
    with pytest.raises(ValueError, match=r"needs DISFA: make book PROFILE=paper DISFA=dir WEIGHTS=file .*demo"):
        Workspace(PAPER, tmp_path).store()
    with pytest.raises(ValueError, match="needs the trunk's weights: ") as refused:
        Workspace(PAPER, tmp_path, disfa).trunk()
    named = ("make book PROFILE=paper DISFA=dir WEIGHTS=file", "senet50_ft_dims_2048.pth", "senet50_ft_weight.pkl")
    assert all(part in str(refused.value) for part in (*named, "book/reproduce.md"))
    assert list(tmp_path.iterdir()) == [disfa]


def test_a_profile_whose_trunk_comes_from_a_file_has_no_heads_to_train_it_on():
    assert DEMO.heads != DEMO.synth
    with pytest.raises(ValueError, match="'paper' trains no trunk: its weights come from a file"):
        _ = PAPER.heads


@pytest.mark.parametrize("missing", [{"disfa": "nowhere"}, {"weights": "nowhere"}])
def test_a_missing_data_set_or_weights_file_is_named(tmp_path, missing):
    given = {name: tmp_path / value for name, value in missing.items()}
    with pytest.raises(FileNotFoundError, match="nowhere: no such"):
        Workspace(DEMO, tmp_path, **given).check()


def test_a_home_of_nobody_is_no_such_folder(tmp_path):
    for given in ("disfa", "weights", "root"):
        with pytest.raises(
            ValueError, match="~nobody-at-all/there: nobody here is called so; give the whole path"
        ):
            Workspace.of("smoke", **{given: "~nobody-at-all/there"})  # pyright: ignore
    with pytest.raises(ValueError, match="~nobody-at-all/x: nobody here is called so"):
        flow.find_profile("~nobody-at-all/x")


def test_a_store_is_made_once_and_found_afterwards(tmp_path, disfa):
    workspace = Workspace(SMOKE, tmp_path / "build", disfa)
    made = workspace.store()
    written = (made.path / "manifest.json").stat().st_mtime_ns
    assert len(made.usable) == 8
    assert workspace.store().fingerprint == made.fingerprint
    assert (made.path / "manifest.json").stat().st_mtime_ns == written
    assert workspace.dataset == "DISFA, 2 of 27 people"


def test_a_store_may_lie_on_another_disk_behind_a_link(tmp_path, disfa):
    workspace = Workspace(SMOKE, tmp_path / "build", disfa)
    workspace.folder.mkdir(parents=True)
    with another_disk(tmp_path) as disk:
        (workspace.folder / "store").symlink_to(disk / "frames")
        for size in (64, 32):  # made, and made again
            assert with_settings(workspace, align=AlignConfig(size=size)).store().size == size
            assert (workspace.folder / "store").is_symlink()
            assert (disk / "frames" / "manifest.json").is_file()
        assert [path.name for path in disk.iterdir() if path.is_dir()] == ["frames"]


def test_a_store_aligned_with_other_settings_is_made_again(tmp_path, disfa):
    workspace = Workspace(SMOKE, tmp_path / "build", disfa)
    before = workspace.store()
    after = with_settings(workspace, align=AlignConfig(size=32)).store()
    assert (before.size, after.size) == (64, 32)


def test_a_changed_file_of_the_data_set_makes_the_store_stale_and_all_that_hangs_on_it(tmp_path, disfa):
    before = Workspace(SMOKE, tmp_path, disfa).keys
    next(disfa.rglob("SN001_au1.txt")).write_text("1,0\n2,0\n3,0\n4,5\n")
    after = Workspace(SMOKE, tmp_path, disfa).keys
    assert {stage for stage in before if before[stage] != after[stage]} == {"tree", "store", "runs", "results"}


def test_a_setting_of_training_makes_runs_stale_and_neither_frames_nor_trunk(tmp_path):
    workspace = Workspace(SMOKE, tmp_path)
    before, after = workspace.keys, with_settings(workspace, train=TrainConfig(seed=1)).keys
    assert {stage for stage in before if before[stage] != after[stage]} == {"runs", "results"}


def test_more_seeds_make_the_results_stale_and_no_run(tmp_path):
    before, after = Workspace(SMOKE, tmp_path).keys, Workspace(SMOKE, tmp_path, seeds=2).keys
    assert {stage for stage in before if before[stage] != after[stage]} == {"results"}


def test_another_seed_is_a_run_of_its_own_with_all_other_settings_the_same(tmp_path):
    workspace = with_settings(Workspace(SMOKE, tmp_path), train=TrainConfig(seed=5))
    assert workspace.seeded(2) == with_settings(workspace, train=TrainConfig(seed=7)).profile
    names = {runstore.run_name("tranet", 1, runstore.run_inputs(workspace.seeded(n), "", "")) for n in range(3)}
    assert len(names) == 3


@pytest.mark.parametrize("seeds", ["0", "-1", "two", "1.5"])
def test_a_number_of_seeds_that_is_none_is_refused(seeds, monkeypatch):
    monkeypatch.setenv("TRAUNET_SEEDS", seeds)
    with pytest.raises(ValueError, match=f"TRAUNET_SEEDS is '{seeds}'; give a number of 1 or more"):
        Workspace.of("smoke")


def test_no_seed_at_all_is_refused(tmp_path):
    with pytest.raises(ValueError, match="seeds is 0; give 1 or more"):
        Workspace.of("smoke", root=tmp_path, seeds=0)


def test_only_the_papers_settings_on_disfa_upon_vggface2_are_the_papers_experiment(tmp_path, disfa, monkeypatch):
    monkeypatch.setattr("traunet.data.disfa.USABLE", 54)
    weights, own = tmp_path / "senet50_ft_weight.pth", tmp_path / "trunk.pt"
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, weights)
    save_trunk(own, {"conv1.weight": torch.zeros(64, 3, 7, 7)}, Normalisation())
    whole = write_tree(tmp_path / "whole", subjects=folds.SUBJECTS, frames=2)
    assert Workspace(PAPER, tmp_path / "a", whole, weights).is_the_papers
    assert not Workspace(PAPER, tmp_path / "a", whole, own).is_the_papers
    assert not Workspace(PAPER, tmp_path / "b", disfa, weights).is_the_papers
    assert not Workspace(SMOKE, tmp_path / "c", whole).is_the_papers
    trial = dataclasses.replace(PAPER, train=dataclasses.replace(PAPER.train, threshold=2))
    assert not Workspace(trial, tmp_path / "a", whole, weights).is_the_papers
