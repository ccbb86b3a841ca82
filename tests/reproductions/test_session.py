"""The end of a run."""

from types import SimpleNamespace

import pytest

from common.runs.folder import is_finished, open_run
from common.runs.options import RunOptions
from reproductions import session


def test_a_run_that_is_killed_over_its_summary_is_not_finished(tmp_path, monkeypatch):
    """The same command goes on with it; it would else start a new run, and this one would never have a summary."""

    def killed(*_):
        raise KeyboardInterrupt

    run = open_run("paper", RunOptions(runs=tmp_path), {}, ["CPU"])
    monkeypatch.setattr(session, "write_comparison", killed)
    ending = SimpleNamespace(run=run, is_chief=True, paper="paper", config=SimpleNamespace(results=tmp_path))
    ending._write_summary = lambda: session.Session._write_summary(ending)
    with pytest.raises(KeyboardInterrupt):
        session.Session.finish(ending)
    assert not is_finished(run.folder)
