"""Several processes, a cluster, shards of a batch system, and the ends that a run can come to."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import data_prep.prepare as module
from common.data.decoding import check_image
from common.data.manifest import NAME
from common.errors import UserError
from data_prep.preparation import parallel
from data_prep.preparation import process as work
from data_prep.preparation.journal import Journal
from data_prep.preparation.shards import Shard, parse_shard
from data_prep.prepare import PrepareOptions, prepare
from data_prep.verify import verify

TABLES = (NAME, "skipped.csv", "prep.json")


def tables(dst):
    return [(dst / name).read_bytes() for name in TABLES]


@pytest.fixture
def many(tmp_path, save_noise):
    """A raw folder with 300 pictures, three of them no pictures."""
    for number in range(300):
        save_noise(tmp_path / "many" / ("real", "fake")[number % 2] / f"{number}.png", number)
    for number in range(3):
        (tmp_path / "many" / "real" / f"{2 * number}.png").write_text("hello")
    return tmp_path / "many"


@pytest.fixture
def whole(many, tmp_path):
    """The same, prepared without disturbance by one process."""
    prepare("folders", many, tmp_path / "whole", PrepareOptions(size=150, workers=1))
    return tables(tmp_path / "whole")


def command(src, dst, *flags):
    """The command as a process of its own group, which Ctrl-C reaches as in a terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "data_prep", "folders", src, dst, "--size", "150", "--workers", "2", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell has it ignored
    )


def noted(dst, name=".progress.jsonl"):
    """{raw path: its images' modification times}, of what the journal knows; a path noted twice is an error."""
    if not (dst / name).is_file():
        return {}
    lines = [json.loads(line) for line in (dst / name).read_bytes().splitlines(True)[1:] if line.endswith(b"\n")]
    times = {line["path"]: [(dst / path).stat().st_mtime_ns for path, _ in line["images"]] for line in lines}
    assert len(times) == len(lines)
    return times


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_command_goes_on_and_does_nothing_twice(many, whole, tmp_path, end):
    """Stopped twice, at different moments. Ctrl-C reaches the whole group, SIGKILL the command alone."""
    dst = tmp_path / "out"
    done = {}
    for _ in range(2):
        process = command(many, dst)
        while len(noted(dst)) <= len(done) + 20 and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, end) if end == signal.SIGINT else process.kill()
        _, said = process.communicate(timeout=60)
        assert process.returncode == (130 if end == signal.SIGINT else -signal.SIGKILL), said
        now = noted(dst)
        assert done.items() <= now.items() and 20 < len(now) < 300 and not (dst / NAME).exists()
        done = now
        for path in dst.glob("*/*.png"):
            check_image(path)
        if end == signal.SIGINT:
            assert "Traceback" not in said and "goes on from here" in said
            assert not (dst / ".partial").exists()
    process = command(many, dst)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert done.items() <= noted(dst).items() and len(noted(dst)) == 300
    assert tables(dst) == whole and verify(dst) == []
    assert {path.name for path in dst.iterdir()} == {*TABLES, "real", "fake", ".lock", ".progress.jsonl"}


