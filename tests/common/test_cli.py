"""How a command ends: exit codes, and errors in one line."""

import errno
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.cli import EXIT_INTERRUPTED, parse, run_main
from common.errors import UserError


@pytest.fixture
def end(capsys, monkeypatch):
    """A function that runs a main that raises an error, and returns (exit code, lines of stderr)."""

    def run(error=None, code=None, argv=(), interrupted="stopped"):
        monkeypatch.setattr(sys, "argv", ["command", *argv])

        def main():
            if error is not None:
                raise error
            return code

        with pytest.raises(SystemExit) as stopped:
            run_main(main, interrupted)
        return stopped.value.code, capsys.readouterr().err.splitlines()

    return run


def test_the_exit_code_is_that_of_main(end):
    assert end() == (0, []) and end(code=1) == (1, [])


def test_a_users_error_is_one_line_and_exit_code_2(end):
    assert end(UserError("--epochs: expected a number, got x")) == (2, ["error: --epochs: expected a number, got x"])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "error: No space left on device"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/x.csv"), "error: runs/x.csv: No space left on device"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "a"), "error: a: No such file or directory"),
        (OSError("unable to write\n  to the file"), "error: unable to write to the file"),
    ],
)
def test_an_error_of_the_operating_system_is_one_line_and_exit_code_2(end, error, line):
    """write() on a full disk raises an OSError without the name of a file."""
    assert end(error) == (2, [line])


@pytest.mark.parametrize("error", [UserError("wrong"), OSError(errno.ENOSPC, "No space left on device")])
def test_debug_shows_the_traceback(monkeypatch, error):
    monkeypatch.setattr(sys, "argv", ["command", "--debug"])

    def main():
        raise error

    with pytest.raises(type(error)):
        run_main(main)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
@pytest.mark.parametrize("words", [(), ("--debug",)])
def test_a_full_disk(words):
    code = """
from common.cli import run_main

def main():
    with open("/dev/full", "w") as file:
        file.write("rows")

run_main(main)
"""
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    if words:
        assert "Traceback" in done.stderr
    else:
        assert (done.returncode, done.stderr.splitlines()) == (2, ["error: No space left on device"])


def test_an_error_of_the_program_keeps_its_traceback(monkeypatch):
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_main(main)


def test_ctrl_c_exits_with_the_shells_code_and_a_hint(end):
    code, lines = end(KeyboardInterrupt(), interrupted="stopped; the same command resumes")
    assert code == EXIT_INTERRUPTED == 130 and lines == ["", "stopped; the same command resumes"]


def test_a_closed_pipe_is_no_error():
    """`command | head -1` closes the pipe while the command still prints."""
    code = (
        "from common.cli import run_main\nrun_main(lambda: [print('line', flush=True) for _ in range(100_000)] and 0)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.wait(30) == 0 and "Traceback" not in process.stderr.read()
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a device that is always full")
@pytest.mark.parametrize("full", [True, False])
def test_output_that_cannot_be_written_at_the_end_of_a_command(full):
    """A line that Python keeps until its end: the reader has gone by then, or the disk is full."""
    code = "from common.cli import run_main\nrun_main(lambda: print('a line'))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    if full:
        output = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, output = os.pipe()
        os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=output, stderr=subprocess.PIPE, text=True, env=environment
    )
    os.close(output)
    assert (done.returncode, done.stderr) == ((2, "error: No space left on device\n") if full else (0, ""))


@dataclass(frozen=True)
class Options:
    data: tuple[str, ...] = ()
    """Folders."""


def test_a_flag_that_is_given_twice_is_refused():
    assert parse(Options, ["--data", "a", "b"]).data == ("a", "b")
    for words in (["--data", "a", "--data", "b"], ["--data=a", "--data", "b"]):
        with pytest.raises(UserError, match="--data is given 2 times; give it once, with all its values"):
            parse(Options, words)


def test_a_wrong_flag_exits_with_2(capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(Options, ["--datas", "a"])
    assert stopped.value.code == 2 and "--datas" in capsys.readouterr().err
