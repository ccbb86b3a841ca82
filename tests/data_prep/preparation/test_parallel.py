"""Several processes, a Dask cluster, and how both can fail."""

import sys

import pytest

import data_prep
from common.errors import UserError
from data_prep.options import PrepareOptions
from data_prep.preparation import parallel
from data_prep.prepare import prepare


def test_an_early_end_gives_no_warning_of_joblib(recwarn):
    results = parallel.run_parallel(divmod, [(number, 3) for number in range(50)], workers=2)
    next(results)
    results.close()
    assert [str(warning.message) for warning in recwarn] == []


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


@pytest.mark.slow
def test_a_cluster_gives_the_same_tables_as_one_process(many, read_tables, tmp_path, cluster):
    distributed = pytest.importorskip("distributed")
    prepare("folders", many, tmp_path / "expected", PrepareOptions(size=150, workers=1))
    images = prepare("folders", many, tmp_path / "out", PrepareOptions(size=150, cluster=cluster.scheduler_address))
    assert len(images) == 297 and read_tables(tmp_path / "out") == read_tables(tmp_path / "expected")
    with distributed.Client(cluster) as client:  # both workers took part
        assert all(client.run(lambda: "data_prep.preparation.process" in sys.modules).values())


def test_a_cluster_that_does_not_answer_is_one_line(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "TIMEOUT_SECONDS", 1)
    pytest.importorskip("distributed")
    for address in ("tcp://127.0.0.1:1", "nonsense://x", "127.0.0.1:notaport"):
        with pytest.raises(UserError, match=f"--cluster: no Dask scheduler answers at {address}") as caught:
            prepare("folders", raw, tmp_path / "out", PrepareOptions(cluster=address))
        assert "\n" not in str(caught.value)


def test_without_dask_the_command_that_installs_it_is_named(raw, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match="--cluster needs Dask: pip install"):
        prepare("folders", raw, tmp_path / "out", PrepareOptions(cluster="tcp://127.0.0.1:8786"))


def test_workers_and_a_cluster_are_refused_together(raw, tmp_path):
    with pytest.raises(UserError, match="expected it or --cluster"):
        prepare("folders", raw, tmp_path / "out", PrepareOptions(cluster="tcp://127.0.0.1:8786", workers=2))


def test_processes_inherit_nothing():
    """A name that this process gives a module is not in a worker: it is a new interpreter, as on Windows and macOS."""

    def inherited():
        import data_prep

        return hasattr(data_prep, "marked")

    data_prep.marked = True
    try:
        assert list(parallel.run_parallel(inherited, [()] * 2, workers=2)) == [False, False]
    finally:
        del data_prep.marked


def test_workers_share_the_cores(monkeypatch):
    import joblib

    def count_threads():  # defined here, it is sent to the workers by value: they cannot import a test
        import os

        import cv2

        from data_prep.preparation.crops import limit_threads

        limit_threads(1)
        return cv2.getNumThreads(), os.environ["TF_NUM_INTRAOP_THREADS"]

    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)
    assert [parallel.threads_per_worker(workers) for workers in (1, 2, 3, 8, 16)] == [None, 4, 2, 1, 1]
    assert parallel.threads_per_worker(1, "tcp://somewhere:1") == 1
    assert list(parallel.run_parallel(count_threads, [()] * 2, workers=2)) == [(1, "1")] * 2
