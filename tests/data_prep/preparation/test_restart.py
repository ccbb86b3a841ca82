"""A stopped command resumes, and a second command on the same folder is refused."""

import os
import signal
import time

import pytest

from common.data.decoding import read_image
from common.data.manifest import NAME
from data_prep.layouts.tree import image_paths
from data_prep.options import PrepareOptions
from data_prep.prepare import prepare
from data_prep.verify import verify

FLAGS = ("--size", "150")  # encoding takes long enough to be interrupted


@pytest.fixture(scope="module")
def expected_tables(many, tmp_path_factory, read_tables):
    """The tables of the same data, prepared without interruption by one process."""
    dst = tmp_path_factory.mktemp("expected") / "out"
    prepare("folders", many, dst, PrepareOptions(size=150, workers=1))
    return read_tables(dst)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_command_resumes_and_processes_no_file_twice(
    many, expected_tables, read_tables, start_command, journal_times, tmp_path, stop
):
    """Stopped twice, at different moments. Ctrl-C reaches the whole process group, SIGKILL the command alone."""
    dst = tmp_path / "out"
    done = {}
    for _ in range(2):
        process = start_command(many, dst, *FLAGS, "--workers", "2")
        while len(journal_times(dst)) <= len(done) + 20 and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, stop) if stop == signal.SIGINT else process.kill()
        _, errors = process.communicate(timeout=60)
        assert process.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL), errors
        times = journal_times(dst)
        assert done.items() <= times.items() and 20 < len(times) < 300 and not (dst / NAME).exists()
        done = times
        for path in image_paths(dst):  # without the hidden folder of partial files, which SIGKILL leaves behind
            read_image(dst / path)
        if stop == signal.SIGINT:
            assert "Traceback" not in errors and errors.count("the same command") == 1
            assert not (dst / ".partial").exists()
    process = start_command(many, dst, *FLAGS, "--workers", "2")
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert done.items() <= journal_times(dst).items() and len(journal_times(dst)) == 300
    assert read_tables(dst) == expected_tables and verify(dst) == []
    assert {path.name for path in dst.iterdir()} == {
        *(NAME, "skipped.csv", "prep.json", "real", "fake", ".lock", ".lock-journal", ".progress.jsonl")
    }


@pytest.mark.slow
def test_a_second_command_is_refused_while_the_first_one_works(many, start_command, journal_times, tmp_path):
    dst = tmp_path / "out"
    first = start_command(many, dst, *FLAGS, "--workers", "1")
    while not journal_times(dst) and first.poll() is None:
        time.sleep(0.005)
    first.send_signal(signal.SIGSTOP)  # it holds its locks and does not finish
    second = start_command(many, dst, *FLAGS)
    _, errors = second.communicate(timeout=30)
    assert second.returncode == 2 and errors.count("\n") == 1
    assert errors.startswith(f"error: another process is working on the prepared folder {dst}")
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=60)
    assert first.returncode == 0 and len(journal_times(dst)) == 300 and verify(dst) == []
