"""`python -m reproductions`: the order of the papers, failures, resuming. Its trainings are in test_sixth_paper.py."""

import pytest

from common.errors import UserError
from reproductions import __main__ as command

SCRIPT = '''"""{minutes} minutes on 2 CPU cores."""
import sys
from pathlib import Path
Path({log!r}).open("a").write({name!r} + " " + " ".join(sys.argv[1:]) + "\\n")
sys.exit(Path({log!r}).with_name("{name} fails").exists())
'''


@pytest.fixture
def papers(tmp_path, monkeypatch):
    """Two papers whose run.py only notes that it was run; `slow` takes longer, `fast` is run first."""
    folders = []
    for name, minutes in (("slow", "10 to 12"), ("fast", "2")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.py").write_text(SCRIPT.format(name=name, minutes=minutes, log=str(tmp_path / "log")))
        folders.append(folder)
    monkeypatch.setattr(command, "paper_folders", lambda: sorted(folders, key=command._minutes))
    (tmp_path / "results").mkdir()
    return ["--runs", str(tmp_path / "runs"), "--results", str(tmp_path / "results"), "--seeds", "0"]


@pytest.mark.slow
def test_a_failure_leaves_the_rest_to_run_and_the_same_command_runs_what_failed(papers, tmp_path, capfd):
    (tmp_path / "slow fails").touch()
    strange = tmp_path / "results" / "cross.csv"
    strange.write_text("nonsense")
    assert command.main(papers) == 1
    told = capfd.readouterr()
    assert "failed: slow; the same command runs these again" in told.err and "[1/2] fast, 0 s so far" in told.err
    assert "cross.csv: expected the columns" in told.err
    (tmp_path / "slow fails").unlink()
    assert command.main(papers) == 1, "the page cannot be written"
    assert "[2/2] slow, finished before" not in capfd.readouterr().err
    strange.unlink()
    assert command.main(papers) == 0
    told = capfd.readouterr()
    assert "[1/2] fast, finished before" in told.err and "[2/2] slow, finished before" in told.err
    assert "2 of 2 papers" in told.err
    assert (tmp_path / "results" / "report.html").is_file() and "not run" in told.out
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["fast", "slow", "slow"], "papers are not run again for the page"
    assert all(line.endswith("--seeds 0") for line in lines)
    assert not list((tmp_path / "runs").glob(".all-*.json")), "the next command starts again with the first"


def test_a_run_of_one_paper_cannot_be_resumed_by_all():
    with pytest.raises(UserError, match=r"give it to its run\.py"):
        command.main(["--resume", "runs/x/y"])


def test_help_names_what_it_does(capsys):
    assert command.main(["--help"]) == 0
    assert "The quickest come first" in capsys.readouterr().out


def test_the_papers_are_in_the_order_of_their_minutes():
    minutes = [command._minutes(folder) for folder in command.paper_folders()]
    assert len(minutes) >= 5 and minutes == sorted(minutes)
