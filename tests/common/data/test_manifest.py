import pandas as pd
import pytest

from common.data.manifest import COLUMNS, NAME, read_manifest, write_manifest
from common.errors import UserError

ROWS = pd.DataFrame(
    [
        ["b/2.png", "fake", "stylegan", "", "p1;p2", "o1;o2", "", "", "ab" * 32],
        ["a/1, with a comma.png", "real", "ffhq", "clips/ö", "NA", "", "007", "train", ""],
    ],
    columns=COLUMNS,
)


def test_a_written_table_is_read_back_as_strings_and_sorted(tmp_path):
    write_manifest(ROWS, tmp_path)
    pd.testing.assert_frame_equal(read_manifest(tmp_path), ROWS.iloc[::-1].reset_index(drop=True))


def test_equal_data_give_equal_bytes(tmp_path):
    write_manifest(ROWS, tmp_path / "one")
    write_manifest(ROWS.iloc[::-1], tmp_path / "two")
    assert (tmp_path / "one" / NAME).read_bytes() == (tmp_path / "two" / NAME).read_bytes()


def test_further_columns_are_ignored(tmp_path):
    ROWS.assign(more="x").to_csv(tmp_path / NAME, index=False)
    assert tuple(read_manifest(tmp_path).columns) == COLUMNS


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"label": ["fake", "forged"]}, "label is not real or fake in 1 of 2 rows, first in row 3"),
        ({"split": ["", "valid"]}, "split is not empty or one of train, val, test"),
        ({"path": ["", "x"]}, "path is empty"),
        ({"path": ["x", "x"]}, "path is listed twice"),
        ({"path": ["x", "/etc/passwd"]}, "path leaves the folder"),
        ({"path": ["x", "a/../../b"]}, "path leaves the folder"),
    ],
)
def test_a_broken_row_is_refused_on_reading_and_on_writing(tmp_path, change, words):
    broken = ROWS.assign(**change)
    with pytest.raises(UserError, match=words.split(",")[0]):
        write_manifest(broken, tmp_path)
    assert not (tmp_path / NAME).exists()
    broken.to_csv(tmp_path / NAME, index=False)
    with pytest.raises(UserError, match=words):
        read_manifest(tmp_path)


def test_a_missing_column_an_empty_table_and_garbage_are_refused(tmp_path):
    ROWS.drop(columns=["video", "split"]).to_csv(tmp_path / NAME, index=False)
    with pytest.raises(UserError, match="missing: video, split"):
        read_manifest(tmp_path)
    ROWS[:0].to_csv(tmp_path / NAME, index=False)
    with pytest.raises(UserError, match="lists no images"):
        read_manifest(tmp_path)
    for content in (b"", b"\x89PNG\r\n\x1a\n\xff\xfe", b'a,b\n1,2,3\n"'):
        (tmp_path / NAME).write_bytes(content)
        with pytest.raises(UserError, match="not a readable CSV file|missing"):
            read_manifest(tmp_path)


def test_no_folder_and_no_manifest_are_different_errors(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        read_manifest(tmp_path / "nowhere")
    with pytest.raises(UserError, match="python -m data_prep"):
        read_manifest(tmp_path)
