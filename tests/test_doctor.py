"""The doctor says what is here, what is missing and what is odd, and judges at the end whether it will do."""

import dataclasses
import errno
import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import trees
from test_checkup import remarks

from traunet import doctor
from traunet.cli import main
from traunet.config import PAPER, PROFILES, SMOKE
from traunet.data.store import AlignedStore
from traunet.doctor import examine, verdict
from traunet.machines import cores
from traunet.model import weights as model_weights
from traunet.model.senet import SENet
from traunet.model.weights import PORT, VGGFACE2_BGR, Normalisation, TrunkFile, save_trunk
from traunet.records import sources
from traunet.records.keeping import found_or_made
from traunet.records.provenance import file_sha256
from traunet.runstore import run_inputs, run_name
from traunet.workspace import PROJECT, Workspace


@pytest.fixture(autouse=True)
def _no_gpu_that_torch_cannot_use(monkeypatch):
    """A driver may list one; that is a remark of its own."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return trees.write_tree(tmp_path / "DISFA", subjects=("SN001", "SN031"))


def whole_report(workspace: Workspace) -> list[str]:
    return list(examine(workspace))


def test_the_remarks_stand_together_at_the_end_and_the_last_line_judges(root, tmp_path):
    lines = whole_report(Workspace(PAPER, tmp_path / "build", disfa=root))
    assert lines[-1].startswith("not fit for make book PROFILE=paper: ")
    end = lines.index("", len(lines) - 1 - sum(line.startswith(("odd:", "missing:")) for line in lines) - 1)
    assert all(line.startswith(("odd:", "missing:")) for line in lines[end + 1 : -1])
    assert "missing: profile 'paper' needs the trunk's weights" in remarks(lines)


def test_the_profile_that_is_named_is_judged_with_a_data_set_too(root, tmp_path):
    save_trunk(tmp_path / "small.pt", SENet(SMOKE.model).state_dict(), Normalisation())
    given = {"root": tmp_path / "build", "disfa": root, "weights": tmp_path / "small.pt"}
    misfit = f"missing: {tmp_path / 'small.pt'}: does not fit this trunk"
    assert misfit in remarks(whole_report(Workspace(PAPER, **given)))
    lines = whole_report(Workspace(SMOKE, **given))
    assert misfit not in remarks(lines)
    assert "smoke: store not made yet" in lines
    assert "PROFILE=smoke" in lines[-1]
    assert verdict(Workspace(SMOKE), []) == "fit for make book PROFILE=smoke"


def test_missing_weights_are_missing_once(root, tmp_path):
    lines = whole_report(Workspace(PAPER, tmp_path / "build", disfa=root))
    assert "weights: not given" in lines
    assert sum("needs the trunk's weights" in line for line in lines) == 1
    assert lines[-1].startswith("not fit for make book PROFILE=paper: ")


def test_weights_that_are_no_file_are_told_once(root, tmp_path):
    lines = whole_report(Workspace(PAPER, tmp_path / "build", disfa=root, weights=root))
    assert [line for line in lines if line.startswith("missing:") and str(root) in line and "WEIGHTS" in line] == [
        f"missing: {root}: is a folder; WEIGHTS must name a file of trunk weights"
    ]
    assert not any("no such weights file" in line for line in lines)


def test_weights_that_are_no_file_are_told_where_the_data_set_is_missing_too(tmp_path):
    lines = whole_report(Workspace(PAPER, tmp_path / "build", weights=tmp_path / "nope.pth"))
    assert f"missing: {tmp_path}/nope.pth: no such file; WEIGHTS must name a file of trunk weights" in lines
    assert any("needs DISFA" in line for line in lines)
    assert "2 missing" in lines[-1]


def test_a_package_that_is_missing_is_a_line_and_no_exception(tmp_path, monkeypatch):
    version = importlib.metadata.version

    def without(package):
        if package == "py-feat":
            raise importlib.metadata.PackageNotFoundError(package)
        return version(package)

    monkeypatch.setattr(importlib.metadata, "version", without)
    sources.packages.cache_clear()
    try:
        lines = whole_report(Workspace(SMOKE, tmp_path / "build"))
    finally:
        sources.packages.cache_clear()
    assert any(line.startswith("odd: py-feat not installed (pinned ") for line in lines)
    assert "smoke: tree not made yet" in lines


WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(sys.argv[1:]))
from traunet.cli import main
main(["doctor", "--profile", "smoke"])
"""


