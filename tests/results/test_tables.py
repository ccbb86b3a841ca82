import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from results.tables import (
    RESULT_COLUMNS,
    RESULT_KEY,
    known_papers,
    published_folder,
    read_published,
    read_results,
    upsert,
)


def row(**changes):
    values = {
        "paper": "mesoinception_svm", "table": "Table 6", "row": "Mesonet", "metric": "auc", "value": 0.8,
        "ci_low": 0.7, "ci_high": 0.9, "n": 100, "dataset": "synthetic", "protocol": "frame", "preset": "quick",
        "seed": 0, "run": "quick-1", "commit": "abc", "note": "",
    }  # fmt: skip
    return values | changes


def test_rows_replace_their_own_key_and_no_others(tmp_path):
    path = tmp_path / "paper.csv"
    upsert([row(), row(seed=1, value=0.5)], path)
    upsert([row(value=0.9, run="quick-2", note="again")], path)
    table = read_results(path)
    assert table["value"].tolist() == [0.9, 0.5]
    assert table["run"].tolist() == ["quick-2", "quick-1"]


@pytest.mark.parametrize("column", RESULT_KEY)
def test_every_part_of_the_key_tells_rows_apart(tmp_path, column):
    upsert([row()], tmp_path / "paper.csv")
    upsert([row(**{column: 7 if column == "seed" else "other"})], tmp_path / "paper.csv")
    assert len(read_results(tmp_path / "paper.csv")) == 2


@settings(deadline=None, max_examples=20)
@given(
    st.floats(allow_infinity=False),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])),
)
def test_values_come_back_exactly(tmp_path_factory, value, note):
    path = tmp_path_factory.getbasetemp() / "paper.csv"
    upsert([row(value=value, note=note)], path)
    (back,) = read_results(path).itertuples()
    assert back.value == value or (np.isnan(back.value) and np.isnan(value))
    assert back.note == note and back.n == 100 and back.seed == 0


def test_what_is_left_out_is_empty(tmp_path):
    upsert([{"paper": "p", "table": "extra", "row": "r", "metric": "auc", "value": 0.5}], tmp_path / "p.csv")
    (line,) = (tmp_path / "p.csv").read_text().splitlines()[1:]
    assert line == "p,extra,r,auc,0.5" + "," * (len(RESULT_COLUMNS) - 5)
    upsert([{"paper": "p", "table": "extra", "row": "r", "metric": "auc", "value": 0.6}], tmp_path / "p.csv")
    assert read_results(tmp_path / "p.csv")["value"].tolist() == [0.6]


