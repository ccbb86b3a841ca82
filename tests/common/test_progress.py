"""Progress on a terminal, elsewhere, and with --quiet."""

import io
import sys
from dataclasses import dataclass

import pytest

from common import progress
from common.cli import parse
from common.progress import ProgressBar, announce, is_quiet, set_quiet, show_progress


@pytest.fixture(autouse=True)
def loud():
    yield
    set_quiet(False)


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves by 10 seconds whenever it is read."""
    readings = iter(range(0, 100_000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(readings)))


def test_without_a_terminal_there_is_a_line_every_30_seconds(clock, capsys):
    assert list(show_progress(range(7), "drawing", 7, "face")) == list(range(7))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [  # read at 0, then after each item at 10, 20, 30 ...
        "drawing: 3 of 7 faces in 30 s, about 40 s left",
        "drawing: 6 of 7 faces in 1 min 0 s, about 10 s left",
    ]


def test_units_are_counted_in_english(clock, capsys):
    list(show_progress(range(4), "comparing", 4, "batch"))
    assert capsys.readouterr().err.splitlines() == ["comparing: 3 of 4 batches in 30 s, about 10 s left"]


def test_the_time_that_is_left_is_not_told_by_the_first_few(clock, capsys):
    """The processes of a loop start within its first items: 1 of 40 in 30 s is not 19 minutes for the rest."""
    with ProgressBar("drawing", 40, "face") as bar:
        clock_reads = iter((0, 0, 1, 2))
        for count in clock_reads:
            bar.update(count)
    assert capsys.readouterr().err.splitlines() == ["drawing: 1 of 40 faces in 30 s"]


def test_a_short_loop_without_a_terminal_shows_nothing(capsys):
    assert list(show_progress("ab", "drawing", 2, "face")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_a_bar_unless_it_is_quiet(monkeypatch):
    monkeypatch.setattr(progress, "DELAY_SECONDS", 0)
    monkeypatch.setattr(sys, "stderr", Terminal())
    list(show_progress("ab", "drawing", 2, "face"))
    assert "drawing" in sys.stderr.getvalue() and "0/2" in sys.stderr.getvalue()
    for quiet, shown in ((True, True), (False, False)):
        monkeypatch.setattr(sys, "stderr", Terminal())
        set_quiet(quiet)
        list(show_progress("ab", "drawing", 2, "face", shown))
        assert sys.stderr.getvalue() == ""


@dataclass(frozen=True)
class Options:
    """A command."""

    size: int = 1


def test_quiet_is_a_flag_of_every_command(clock, capsys):
    assert parse(Options, ["--quiet", "--size", "3"]) == Options(3) and is_quiet()
    announce("drawing 7 faces")
    list(show_progress(range(7), "drawing", 7, "face"))
    assert capsys.readouterr() == ("", "")
    assert parse(Options, ["--size", "3"]) == Options(3) and not is_quiet()
    announce("drawing 7 faces")
    assert capsys.readouterr().err == "drawing 7 faces\n"


def test_the_help_of_every_command_names_it(capsys):
    with pytest.raises(SystemExit):
        parse(Options, ["--help"])
    assert "--quiet" in capsys.readouterr().out
