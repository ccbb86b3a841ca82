import json

import pytest

from common.errors import UserError
from data_prep.layouts.item import Item
from data_prep.layouts.registry import find, ignored_files

TABLE = "videoname,original_width,label,original\nb.mp4,186,FAKE,a.mp4\na.mp4,186,REAL,\n"


def test_videos_in_parts(dfdc):
    part = "dfdc_train_part_0"
    assert find("dfdc", dfdc) == [
        Item(f"{part}/a.mp4", "real", "dfdc", f"{part}/a", split="train"),
        Item(f"{part}/b.mp4", "fake", "dfdc", f"{part}/b", original=f"{part}/a", split="train"),
        Item(f"{part}/c.mp4", "fake", "dfdc", f"{part}/c", original=f"{part}/a", split="train"),
        Item(
            "dfdc_train_part_1/y.mp4",
            "fake",
            "dfdc",
            "dfdc_train_part_1/y",
            original="dfdc_train_part_1/z",
            split="train",
        ),
    ]


def test_one_part_by_itself(dfdc):
    found = find("dfdc", dfdc / "dfdc_train_part_0")
    assert [(item.path, item.video, item.original) for item in found] == [
        ("a.mp4", "a", ""),
        ("b.mp4", "b", "a"),
        ("c.mp4", "c", "a"),
    ]


def test_an_original_is_found_in_another_part(tree):
    parts = {
        "part_0/metadata.json": {"a.mp4": {"label": "REAL"}},
        "part_1/metadata.json": {"b.mp4": {"label": "FAKE", "original": "a.mp4"}},
    }
    src = tree("part_0/a.mp4", "part_1/b.mp4", texts={name: json.dumps(rows) for name, rows in parts.items()})
    assert find("dfdc", src)[1].original == "part_0/a"


def test_differences_between_lists_and_disk_are_named(dfdc, tree):
    (dfdc / "dfdc_train_part_0" / "c.mp4").unlink()
    tree("dfdc_train_part_0/extra.mp4", "dfdc_train_part_7/alone.mp4")
    rows = {
        "y.mp4": {"label": "MAYBE"},
        "../../x.mp4": {"label": "REAL"},
        "w.mp4": {"label": "FAKE", "original": "../../v.mp4"},
        "u.mp4": {},
    }
    (dfdc / "dfdc_train_part_1" / "metadata.json").write_text(json.dumps(rows))
    assert {item.path: item.problem for item in find("dfdc", dfdc) if item.problem} == {
        "dfdc_train_part_0/c.mp4": "missing: listed in metadata.json",
        "dfdc_train_part_0/extra.mp4": "not listed: metadata.json",
        "dfdc_train_part_1/y.mp4": "unknown label: MAYBE in metadata.json",
        "dfdc_train_part_1/../../x.mp4": "leaves SRC: listed in metadata.json",
        "dfdc_train_part_1/w.mp4": "leaves SRC: listed in metadata.json",
        "dfdc_train_part_1/u.mp4": "unknown label: none in metadata.json",
        "dfdc_train_part_7/alone.mp4": "not listed: metadata.json",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is damaged, it is not JSON"),
        ('{"a.mp4": ', "is damaged, it is not JSON"),
        ("[" * 100_000, "is damaged, it is not JSON"),
        ('["a.mp4"]', "as in DFDC"),
        ('{"a.mp4": "REAL"}', "as in DFDC"),
    ],
)
def test_damaged_metadata_is_refused(dfdc, text, message):
    (dfdc / "dfdc_train_part_0" / "metadata.json").write_text(text)
    with pytest.raises(UserError, match=f"dfdc_train_part_0/metadata.json.*{message}"):
        find("dfdc", dfdc)


def test_strange_values_do_not_crash(dfdc):
    rows = {"a.mp4": {"label": ["REAL"], "split": {"x": 1}, "original": 7}}
    (dfdc / "dfdc_train_part_0" / "metadata.json").write_text(json.dumps(rows))
    problems = {item.path: item.problem for item in find("dfdc", dfdc)}
    assert problems["dfdc_train_part_0/a.mp4"] == "contradiction: its original in metadata.json is 7"
    rows["a.mp4"]["original"] = None
    (dfdc / "dfdc_train_part_0" / "metadata.json").write_text(json.dumps(rows))
    problems = {item.path: item.problem for item in find("dfdc", dfdc)}
    assert problems["dfdc_train_part_0/a.mp4"] == "unknown label: ['REAL'] in metadata.json"


def test_metadata_that_contradicts_itself_is_named(dfdc):
    same = '"a.mp4": {"label": "REAL"}'
    text = f'{{{same}, {same}, "b.mp4": {{"label": "REAL"}}, "b.mp4": {{"label": "FAKE", "original": "a.mp4"}},'
    text += ' "c.mp4": {"label": "FAKE", "label": "REAL"}}'
    (dfdc / "dfdc_train_part_0" / "metadata.json").write_text(text)
    (dfdc / "dfdc_train_part_1" / "metadata.json").write_text('{"y.mp4": {"label": "FAKE", "original": "y.mp4"}}')
    twice = "contradiction: listed twice, differently in metadata.json"
    assert {item.path: item.problem for item in find("dfdc", dfdc)} == {
        "dfdc_train_part_0/a.mp4": "",
        "dfdc_train_part_0/b.mp4": twice,
        "dfdc_train_part_0/c.mp4": twice,
        "dfdc_train_part_1/y.mp4": "contradiction: its original in metadata.json is 'y.mp4'",
    }


