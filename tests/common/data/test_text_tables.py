import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.data.text_tables import read_text_table
from common.errors import UserError


def test_the_row_names_of_r_are_left_out(tmp_path):
    """write.table(sep=",") writes a header without a name for the row names."""
    (tmp_path / "r.csv").write_text('"path","score"\n"1","a,1.png",0.9\n"2","b.png",0.2\n')
    table = read_text_table(tmp_path / "r.csv")
    assert list(table) == ["path", "score"]
    assert table.values.tolist() == [["a,1.png", "0.9"], ["b.png", "0.2"]]


def test_a_row_that_is_longer_than_the_header_is_named_by_its_line(tmp_path):
    for rows in ("a,1\nb,2,3\nc,4\n", "a,1\n\nb,2,3\n", "a,1,2\nb,2,3,4\n"):
        (tmp_path / "x.csv").write_text("path,score\n" + rows)
        line = next(n for n, row in enumerate(("path,score\n" + rows).splitlines(), 1) if row.count(",") > 1)
        with pytest.raises(UserError, match=f"x.csv: line {line} has 3 fields, the header 2; quote"):
            read_text_table(tmp_path / "x.csv")


def test_a_comma_in_each_path_is_no_column_of_names(tmp_path):
    """R names each row once; here the first half of the path would be taken for the name."""
    (tmp_path / "x.csv").write_text("path,score\nset,1.png,0.9\nset,2.png,0.2\n")
    with pytest.raises(UserError, match="line 2 has 3 fields, the header 2; quote"):
        read_text_table(tmp_path / "x.csv")


def test_a_comma_at_the_end_of_each_row_is_no_column_of_names(tmp_path):
    (tmp_path / "x.csv").write_text("path,score\na,1,\nb,2,\n")
    with pytest.raises(UserError, match="line 2 has 3 fields, the header 2"):
        read_text_table(tmp_path / "x.csv")


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("")
    with pytest.raises(UserError, match="not a readable CSV file: it is empty"):
        read_text_table(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_bytes(b"path,score\ncaf\xe9,1\n")
    with pytest.raises(UserError, match="not a readable CSV file"):
        read_text_table(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text("path,path\na,b\n")
    with pytest.raises(UserError, match="'path' is there twice"):
        read_text_table(tmp_path / "x.csv")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=["Cs"]), max_size=5)


@settings(max_examples=30)
@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5))
def test_what_the_csv_module_writes_comes_back(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("csv") / "x.csv"
    with open(file, "w", encoding="utf-8", newline="") as opened:
        csv.writer(opened, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *rows])
    assert read_text_table(file).values.tolist() == [list(row) for row in rows]