@pytest.mark.parametrize("packages", [["torch", "packaging"], ["cv2"], ["simplejpeg"]])
def test_packages_that_cannot_be_loaded_are_missing_and_the_rest_is_told(tmp_path, packages):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "TRAUNET_BUILD": str(tmp_path / "build")}
    command = [sys.executable, "-c", WITHOUT, *packages]
    told = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (1, "")
    missing = [line for line in told.stdout.splitlines() if line.startswith("missing: ")]
    assert len(missing) == len(packages)
    assert all(any(package in line for line in missing) for package in packages)
    assert "smoke: tree not made yet" in told.stdout
    assert told.stdout.splitlines()[-1].startswith("not fit for make book PROFILE=smoke: ")


@pytest.mark.parametrize(
    ("options", "judged"),
    [([], "demo"), (["--disfa", "d"], "paper"), (["--disfa", "d", "--profile", "smoke"], "smoke")],
)
def test_where_no_profile_is_named_a_data_set_is_for_the_papers(options, judged, monkeypatch):
    seen: list[Workspace] = []
    monkeypatch.setattr(doctor, "examine", lambda workspace: seen.append(workspace) or iter(["fit"]))
    assert main(["doctor", *options]) == 0
    assert [workspace.profile.name for workspace in seen] == [judged]


def test_without_a_data_set_the_profile_is_judged_and_the_cores_are_those_granted(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "available", lambda: 3)
    lines = whole_report(Workspace(PROFILES["smoke"], tmp_path / "build"))
    assert lines[-1].startswith("fit for make book PROFILE=smoke")
    assert any(line.startswith("machine: ") and ", 3 cores to use, " in line for line in lines)


def test_the_weights_are_reported_as_they_were_read(tmp_path):
    save_trunk(tmp_path / "trunk.pt", SENet(SMOKE.model).state_dict(), Normalisation())
    lines = whole_report(Workspace(SMOKE, tmp_path / "build", weights=tmp_path / "trunk.pt"))
    assert any("a trunk of this project" in line and "input RGB" in line for line in lines)
    assert any(line.endswith("entries fit, 0 missing") for line in lines)
    other = Workspace(PROFILES["demo"], tmp_path / "build", weights=tmp_path / "trunk.pt")
    assert "trunk.pt: does not fit this trunk" in remarks(whole_report(other))


def test_senet_50s_weights_are_said_to_want_the_papers_profile(tmp_path, monkeypatch):
    with torch.device("meta"):
        read = TrunkFile(PORT, SENet(PROFILES["paper"].model).state_dict(), VGGFACE2_BGR, {})
    monkeypatch.setattr(model_weights, "read_trunk", lambda _: read)
    (tmp_path / "senet50_ft_weight.pkl").touch()
    given = {"root": tmp_path / "build", "weights": tmp_path / "senet50_ft_weight.pkl"}
    lines = list(doctor._weights(Workspace(PROFILES["demo"], **given)))
    assert lines[-1].startswith(f"missing: {given['weights']}: SENet-50's weights, ")
    lines = list(doctor._weights(Workspace(PAPER, **given)))
    assert lines[-1].endswith("entries fit, 0 missing")


def test_weights_that_are_none_are_a_line(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "senet50_ft_pytorch.pth")
    workspace = dataclasses.replace(
        Workspace(SMOKE, tmp_path / "build"), weights=tmp_path / "senet50_ft_pytorch.pth"
    )
    lines = whole_report(workspace)
    assert "refused: it holds a whole pickled module" in remarks(lines)
    assert lines[-1].startswith("not fit")


