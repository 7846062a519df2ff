"""A lock ends with the processes that hold it; where a file system has none, one is told, and nobody waits."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from traunet.machines.locking import alone, locked
from traunet.records.keeping import made_once
from traunet.workflow import flow


@pytest.fixture(params=["ENOSYS", "EOPNOTSUPP"])  # on Linux ENOTSUP is the latter's number
def no_locks(monkeypatch, request):
    """A file system as some mounts of Lustre are, by what it answers."""
    number = getattr(errno, request.param)

    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_lock_is_held_once_and_free_again(tmp_path):
    with alone(tmp_path / "lock"):
        assert locked(tmp_path / "lock") is None
    held = locked(tmp_path / "lock")
    assert held is not None
    assert locked(tmp_path / "lock") is None
    os.close(held)


def test_where_there_are_no_locks_work_goes_on_with_a_warning_and_leaves_nothing_that_bars_the_next(
    tmp_path, no_locks
):
    for attempt in range(2):  # the first is killed: what it left must not make the second wait
        with pytest.warns(UserWarning, match="its file system has no locks; start one command at a time"):
            alone(tmp_path / "lock").__enter__()
        with pytest.warns(UserWarning, match="has no locks"):
            assert locked(tmp_path / "lock") is not None
        with pytest.warns(UserWarning, match="has no locks"):
            made_once(tmp_path / str(attempt), lambda folder: folder.mkdir())


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOLCK])
@pytest.mark.parametrize("lock", [lambda file: alone(file).__enter__(), locked])
def test_another_error_of_the_disk_passes(tmp_path, monkeypatch, lock, number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match=os.strerror(number)):
        lock(tmp_path / "lock")


def test_a_book_whose_command_was_killed_is_barred_until_its_snakemake_has_ended(tmp_path):
    lock = locked(tmp_path / "lock")
    assert lock is not None
    with flow._stoppable(
        [sys.executable, "-c", "import signal; signal.pause()"], dict(os.environ), lock
    ) as process:
        os.close(lock)  # as the system does when the command is killed
        assert locked(tmp_path / "lock") is None
        process.kill()
        process.communicate()
        after = locked(tmp_path / "lock")
        assert after is not None
        os.close(after)


IMPATIENT = '''
import os, signal, sys
from pathlib import Path
from traunet.workflow import flow
from traunet.machines.locking import locked
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
slow = """
import sys, time
from pathlib import Path
try:
    print("here", flush=True)
    while True:
        time.sleep(0.1)
except KeyboardInterrupt:
    Path(sys.argv[1], "tidying").touch()
    sys.stdin.read()
"""
lock = locked(Path(sys.argv[1], "lock"))
try:
    with flow._stoppable([sys.executable, "-c", slow, sys.argv[1]], dict(os.environ), lock) as process:
        print(process.stdout.readline().strip(), flush=True)
        process.wait()
except KeyboardInterrupt:
    print("ended" if process.poll() is not None else "left alone", flush=True)
'''


def test_a_second_ctrl_c_leaves_nothing_at_work(tmp_path):
    command = [sys.executable, "-c", IMPATIENT, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as book:
        assert book.stdout
        assert book.stdout.readline().strip() == "here"
        book.send_signal(signal.SIGINT)
        while not (tmp_path / "tidying").exists():
            assert book.poll() is None
            time.sleep(0.05)
        book.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):  # what it started still tidies up
            book.wait(1)
        assert book.communicate()[0].strip() == "ended"


def test_a_lock_bars_nobody_of_the_group_for_good(tmp_path):
    before = os.umask(0o002)
    try:
        descriptor = locked(tmp_path / "a.lock")
    finally:
        os.umask(before)
    assert descriptor is not None
    os.close(descriptor)
    assert (tmp_path / "a.lock").stat().st_mode & 0o777 == 0o664
