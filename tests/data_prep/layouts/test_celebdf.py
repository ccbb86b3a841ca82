import pytest

from common.errors import UserError
from data_prep.layouts.item import Item
from data_prep.layouts.registry import find


def video(path, label, **fields):
    return Item(path, label, path.split("/")[0], video=path.removesuffix(".mp4"), **fields)


def test_videos_with_persons_originals_and_the_test_list(celebdf):
    assert find("celebdf", celebdf) == [
        video("Celeb-real/id0_0000.mp4", "real", identity="id0", split="train"),
        video("Celeb-real/id1_0007.mp4", "real", identity="id1", split="test"),
        video(
            "Celeb-synthesis/id0_id1_0000.mp4",
            "fake",
            identity="id0;id1",
            original="Celeb-real/id0_0000",
            split="train",
        ),
        video(
            "Celeb-synthesis/id1_id0_0007.mp4", "fake", identity="id1;id0", original="Celeb-real/id1_0007", split="test"
        ),
        video("YouTube-real/00000.mp4", "real", split="test"),
    ]


def test_without_a_test_list_there_is_no_split(celebdf):
    (celebdf / "List_of_testing_videos.txt").unlink()
    assert {item.split for item in find("celebdf", celebdf)} == {""}


def test_folders_of_frames_are_the_same_clips(tree):
    src = tree(
        *("v1/Celeb-real/id0_0000/000.png", "v1/Celeb-real/id0_0000/017.png"),
        "v1/Celeb-synthesis/id0_id1_0000/017.png",
        texts={"v1/List_of_testing_videos.txt": "1 Celeb-real/id0_0000.mp4\n"},
    )
    root = "v1/Celeb-real/id0_0000"
    assert find("celebdf", src) == [
        Item(f"{root}/000.png", "real", "Celeb-real", root, "id0", frame="0", split="test"),
        Item(f"{root}/017.png", "real", "Celeb-real", root, "id0", frame="17", split="test"),
        Item(
            "v1/Celeb-synthesis/id0_id1_0000/017.png",
            "fake",
            "Celeb-synthesis",
            "v1/Celeb-synthesis/id0_id1_0000",
            "id0;id1",
            root,
            "17",
            "train",
        ),
    ]


@pytest.mark.parametrize("present", [True, False])
def test_fakes_find_their_original_in_a_folder_of_videos(tree, present):
    reals = ["Celeb-real/videos/id0_0000.mp4"] * present
    found = find("celebdf", tree("Celeb-synthesis/videos/id0_id1_0000.mp4", "Youtube-real/videos/00000.mp4", *reals))
    fake = next(item for item in found if item.label == "fake")
    assert (fake.video, fake.original) == ("Celeb-synthesis/videos/id0_id1_0000", "Celeb-real/videos/id0_0000")


def test_a_tree_of_real_and_fake_clips(tree):
    src = tree("real/video_0/image_1.jpg", "fake/video_0/image_16.jpg")
    assert find("celebdf", src) == [
        Item("fake/video_0/image_16.jpg", "fake", "Celeb-synthesis", "fake/video_0", frame="16"),
        Item("real/video_0/image_1.jpg", "real", "Celeb-DF", "real/video_0", frame="1"),
    ]


def test_a_clip_as_video_and_as_frames_is_refused(celebdf, tree):
    tree("Celeb-real/frames/id0_0000/1.png")
    with pytest.raises(UserError, match="1 clips are stored twice, e.g. Celeb-real/.*: keep one"):
        find("celebdf", celebdf)


def test_contradictions_are_named_and_not_guessed(celebdf, tree):
    tree("Celeb-synthesis/holiday.mp4")
    (celebdf / "List_of_testing_videos.txt").write_text(
        "0 Celeb-real/id0_0000.mp4\n"
        "2 YouTube-real/00000.mp4\n"
        "1 Celeb-real/id9_0009.mp4\n"
        "1 ../../etc/passwd.mp4\n"
        "1 Celeb-real/../../x.mp4\n"
    )
    problems = {item.path: item.problem for item in find("celebdf", celebdf) if item.problem}
    assert problems == {
        "Celeb-real/id0_0000.mp4": "contradiction: fake by List_of_testing_videos.txt, real by its folder",
        "YouTube-real/00000.mp4": "unknown label: 2 in List_of_testing_videos.txt",
        "Celeb-real/id9_0009.mp4": "missing: listed in List_of_testing_videos.txt",
        "../../etc/passwd.mp4": "leaves SRC: listed in List_of_testing_videos.txt",
        "Celeb-real/../../x.mp4": "leaves SRC: listed in List_of_testing_videos.txt",
        "Celeb-synthesis/holiday.mp4": "unknown name: expected idA_idB_NNNN",
    }


