"""What is said of the way ahead is true: the rate is this call's, and what was there before is not in it."""

import sys

from traunet.data.progress import Progress


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_now_and_then_with_the_time_left(capsys):
    clock = Clock()
    with Progress("aligned", 10_000, clock=clock) as progress:
        progress.find(4000)
        for _ in range(30):
            clock.now += 1
            progress.advance(50)
    assert capsys.readouterr().err.splitlines() == [
        "aligned 4,500 of 10,000 frames (4,000 of them earlier), 50 a second, 1 min 50 s left",
        "aligned 5,000 of 10,000 frames (4,000 of them earlier), 50 a second, 1 min 40 s left",
        "aligned 5,500 of 10,000 frames (4,000 of them earlier), 50 a second, 1 min 30 s left",
        "aligned 5,500 of 10,000 frames (4,000 of them earlier), in 30 s",
    ]


def test_long_work_is_told_in_hours(capsys):
    clock = Clock()
    with Progress("aligned", 100_000, clock=clock) as progress:
        clock.now = 10
        progress.advance(100)
    assert "10 a second, 2 h 46 min left" in capsys.readouterr().err


def test_silence_when_asked_for_or_when_it_failed(capsys):
    with Progress("aligned", 10, shown=False) as progress:
        progress.advance(10)
    try:
        with Progress("aligned", 10) as progress:
            raise ValueError
    except ValueError:
        pass
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_that_starts_where_the_last_call_stopped(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Progress("aligned", 10) as progress:
        progress.find(4)
        progress.advance(6)
    shown = capsys.readouterr().err
    assert "10/10" in shown
    assert "aligned: 100%" in shown


def test_nothing_is_promised_before_anything_is_done(capsys):
    clock = Clock()
    with Progress("aligned", 1000, clock=clock) as progress:
        clock.now = 20
        progress.advance(0)
        assert capsys.readouterr().err == "aligned 0 of 1,000 frames, none in this call yet\n"
