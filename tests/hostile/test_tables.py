"""CSV files from strangers, and what spreadsheets and pages make of ours."""

import csv
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.data.manifest import COLUMNS, read_manifest, write_manifest
from common.data.text_tables import as_decimals, read_text_table
from common.errors import UserError
from common.files import read_json, write_csv
from common.spreadsheets import escape_formula, unescape_formula
from data_prep.layouts.tree import frame_index
from results.audit.own_table import read_own_table
from results.audit.printed import parse_printed
from results.formatting import markdown_table, markdown_text
from results.paired import compare_runs
from results.tables import RESULT_COLUMNS, read_results

TEXTS = st.text(st.sampled_from("=+-@'\t a1.eE\n\r,\"\uff1d"), max_size=6)
FORMULAS = ('=HYPERLINK("x")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "-dash", "\uff1d1")
NUMBERS = ("-0.5", "+3", "-1e-05", "-.5", "-inf")
ROW = dict.fromkeys(RESULT_COLUMNS, "") | {"table": "extra", "row": "r", "metric": "auc", "value": "0.9", "n": "10"}


@given(TEXTS)
def test_escaping_loses_nothing_and_starts_no_formula(text):
    escaped = escape_formula(text)
    assert unescape_formula(escaped) == text
    try:
        assert math.isfinite(float(escaped)) or text == escaped
    except ValueError:
        assert escaped[:1] not in tuple("=+-@\t\r\n\uff1d")


@pytest.mark.parametrize("text", [*FORMULAS, *NUMBERS, "plain", "'quoted", "'=1", ""])
def test_a_written_table_is_read_back_and_no_cell_is_a_formula(tmp_path, text):
    table = pd.DataFrame({"name": [text, "b"], "value": [-0.25, 1.5], "=head": ["x", "y"]})
    write_csv(table, tmp_path / "t.csv")
    with open(tmp_path / "t.csv", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in tuple("=@\t\r\uff1d")]
    assert not [cell for cell in cells if cell[:1] in ("-", "+") and cell not in ("-0.25", *NUMBERS)]
    again = read_text_table(tmp_path / "t.csv")
    assert list(again) == ["name", "value", "=head"] and again["name"].to_list() == [text, "b"]
    assert again["value"].to_list() == ["-0.25", "1.5"]


def test_only_decimal_numbers_are_numbers():
    texts = ["1", "-0.5", " 2e-3 ", ".5", "1e999", "inf", "1_0", "0x10", "True", "1j", "", "nan", "0,5", "\u0661"]
    numbers = as_decimals(pd.Series(texts)).to_numpy()
    assert numbers[:6].tolist() == [1, -0.5, 2e-3, 0.5, math.inf, math.inf]
    assert np.isnan(numbers[6:]).all()


@pytest.mark.parametrize("data", [b"", b"\0", b"a,b\n1,2\0\n", "a,b\n1,2\n".encode("utf-16"), b"a\n\xe9\n", b'a\n"b\n'])
def test_a_table_that_is_no_text_is_refused(tmp_path, data):
    (tmp_path / "t.csv").write_bytes(data)
    with pytest.raises(UserError, match="t.csv is not a readable CSV file"):
        read_text_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("column", "value"),
    [(column, value) for column in ("value", "ci_high") for value in ("inf", "-inf", "1e999", "1_0", "x", "0x1")]
    + [(column, value) for column in ("n", "seed") for value in ("inf", "1.5", "x", "9" * 30, "0x1", "1_0", "1e99")],
)  # fmt: skip
def test_a_result_that_is_no_number_is_named(tmp_path, column, value):
    pd.DataFrame([ROW | {column: value}]).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(UserError, match=f"p.csv: column {column}"):
        read_results(tmp_path / "p.csv")


def test_results_are_read_exactly(tmp_path):
    rows = [ROW, ROW | {"row": "s", "value": "0.1234567890123456789", "n": "", "ci_low": "nan"}]
    pd.DataFrame(rows).to_csv(tmp_path / "p.csv", index=False)
    table = read_results(tmp_path / "p.csv")
    assert table["value"].to_list() == [0.9, 0.1234567890123456789] and table["n"].to_list() == [10, pd.NA]


