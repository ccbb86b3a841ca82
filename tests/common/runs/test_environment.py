"""What a run was computed with, and the file that installs it again."""

import platform
from importlib import metadata

from packaging.requirements import Requirement

from common.runs.environment import DIRECT, describe_environment, installed_packages, requirements
from common.runs.folder import open_run
from common.runs.options import RunOptions


def test_the_packages_are_the_installed_ones_and_none_that_they_need_is_missing():
    """Checked against the metadata of each: every requirement without a marker is listed, in its version."""
    packages = installed_packages()
    names = {name.lower().replace("_", "-") for name in packages}
    assert {"tensorflow", "keras", "numpy", "scipy", "scikit-learn"} <= names and "pytest" not in names
    for name, version in packages.items():
        assert metadata.version(name) == version
        for requirement in map(Requirement, metadata.requires(name) or ()):
            if requirement.marker is None:
                assert requirement.name.lower().replace("_", "-") in names, f"{name} needs {requirement}"


def test_packages_are_found_where_the_project_is_not_installed():
    assert set(DIRECT) & set(installed_packages("no-such-project")) >= {"keras", "tensorflow", "h5py"}


def test_variables_that_change_numbers_are_recorded_and_no_others(monkeypatch):
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/home/x")
    monkeypatch.setenv("NVIDIA_API_KEY", "secret")
    variables = describe_environment()["variables"]
    assert variables["TF_NUM_INTRAOP_THREADS"] == "3" and variables["OMP_NUM_THREADS"] == "2"
    assert not {"TF_CLI_CONFIG_FILE", "NVIDIA_API_KEY"} & set(variables)


def test_each_line_is_one_that_pip_reads():
    environment = {"python": "3.12.1", "system": "Linux", "variables": {"A": "1"}, "packages": {"torch": "2.9.0+cpu"}}
    lines = requirements(environment, "abc").splitlines()
    assert lines[-1] == "torch==2.9.0" and all(line.startswith("#") for line in lines[:-1])


def test_the_file_is_written_beside_environment_json(tmp_path):
    run = open_run("paper", RunOptions(runs=tmp_path), {}, ["CPU"])
    written = dict(
        line.split("==") for line in (run.folder / "requirements.txt").read_text().splitlines() if line[0] != "#"
    )
    assert written == {name: version.partition("+")[0] for name, version in installed_packages().items()}
    assert platform.python_version() in (run.folder / "requirements.txt").read_text()
    run.finish()
