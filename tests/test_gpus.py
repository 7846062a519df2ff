"""Two jobs never work on the same GPU unasked; a GPU whose job ended, however, is free again."""

import os
import subprocess
import sys

import pytest

from traunet.machines import gpus
from traunet.machines.locking import locked

TWO = "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1111)\nGPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2222)\n"
SLICED = (
    "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1111)\n"
    "  MIG 1g.5gb      Device  0: (UUID: MIG-cccc-3333)\n"
    "  MIG 1g.5gb      Device  1: (UUID: MIG-GPU-dddd/7/0)\n"
    "GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2222)\n"
)
A, B = "GPU-aaaa-1111", "GPU-bbbb-2222"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine whose nvidia-smi says what one tells it to."""

    def with_gpus(listed: str, visible: str | None = None) -> None:
        tool = tmp_path / "bin" / "nvidia-smi"
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\ncat <<'END'\n{listed}END\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return with_gpus


def job(count: int, code: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "traunet.machines.gpus", str(count), sys.executable, "-c", code]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


SHOW_AND_WAIT = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); input()"


def holder(count: int = 1) -> tuple[subprocess.Popen[str], str]:
    """A job that holds its GPUs until it is ended, and the ones that it was given."""
    command = [sys.executable, "-m", "traunet.machines.gpus", str(count), sys.executable, "-c", SHOW_AND_WAIT]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize(
    ("listed", "visible", "expected"),
    [
        (TWO, None, [A, B]),
        (TWO, "1", [B]),
        (TWO, "1,0", [B, A]),
        (TWO, "GPU-bbbb", [B]),
        (TWO, "", []),
        (TWO, "-1", []),
        (TWO, "7", []),
        (SLICED, None, ["MIG-cccc-3333", "MIG-GPU-dddd/7/0", B]),
        ("", None, []),
    ],
)
def test_the_gpus_here_are_those_that_a_job_may_use(machine, listed, visible, expected):
    machine(listed, visible)
    assert gpus.here() == expected


@pytest.mark.parametrize(
    ("visible", "order", "expected"),
    [
        ("1", "PCI_BUS_ID", [B]),
        ("GPU-bbbb", None, [B]),
        (None, None, [A, B]),
        ("1", None, None),
        ("0, 1", "", None),
    ],
)
def test_numbers_of_unlike_gpus_are_refused_unless_their_order_is_told(
    machine, monkeypatch, visible, order, expected
):
    machine(TWO.replace("A100-SXM4-40GB", "T400", 1), visible)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    if order is not None:
        monkeypatch.setenv("CUDA_DEVICE_ORDER", order)
    if expected is not None:
        assert gpus.here() == expected
    else:
        with pytest.raises(ValueError, match="set CUDA_DEVICE_ORDER=PCI_BUS_ID"):
            gpus.here()


def test_a_machine_without_a_driver_has_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.here() == []


def test_two_jobs_get_a_gpu_each_and_the_third_waits_until_one_is_killed(machine):
    machine(TWO)
    (first, one), (second, other) = holder(), holder()
    third = job(1, "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])")
    assert {one, other} == {A, B}
    assert third.stdout
    assert "waiting for a GPU" in third.stdout.readline()
    second.kill()
    assert third.communicate(timeout=60)[0].strip() == other
    for process in (first, second):
        process.kill()
        process.communicate()


def test_a_job_takes_all_the_gpus_that_it_asks_for_or_none(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from traunet.machines import gpus\n"
        "print(gpus.taken(1, ['a', 'b'], Path(sys.argv[1])), flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout
    assert other.stdout.readline().strip() == "['a']"
    assert gpus.taken(2, ["a", "b"], tmp_path) == []
    held = gpus.taken(1, ["a", "b"], tmp_path)
    other.communicate("\n")
    assert held == ["b"]


def open_to_all(folder, elsewhere):
    folder.mkdir()
    folder.chmod(0o755)


def another_users(folder, elsewhere):
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)


@pytest.mark.parametrize(
    "make",
    [
        open_to_all,
        lambda folder, elsewhere: folder.symlink_to(elsewhere),
        lambda folder, elsewhere: folder.touch(),
        pytest.param(another_users, marks=pytest.mark.skipif(os.getuid() != 0, reason="only root gives away")),
    ],
)
def test_a_folder_that_others_made_or_can_enter_is_not_trusted_with_the_locks(machine, tmp_path, make):
    machine(TWO)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder = tmp_path / f"traunet-gpus-{os.getuid()}"
    make(folder, tmp_path / "elsewhere")
    command = [sys.executable, "-m", "traunet.machines.gpus", "1", "true"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"traunet: {folder}: must be a folder that is yours alone" in done.stderr
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_lock_behind_a_link_is_refused(tmp_path):
    (tmp_path / "a.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        locked(tmp_path / "a.lock")
    assert not (tmp_path / "elsewhere").exists()


def test_more_gpus_than_there_are_is_an_error_and_not_a_wait(tmp_path):
    with pytest.raises(ValueError, match=r"3 GPUs were asked for, and 2 are here; ask for fewer \(resource gpu\)"):
        gpus.wait_for(3, [A, B], tmp_path)


def test_a_job_that_asks_for_none_sees_none_and_one_on_a_machine_without_runs_as_it_is(machine):
    show = "import os; print(os.environ.get('CUDA_VISIBLE_DEVICES'))"
    machine(TWO)
    assert job(0, show).communicate()[0] == "\n"
    machine("")
    assert job(1, show).communicate()[0] == "None\n"


def test_the_job_ends_with_the_exit_code_of_its_command(machine):
    machine(TWO)
    failing = job(1, "raise SystemExit(3)")
    failing.communicate()
    assert failing.returncode == 3


def test_a_gpu_is_free_again_when_its_job_is_stopped(machine):
    machine("GPU 0: one (UUID: GPU-aaaa-1111)\n")
    process, _ = holder()
    process.terminate()
    process.communicate()
    assert job(1, "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])").communicate()[0].strip() == A


@pytest.mark.parametrize(
    ("said", "ill"),
    [
        ("Failed to initialize NVML: Driver/library version mismatch", True),
        ("Failed to initialize NVML: Unknown Error", True),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", False),
    ],
)
def test_a_driver_that_is_ill_is_not_taken_for_no_gpu(machine, tmp_path, monkeypatch, said, ill):
    machine("")
    (tmp_path / "bin" / "nvidia-smi").write_text(f'#!/bin/sh\necho "{said}"\nexit 255\n')
    if ill:
        with pytest.raises(ValueError, match=f"nvidia-smi: {said}; restart the machine"):
            gpus.here()
    else:
        assert gpus.here() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus.here() == []
