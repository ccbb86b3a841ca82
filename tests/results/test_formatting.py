"""Numbers and tables as text and as Markdown."""

import numpy as np
import pytest

from results.formatting import (
    format_count,
    format_decimals,
    format_interval,
    format_measured,
    format_number,
    markdown_table,
    text_table,
)


@pytest.mark.parametrize(
    ("value", "metric", "expected"),
    [
        (0.91234, "auc", "0.9123"),
        (400.0, "tp", "400"),
        (20.0, "epochs", "20"),
        (1.0, "auc", "1.0000"),
        (np.nan, "auc", ""),
    ],
)
def test_a_number_has_the_decimals_of_its_metric(value, metric, expected):
    assert format_number(value, metric) == expected


@pytest.mark.parametrize(
    ("value", "metric", "interval", "sd", "seeds", "expected"),
    [
        (0.91234, "auc", (0.9, 0.92), np.nan, 1, "0.9123 [0.9000, 0.9200]"),
        (0.91234, "auc", (0.9, 0.92), 0.004, 3, "0.9123 [0.9000, 0.9200] (sd 0.0040 over 3 seeds)"),
        (0.9, "auc", (np.nan, np.nan), 0.0, 0, "0.9000 [no interval] (sd 0.0000)"),
        (400.0, "tp", (np.nan, np.nan), np.nan, 1, "400"),
        (400.0, "tp", (np.nan, np.nan), 0.0, 2, "400 (sd 0 over 2 seeds)"),
        (399.33, "tp", (np.nan, np.nan), 1.155, 3, "399.3 (sd 1.2 over 3 seeds)"),
        (np.nan, "auc", (np.nan, np.nan), np.nan, 1, ""),
    ],
)
def test_a_measured_number_has_its_interval_and_the_deviation_over_seeds(value, metric, interval, sd, seeds, expected):
    assert format_measured(value, metric, interval, sd, seeds) == expected


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
