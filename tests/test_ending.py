"""What is told to end does, leaves nothing half written, and says with its exit code why."""

import errno
import io
import os
import pickle
import pty
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from traunet.cli import main
from traunet.machines import ending
from traunet.machines.ending import Terminated, terminable
from traunet.workflow import flow
from traunet.workflow.status import EVERY, Status
from traunet.workspace import PROJECT

SLOW = """
import signal, sys, time
from traunet.machines.ending import terminable
for one in (signal.SIGTERM, signal.SIGHUP):  # tests may run under nohup
    signal.signal(one, signal.SIG_IGN if str(int(one)) in sys.argv else signal.SIG_DFL)
with terminable():
    try:
        print("here", flush=True)
        while True:
            time.sleep(0.1)
    finally:
        print("tidying", flush=True)
        sys.stdin.read()
        print("tidied up", flush=True)
"""


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAUNET_BUILD", str(tmp_path / "build"))
    monkeypatch.delenv("TRAUNET_DISFA", raising=False)


def started(*command, **options):
    """A process of Python's that keeps what it prints as it does for a user, until it is much or the end."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": ""}
    return subprocess.Popen([sys.executable, *command], env=environment, text=True, **options)


@pytest.mark.parametrize(("told", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_what_is_told_to_end_tidies_up_once_however_often_it_is_told(told, code):
    with started("-c", SLOW, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as slow:
        assert slow.stdout
        for said in ("here\n", "tidying\n"):
            assert slow.stdout.readline() == said
            slow.send_signal(told)
        assert slow.communicate()[0] == "tidied up\n"  # its input ends, and so does its tidying
    assert slow.returncode == code


def test_under_nohup_a_lost_terminal_ends_nothing():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with started("-c", SLOW, str(int(signal.SIGHUP)), **pipes) as slow:
        assert slow.stdout
        assert slow.stdout.readline() == "here\n"
        slow.send_signal(signal.SIGHUP)
        slow.send_signal(signal.SIGTERM)
        assert slow.communicate()[0] == "tidying\ntidied up\n"
    assert slow.returncode == 143  # of the two, had it heard both, the first would give the code


def test_a_signal_that_was_lost_can_be_repeated(monkeypatch):
    tell = partial(os.kill, os.getpid(), signal.SIGTERM)
    with terminable():
        with suppress(Terminated):  # as in a __del__, whose errors Python drops
            tell()
        monkeypatch.setattr(ending, "TIDYING", 1e9)
        tell()  # too soon: something may still be tidied up
        monkeypatch.setattr(ending, "TIDYING", -1)
        with pytest.raises(Terminated):
            tell()


def test_it_passes_between_processes_as_it_is():
    assert pickle.loads(pickle.dumps(Terminated(signal.SIGTERM))).code == 143


def test_afterwards_signals_do_what_they_did():
    with pytest.raises(Terminated), terminable():
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def numbas_error(cause):
    def fail(*_):
        raise SystemError("returned a result with an exception set") from cause

    return fail


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda *_: os.kill(os.getpid(), signal.SIGTERM), 143),
        (numbas_error(KeyboardInterrupt()), 130),
        (numbas_error(Terminated(signal.SIGTERM)), 143),
    ],
)
def test_a_command_that_is_told_to_end_says_what_is_left(elsewhere, capsys, monkeypatch, end, code):
    monkeypatch.setattr("traunet.workspace.Workspace.results", end)
    assert main(["tables"]) == code
    assert capsys.readouterr().err == "traunet: stopped; the same command goes on from what is finished\n"


class Gone(io.StringIO):
    """A terminal that was closed."""

    def write(self, _):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_terminal_that_is_gone_is_told_nothing_and_the_code_stays(elsewhere, monkeypatch):
    monkeypatch.setattr("traunet.workspace.Workspace.results", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    monkeypatch.setattr(sys, "stderr", Gone())
    assert main(["tables"]) == 143


def test_an_error_of_the_system_is_no_end_that_was_wanted(elsewhere, monkeypatch):
    def fail(*_):
        raise SystemError("bad call")

    monkeypatch.setattr("traunet.workspace.Workspace.results", fail)
    with pytest.raises(SystemError, match="bad call"):
        main(["tables"])


def test_rendering_that_is_terminated_leaves_nothing(tmp_path):
    command = ["-m", "traunet", "synth", str(tmp_path / "out"), "--profile", "smoke", "--workers", "1"]
    with started(*command, stderr=subprocess.DEVNULL) as rendering:
        while not list(tmp_path.rglob("*.txt")):  # a head's labels
            assert rendering.poll() is None
            time.sleep(0.1)
        rendering.terminate()
    assert rendering.returncode == 143
    assert list(tmp_path.iterdir()) == []


LOST = """
import os, signal, sys, time
from traunet.cli import main
from traunet.workspace import Workspace