def test_no_file_is_listed_twice(celebdf):
    (celebdf / "List_of_testing_videos.txt").write_text("2 YouTube-real/00000.mp4\n")
    paths = [item.path for item in find("celebdf", celebdf)]
    assert len(paths) == len(set(paths))


def test_a_list_written_on_another_system(celebdf):
    (celebdf / "List_of_testing_videos.txt").write_bytes(b"\xef\xbb\xbf1\tCeleb-real\\id1_0007.mp4\r\n\r\n")
    assert [item.video for item in find("celebdf", celebdf) if item.split == "test"] == ["Celeb-real/id1_0007"]


@pytest.mark.parametrize(
    "line", ['"1","Celeb-real/id1_0007.mp4"', "1,Celeb_real/id1_0007.mp4", "1;'celeb-real/id1_0007.mp4'"]
)
def test_a_list_that_another_program_wrote(celebdf, line):
    (celebdf / "List_of_testing_videos.txt").write_text(line + "\n")
    assert [item.video for item in find("celebdf", celebdf) if item.split == "test"] == ["Celeb-real/id1_0007"]


def test_folders_of_the_set_with_other_signs_between_the_words(tree):
    src = tree("Celeb_real/id0_0000.mp4", "YouTube real/1.mp4", "celeb_synthesis/id0_id1_0000.mp4")
    assert {item.path: (item.source, item.original) for item in find("celebdf", src)} == {
        "Celeb_real/id0_0000.mp4": ("Celeb-real", ""),
        "YouTube real/1.mp4": ("YouTube-real", ""),
        "celeb_synthesis/id0_id1_0000.mp4": ("Celeb-synthesis", "Celeb_real/id0_0000"),
    }


def test_a_list_of_something_else_is_refused(celebdf):
    (celebdf / "List_of_testing_videos.txt").write_text("1 Celeb-real/id1_0007.mp4\nname,label\n")
    with pytest.raises(UserError, match="expected 1 or 0 and FOLDER/NAME.mp4 in line 2, got 'name,label'"):
        find("celebdf", celebdf)


def test_the_methods_of_celeb_df_plus_plus(tree):
    """The tree of its authors; the name of a swap is that of one in every other method."""
    swap, talk = "id0_id1_0000.mp4", "id0_0000_test_id3_0001.mp4"
    fakes = "Celeb-synthesis"
    src = tree(
        "Celeb-real/id0_0000.mp4",
        *(f"{fakes}/FaceSwap/{method}/{swap}" for method in ("Celeb-DF", "GHOST")),
        f"{fakes}/TalkingFace/FLOAT/{talk}",
        texts={
            "List_of_testing_videos.txt": f"0 {fakes}/FaceSwap/GHOST/{swap}\n0 {fakes}/TalkingFace/FLOAT/{talk}\n"
            f"0 {fakes}/FaceSwap/UniFace/{swap}\n"
        },
    )
    found = {item.path: item for item in find("celebdf", src)}
    assert {path: (item.source, item.split, item.identity) for path, item in found.items() if not item.problem} == {
        "Celeb-real/id0_0000.mp4": ("Celeb-real", "train", "id0"),
        f"{fakes}/FaceSwap/Celeb-DF/{swap}": ("Celeb-DF", "train", "id0;id1"),
        f"{fakes}/FaceSwap/GHOST/{swap}": ("GHOST", "test", "id0;id1"),
        f"{fakes}/TalkingFace/FLOAT/{talk}": ("FLOAT", "test", "id0"),
    }
    assert {item.original for item in found.values() if item.label == "fake" and not item.problem} == {
        "Celeb-real/id0_0000"
    }
    assert [item.problem for item in found.values() if item.problem] == [
        "missing: listed in List_of_testing_videos.txt"
    ]
