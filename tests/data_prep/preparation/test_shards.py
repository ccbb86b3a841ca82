"""Shards of a batch system, and which processes may work on one folder at the same time."""

import logging
import subprocess
import sys
import threading
import time

import pytest

import data_prep.prepare as module
from common import files
from common.data.manifest import NAME
from common.errors import UserError
from common.files import CACHE_VARIABLE
from data_prep.options import PrepareOptions
from data_prep.preparation import shards
from data_prep.preparation.process import process_files
from data_prep.preparation.shards import Shard, parse_shard
from data_prep.prepare import prepare
from data_prep.verify import verify


@pytest.fixture(scope="module")
def expected_tables(many, tmp_path_factory, read_tables):
    """The tables of the same data, prepared without shards."""
    dst = tmp_path_factory.mktemp("expected") / "out"
    prepare("folders", many, dst, PrepareOptions(size=8, workers=1))
    return read_tables(dst)


def prepare_shard(src, dst, text):
    return prepare("folders", src, dst, PrepareOptions(size=8, workers=1, shard=text))


def test_the_shares_are_a_partition_into_similar_parts():
    paths = [f"real/{number}.png" for number in range(4000)]
    shares = [[path for path in paths if Shard(number, 4).contains(path)] for number in (1, 2, 3, 4)]
    assert sorted(sum(shares, [])) == sorted(paths)
    assert all(900 < len(share) < 1100 for share in shares)
    assert all(Shard().contains(path) for path in paths)


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "1/0", "a/b", "1/4/2", "-1/4"])
def test_impossible_shards_are_refused(text):
    with pytest.raises(UserError, match="expected I/N with I from 1 to N"):
        parse_shard(text)


@pytest.mark.slow
def test_shards_one_after_the_other_equal_one_run(many, expected_tables, read_tables, journal_times, tmp_path):
    dst = tmp_path / "out"
    assert prepare_shard(many, dst, "2/3") is None and prepare_shard(many, dst, "1/3") is None
    assert not (dst / NAME).exists()
    assert len(prepare_shard(many, dst, "3/3")) == 297
    assert read_tables(dst) == expected_tables and verify(dst) == []
    journals = [set(journal_times(dst, f".progress-{number}-of-3.jsonl")) for number in (1, 2, 3)]
    assert sum(map(len, journals)) == 300 and len(set.union(*journals)) == 300


@pytest.mark.slow
def test_shards_side_by_side_equal_one_run(many, expected_tables, read_tables, start_command, tmp_path):
    """Of two commands at once, the last one to end writes the manifest."""
    dst = tmp_path / "out"
    processes = [start_command(many, dst, "--size", "8", "--workers", "2", "--shard", text) for text in ("1/2", "2/2")]
    printed = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert any("prepared 297 images" in text for text in printed)
    assert read_tables(dst) == expected_tables and verify(dst) == []
    assert not list(dst.glob(".partial*"))


def test_a_run_without_shards_completes_what_shards_left(many, expected_tables, read_tables, tmp_path, monkeypatch):
    dst = tmp_path / "out"
    prepare_shard(many, dst, "1/3")
    processed = []

    def spy(folders, recipe, tasks):
        processed.extend(tasks)
        return process_files(folders, recipe, tasks)

    monkeypatch.setattr(module, "process_files", spy)
    prepare("folders", many, dst, PrepareOptions(size=8, workers=1))
    assert read_tables(dst) == expected_tables
    assert processed and not any(Shard(1, 3).contains(task.path) for task in processed)
    processed.clear()
    assert prepare_shard(many, dst, "2/3") is not None and processed == []


@pytest.mark.parametrize(
    ("running", "second", "message"),
    [
        (None, None, "another process is working on the prepared folder"),
        (None, "1/3", "a run without --shard is working on"),
        ("1/3", None, "--shard 1/3 is working on"),
        ("1/3", "1/2", "--shard 1/3 is working on"),
        ("1/3", "1/3", "another process is working on the prepared folder .*, --shard 1/3"),
    ],
)
def test_a_process_that_would_do_the_same_work_is_refused_at_once(raw, tmp_path, running, second, message):
    dst = tmp_path / "out"
    with parse_shard(running).shard_lock(dst):
        with pytest.raises(UserError, match=f"{message}.*: wait until it ends, or stop it"):
            prepare("folders", raw, dst, PrepareOptions(workers=1, shard=second))
        assert not (dst / NAME).exists() and not list(dst.glob(".progress*"))
        with pytest.raises(UserError, match=message):  # the refused process has left no lock of its own
            prepare("folders", raw, dst, PrepareOptions(workers=1, shard=second))
    prepare("folders", raw, dst, PrepareOptions(workers=1, shard=second))


def test_another_shard_of_the_division_may_run_at_the_same_time(raw, tmp_path):
    with Shard(1, 3).shard_lock(tmp_path / "out"):
        assert prepare("folders", raw, tmp_path / "out", PrepareOptions(workers=1, shard="2/3")) is None


@pytest.fixture
def caplog(caplog):
    """As pytest's, also after a run of a paper has stopped the project's logger from propagating."""
    logger = logging.getLogger("deepfake")
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def waiting_messages(caplog):
    return {record.getMessage() for record in caplog.records}


def test_a_shard_that_waits_for_the_journals_reports_it_and_gives_up(raw, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(files, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(shards, "JOURNAL_TIMEOUT_SECONDS", 0.3)
    dst = tmp_path / "out"
    with Shard(1, 3).journal_lock(dst), pytest.raises(UserError, match=f"working on the journals of {dst}"):
        prepare("folders", raw, dst, PrepareOptions(workers=1, shard="2/3"))
    assert waiting_messages(caplog) == {f"waiting for another process that works on the journals of {dst}, at most 0 s"}


def test_a_shard_continues_when_the_journals_are_released(raw, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(files, "SILENT_SECONDS", 0.1)
    locked = threading.Event()

    def hold_journals():
        with Shard(1, 3).journal_lock(tmp_path / "out"):
            locked.set()
            time.sleep(0.5)

    thread = threading.Thread(target=hold_journals)
    thread.start()
    locked.wait()
    assert prepare("folders", raw, tmp_path / "out", PrepareOptions(workers=1, shard="2/3")) is None
    thread.join()
    assert len(waiting_messages(caplog)) == 1


def test_other_flags_are_refused_from_another_shard_too(raw, tmp_path):
    prepare("folders", raw, tmp_path / "out", PrepareOptions(size=15, workers=1, shard="1/2"))
    with pytest.raises(UserError, match="started with --size 15, not with --size 12"):
        prepare("folders", raw, tmp_path / "out", PrepareOptions(size=12, workers=1, shard="2/2"))
    options = PrepareOptions(size=15, workers=1, shard="2/2")
    assert prepare("folders", raw, tmp_path / "out", options) is not None  # the refused command left nothing behind


@pytest.mark.slow
def test_two_runs_that_need_the_same_embedded_data_both_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    code = "from data_prep.embedded import embedded_images; print(embedded_images('resample', 2, size=8))"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert len({printed for printed, _ in outputs}) == 1
