"""Numbers and tables as text and as Markdown."""

import numpy as np
import pytest

from results.formatting import (
    format_count,
    format_decimals,
    format_interval,
    format_number,
    markdown_table,
    text_table,
)


@pytest.mark.parametrize(
    ("value", "metric", "sd", "expected"),
    [
        (0.91234, "auc", np.nan, "0.9123"),
        (0.91234, "auc", 0.004, "0.9123 +- 0.0040"),
        (0.9, "auc", 0.0, "0.9000 +- 0.0000"),
        (400.0, "tp", np.nan, "400"),
        (400.0, "tp", 0.0, "400"),
        (399.33, "tp", 1.155, "399.3 +- 1.2"),
        (20.0, "epochs", np.nan, "20"),
        (1.0, "auc", np.nan, "1.0000"),
        (np.nan, "auc", np.nan, ""),
    ],
)
def test_a_number_has_the_decimals_of_its_metric(value, metric, sd, expected):
    assert format_number(value, metric, sd) == expected


def test_missing_numbers_are_empty():
    assert format_decimals(None) == format_decimals(np.nan) == ""
    assert format_interval(np.nan, 0.5) == format_count(np.nan) == ""
    assert [format_decimals(0.5), format_interval(0.25, 0.5, 2), format_count(7.0)] == ["0.500", "0.25 to 0.50", "7"]


def test_text_tables_align_and_leave_out_empty_columns():
    rows = [("name", "value", "none", ""), ("a", "1.5", "", "yes"), ("long name", "10.5", "", "no")]
    assert text_table(rows) == ["name       value", "a            1.5  yes", "long name   10.5  no"]


def test_markdown_tables_align_and_escape():
    lines = markdown_table([("name", "n"), ("a | b", "1"), ("two\nlines", "20")], ("name",))
    assert lines == ["| name | n |", "| --- | ---: |", r"| a \| b | 1 |", "| two lines | 20 |"]
