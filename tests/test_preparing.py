"""Preparing goes on where it stopped, takes nothing that does not fit, and makes the same bytes in any case."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trees

from traunet.config import AlignConfig
from traunet.data import aligning, preparing, video
from traunet.data.disfa import read_tree
from traunet.data.preparing import prepare
from traunet.data.store import AlignedStore
from traunet.data.video import Stretch

CONFIG = AlignConfig(size=64)
LENGTH = 4  # frames of a stretch in these tests
LEFT = ".store.unfinished"

KILLED = """
import os, signal, sys
from functools import partial
from pathlib import Path
from traunet.config import AlignConfig
from traunet.data import aligning, preparing
from traunet.data.disfa import read_tree

if __name__ == "__main__":
    root, out, pictures, workers = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    preparing.divide = partial(preparing.divide, length=4)
    encode, made = aligning.encode_aligned, []

    def encode_or_die(*given):
        if len(made) == pictures:
            os.kill(os.getpid(), signal.SIGKILL)
        made.append(0)
        return encode(*given)

    aligning.encode_aligned = encode_or_die
    print("ready", flush=True)
    preparing.prepare(read_tree(root), out, AlignConfig(size=64), workers=workers, progress=False)
"""


@pytest.fixture(autouse=True)
def _short_stretches(monkeypatch):
    monkeypatch.setattr(preparing, "divide", partial(video.divide, length=LENGTH))


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return trees.write_tree(tmp_path_factory.mktemp("data") / "DISFA", frames=10)


@pytest.fixture(scope="module")
def expected(root, tmp_path_factory) -> dict[str, bytes]:
    """The bytes of a store that was made in one go, in the stretches of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "divide", partial(video.divide, length=LENGTH))
        return contents(prepared(root, tmp_path_factory.mktemp("stores") / "store"))


def prepared(root: Path, out: Path, config: AlignConfig = CONFIG, workers: int = 1, **settings) -> AlignedStore:
    return prepare(read_tree(root), out, config, workers=workers, progress=False, **settings)


def contents(store: AlignedStore) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.path.iterdir()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def kill(root: Path, out: Path, pictures: int) -> None:
    """Let another process prepare, and be killed before it makes one picture more."""
    command = [sys.executable, "-c", KILLED, str(root), str(out), str(pictures), "1"]
    assert subprocess.run(command, check=False, timeout=300).returncode == -signal.SIGKILL


@pytest.fixture
def decoded(monkeypatch) -> list[Stretch]:
    """The stretches that are decoded from now on."""
    seen: list[Stretch] = []

    def watched(stretch: Stretch):
        seen.append(stretch)
        return video.numbered(stretch)

    monkeypatch.setattr(aligning, "numbered", watched)
    return seen


@pytest.mark.parametrize("pictures", [3, 12, 29])
def test_a_killed_preparation_goes_on_where_it_stopped(root, expected, tmp_path, decoded, pictures):
    kill(root, tmp_path / "store", pictures)
    assert names(tmp_path) == [LEFT]
    store = prepared(root, tmp_path / "store")
    parts = [(subject, first) for subject in ("SN001", "SN006", "SN031") for first in (1, 5, 9)]
    finished = sum(pictures >= done for done in (4, 8, 10, 14, 18, 20, 24, 28, 30))
    assert len(decoded) == len(parts) - finished
    assert contents(store) == expected
    assert names(tmp_path) == ["store"]


def interrupt_at_the_end(root: Path, out: Path) -> None:
    """Stop when all parts are made, and none is in a store yet."""

    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "_join", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepared(root, out)


def test_a_kill_while_the_store_is_put_together_costs_no_decoding(root, expected, tmp_path, decoded):
    interrupt_at_the_end(root, tmp_path / "store")
    assert names(tmp_path) == [LEFT]
    (tmp_path / LEFT / "new").mkdir()  # as a kill would have left it
    (tmp_path / LEFT / "new" / "images.bin").write_bytes(b"half")
    decoded.clear()
    assert contents(prepared(root, tmp_path / "store")) == expected
    assert decoded == []


def test_what_is_left_of_other_settings_is_not_taken(root, tmp_path):
    kill(root, tmp_path / "store", 12)
    other = AlignConfig(size=64, chin=0.9)
    clean = contents(prepared(root, tmp_path / "clean", other))
    assert contents(prepared(root, tmp_path / "store", other)) == clean
    assert names(tmp_path) == ["clean", "store"]


def test_what_is_left_of_a_video_that_changed_is_not_taken(tmp_path, expected):
    root = trees.write_tree(tmp_path / "DISFA", frames=10)
    interrupt_at_the_end(root, tmp_path / "store")
    file = trees.video_file(root, "SN006")
    trees.write_video(file, [np.full((96, 128, 3), 99, np.uint8)] * 10)
    store = prepared(root, tmp_path / "store")
    assert np.median(store.image(10)) == pytest.approx(99, abs=4)
    assert contents(store)["images.bin"] != expected["images.bin"]


