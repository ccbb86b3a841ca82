import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.data.manifest import leaves_folder
from common.errors import UserError
from data_prep.drawing.trees import draw_tree
from data_prep.layouts.item import Item
from data_prep.layouts.registry import LAYOUTS, find, ignored_files


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


def test_a_video_file_in_real_or_fake_is_a_video_like_a_folder_of_frames(tree):
    src = tree("real/clip.one.MP4", "fake/method/2.avi", "fake/method/3/0.jpg", "fake/method/3/1.jpg")
    assert {item.path: item.video for item in find("folders", src)} == {
        "real/clip.one.MP4": "real/clip.one",
        "fake/method/2.avi": "fake/method/2",
        "fake/method/3/0.jpg": "fake/method/3",
        "fake/method/3/1.jpg": "fake/method/3",
    }


@pytest.mark.parametrize(
    ("layout", "folder"),
    [("folders", "real"), ("celebdf", "Celeb-real"), ("faceforensics", "original_sequences/youtube/c23/videos")],
)
@pytest.mark.parametrize("twin", ["000.MP4", "000.avi", "000/1.jpg"])
def test_one_clip_as_two_files_is_refused(tree, layout, folder, twin):
    with pytest.raises(UserError, match="1 clips are stored twice, e.g. .*: keep one of the two below SRC, or rename"):
        find(layout, tree(f"{folder}/000.mp4", f"{folder}/{twin}"))


def test_hidden_files_are_left_out(tree):
    src = tree("real/1.jpg", "real/.2.jpg", ".trash/real/3.jpg", "real/.4.gif")
    assert [item.path for item in find("folders", src)] == ["real/1.jpg"]


def test_links_are_named_and_never_followed(tree, tmp_path_factory):
    src = tree("real/1.jpg")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "secret.jpg").touch()
    (src / "fake").symlink_to(elsewhere)
    (src / "real" / "out.jpg").symlink_to(elsewhere / "secret.jpg")
    (src / "real" / "twin.jpg").symlink_to(src / "real" / "1.jpg")
    (src / "real" / "loop").symlink_to(src)
    (src / "real" / "dangling.mp4").symlink_to("nowhere.mp4")
    out, inside = "symbolic link: it leads out of SRC", "symbolic link: not followed, its target counts by itself"
    assert {item.path: item.problem for item in find("folders", src)} == {
        "fake": out,
        "real/out.jpg": out,
        "real/twin.jpg": inside,
        "real/loop": inside,
        "real/dangling.mp4": inside,
        "real/1.jpg": "",
    }


def test_a_folder_beside_src_with_the_same_prefix_is_outside(tmp_path):
    for folder in ("src/real", "src-private"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/real/1.jpg").touch()
    (tmp_path / "src/real/2.jpg").symlink_to(tmp_path / "src-private")
    assert find("folders", tmp_path / "src")[1].problem == "symbolic link: it leads out of SRC"


def test_a_tree_with_nothing_but_links_is_refused(tmp_path, tree):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "real").symlink_to(tree("elsewhere/1.jpg") / "elsewhere")
    with pytest.raises(UserError, match="1 refused, e.g. real \\(symbolic link: it leads out of SRC\\)"):
        find("folders", tmp_path / "raw")


def test_unsupported_files_are_named(tree):
    src = tree("real/1.jpg", "real/2.gif", "covers/3.TIFF", "fake/4.wmv", "real/notes.txt")
    os.mkfifo(src / "real" / "5.jpg")  # opening it would block for ever
    assert {item.path: item.problem for item in find("folders", src) if item.problem} == {
        "real/2.gif": "unsupported format: gif",
        "covers/3.TIFF": "unsupported format: tiff",
        "fake/4.wmv": "unsupported format: wmv",
        "real/5.jpg": "not a regular file",
    }


def test_a_folder_that_cannot_be_listed_is_named(tree, monkeypatch):
    src = tree("real/1.jpg", "real/locked/2.jpg")
    scandir = os.scandir

    def refuse(path):
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert [(item.path, item.problem) for item in find("folders", src)] == [
        ("real/1.jpg", ""),
        ("real/locked", "unreadable folder: Permission denied"),
    ]


def test_files_that_a_layout_ignores_are_counted(tree):
    src = tree(
        "real/1.jpg", "more/masks/2.jpg", "more/masks/3.mp4", "4.png", "more/masks/5.gif", "a/x/6.png", "a/7.png"
    )
    assert ignored_files(src, find("folders", src)) == {".": 1, "a": 2, "more/masks": 2}


