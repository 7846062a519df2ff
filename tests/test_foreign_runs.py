"""A run that comes from elsewhere: whatever its files say, it is refused by name, and takes no machine."""

import json
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from mishaps import change, copy
from spoilt import spoilt_runs

from traunet.config import AlignConfig, ModelConfig
from traunet.detect import load_network
from traunet.fitting import unfinished
from traunet.runs import DamagedRunError, Run


def refused(run: Path, changed: str, complaint: str) -> None:
    spoilt_runs.signed(run, changed)
    with pytest.raises(DamagedRunError, match=rf"run/{changed}: {complaint}.*; .*delete the folder"):
        load_network(Run.open(run))


@pytest.mark.parametrize(
    ("part", "settings"),
    [
        ("normalisation", {"extra": 1}),
        ("normalisation", {"mean": [1.0]}),
        ("normalisation", {"mean": "grey"}),
        ("normalisation", {"channel_order": "GBR"}),
        ("normalisation", {"scale": "x"}),
        ("model", {"width": "64"}),
        ("model", {"width": 2**14}),
        ("model", {"reduction": 0}),
        ("model", {"depths": [1]}),
        ("model", {"depths": [10**7, 1, 1, 1]}),
        ("align", {"size": 0}),
        ("align", {"size": 2**17}),
        ("align", {"center": ["a", 0.5]}),
    ],
)
def test_settings_that_cannot_be_followed_are_refused(part, settings, tmp_path):
    run = copy("run", tmp_path)
    config = json.loads((run / "config.json").read_text())
    change(run / "config.json", **{part: {**config[part], **settings}})
    refused(run, "config.json", "written by another version")


def test_a_network_that_its_checkpoint_does_not_hold_is_not_built(tmp_path, monkeypatch):
    run = copy("run", tmp_path)
    config = json.loads((run / "config.json").read_text())
    change(run / "config.json", model={**config["model"], "hidden": 4096, "branch_width": 4096})
    monkeypatch.setattr(torch.nn.Module, "load_state_dict", lambda *_: pytest.fail("it took memory"))
    spoilt_runs.signed(run, "config.json")
    with pytest.raises(DamagedRunError, match="does not hold the weights of this tranet"):
        load_network(Run.open(run))


@pytest.mark.parametrize(
    "content", [[1, 2], {1: torch.zeros(2)}, {"weight": "text"}, {"weight": None}, bytearray(3), 7]
)
def test_a_checkpoint_that_holds_anything_but_tensors_by_name_is_refused(content, tmp_path):
    run = copy("run", tmp_path)
    torch.save(content, run / "checkpoint.pt")
    refused(run, "checkpoint.pt", "does not hold weights")


def test_a_checkpoint_whose_tensors_share_their_numbers_is_refused(tmp_path):
    """Once they are a network's they do not, and its settings may ask for a large one."""
    run, every = copy("run", tmp_path), torch.zeros(10_000)
    torch.save({f"{name}.weight": every for name in range(100)}, run / "checkpoint.pt")
    refused(run, "checkpoint.pt", "does not hold weights")


@pytest.mark.parametrize("method", ["values", "keys"])
def test_a_checkpoint_that_changes_its_dictionarys_methods_is_read_as_what_it_holds(method, tmp_path):
    run = copy("run", tmp_path)
    state = OrderedDict(Run.open(run).state_dict())
    setattr(state, method, "text")
    torch.save(state, run / "checkpoint.pt")
    spoilt_runs.signed(run, "checkpoint.pt")
    assert load_network(Run.open(run))[1] == Run.open(run).align


def inflate(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, bytes(2**22) if name.endswith("/data/0") else content)


def ask_for_bytes(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02c__builtin__\nbytearray\nJ\x00\x00\x10\x00\x85R.")
        archive.writestr("archive/version", b"3\n")


@pytest.mark.parametrize("spoil", [inflate, ask_for_bytes])
def test_a_checkpoint_that_would_become_far_larger_is_not_unpacked(spoil, tmp_path, monkeypatch):
    run = copy("run", tmp_path)
    spoil(run / "checkpoint.pt")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    refused(run, "checkpoint.pt", "does not hold weights")


@pytest.mark.parametrize("spoil", [inflate, ask_for_bytes])
def test_nor_is_an_unfinished_training(spoil, tmp_path, monkeypatch):
    file = tmp_path / "unfinished.pt"
    unfinished.write(file, {"weight": torch.ones(100)})
    spoil(file)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("it was unpacked"))
    with pytest.warns(UserWarning, match="cannot be read"):
        assert unfinished.read(file) is None


def test_a_provenance_nested_without_end_is_refused(tmp_path):
    run = copy("run", tmp_path)
    (run / "provenance.json").write_text("[" * 100_000)
    with pytest.raises(DamagedRunError, match=r"run: provenance\.json is not JSON"):
        Run.open(run)


def test_settings_of_up_to_eight_times_the_papers_are_taken():
    assert ModelConfig(width=8 * 64, depths=(24, 32, 48, 24), hidden=8 * 512).width == 512
    assert AlignConfig(size=8 * 224).size == 1792