def test_listed_names_that_a_manifest_cannot_store_are_named(dfdc):
    text = '{"a.mp4": {"label": "REAL"}, "b.mp4": {"label": "FAKE", "original": "\\ud800.mp4"}, "x\\ud800": {}}'
    (dfdc / "dfdc_train_part_0" / "metadata.json").write_text(text)
    problems = {item.path: item.problem for item in find("dfdc", dfdc)}
    unreadable = "unreadable name: expected UTF-8 without line ends, rename it"
    assert problems["dfdc_train_part_0/b.mp4"] == problems["dfdc_train_part_0/x\\ud800"] == unreadable


@pytest.mark.parametrize("name", ["id0_0000.mp4", "id0_0000/1.jpg"])
def test_the_layout_of_another_data_set_is_named(tree, name):
    with pytest.raises(UserError, match="no metadata.* to tell real from fake.* the layout celebdf would find 1 of"):
        find("dfdc", tree(f"Celeb-real/{name}"))


def test_crops_with_their_table(tree):
    assert find("dfdc", tree("x/a.jpg", "y/b.png", texts={"metadata.csv": TABLE})) == [
        Item("x/a.jpg", "real", "dfdc", video="a.mp4"),
        Item("y/b.png", "fake", "dfdc", video="b.mp4", original="a.mp4"),
    ]


@pytest.mark.parametrize("table", ["metadata.csv", "Metadata.csv", "deepfake-faces/metadata.csv", "a/b/METADATA.CSV"])
def test_the_table_of_crops_is_found_anywhere(tree, table):
    found = find("dfdc", tree("deepfake-faces/faces_224/a.jpg", "x/b.png", texts={table: TABLE}))
    assert [(item.label, item.problem) for item in found] == [("real", ""), ("fake", "")]


@pytest.mark.parametrize("word", ["NAN", "nan", "NA", "None", "null"])
def test_a_word_for_a_missing_original_is_no_original(tree, word):
    """Otherwise all real videos would count as made from one."""
    table = f"videoname,label,original\na.mp4,REAL,{word}\nb.mp4,FAKE,a.mp4\n"
    found = find("dfdc", tree("a.jpg", "b.jpg", texts={"metadata.csv": table}))
    assert [item.original for item in found] == ["", "a.mp4"]


def test_two_tables_of_crops_are_refused(tree):
    with pytest.raises(UserError, match="expected one metadata.csv of crops, got a/metadata.csv and b/metadata.csv"):
        find("dfdc", tree("a/a.jpg", texts={"a/metadata.csv": TABLE, "b/metadata.csv": TABLE}))


def test_rows_without_a_crop_and_crops_without_a_row_are_named(tree):
    table = TABLE + "../../q.mp4,1,FAKE,a.mp4\n"
    found = find("dfdc", tree("a.jpg", "z.jpg", texts={"metadata.csv": table}))
    assert {item.path: item.problem for item in found} == {
        "a.jpg": "",
        "b.jpg": "missing: listed in metadata.csv",
        "z.jpg": "not listed: metadata.csv",
        "../../q.jpg": "leaves SRC: listed in metadata.csv",
    }


@pytest.mark.parametrize(
    ("files", "table", "message"),
    [
        (["a.jpg"], None, "there is no metadata.csv to tell"),
        (["a.jpg"], "videoname,label\na.mp4,REAL\n", "missing: original"),
        (["a.jpg"], TABLE.replace("REAL", "real?"), "label is not REAL or FAKE in 1 rows, first in row 3"),
        (["a.jpg"], TABLE + "a.mp4,1,FAKE,b.mp4\n", "videoname is listed twice in 1 rows, first in row 4"),
        (["a.jpg"], '"', "not a readable CSV"),
        (["x/a.jpg", "y/a.png"], TABLE, "one crop a video, got x/a.jpg and y/a.png"),
        (["c.jpg"], TABLE, "finds no image .* b.jpg cannot be used: missing: listed in metadata.csv"),
        (["part_0/a.mp4"], None, "part_0/a.mp4 cannot be used: not listed: there is no metadata.json to tell"),
    ],
)
def test_crops_without_a_valid_table_are_refused(tree, files, table, message):
    with pytest.raises(UserError, match=message):
        find("dfdc", tree(*files, texts={} if table is None else {"metadata.csv": table}))


def test_folders_without_a_list_have_no_labels_and_are_left_out(tree):
    """As Kaggle's root: train_sample_videos/ with its list, and test_videos/."""
    src = tree(
        *("train_sample_videos/a.mp4", "train_sample_videos/b.mp4", "test_videos/x.mp4", "test_videos/y.mp4"),
        texts={"train_sample_videos/metadata.json": json.dumps({"a.mp4": {"label": "REAL", "split": "train"}})},
    )
    found = find("dfdc", src)
    assert {item.path: item.problem for item in found} == {
        "train_sample_videos/a.mp4": "",
        "train_sample_videos/b.mp4": "not listed: metadata.json",
    }
    assert ignored_files(src, found) == {"test_videos": 2}