def test_order_does_not_depend_on_who_wrote_first(tmp_path):
    rows = [row(table=table, seed=seed) for table in ("Table 10", "Table 2", "extra", "text") for seed in (10, 9)]
    upsert(rows, tmp_path / "a.csv")
    for one in reversed(rows):
        upsert([one], tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    table = read_results(tmp_path / "a.csv")
    assert table["table"].unique().tolist() == ["Table 2", "Table 10", "text", "extra"]
    assert table["seed"].tolist()[:2] == [9, 10]


WRITE_ROWS = """
import json, sys
from results.tables import upsert
row, start = json.loads(sys.argv[2]), int(sys.argv[3])
for seed in range(start, start + 20):
    upsert([row | {"seed": seed}], sys.argv[1])
"""


@pytest.mark.slow
def test_processes_with_different_folders_of_temporary_files_take_turns(tmp_path):
    """As two machines do that share the folder of results: neither loses the other's rows."""
    path, processes = tmp_path / "results" / "paper.csv", []
    for start in ("0", "100"):
        temporary = tmp_path / f"tmp-{start}"
        temporary.mkdir()
        command = [sys.executable, "-c", WRITE_ROWS, str(path), json.dumps(row()), start]
        processes.append(subprocess.Popen(command, env=os.environ | {"TMPDIR": str(temporary), "HOME": str(temporary)}))
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert sorted(read_results(path)["seed"]) == [*range(20), *range(100, 120)]
    assert {file.name for file in path.parent.iterdir()} - {".paper.csv.lock"} == {"paper.csv"}


def test_what_a_killed_process_was_writing_of_the_table_is_removed(tmp_path):
    own, other = tmp_path / f".{'0f' * 16}-results.csv", tmp_path / f".{'0f' * 16}-other.csv"
    for path in (own, other):
        path.write_text("half")
    upsert([row()], tmp_path / "results.csv")
    assert not own.exists() and other.exists(), "another process may be writing the other table"


def test_a_table_that_stays_locked_is_an_error_that_names_the_lock(tmp_path):
    path = tmp_path / "paper.csv"
    upsert([row()], path)
    with FileLock(tmp_path / ".paper.csv.lock"), pytest.raises(UserError, match=r"working on .*paper\.csv .*\.lock"):
        upsert([row(value=0.9)], path, timeout=0.1)
    assert read_results(path)["value"].tolist() == [0.8]


def test_git_does_not_see_the_lock():
    command = ["git", "check-ignore", "results/.siamese_triplet.csv.lock"]
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        pytest.skip("not a git checkout")
    assert subprocess.run(command, cwd=root, capture_output=True).returncode == 0


def test_mistakes_of_the_caller_are_refused(tmp_path):
    with pytest.raises(ValueError, match="got accuracy"):
        upsert([row(accuracy=1)], tmp_path / "paper.csv")
    with pytest.raises(ValueError, match="two rows"):
        upsert([row(), row(value=0.1)], tmp_path / "paper.csv")
    assert not (tmp_path / "paper.csv").exists()


def test_a_broken_file_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "paper.csv"
    path.write_text("table,row\n1,2\n")
    with pytest.raises(UserError, match="expected the columns paper,table"):
        upsert([row()], path)
    assert path.read_text() == "table,row\n1,2\n"
    upsert([row()], tmp_path / "other.csv")
    path.write_text((tmp_path / "other.csv").read_text().replace("0.8", "high"))
    with pytest.raises(UserError, match="column value"):
        read_results(path)


def test_no_file_is_no_rows(tmp_path):
    assert read_results(tmp_path / "none.csv").empty
    assert tuple(read_results(tmp_path / "none.csv")) == RESULT_COLUMNS


def test_unknown_papers_are_refused_with_the_known():
    with pytest.raises(UserError, match=r"unknown paper 'resnet'; known: .*mesoinception_svm"):
        read_published("resnet")


def test_published_tables_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "mesoinception_svm" in known_papers() and published_folder().is_absolute()


SHARES = ("accuracy", "precision", "recall", "f1", "kappa", "auc", "false_alarm_rate")


@pytest.mark.parametrize("paper", known_papers())
def test_value_is_the_number_that_is_printed(paper):
    """`value` equals the first number in `printed`: a hundredth of it for a percentage, a thousandfold for `k`."""
    for one in read_published(paper).itertuples():
        number, mark = re.search(r"(\d[\d,]*(?:\.\d+)?)\s*(%|per cent|k\b|K\b)?", one.printed).groups()
        number = float(number.replace(",", ""))
        scale = {"%": 0.01, "per cent": 0.01, "k": 1000, "K": 1000}.get(mark, 1)
        share = one.metric in SHARES or one.metric.endswith("share")
        scale = 0.01 if share and scale == 1 and number > 1 else scale
        assert one.value == pytest.approx(number * scale, rel=1e-12), one
        assert not share or 0 <= one.value <= 1, one


def test_every_published_number_is_there():
    """Counted by hand in the papers: tables, figures with numbers, equations, and what the text claims.

    The accuracy of Figure 10 is derived from its four counts, and says so.
    """
    expected = {
        "cffn_resnet": {"Table 1": 5, "text": 35},
        "dcgan_inception_resnet": {"Figure 3": 11, "Figure 10": 4 + 1, "text": 21},
        "facenet_embeddings": {"Table I": 3 * 4, "Table II": 2 * 5, "Table III": 4 * 4 + 2, "text": 15},
        "mesoinception_svm": {
            "Table 1": 9, "Table 2": 9, "Table 3": 9, "Table 4": 18, "Table 5": 10, "Table 6": 6, "Table 7": 6,
            "text": 42, "Figure 9": 2,
        },
        "siamese_triplet": {
            "Table 1": 14, "Table 2": 6 * 6, "Table 3": 6 * 2, "Eq. 11": 3, "Eq. 12": 3, "text": 22
        },
    }  # fmt: skip
    assert {paper: read_published(paper).groupby("table").size().to_dict() for paper in expected} == expected


def test_one_network_has_one_name():
    published = read_published("mesoinception_svm")
    for table in ("Table 6", "Table 7"):
        rows = published.loc[published["table"] == table, "row"]
        assert rows.unique().tolist() == ["Mesonet", "Mesoinception4", "Mesoinception4+SVM"]
    siamese = read_published("siamese_triplet")
    second, third = (siamese.loc[siamese["table"] == name, "row"].unique() for name in ("Table 2", "Table 3"))
    assert sorted(third) == sorted(f"{row}, {case}" for row in second for case in ("Case I", "Case II"))


HEAD = "table,row,metric,value,printed,n,note,kind\n"


def test_a_published_number_has_a_kind(tmp_path, monkeypatch):
    monkeypatch.setattr("results.tables.published_folder", lambda: tmp_path)
    (tmp_path / "paper.csv").write_text(HEAD + "Table 1,a,auc,0.5,0.5,,,\n")
    with pytest.raises(UserError, match="expected a kind of metric, count, size, setting; got ''"):
        read_published("paper")


def test_no_number_is_published_twice(tmp_path, monkeypatch):
    monkeypatch.setattr("results.tables.published_folder", lambda: tmp_path)
    path = tmp_path / "paper.csv"
    path.write_text(HEAD + "Table 1,a,auc,0.5,0.5,,,metric\nTable 1,a,auc,0.6,0.6,,,metric\n")
    with pytest.raises(UserError, match="listed twice: Table 1 / a / auc"):
        read_published("paper")
    path.write_text(HEAD + "Table 1,a,auc,,0.5,,,metric\n")
    with pytest.raises(UserError, match="a value and its printed form"):
        read_published("paper")


def test_results_accept_a_data_frame(tmp_path):
    upsert(pd.DataFrame([row(seed=np.int64(3), n=np.nan)]), tmp_path / "paper.csv")
    (back,) = read_results(tmp_path / "paper.csv").itertuples()
    assert back.seed == 3 and pd.isna(back.n)
