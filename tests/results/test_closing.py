"""What a run prints when it ends, by rows that are made up."""

import pytest

from results.closing import MOST_LINES, closing_lines
from results.compare import compare
from results.tables import upsert
from tests.results.test_compare import PAPER, row

FILES = ["rows: results/x.csv", "also in runs/x: log.txt", "score: FILE"]


@pytest.fixture
def lines_of(tmp_path):
    def lines(*rows, files=FILES):
        upsert(list(rows), tmp_path / f"{PAPER}.csv")
        return closing_lines(compare([PAPER], tmp_path), files)

    return lines


def test_a_headline_number_has_its_verdict_and_the_claims_are_counted(lines_of):
    """Table 4's accuracy is a headline number, Table 6's AUC is not."""
    accuracy = row(
        table="Table 4", row="accuracy", metric="accuracy", dataset="synthetic-swap", ci_low=0.78, ci_high=0.82
    )
    lines = lines_of(accuracy, row())
    assert lines[0] == "mesoinception_svm: published against reproduced"
    (shown,) = [line for line in lines if line.startswith("  Table")]
    assert shown.split("  ")[1] == "Table 4, accuracy" and shown.endswith("not comparable")
    assert "0.9000" in shown and "0.8000 [0.7800, 0.8200]" in shown and "synthetic-swap, frame, 0" in shown
    assert "not comparable: synthetic data" in lines[3]
    (claims,) = [line for line in lines if "independent claims:" in line]
    assert claims.startswith("23 independent claims: ") and "1 not comparable" in claims and "21 not run" in claims
    assert lines[-3:] == FILES


def test_without_a_headline_number_the_first_that_were_measured_are_shown(lines_of):
    lines = lines_of(row())
    assert lines[2].startswith("  Table 6, Mesonet: auc ") and lines[2].split()[-1] in ("worse", "inconclusive")


def test_without_any_number_only_the_claims_are_counted(lines_of):
    assert lines_of(row(table="extra"))[1:] == ["23 independent claims: 23 not run", *FILES]


@pytest.mark.parametrize("files", (3, 8))
def test_there_are_never_more_lines_than_fit(lines_of, files):
    """20 protocols' headline numbers: as many as fit, and how many more there are."""
    about = {"table": "Table 4", "row": "accuracy", "metric": "accuracy"}
    lines = lines_of(*(row(**about, protocol=f"p{place:02d}") for place in range(20)), files=["file"] * files)
    assert len(lines) == MOST_LINES and lines[-files:] == ["file"] * files
    shown = sum(line.startswith("  Table 4") for line in lines)
    assert f"  and {20 - shown} more of these" in lines and shown >= 1