def test_a_name_that_a_manifest_cannot_store_is_skipped_and_named(tree):
    src = tree("real/1.jpg", "real/a\nb.jpg", "fake\r/2.jpg", "real/non\u00a0breaking.jpg", "real/caf\udce9.jpg")
    problem = "unreadable name: expected UTF-8 without line ends, rename it"
    assert {item.path: item.problem for item in find("folders", src)} == {
        "real/1.jpg": "",
        "real/non\u00a0breaking.jpg": "",
        "real/a\\nb.jpg": problem,
        "real/caf\\udce9.jpg": problem,
        "fake\\r": problem,
    }


def test_a_name_that_leads_out_of_the_folder_on_windows_is_skipped_and_named(tree):
    """A manifest with such a path would be refused, with all other images."""
    assert {item.path: item.problem for item in find("pggan", tree("1.png", "C:2.png"))} == {
        "1.png": "",
        "C:2.png": "unreadable name: on Windows it leads out of the folder, rename it",
    }


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "It holds 0 images .* and 0 videos in no folders$"),
        (["clips/clip.mp4", "clip.avi"], "It holds 0 images .* and 2 videos in clips$"),
        (["originals/1.jpg"], "It holds 1 images .* in originals$"),
        (["df/1.jpg", "forged/2.jpg"], "the layout mesonet would find 2 of them"),
        (["Celeb-real/id0_0000.mp4"], "the layout celebdf would find 1 of them"),
    ],
)
def test_an_empty_search_names_what_was_expected_and_what_src_holds(tree, files, message):
    with pytest.raises(UserError, match=f"Expected: any tree with folders real/ and fake/.*{message}"):
        find("folders", tree(*files))


@pytest.mark.parametrize("layout", ["celebdf", "faceforensics", "dfdc"])
def test_the_layout_that_would_fit_is_named(layout, request):
    src = request.getfixturevalue(layout)
    with pytest.raises(UserError, match=f"the layout {layout} would find"):
        find("folders", src)


def test_mesonets_folders(tree):
    src = tree("train_test/df/1.jpg", "train_test/real/2.jpg", "validation/forged/3.jpg", "validation/real/4.jpg")
    tree("train_test/5.jpg", "weights/real/6.jpg")
    assert find("mesonet", src) == [
        Item("train_test/df/1.jpg", "fake", "Deepfakes", split="train"),
        Item("train_test/real/2.jpg", "real", "internet", split="train"),
        Item("validation/forged/3.jpg", "fake", "forged", split="test"),
        Item("validation/real/4.jpg", "real", "internet", split="test"),
    ]


def test_mesonet_refuses_a_tree_whose_fakes_it_does_not_know(tree):
    with pytest.raises(UserError, match="mesonet does not fit, .* has a folder fake/ .* use the layout folders"):
        find("mesonet", tree("real/1.jpg", "fake/2.jpg"))


def test_mesonets_classes_without_splits(tree):
    found = find("mesonet", tree("df/1.jpg", "real/2.jpg", "cover.jpg"))
    assert [(item.path, item.label, item.split) for item in found] == [
        ("df/1.jpg", "fake", ""),
        ("real/2.jpg", "real", ""),
    ]


def test_the_drawn_tree_is_read_by_synthetic_and_by_mesonet(tmp_path):
    draw_tree(tmp_path, "deconv", 3, frames=2, workers=1)
    rows = pd.read_csv(tmp_path / "metadata.csv", dtype=str, keep_default_na=False)
    found = find("synthetic", tmp_path)
    assert [asdict(item) for item in found] == [{**row, "split": "", "problem": ""} for row in rows.to_dict("records")]
    labels = {item.path: item.label for item in found}
    assert {item.path: item.label for item in find("mesonet", tmp_path)} == labels
    assert len(labels) == 12


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"synthetic"}))
def test_each_layout_has_a_module_and_describes_itself(layout, tmp_path):
    with pytest.raises(UserError, match=f"layout {layout} finds no image"):
        find(layout, tmp_path)


def test_layouts_start_without_heavy_libraries():
    code = "import importlib, sys; from data_prep.layouts.registry import LAYOUTS\n"
    code += "for name in LAYOUTS: importlib.import_module(f'data_prep.layouts.{name}')\n"
    code += "assert not {'cv2', 'tensorflow', 'keras', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("name", "leaves"),
    [
        *[("a/b.mp4", False), ("..a/b..mp4", False), ("a/...mp4", False)],
        *[("../b.mp4", True), ("a/../../b.mp4", True), ("/b.mp4", True), ("..\\b.mp4", True), ("C:b.mp4", True)],
    ],
)
def test_names_that_lead_out_of_a_folder(name, leaves):
    assert leaves_folder(name) == leaves


