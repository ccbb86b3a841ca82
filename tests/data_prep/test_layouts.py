import pandas as pd
import pytest

from common.errors import UserError
from data_prep.layouts import LAYOUTS, Item, find, image_paths
from data_prep.synthetic import draw_tree


@pytest.fixture
def tree(tmp_path):
    """A function that makes files (empty: layouts look at names alone) and returns their root."""

    def make(*paths, table=None):
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
        if table is not None:
            (tmp_path / "metadata.csv").write_text(table)
        return tmp_path

    return make


def test_folders_at_any_depth_in_any_case(tree):
    src = tree("a/Real/1.jpg", "FAKE/2.PNG", "a/b/fake/3.webp", "a/masks/4.png", "real/notes.txt")
    assert find("folders", src) == [
        Item("FAKE/2.PNG", "fake", src.name),
        Item("a/Real/1.jpg", "real", src.name),
        Item("a/b/fake/3.webp", "fake", src.name),
    ]


def test_a_folder_of_frames_is_a_video_named_by_its_path(tree):
    src = tree("x/real/v1/frame_07.jpg", "x/real/v1/cover.jpg", "fake/v1/0.jpg", "fake/deep/v2/12.jpg")
    found = {item.path: (item.video, item.frame) for item in find("folders", src)}
    assert found == {
        "x/real/v1/frame_07.jpg": ("x/real/v1", "7"),
        "x/real/v1/cover.jpg": ("x/real/v1", ""),
        "fake/v1/0.jpg": ("fake/v1", "0"),
        "fake/deep/v2/12.jpg": ("fake/deep/v2", "12"),
    }


def test_an_image_that_is_in_real_and_fake_is_refused(tree):
    with pytest.raises(UserError, match=r"got one in both: real/fake/1\.jpg"):
        find("folders", tree("real/fake/1.jpg"))


def test_hidden_files_are_left_out_and_links_followed_once(tree, tmp_path_factory):
    src = tree("real/1.jpg", "real/.2.jpg", ".trash/real/3.jpg")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "4.jpg").touch()
    (src / "fake").symlink_to(elsewhere)
    (elsewhere / "loop").symlink_to(src)
    assert [item.path for item in find("folders", src)] == ["fake/4.jpg", "real/1.jpg"]
    assert image_paths(src, hidden=True) == ["real/.2.jpg"]


def test_a_name_that_no_csv_can_hold_is_refused(tree):
    with pytest.raises(UserError, match="rename it"):
        find("folders", tree("real/a\nb.jpg"))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "It holds 0 images .* in no folders"),
        (["real/clip.mp4", "fake/clip.avi"], "only videos \\(2\\): extract their frames"),
        (["originals/1.jpg"], "It holds 1 images .* in originals"),
    ],
)
def test_nothing_found_says_what_was_expected_and_what_there_is(tree, files, words):
    with pytest.raises(UserError, match=f"Expected: any tree with folders real/ and fake/.*{words}"):
        find("folders", tree(*files))


def test_mesonets_own_folders(tree):
    src = tree("train_test/df/1.jpg", "train_test/real/2.jpg", "validation/forged/3.jpg", "validation/real/4.jpg")
    tree("train_test/5.jpg", "weights/real/6.jpg")
    assert find("mesonet", src) == [
        Item("train_test/df/1.jpg", "fake", "Deepfakes", split="train"),
        Item("train_test/real/2.jpg", "real", "internet", split="train"),
        Item("validation/forged/3.jpg", "fake", "forged", split="test"),
        Item("validation/real/4.jpg", "real", "internet", split="test"),
    ]


def test_mesonets_classes_without_splits(tree):
    found = find("mesonet", tree("df/1.jpg", "real/2.jpg", "cover.jpg"))
    assert [(item.path, item.label, item.split) for item in found] == [
        ("df/1.jpg", "fake", ""),
        ("real/2.jpg", "real", ""),
    ]


DFDC = "videoname,original_width,label,original\nb.mp4,186,FAKE,a.mp4\na.mp4,186,REAL,\n"


def test_dfdc_reads_its_table(tree):
    assert find("dfdc", tree("x/a.jpg", "y/b.png", table=DFDC)) == [
        Item("x/a.jpg", "real", "dfdc", video="a.mp4"),
        Item("y/b.png", "fake", "dfdc", video="b.mp4", original="a.mp4"),
    ]


def test_dfdc_names_rows_without_a_crop_and_crops_without_a_row(tree):
    found = find("dfdc", tree("a.jpg", "z.jpg", table=DFDC))
    assert {item.path: item.problem for item in found} == {
        "a.jpg": "",
        "b.jpg": "no crop for this row of metadata.csv",
        "z.jpg": "no row in metadata.csv",
    }


@pytest.mark.parametrize(
    ("files", "table", "words"),
    [
        (["a.jpg"], None, "there is no such file"),
        (["a.jpg"], "videoname,label\na.mp4,REAL\n", "missing: original"),
        (["a.jpg"], DFDC.replace("REAL", "real?"), "label is not REAL or FAKE in 1 rows, first in row 3"),
        (["a.jpg"], DFDC + "a.mp4,1,FAKE,b.mp4\n", "videoname is listed twice in 1 rows, first in row 4"),
        (["a.jpg"], '"', "not a readable CSV"),
        (["x/a.jpg", "y/a.png"], DFDC, "one crop a video, got x/a.jpg and y/a.png"),
        (["c.jpg"], DFDC, "no row .* has its crop .* expected b.jpg"),
        (["part_0/a.mp4"], None, "only videos"),
    ],
)
def test_dfdc_refuses_what_it_cannot_read(tree, files, table, words):
    with pytest.raises(UserError, match=words):
        find("dfdc", tree(*files, table=table))


def test_the_drawn_tree_is_read_by_its_own_layout_and_by_mesonets(tmp_path):
    draw_tree(tmp_path, "deconv", 3, frames=2, workers=1)
    rows = pd.read_csv(tmp_path / "metadata.csv", dtype=str, keep_default_na=False)
    found = find("synthetic", tmp_path)
    assert [vars(item) for item in found] == [{**row, "split": "", "problem": ""} for row in rows.to_dict("records")]
    labels = {item.path: item.label for item in found}
    assert {item.path: item.label for item in find("mesonet", tmp_path)} == labels
    assert len(labels) == 12


def test_every_layout_has_its_module(tmp_path):
    for layout in set(LAYOUTS) - {"synthetic"}:
        with pytest.raises(UserError, match=f"layout {layout} finds no image"):
            find(layout, tmp_path)
