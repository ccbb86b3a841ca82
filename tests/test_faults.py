"""The harness of the faults sees what it is to see, and starts."""

import json

import numpy as np
import pytest

from tests.faults.kills import Reference
from tests.faults.outcome import OF_TENSORFLOW, differing, half_written, largest_difference, leftovers, outcome
from tests.faults.processes import Command, begin, run
from tests.faults.table import COLUMNS, Row, publish


def fill(folder, table="a,b\n1,0.5\n2,0.25\n"):
    """A table, a picture's bytes, an archive of arrays and a whole checkpoint."""
    checkpoint = folder / "checkpoints" / "epoch-0001"
    checkpoint.mkdir(parents=True)
    (folder / "table.csv").write_text(table)
    (folder / "picture.png").write_bytes(b"picture")
    np.savez(folder / "arrays.npz", a=np.ones(3))
    (checkpoint / "weights").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    (checkpoint / "state.json").write_text(json.dumps({"files": {"weights": digest}}))
    return folder


def test_equal_folders_differ_in_nothing(tmp_path):
    one, other = (outcome(fill(tmp_path / name)) for name in "ab")
    assert not differing(one, other) and not leftovers(other, one) and largest_difference(one, other) == 0


def test_another_number_a_missing_file_and_one_more_are_seen(tmp_path):
    one, other = outcome(fill(tmp_path / "a")), fill(tmp_path / "b", "a,b\n1,0.5\n2,0.75\n")
    assert largest_difference(one, outcome(other)) == 0.5
    (other / "picture.png").rename(other / ".0-picture.png")
    assert differing(one, outcome(other)) == ["picture.png", "table.csv"]
    assert leftovers(outcome(other), one) == [".0-picture.png"]


@pytest.mark.parametrize("name", ["table.csv", "picture.png", "arrays.npz", "checkpoints/epoch-0001/weights"])
def test_a_file_that_was_cut_off_is_half_written(name, tmp_path):
    whole, folder = outcome(fill(tmp_path / "a")), fill(tmp_path / "b")
    assert not half_written(outcome(folder), whole, folder)
    (folder / name).write_bytes((folder / name).read_bytes()[:-2])
    found = half_written(outcome(folder), whole, folder)
    assert len(found) == 1 and name.startswith(found[0].rstrip("/"))


def test_rows_still_to_come_and_temporary_files_are_not_half_written(tmp_path):
    whole, folder = outcome(fill(tmp_path / "a")), fill(tmp_path / "b", "a,b\n1,0.5\n")
    (folder / f".{'0' * 32}-picture.png").write_bytes(b"pic")
    assert not half_written(outcome(folder), whole, folder)


def test_a_file_that_is_still_the_old_one_is_not_half_written(tmp_path):
    before, whole = outcome(fill(tmp_path / "a", "a,b\n9,9\n")), outcome(fill(tmp_path / "b"))
    folder = fill(tmp_path / "c", "a,b\n9,9\n")
    assert half_written(outcome(folder), whole, folder) == ["table.csv"]
    assert not half_written(outcome(folder), whole, folder, before)
    (folder / "table.csv").write_text("a,b\n9,")
    assert half_written(outcome(folder), whole, folder, before) == ["table.csv"]


def test_tensorflows_temporary_files_leave_a_command_complete(tmp_path):
    write = "from pathlib import Path; Path('found.txt').write_text('1')"
    reference = Reference(Command("write", ("-c", write)), tmp_path)
    _, folder = reference.fresh()
    (folder / "tmp").mkdir(exist_ok=True)
    (folder / f"{OF_TENSORFLOW}x.py").touch()
    assert reference.is_complete(folder)
    (folder / "more.txt").touch()
    assert not reference.is_complete(folder)


def test_a_command_is_hit_while_it_runs_and_not_afterwards(tmp_path):
    command = Command("sleep", ("-c", "import time; print('x', flush=True); time.sleep(20)"))
    killed = run(command, begin(command, tmp_path / "killed"), moment=0.3)
    assert killed.hit and killed.code == -9
    command = Command("print", ("-c", "raise SystemExit(3)"))
    ended = run(command, begin(command, tmp_path / "ended"), moment=20)
    assert not ended.hit and ended.code == 3 and not ended.tracebacks


def test_a_row_takes_the_place_of_an_older_one(tmp_path):
    file = tmp_path / "table.csv"
    for times in (1, 2):
        publish(Row("SIGKILL", "a", times=times), file)
    publish(Row("SIGKILL", "b", lost=1), file)
    lines = file.read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS) and [line[:11] for line in lines[1:]] == ["SIGKILL,a,2", "SIGKILL,b,0"]
    assert Row("", "").is_clean and not Row("", "", lost=1).is_clean