PARTS = st.sampled_from(
    ["real", "fake", "df", "Celeb-real", "Celeb-synthesis", "train_test", "frames", "dfdc_train_part_0", "100k"]
    + ["original_sequences", "manipulated_sequences", "youtube", "Deepfakes", "c23", "videos", "id0_id1_0000", "00000"]
)
NAMES = st.sampled_from(
    ["1.jpg", "00001.png", "id0_0000.mp4", "id0_id1_0000.mp4", "000_003.mp4", "000.mp4", "x.gif", "._y.jpg", "notes"]
    + ["metadata.json", "metadata.csv", "List_of_testing_videos.txt", "list_eval_partition.txt", "test.json"]
)
TEXTS = st.sampled_from(
    ["", "1 Celeb-real/id0_0000.mp4", "00001.png 2", '{"000.mp4": {"label": "REAL"}}', '[["000", "003"]]', "../../x 1"]
)


@given(st.dictionaries(st.tuples(st.lists(PARTS, max_size=5), NAMES).map(lambda p: "/".join((*p[0], p[1]))), TEXTS))
@settings(deadline=None, max_examples=50)
def test_any_tree_is_read_or_refused_with_a_message(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for layout in set(LAYOUTS) - {"synthetic"}:
            with suppress(UserError):
                items = find(layout, folder)
                assert [item.path for item in items] == sorted({item.path for item in items})
                usable = [item for item in items if not item.problem]
                assert usable and all(item.label in ("real", "fake") and item.source for item in usable)
                assert all(Path(folder, item.path).is_file() and not leaves_folder(item.path) for item in usable)
                assert all(item.split in ("", "train", "val", "test") for item in items)


@pytest.mark.parametrize(
    "train", ["train_test", "train:test", "train%3Atest", "Train-Test", "train test", "train", "training"]
)
@pytest.mark.parametrize("validation", ["validation", "Validation 2", "val", "test"])
@pytest.mark.parametrize("root", ["", "deepfake_database/", "a/b/"])
def test_mesonets_folders_are_found_in_every_spelling_and_place(tree, root, train, validation):
    src = tree(f"{root}{train}/df/1.jpg", f"{root}{train}/real/2.jpg", f"{root}{validation}/df/3.jpg")
    assert {item.path.rpartition("/")[2]: (item.label, item.split) for item in find("mesonet", src)} == {
        "1.jpg": ("fake", "train"),
        "2.jpg": ("real", "train"),
        "3.jpg": ("fake", "test"),
    }


@pytest.mark.parametrize("fake", ["df", "DF", "Deepfake", "deepfakes"])
def test_mesonets_fakes_have_several_names(tree, fake):
    found = find("mesonet", tree(f"train_test/{fake}/1.jpg", "train_test/real/2.jpg"))
    assert {(item.label, item.source) for item in found} == {("fake", "Deepfakes"), ("real", "internet")}


@pytest.mark.parametrize(
    "form", ["{}", "0_{}", "training_{}", "{}_images", "{}s", "{} faces", "test-{}", "1_{}/sub", "{}Images"]
)
def test_folders_are_found_in_the_spellings_of_public_sets(tree, form):
    names = {label: form.format(label) for label in ("real", "fake")}
    src = tree(*(f"a/{name}/1.mp4" for name in names.values()))
    assert {item.label: item.video for item in find("folders", src)} == {k: f"a/{v}/1" for k, v in names.items()}


def test_folders_that_only_contain_the_words_are_not_classes(tree):
    with pytest.raises(UserError, match="finds no image or video"):
        find("folders", tree("real_and_fake/1.jpg", "surreal/2.jpg", "Celeb-real/3.jpg"))
    (one,) = find("folders", tree("fake/real_video/1.jpg"))
    assert (one.label, one.video) == ("fake", "fake/real_video")


def test_what_macos_adds_to_an_archive_is_left_out(tree):
    src = tree("real/1.jpg", "__MACOSX/real/2.jpg", "__MACOSX/real/._1.jpg", "fake/._3.jpg")
    assert [item.path for item in find("folders", src)] == ["real/1.jpg"]


@pytest.mark.parametrize(
    "suffix",
    [
        "hif",
        "apng",
        "svg",
        "asf",
        "hevc",
        "mpe",
        "pef",
        "gif",
        "heif",
        "jxl",
        "jpe",
        "ts",
        "m2ts",
        "3g2",
        "vob",
        "dng",
        "cr2",
        "nef",
    ],
)
def test_formats_that_are_not_read_are_named_by_their_suffix(tree, suffix):
    found = find("folders", tree("real/1.jpg", f"real/2.{suffix.upper()}"))
    assert [item.problem for item in found] == ["", f"unsupported format: {suffix}"]
