"""A book that was not finished: what could be made is there, what failed says why, the next call goes on."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from projects import call, calls, chapter, clean_environment, wait_for, write_checkout

from traunet.config import FOLDS, VARIANTS

ALL_FOLDS = "".join(map(str, FOLDS))
BOOK = ("-m", "traunet", "book", "--profile", "smoke", "--cores", "2")
REST = ["notebook", "site", "tables"]
FAILING_CELL = "from pathlib import Path\nassert not Path('broken').exists(), 'the cell broke'"


READING_CELL = "from traunet.workspace import Workspace\nWorkspace.of('smoke').results()"


# As a terminal starts it, or a script in the background, where SIGINT is ignored; never under nohup.
STARTED = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, getattr(signal, sys.argv[1]))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@pytest.fixture
def checkout(tmp_path):
    project = write_checkout(tmp_path / "project", chapter(new_code_cell(READING_CELL)))
    yield project
    kill_all(at_work(project))  # after a test that failed


def without(checkout, *marks):
    """The book finished, but for these marks."""
    done = call(checkout, "-m", "traunet", "finish", ALL_FOLDS, "--profile", "smoke")
    assert done.returncode == 0, done.stdout
    for mark in marks:
        (checkout / "build" / "smoke" / "done" / mark).unlink()


def test_the_others_finish_when_a_training_fails_and_the_next_calls_make_only_what_is_missing(checkout):
    logs, notebooks = checkout / "build" / "smoke" / "logs", checkout / "build" / "smoke" / "notebooks"
    nbformat.write(chapter(new_code_cell(FAILING_CELL)), checkout / "notebooks" / "01_data.ipynb")
    (checkout / "failing").write_text("train-senet_hm-123")
    (checkout / "killed").write_text("train-senet_cbam-123")
    failed = call(checkout, *BOOK)
    assert failed.returncode == 2
    assert "train-senet_hm-123 was told to fail" in failed.stdout
    assert "killed from outside, as a machine does that has no memory left; this job asked for" in failed.stdout
    assert "traunet: the book was not finished; the failed step and its log are above" in failed.stdout
    assert calls(checkout) == sorted(
        ["notebook", "pretrain", "prepare", "synth", *(f"train-{variant}-{ALL_FOLDS}" for variant in VARIANTS)]
    )
    assert "was told to fail" in (logs / "train-senet_hm-123.log").read_text()
    assert "killed from outside" in (logs / "train-senet_cbam-123.log").read_text()

    (checkout / "failing").unlink()
    (checkout / "killed").unlink()
    (checkout / "executing").touch()
    (checkout / "notebooks" / "broken").touch()
    (notebooks / "01_data.ipynb").unlink()
    broken = call(checkout, *BOOK)
    assert broken.returncode == 2
    assert "cell 3 raised AssertionError: the cell broke" in broken.stdout
    assert calls(checkout) == ["notebook", "tables", "train-senet_cbam-123", "train-senet_hm-123"]
    assert "was told to fail" in (logs / "train-senet_hm-123.log.before").read_text()
    assert "the cell broke" in (logs / "notebook-01_data.log").read_text()
    assert "AssertionError" in (notebooks / "failed" / "01_data.ipynb").read_text()

    (checkout / "notebooks" / "broken").unlink()
    mended = call(checkout, *BOOK)
    assert mended.returncode == 0, mended.stdout
    assert calls(checkout) == ["notebook", "site"]


def test_a_book_that_was_killed_with_all_its_jobs_goes_on_with_the_next_call(checkout):
    without(checkout, "train-tranet-123", "train-senet-123")
    (checkout / "waiting").write_text("train-tranet-123 train-senet-123")
    book = subprocess.Popen([sys.executable, *BOOK], cwd=checkout, env=clean_environment(checkout))
    wait_for(checkout, "train-tranet-123", "train-senet-123")
    kill_all(at_work(checkout))
    assert book.wait(300) == -signal.SIGKILL
    (checkout / "waiting").unlink()
    again = call(checkout, *BOOK)
    assert again.returncode == 0, again.stdout
    assert calls(checkout) == [*REST, "train-senet-123", "train-tranet-123"]


@pytest.mark.parametrize("interrupts", ["SIG_DFL", "SIG_IGN"])
def test_a_book_that_was_stopped_stops_its_jobs_and_says_how_to_go_on(checkout, interrupts):
    without(checkout, "train-tranet-123")
    (checkout / "waiting").write_text("train-tranet-123")
    book = subprocess.Popen(
        [sys.executable, "-c", STARTED, interrupts, *BOOK],
        cwd=checkout,
        env=clean_environment(checkout),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    wait_for(checkout, "train-tranet-123")
    book.send_signal(signal.SIGHUP)
    said = book.communicate(timeout=300)[0].decode()
    assert book.returncode == 129
    assert "stopped; the same command goes on from what is finished" in said
    assert at_work(checkout) == []


def kill_all(processes: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):  # it ended, as its parent did
            os.kill(process, signal.SIGKILL)


def at_work(checkout: Path) -> list[int]:
    """The processes that work in a test's own folder."""
    return [
        int(process.parent.name) for process in Path("/proc").glob("[0-9]*/cwd") if leads_to(process, checkout)
    ]


def leads_to(link: Path, folder: Path) -> bool:
    try:
        return link.readlink() == folder
    except OSError:  # it has ended
        return False