def test_names_cannot_write_markup():
    assert markdown_text("<script>a</script>\nb [x](javascript:c)") == r"&lt;script>a&lt;/script> b [x]\(javascript:c)"
    assert markdown_text("n < 5, [0.1, 0.9]") == "n < 5, [0.1, 0.9]"
    assert markdown_table([("a",), ("x|<b>\r\ny",)], ())[2] == r"| x\|&lt;b> y |"


MANIFEST_ROW = dict.fromkeys(COLUMNS, "") | {"path": "a/b.png", "label": "real", "source": "s"}


@pytest.mark.parametrize(
    ("problem", "rows"),
    [
        ("frame is not", [{"frame": "x"}]), ("frame is not", [{"frame": "1.5"}]), ("frame is not", [{"frame": "-1"}]),
        ("frame is not", [{"frame": "9" * 19}]), ("listed twice", [{}, {"path": "a//b.png"}]),
        ("listed twice", [{}, {"path": "a/./b.png", "label": "fake"}]), ("path is empty", [{"path": "."}]),
        ("leaves the folder", [{"path": "a/../../b.png"}]), ("leaves the folder", [{"path": "C:b.png"}]),
    ],
)  # fmt: skip
def test_a_manifest_that_breaks_a_rule_is_named(tmp_path, problem, rows):
    pd.DataFrame([MANIFEST_ROW | row for row in rows]).to_csv(tmp_path / "manifest.csv", index=False)
    with pytest.raises(UserError, match=f"manifest.csv: .*{problem}"):
        read_manifest(tmp_path)


def test_a_manifest_keeps_its_names_and_no_spreadsheet_runs_them(tmp_path):
    names = [f"{text}/b.png" for text in ("=1+1", "@x", "-a", "'=1", "plain")]
    write_manifest(
        pd.DataFrame([MANIFEST_ROW | {"path": name, "video": name, "frame": "7"} for name in names]), tmp_path
    )
    assert not re.search(r"^[=@+-]|,[=@+-]", (tmp_path / "manifest.csv").read_text(), re.MULTILINE)
    images = read_manifest(tmp_path)
    assert sorted(images["path"]) == sorted(names) and images["video"].equals(images["path"])


@pytest.mark.parametrize("name", ["frame_007.png", "7.png", "a-0007.jpg", "00000000000000000000007.png"])
def test_the_number_of_a_frame(name):
    assert frame_index(name) == "7"


@pytest.mark.parametrize("name", ["a.png", "1234567890123456789.png", "\u0667.png"])
def test_what_is_no_number_of_a_frame(name):
    assert frame_index(name) == ""


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', "[" * 100_000, "1" * 5000, "{'a': 1}", "\ufeff{}"])
def test_json_that_is_none_is_a_users_error(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match="x.json is damaged"):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize("printed", ["9" * 5000, "0." + "9" * 1000, "9e999999"])
def test_a_printed_number_of_a_thousand_digits_is_refused(printed):
    with pytest.raises(UserError, match="at most 30 digits"):
        parse_printed(printed, proportion=False)


def test_a_test_of_more_images_than_can_be_tried_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text(f"model,accuracy,precision,recall,n\na,0.9,0.9,0.9,{10**9}\n")
    assert [line for line in read_own_table(tmp_path / "t.csv").unused if "above 10,000,000" in line]
    (tmp_path / "t.csv").write_text(f"row,metric,printed,n\na,accuracy,0.9,{10**30}\n")
    with pytest.raises(UserError, match="at most 10,000,000"):
        read_own_table(tmp_path / "t.csv")


@pytest.mark.parametrize("row", ["x", "a,,,,d,test,maybe,0.5,m,frame,0", "a,,,,d,test,fake,nan,m,frame,0"])
def test_predictions_of_a_run_are_whole(tmp_path, row):
    head = "path,video,identity,source,dataset,split,label,score,model,protocol,seed"
    lines = [head, "a,,,,d,test,fake,0.9,m,frame,0", "b,,,,d,test,real,0.2,m,frame,0"]
    (tmp_path / "predictions.csv").write_text("\n".join(lines))
    assert len(compare_runs(tmp_path, tmp_path)) == 1
    (tmp_path / "predictions.csv").write_text("\n".join([*lines, row]))
    with pytest.raises(UserError, match="predictions.csv: .*row 4"):
        compare_runs(tmp_path, tmp_path)
