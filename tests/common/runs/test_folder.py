"""The run folder: found again by the same command, locked, finished, resumed."""

import json
import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import pytest

from common.errors import UserError
from common.progress import is_quiet, set_quiet
from common.runs import folder
from common.runs.folder import in_scratch, is_finished, open_run
from common.runs.options import RunOptions
from common.runs.rules import AtLeast


@dataclass(frozen=True)
class Config(RunOptions):
    margin: Annotated[float, AtLeast(0)] = 0.4
    """A hyperparameter."""


@pytest.fixture
def config(tmp_path):
    return Config(runs=tmp_path)


def environment(run):
    return json.loads((run.folder / "environment.json").read_text())


def kill(run):
    """Release the lock of a run, as the end of its process does."""
    run.lock.close()


def test_an_unfinished_run_is_found_again_and_a_finished_one_is_not(config):
    first = open_run("paper", config, {"d": "1"}, ["CPU"])
    kill(first)
    again = open_run("paper", config, {"d": "1"}, ["CPU"])
    assert again.folder == first.folder
    assert len(environment(again)["resumed"]) == 1 and environment(again)["data"] == {"d": "1"}
    again.finish()
    assert is_finished(first.folder) and not (first.folder / ".lock").exists()
    new = open_run("paper", config, {"d": "1"}, ["CPU"])
    assert new.folder != first.folder
    new.finish()


def test_a_run_that_was_killed_over_its_checkpoints_is_ended_by_the_same_command(config):
    """It is resumed while they have their own name; under a temporary name they are leftovers of a finished run."""
    run = open_run("paper", config, {}, ["CPU"])
    run.path("checkpoints", "network", "state.json").touch()
    kill(run)
    environment_file = run.folder / "environment.json"
    environment_file.write_text(json.dumps(environment(run) | {"finished": "now"}))
    again = open_run("paper", config, {}, ["CPU"])
    assert again.folder == run.folder and "finished" not in environment(again)
    again.finish()
    half = run.folder / f".{'0' * 32}-checkpoints"
    half.mkdir()
    new = open_run("paper", config, {}, ["CPU"])
    assert new.folder != run.folder and not half.exists() and not (run.folder / "checkpoints").exists()
    new.finish()


def test_what_a_killed_process_was_writing_is_removed(config):
    run = open_run("paper", config, {"d": "1"}, ["CPU"])
    left = run.path("figures", f".{'0f' * 16}-roc.png"), run.path(f".{'0f' * 16}-predictions.csv")
    kept = run.path("figures", "roc.png")
    for path in (*left, kept):
        path.write_bytes(b"half")
    kill(run)
    open_run("paper", config, {"d": "1"}, ["CPU"])
    assert not any(path.exists() for path in left) and kept.exists()


def test_another_config_or_other_data_are_another_run(config):
    runs = [
        open_run("paper", config, {"d": "1"}, []),
        open_run("paper", config, {"d": "2"}, []),
        open_run("paper", replace(config, margin=0.5), {"d": "1"}, []),
    ]
    assert len({run.folder for run in runs}) == 3


def test_another_results_folder_is_the_same_run(config, tmp_path):
    first = open_run("paper", config, {}, [])
    kill(first)
    assert open_run("paper", replace(config, results=tmp_path / "x"), {}, []).folder == first.folder


def test_two_processes_cannot_work_on_one_run(config):
    run = open_run("paper", config, {}, [])
    with pytest.raises(UserError, match="another process is working on the run"):
        open_run("paper", config, {}, [])
    run.finish()


def test_resume_refuses_changed_data_and_finished_runs(config):
    run = open_run("paper", config, {"d": "1"}, [])
    kill(run)
    resumed = replace(config, resume=run.folder)
    with pytest.raises(UserError, match="data have changed"):
        open_run("paper", resumed, {"d": "2"}, [])
    open_run("paper", resumed, {"d": "1"}, []).finish()
    with pytest.raises(UserError, match="is finished"):
        open_run("paper", resumed, {"d": "1"}, [])


def test_a_refused_resume_leaves_the_run_unlocked(config):
    run = open_run("paper", config, {"d": "1"}, [])
    kill(run)
    with pytest.raises(UserError, match="data have changed"):
        open_run("paper", replace(config, resume=run.folder), {"d": "2"}, [])
    open_run("paper", config, {"d": "1"}, []).finish()


def test_a_resume_under_another_commit_is_recorded_and_warned_about(config, monkeypatch):
    """One model trained by two versions of the code: rows and environment.json name both."""
    log = logging.getLogger("deepfake")
    runs = []
    for commit in ("aaa", "aaa", "bbb", "ccc+changed", "bbb"):
        monkeypatch.setattr(folder, "code_version", lambda commit=commit: commit)
        runs.append(open_run("paper", config, {}, []))
        kill(runs[-1])
    assert [run.commit for run in runs] == ["aaa", "aaa", "aaa,bbb", "aaa,bbb,ccc+changed", "aaa,bbb,ccc+changed"]
    recorded = environment(runs[-1])
    assert recorded["commit"] == "aaa" and recorded["commits"] == ["aaa", "bbb", "ccc+changed"]
    assert [resume["commit"] for resume in recorded["resumed"]] == ["aaa", "bbb", "ccc+changed", "bbb"]
    for handler in log.handlers:
        handler.flush()
    lines = (runs[-1].folder / "log.txt").read_text().splitlines()
    warnings = [line for line in lines if "was started under commit" in line]
    assert len(warnings) == 3, "one for each resume of a run with several commits"
    assert warnings[0].endswith("this run was started under commit aaa and is resumed under bbb")


def test_a_resume_under_another_backend_is_warned_about(config, monkeypatch):
    for backend in ("tensorflow", "", "jax", "jax"):
        monkeypatch.setenv("KERAS_BACKEND", backend)
        run = open_run("paper", config, {}, [])
        kill(run)
    for handler in logging.getLogger("deepfake").handlers:
        handler.flush()
    (warning,) = [line for line in (run.folder / "log.txt").read_text().splitlines() if "KERAS_BACKEND" in line]
    assert "KERAS_BACKEND=tensorflow before, now under jax" in warning


def test_a_machine_that_is_not_the_chief_writes_nothing_where_the_others_read(config, tmp_path):
    """Its temporary folder is removed when its process ends."""
    config = replace(config, runs=tmp_path / "runs", results=tmp_path / "results", resume=tmp_path / "runs" / "killed")
    try:
        own = in_scratch(config)
        assert is_quiet()
    finally:
        set_quiet(False)
    run = open_run("paper", own, {}, ["CPU"])
    run.finish()
    assert not list(tmp_path.iterdir()) and tmp_path not in run.folder.parents
    assert own.results not in config.results.parents and replace(own, runs=0, results=0) == replace(
        config, runs=0, results=0, resume=None
    )
    shutil.rmtree(own.runs.parent)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_on_a_full_disk_is_an_error_of_the_operating_system(config, capsys):
    run = open_run("paper", config, {}, ["CPU"])
    (file,) = (handler for handler in logging.getLogger("deepfake").handlers if hasattr(handler, "baseFilename"))
    file.setStream(open("/dev/full", "w")).close()  # noqa: SIM115
    with pytest.raises(OSError, match="No space left"):
        logging.getLogger("deepfake").info("a line")
    assert "Traceback" not in capsys.readouterr().err
    logging.getLogger("deepfake").removeHandler(file)
    kill(run)
