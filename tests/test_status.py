"""What `make book` shows while it runs."""

import io
import itertools
import os
import threading
import time

import pytest

from traunet.workflow import status
from traunet.workflow.status import Status, at_work, last_words


@pytest.fixture
def logs(tmp_path):
    (tmp_path / "synth.log").write_text("rendering heads:  10%\rrendering heads:  80%")
    (tmp_path / "prepare.log").write_text("aligned\nbuild/demo/store: 5385 of 5399 frames aligned (3 s, 0.2 GB)\n")
    (tmp_path / "train-tranet-123.log").write_text("")
    return tmp_path


def test_only_the_jobs_at_work_are_shown(logs):
    assert at_work(logs, 0) == ["synth: rendering heads:  80%"]


def test_the_logs_of_an_earlier_call_are_not_shown(logs):
    hour_ago = time.time() - 3600
    os.utime(logs / "synth.log", (hour_ago, hour_ago))
    assert at_work(logs, time.time() - 60) == []


def test_the_last_words_of_a_long_log_are_read_without_reading_all_of_it(tmp_path):
    log = tmp_path / "long.log"
    log.write_text("ä" * 10_000 + "\nepoch 3 of 15\n\n")
    assert last_words(log) == "epoch 3 of 15"


@pytest.fixture
def third_look(monkeypatch):
    """Set at the third look at the logs: what the first one found has been shown, and was found again."""
    third, looks = threading.Event(), itertools.count(1)

    def look(*given):
        if next(looks) == 3:
            third.set()
        return at_work(*given)

    monkeypatch.setattr(status, "EVERY", {False: 0.01, True: 0.01})
    monkeypatch.setattr(status, "at_work", look)
    return third


def test_a_log_gets_plain_lines_and_no_control_characters(logs, third_look):
    shown = io.StringIO()
    watch = Status(logs, shown)
    watch.started = 0
    watch.say("1 of 22 steps (5%) done")
    with watch:
        assert third_look.wait(300)
    lines = shown.getvalue().splitlines()
    assert lines[0] == "1 of 22 steps (5%) done"
    assert lines.count("  synth: rendering heads:  80%") == 1
    assert "\x1b" not in shown.getvalue()


def test_a_terminal_keeps_one_line_and_ends_clean(logs, third_look):
    shown = io.StringIO()
    shown.isatty = lambda: True
    watch = Status(logs, shown)
    watch.started = 0
    with watch:
        assert third_look.wait(300)
    assert "rendering heads:  80%" in shown.getvalue()
    assert "\n" not in shown.getvalue()
    assert shown.getvalue().endswith("\r\x1b[2K")


def test_a_log_that_vanishes_while_it_is_looked_at_is_left_out(logs, monkeypatch):
    def gone(log):
        log.unlink(missing_ok=True)
        return (log / "..").read_text()

    monkeypatch.setattr(status, "last_words", gone)
    assert at_work(logs, 0) == []