@pytest.mark.parametrize("place", ["", "Videos_LeftCamera", "Landmark_Points"])
def test_a_folder_that_may_not_be_read_is_told_and_counted_once(root, tmp_path, monkeypatch, place):
    locked, real = root / place, Path.iterdir

    def iterdir(folder: Path):
        if folder == locked:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return real(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    lines = whole_report(Workspace(SMOKE, tmp_path / "build", disfa=root))
    missing = [line for line in lines if line.startswith("missing: ")]
    assert missing == [f"missing: {locked}: you may not read it; ask its owner"]
    assert lines[-1].startswith("not fit for make book PROFILE=smoke: 1 missing, ")


def test_weights_in_a_folder_that_may_not_be_read_are_told_without_the_systems_number(tmp_path, monkeypatch):
    file = tmp_path / "locked" / "senet50_ft_weight.pkl"
    file.parent.mkdir()
    file.touch()

    def read_trunk(path: Path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(model_weights, "read_trunk", read_trunk)
    lines = list(doctor._weights(Workspace(SMOKE, tmp_path / "build", weights=file)))
    assert lines == [f"missing: {file}: you may not read it; ask its owner"]


def test_networks_of_other_data_are_not_counted_as_the_books(tmp_path):
    workspace = Workspace(PROFILES["smoke"], tmp_path / "build")
    (tmp_path / "build" / "smoke" / "runs" / "tranet-fold1-0123456789ab").mkdir(parents=True)
    lines = whole_report(workspace)
    assert (
        "smoke: 0 of the 24 networks of the tables are trained; 1 of other data, settings, seeds or code" in lines
    )


def test_networks_from_other_seeds_are_the_books_own(tmp_path, monkeypatch):
    workspace = Workspace(SMOKE, tmp_path / "build", seeds=2)
    runs = workspace.folder / "runs"
    runs.mkdir(parents=True)
    for stage in ("store", "trunk"):
        found_or_made(workspace.folder / stage, workspace.keys[stage], lambda new: new.mkdir())
    (workspace.folder / "trunk" / "trunk.pt").touch()
    monkeypatch.setattr(AlignedStore, "open", lambda _: SimpleNamespace(fingerprint="f"))
    for again in (0, 1, 2):
        inputs = run_inputs(workspace.seeded(again), "f", file_sha256(workspace.folder / "trunk" / "trunk.pt"))
        (runs / run_name("tranet", 1, inputs)).mkdir()
    lines = list(doctor._stages(workspace))
    assert (
        "smoke: 2 of the 48 networks of the tables are trained; 1 of other data, settings, seeds or code" in lines
    )


def test_a_note_that_a_training_replaces_meanwhile_is_not_missed(tmp_path):
    workspace = Workspace(SMOKE, tmp_path / "build")
    runs = workspace.folder / "runs"
    runs.mkdir(parents=True)
    (runs / ".tranet-fold1-0123456789ab.unfinished.part").symlink_to(tmp_path / "nothing")
    assert not any("unfinished" in line for line in doctor._stages(workspace))


def test_a_damaged_store_is_a_line_and_no_exception(tmp_path):
    workspace = Workspace(PROFILES["smoke"], tmp_path / "build")
    for stage, folder in (("store", "store"), ("trunk", "trunk")):
        found_or_made(workspace.folder / folder, workspace.keys[stage], lambda new: new.mkdir())
    (workspace.folder / "trunk" / "trunk.pt").touch()
    (workspace.folder / "store" / "manifest.json").write_text("{}")
    lines = whole_report(workspace)
    assert "store: the store is damaged" in remarks(lines)
    assert lines[-1].startswith("not fit for make book PROFILE=smoke")


def test_what_unfinished_trainings_left_is_told_with_its_size(tmp_path):
    runs = tmp_path / "build" / "smoke" / "runs"
    runs.mkdir(parents=True)
    workspace = Workspace(PROFILES["smoke"], tmp_path / "build")
    assert not any("unfinished" in line for line in whole_report(workspace))
    for name in (".tranet-fold1-0123456789ab.unfinished", ".tranet-fold2-0123456789ab.unfinished"):
        with (runs / name).open("wb") as file:
            file.truncate(600_000_000)
    assert any("2 notes of unfinished work, 1.2 GB: " in line for line in whole_report(workspace))


def test_what_killed_commands_left_half_written_is_told_with_its_size(tmp_path):
    folder = tmp_path / "build" / "smoke"
    workspace = Workspace(SMOKE, tmp_path / "build")
    (folder / "runs" / "tranet-fold1-0123456789ab").mkdir(parents=True)
    assert not any("half written" in line for line in doctor._stages(workspace))
    for name in ("runs/.tranet-fold2-0123456789ab.part-abc", ".store.part-x1", "site/.html.part-y_2"):
        inner = folder / name / "made"
        inner.mkdir(parents=True)
        with (inner / "checkpoint.pt").open("wb") as file:
            file.truncate(600_000_000)
        (inner / "vanished").symlink_to(tmp_path / "nothing")
    assert any("3 folders half written, 1.8 GB: .*.part-* in " in line for line in doctor._stages(workspace))


def test_folders_that_a_command_at_work_removes_meanwhile_are_not_missed(tmp_path, monkeypatch):
    stat = Path.stat
    for name in "ab":
        (tmp_path / "whole" / name).mkdir(parents=True)
        (tmp_path / "whole" / name / "file").write_text("some")

    def finished(path, **options):
        if path.name == "file":
            shutil.rmtree(tmp_path / "whole", ignore_errors=True)
        return stat(path, **options)

    assert doctor._size(tmp_path / "whole") == 8
    monkeypatch.setattr(Path, "stat", finished)
    assert doctor._size(tmp_path / "whole") == 0


def test_a_data_set_without_a_gpu_is_odd_and_rendered_heads_need_none(root, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    odd = "odd: no GPU here: on a few cores the paper's 24 trainings take weeks to months"
    assert odd in remarks(whole_report(Workspace(PAPER, tmp_path / "build", disfa=root)))
    assert odd not in remarks(whole_report(Workspace(SMOKE, tmp_path / "build")))