def test_a_video_is_whole_or_absent(tmp_path, monkeypatch):
    """Stopped in the second frame: the folder of the first does not appear."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "out" / ".partial").mkdir(parents=True)
    written = []

    def write(*arguments):
        written.append(arguments)
        if len(written) == 2:
            raise KeyboardInterrupt
        return "0" * 64

    monkeypatch.setattr(work, "_write", write)
    monkeypatch.setattr(work, "read_clip", lambda path, sampling, use: use(iter([(0, None), (1, None)])))
    monkeypatch.setattr(work, "cut", lambda images, *_: [[image] for image in images])
    place = work.Place(tmp_path / "raw", tmp_path / "out", tmp_path / "out" / ".partial")
    with pytest.raises(KeyboardInterrupt):
        work.work(place, module.Recipe(), [work.Task("a.mp4", "a", "")])
    assert len(written) == 2 and not (tmp_path / "out" / "a").exists()
    assert list((tmp_path / "out" / ".partial").iterdir()) == []


def test_a_journal_that_was_killed_while_it_was_begun_is_no_foreign_file(tmp_path):
    (tmp_path / ".abc-.progress.jsonl").write_text('{"layo')
    assert not Journal(tmp_path, {"flags": {}}).paths()


def test_an_early_end_is_no_warning_of_joblibs(recwarn):
    results = parallel.in_parallel(divmod, [(number, 3) for number in range(50)], workers=2)
    next(results)
    results.close()
    assert [str(each.message) for each in recwarn] == []


def test_the_shares_are_a_partition_of_about_equal_parts():
    paths = [f"real/{number}.png" for number in range(4000)]
    owned = [[path for path in paths if Shard(number, 4).owns(path)] for number in (1, 2, 3, 4)]
    assert sorted(sum(owned, [])) == sorted(paths)
    assert all(900 < len(share) < 1100 for share in owned)
    assert all(Shard().owns(path) for path in paths)


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "1/0", "a/b", "1/4/2", "-1/4", ""])
def test_impossible_shards_are_refused(raw, tmp_path, text):
    if text:
        with pytest.raises(UserError, match="expected I/N with I from 1 to N"):
            parse_shard(text)


def shard(many, dst, text):
    return prepare("folders", many, dst, PrepareOptions(size=150, workers=1, shard=text))


def test_shards_one_after_the_other_equal_the_whole(many, whole, tmp_path):
    dst = tmp_path / "out"
    assert shard(many, dst, "2/3") is None and shard(many, dst, "1/3") is None
    assert not (dst / NAME).exists()
    assert len(shard(many, dst, "3/3")) == 297
    assert tables(dst) == whole and verify(dst) == []
    journals = [set(noted(dst, f".progress-{number}-of-3.jsonl")) for number in (1, 2, 3)]
    assert sum(map(len, journals)) == 300 and len(set.union(*journals)) == 300


def test_shards_side_by_side_equal_the_whole(many, whole, tmp_path):
    """Of two commands at once, the later one to end writes the manifest."""
    dst = tmp_path / "out"
    processes = [command(many, dst, "--shard", text) for text in ("1/2", "2/2")]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert any("prepared 297 images" in each for each in said)
    assert tables(dst) == whole and verify(dst) == []
    assert not list(dst.glob(".partial*"))


def test_a_plain_command_ends_what_shards_left(many, whole, tmp_path, monkeypatch):
    dst = tmp_path / "out"
    shard(many, dst, "1/3")
    worked = []
    monkeypatch.setattr(
        module, "work", lambda place, recipe, tasks: worked.extend(tasks) or work.work(place, recipe, tasks)
    )
    prepare("folders", many, dst, PrepareOptions(size=150, workers=1))
    assert tables(dst) == whole
    assert {task.path for task in worked} == {task.path for task in worked if not Shard(1, 3).owns(task.path)}
    worked.clear()
    assert shard(many, dst, "2/3") is not None and worked == []


def test_runs_that_share_the_work_out_differently_do_not_meet(many, tmp_path):
    dst = tmp_path / "out"
    dst.mkdir()
    with Shard(1, 3).at_work(dst):
        for text in (None, "1/2"):
            with pytest.raises(UserError, match="--shard 1/3 is at work on .*: wait for it"):
                shard(many, dst, text)
        assert shard(many, dst, "2/3") is None
    assert shard(many, dst, "1/2") is None


def test_other_flags_are_refused_from_another_shard_too(many, tmp_path):
    shard(many, tmp_path / "out", "1/2")
    with pytest.raises(UserError, match="begun with --size 150, not with --size 12"):
        prepare("folders", many, tmp_path / "out", PrepareOptions(size=12, workers=1, shard="2/2"))
    assert shard(many, tmp_path / "out", "2/2") is not None  # the refused command left nothing that stands in the way


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


def test_a_cluster_gives_what_one_process_gives(many, whole, tmp_path, cluster):
    distributed = pytest.importorskip("distributed")
    images = prepare("folders", many, tmp_path / "out", PrepareOptions(size=150, cluster=cluster.scheduler_address))
    assert len(images) == 297 and tables(tmp_path / "out") == whole
    with distributed.Client(cluster) as client:  # both workers had a part in it
        assert all(client.run(lambda: "data_prep.preparation.process" in sys.modules).values())


def test_a_cluster_that_does_not_answer_is_one_line(many, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", 1)
    pytest.importorskip("distributed")
    for address in ("tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1:notaport"):
        with pytest.raises(UserError, match=f"--cluster: no Dask scheduler answers at {address}") as caught:
            prepare("folders", many, tmp_path / "out", PrepareOptions(cluster=address))
        assert "\n" not in str(caught.value)


def test_without_dask_the_way_to_get_it_is_named(many, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match="--cluster needs Dask: pip install"):
        prepare("folders", many, tmp_path / "out", PrepareOptions(cluster="tcp://127.0.0.1:8786"))


def test_workers_and_a_cluster_are_refused_together(many, tmp_path):
    with pytest.raises(UserError, match="expected it or --cluster"):
        prepare("folders", many, tmp_path / "out", PrepareOptions(cluster="tcp://127.0.0.1:8786", workers=2))


def test_workers_share_the_cores(monkeypatch):
    import joblib

    def threads_seen():  # defined in here, it is sent to the workers by value: they cannot import a test
        import os

        import cv2

        from data_prep.preparation.pieces import keep_to

        keep_to(1)
        return cv2.getNumThreads(), os.environ["TF_NUM_INTRAOP_THREADS"]

    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    assert [parallel.threads_for(workers) for workers in (1, 2, 3, 8, 16)] == [None, 4, 2, 1, 1]
    assert parallel.threads_for(1, "tcp://somewhere:1") == 1
    found = list(parallel.in_parallel(threads_seen, [()] * 2, workers=2))
    assert found == [(1, "1")] * 2


def test_a_video_is_a_chunk_of_its_own():
    tasks = [work.Task(path, "", "") for path in ("a.mp4", "b.jpg", "c.AVI", "d.jpg", "e.jpg")]
    found = module.chunks(tasks, 2)
    assert [[task.path for task in chunk] for chunk in found] == [["a.mp4"], ["c.AVI"], ["b.jpg", "d.jpg"], ["e.jpg"]]
