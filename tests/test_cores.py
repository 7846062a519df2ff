"""As many cores are used as were granted, and no process outlives the one that started it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from traunet.machines import cores


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def system(root: Path, groups: str, files: dict[str, str]) -> Path:
    """A Linux whose process is in these control groups."""
    for name, text in {"proc/self/cgroup": groups, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


SLICE = "0::/user.slice/job\n"
DOCKER = "12:pids:/docker/abc\n4:cpuacct,cpu:/docker/abc\n0::/docker/abc\n"


def new(text: str, group: str = "") -> dict[str, str]:
    return {f"sys/fs/cgroup/{group}/cpu.max": text}


def old(quota: str, period: str = "100000\n", group: str = "") -> dict[str, str]:
    folder = f"sys/fs/cgroup/cpu/{group}"
    return {f"{folder}/cpu.cfs_quota_us": quota, f"{folder}/cpu.cfs_period_us": period}


@pytest.mark.parametrize(
    ("groups", "files", "granted"),
    [
        ("0::/\n", new("200000 100000\n"), 2),
        ("0::/\n", new("150000 100000\n"), 2),
        ("0::/\n", new("10000 100000\n"), 1),
        ("0::/\n", new("max 100000\n"), 8),
        ("0::/\n", new("6400000 100000\n"), 8),
        ("0::/\n", new(""), 8),
        (SLICE, new("300000 100000\n", "user.slice/job"), 3),
        (SLICE, new("max 50000\n", "user.slice/job") | new("100000 50000\n", "user.slice"), 2),
        (SLICE, new("300000 100000\n", "system.slice"), 8),
        (DOCKER, old("400000\n"), 4),
        (DOCKER, old("-1\n"), 8),
        (DOCKER, old("50000\n", "9999\n", "docker/abc"), 6),
        ("", {}, 8),
    ],
)
def test_a_containers_share_of_the_cores_counts_rounded_up(tmp_path, groups, files, granted):
    assert cores.available(system(tmp_path, groups, files)) == granted


def test_where_no_control_groups_are_shown_all_cores_count(tmp_path):
    assert cores.available(tmp_path) == 8


def ended(process: int) -> bool:
    return not Path(f"/proc/{process}/exe").exists()


def soon(true, seconds: float = 300) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not true():
        time.sleep(0.05)
    return true()


ORPHANS = """
import os, signal, sys, time
from traunet.machines import cores

def work(started):
    open(f"{started}/{os.getpid()}", "x").close()
    time.sleep(600)

def number():
    return len(os.listdir(sys.argv[1]))

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    with cores.side_by_side(2, "sleeping") as pool:
        for _ in range(8):
            pool.submit(work, sys.argv[1])
        while number() < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), getattr(signal, sys.argv[2]))
        time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/exe").exists(), reason="processes are looked for in Linux's /proc")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_no_worker_outlives_the_process_that_started_it(tmp_path, name):
    (tmp_path / "script.py").write_text(ORPHANS)
    (tmp_path / "started").mkdir()
    command = [sys.executable, tmp_path / "script.py", tmp_path / "started", name]
    done = subprocess.run(command, timeout=300, stderr=subprocess.DEVNULL)
    assert done.returncode == -getattr(signal, name)
    workers = [int(path.name) for path in (tmp_path / "started").iterdir()]
    assert len(workers) == 2
    assert soon(lambda: all(map(ended, workers)))


def settings() -> tuple[int, bool]:
    import cv2

    return cv2.getNumThreads(), signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_worker_has_one_core_and_leaves_ctrl_c_to_its_parent():
    with cores.side_by_side(1, "looking") as pool:
        assert pool.submit(settings).result(60) == (1, True)


def sleep(started: Path) -> None:
    (started / str(os.getpid())).touch()
    time.sleep(600)


def test_an_error_stops_what_is_at_work_and_what_waits(tmp_path):
    with pytest.raises(LookupError), cores.side_by_side(2, "sleeping") as pool:  # noqa: PT012
        waiting = [pool.submit(sleep, tmp_path) for _ in range(8)]
        assert soon(lambda: len(list(tmp_path.iterdir())) == 2)
        begun = time.monotonic()
        raise LookupError
    assert time.monotonic() - begun < 300
    assert all(future.done() for future in waiting)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_worker_that_dies_is_an_error_that_names_an_option_there_is():
    from traunet.cli import parser

    with (
        pytest.raises(ChildProcessError, match=r"died while dreaming: out of memory.* one \(--workers 1,"),
        cores.side_by_side(1, "dreaming") as pool,
    ):
        pool.submit(os._exit, 1).result(60)
    for command in ("synth", "prepare"):
        assert parser().parse_args([command, "--workers", "1"]).workers == 1


def test_no_other_module_starts_a_pool_of_processes():
    library = Path(cores.__file__).parents[1]
    starting = [path for path in library.rglob("*.py") if "ProcessPoolExecutor(" in path.read_text()]
    assert starting == [Path(cores.__file__)]