@pytest.mark.parametrize(
    "spoil", [lambda data: b"", lambda data: data[:-1] + b"x", lambda data: data[: len(data) // 2]]
)
@pytest.mark.parametrize("kind", ["*.pictures", "*.json"])
def test_a_part_that_was_damaged_is_made_again(root, expected, tmp_path, kind, spoil):
    interrupt_at_the_end(root, tmp_path / "store")
    for part in (tmp_path / LEFT).glob(kind):
        part.write_bytes(spoil(part.read_bytes()))
    assert contents(prepared(root, tmp_path / "store")) == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_a_video_that_fails_keeps_what_is_done_and_no_store(tmp_path, decoded, workers):
    root = trees.write_tree(tmp_path / "DISFA", frames=10)
    tree, file = read_tree(root), trees.video_file(root, "SN031")
    sound = file.read_bytes()
    file.write_bytes(b"")
    with pytest.raises(ValueError, match=r"SN031_comp\.avi: empty, truncated or not a video"):
        prepare(tree, tmp_path / "store", CONFIG, workers=workers, progress=False)
    assert names(tmp_path) == [LEFT, "DISFA"]
    file.write_bytes(sound)
    decoded.clear()
    prepared(root, tmp_path / "store")
    assert file in {stretch.video for stretch in decoded}
    assert workers > 1 or len(decoded) == 3  # others at work may not have been done with theirs
    assert names(tmp_path) == ["DISFA", "store"]


def test_several_processes_make_the_same_bytes_as_one(root, expected, tmp_path):
    assert contents(prepared(root, tmp_path / "store", workers=2)) == expected


def test_where_to_keep_what_is_done_can_be_chosen(root, expected, tmp_path):
    store = prepared(root, tmp_path / "scratch" / "store", resume=tmp_path / "kept")
    assert contents(store) == expected
    assert names(tmp_path) == ["scratch"]


def test_of_two_that_prepare_the_same_store_one_makes_it_and_the_other_says_so(root, tmp_path):
    failures: list[str] = []
    ready = threading.Barrier(2, timeout=300)

    def work():
        ready.wait()
        try:
            prepared(root, tmp_path / "store")
        except ValueError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not any(thread.is_alive() for thread in threads)
    assert len(failures) == 1
    assert "there is a store already" in failures[0]
    assert names(tmp_path) == ["store"]


def test_what_cannot_be_removed_yet_is_in_nobodys_way(root, expected, tmp_path, monkeypatch):
    """NFS keeps a file's name, and so its folder, while anyone has it open, as those have who wait for a lock."""
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    for name in ("a", "b"):
        assert contents(prepared(root, tmp_path / name, resume=tmp_path / "kept")) == expected
    assert [name.split("-")[0] for name in names(tmp_path)] == ["a", "b", "kept.gone", "kept.gone"]
    monkeypatch.undo()
    prepared(root, tmp_path / "c", resume=tmp_path / "kept")
    assert names(tmp_path) == ["a", "b", "c"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children are found through Linux's /proc")
def test_no_process_outlives_a_killed_parent(tmp_path):
    (tmp_path / "script.py").write_text(ORPHANS)
    (tmp_path / "at_work").mkdir()
    command = [sys.executable, tmp_path / "script.py", tmp_path / "at_work"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        children = [int(pid) for pid in parent.stdout.readline().split()]
        parent.wait(300)
    assert len(children) == 2
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and any(Path(f"/proc/{pid}/exe").exists() for pid in children):
        time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in children)


ORPHANS = """
import multiprocessing, os, signal, sys, time
from pathlib import Path
from traunet.data.aligning import in_processes
from traunet.data.progress import Progress

def work(task, advance):
    task.touch()
    time.sleep(600)

def tasks(folder):
    yield from (folder / "1", folder / "2")
    began = time.monotonic()
    while len(list(folder.iterdir())) < 2:
        assert time.monotonic() < began + 300
        time.sleep(0.05)
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    in_processes(work, tasks(Path(sys.argv[1])), 2, Progress("", 2, shown=False))
"""


class Fatal:
    """Kills the process that unpickles it."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_worker_that_dies_is_an_error_and_not_a_wait():
    fatal, progress = [Fatal(), Fatal()], preparing.Progress("", 2, shown=False)
    with pytest.raises(ChildProcessError, match="a worker process died while aligning frames"):
        aligning.in_processes(print, fatal, 2, progress)  # pyright: ignore[reportArgumentType]


def test_a_frame_that_broke_after_a_cut_is_found_from_the_start(root, tmp_path, monkeypatch, expected):
    """A stretch that does not give all its frames is decoded together with what lies before it."""

    def forgetful(stretch: Stretch):
        frames = video.numbered(stretch)
        return (pair for pair in frames if stretch.packet == 0 or pair[0] != stretch.first)

    monkeypatch.setattr(aligning, "numbered", forgetful)
    assert contents(prepared(root, tmp_path / "store")) == expected


def test_stretches_without_a_wanted_frame_are_not_decoded(tmp_path, decoded):
    root = trees.write_tree(tmp_path / "DISFA", subjects=["SN001"], frames=10)
    (root / "bad_frames.csv").write_text("subject,first,last\nSN001,4,8\n")
    store = prepared(root, tmp_path / "store")
    assert [stretch.first for stretch in decoded] == [1, 9]
    assert store.frames["reason"].tolist() == [""] * 3 + ["marked bad"] * 5 + [""] * 2
    assert [np.median(store.image(i)) for i in (2, 8)] == pytest.approx(
        [trees.grey_of(3), trees.grey_of(9)], abs=4
    )
