import json
from dataclasses import dataclass, replace

import pytest

from common.errors import UserError
from common.runs.options import RunOptions
from common.runs.folder import is_finished, open_run


@dataclass(frozen=True)
class Config(RunOptions):
    margin: float = 0.4
    """A hyperparameter."""


@pytest.fixture
def config(tmp_path):
    return Config(runs=tmp_path)


def test_an_unfinished_run_is_found_again_and_a_finished_one_is_not(config):
    first = open_run("paper", config, {"d": "1"}, ["CPU"])
    first.lock.release()  # as a killed process would
    again = open_run("paper", config, {"d": "1"}, ["CPU"])
    assert again.folder == first.folder
    environment = json.loads((again.folder / "environment.json").read_text())
    assert len(environment["resumed"]) == 1 and environment["data"] == {"d": "1"}
    again.finish()
    assert is_finished(first.folder) and not (first.folder / ".lock").exists()
    new = open_run("paper", config, {"d": "1"}, ["CPU"])
    assert new.folder != first.folder
    new.finish()


def test_another_config_or_other_data_are_another_run(config):
    runs = [
        open_run("paper", config, {"d": "1"}, []),
        open_run("paper", config, {"d": "2"}, []),
        open_run("paper", replace(config, margin=0.5), {"d": "1"}, []),
    ]
    assert len({run.folder for run in runs}) == 3


def test_where_results_go_does_not_make_another_run(config, tmp_path):
    first = open_run("paper", config, {}, [])
    first.lock.release()
    assert open_run("paper", replace(config, results=tmp_path / "x"), {}, []).folder == first.folder


def test_two_processes_do_not_share_a_run(config):
    held = open_run("paper", config, {}, [])
    with pytest.raises(UserError, match="another process"):
        open_run("paper", config, {}, [])
    held.finish()


def test_resume_refuses_changed_data_and_finished_runs(config):
    run = open_run("paper", config, {"d": "1"}, [])
    run.lock.release()
    resumed = replace(config, resume=run.folder)
    with pytest.raises(UserError, match="data have changed"):
        open_run("paper", resumed, {"d": "2"}, [])
    open_run("paper", resumed, {"d": "1"}, []).finish()
    with pytest.raises(UserError, match="is finished"):
        open_run("paper", resumed, {"d": "1"}, [])