def results(*_):
    print("half a line", end="")
    os.write(1, b"here")  # past what waits
    time.sleep(60)

os.open(os.ttyname(0), os.O_RDWR)  # the terminal of the session that begins with this process
signal.signal(signal.SIGHUP, signal.SIG_DFL)
Workspace.results = results
sys.exit(main(["tables", "--profile", "smoke"]))
"""


def test_a_lost_terminal_gives_its_code_whatever_waits_to_be_printed():
    ours, terminal = pty.openpty()
    with started("-c", LOST, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True) as lost:
        os.close(terminal)
        assert os.read(ours, 4) == b"here"
        os.close(ours)
    assert lost.returncode == 129


DOCTOR = """
import sys
from traunet import cli, doctor
doctor.examine = lambda _: iter(["much to tell", sys.argv[1]])
sys.exit(cli.main(["doctor", "--profile", "smoke"]))
"""
BOOK = """
import sys, time
from pathlib import Path
from traunet import cli
from traunet.workflow import flow, status

def make_book(*_):
    with status.Status(Path()):
        time.sleep(60)

flow.make_book, status.at_work, status.EVERY[False] = make_book, lambda *_: ["train: epoch 1"], 0.05
sys.exit(cli.main(["book", "--profile", "smoke"]))
"""


@pytest.mark.parametrize("command", [[DOCTOR, "fit"], [DOCTOR, "not fit"], [BOOK]])
def test_a_reader_that_leaves_is_no_error_of_the_command(command):
    reading, writing = os.pipe()
    os.close(reading)
    with started("-c", *command, stdout=writing, stderr=subprocess.PIPE) as told:
        os.close(writing)
        assert told.stderr
        assert told.stderr.read() == ""
    assert told.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk here that is always full")
@pytest.mark.parametrize("options", [[], ["-u"]])
def test_what_cannot_be_printed_is_told_as_that_and_not_as_a_fault_of_the_build_folder(options):
    with Path("/dev/full").open("w") as full:
        told = started(*options, "-c", DOCTOR, "not fit", stdout=full, stderr=subprocess.PIPE)
    _, said = told.communicate()
    assert said.startswith("traunet: what is printed cannot be written (No space left on device); make room")
    assert said.count("\n") == 1
    assert told.returncode == 2


@pytest.mark.parametrize("error", [Terminated(signal.SIGTERM), KeyboardInterrupt()])
def test_a_line_of_status_that_nobody_can_read_leaves_the_code_of_what_ended_the_workflow(tmp_path, error):
    gone = Gone()
    gone.isatty = lambda: True
    status = Status(tmp_path, gone).__enter__()
    status._shown = "train: epoch 1"
    status.__exit__(type(error), error, None)  # and so passes it on


def test_a_line_of_status_that_nobody_reads_ends_the_workflow(tmp_path, monkeypatch):
    monkeypatch.setitem(EVERY, False, 0.05)
    monkeypatch.setattr("traunet.workflow.status.at_work", lambda *_: ["train: epoch 1"])
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", buffering=1)
    with pytest.raises(BrokenPipeError), terminable(), Status(tmp_path, stream):
        time.sleep(10)
    with suppress(BrokenPipeError):  # what waits in it
        stream.close()


def test_a_workflow_whose_reader_has_left_is_not_left_at_work(tmp_path):
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    slow = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
    with suppress(BrokenPipeError), flow._stoppable(slow, dict(os.environ), lock) as process:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        raise BrokenPipeError
    os.close(lock)
    assert process.poll() is not None  # pyright: ignore[reportPossiblyUnbound]


def test_a_letter_that_the_locale_lacks_is_no_error():
    narrow = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONPATH": str(PROJECT)}
    code = "from traunet.machines.ending import speak_any_locale; speak_any_locale(); print('a \\u2192 b')"
    told = subprocess.run([sys.executable, "-c", code], env=narrow, capture_output=True, text=True, check=True)
    assert told.stdout == "a ? b\n"


def test_a_line_for_which_there_is_no_room_is_not_the_last_that_is_said(tmp_path):
    code = (
        "import os, resource\n"
        "from traunet.machines.ending import say\n"
        "say('first')\n"
        "most = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (os.fstat(2).st_size, most[1]))\n"
        "say('meanwhile')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, most)\n"
        "say('last')\n"
    )
    with (tmp_path / "log").open("w") as log:
        assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, stderr=log).returncode == 0
    lines = (tmp_path / "log").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("first", "last")
