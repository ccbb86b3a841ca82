import pytest

from common.errors import UserError
from data_prep.layouts.published_counts import compare_with_published
from data_prep.layouts.registry import find, ignored_files

YOUTUBE = "original_sequences/youtube"


@pytest.fixture
def found(faceforensics):
    return {item.video: item for item in find("faceforensics", faceforensics)}


def test_everything_but_the_masks_is_found(found, faceforensics):
    assert len(found) == 16
    assert not any(item.problem for item in found.values())
    assert ignored_files(faceforensics, found.values()) == {"manipulated_sequences/Deepfakes/masks/videos": 1}
    assert {item.source: item.label for item in found.values()} == {
        **{"youtube": "real", "actors": "real"},
        **{"Deepfakes": "fake", "Face2Face": "fake", "DeepFakeDetection": "fake"},
    }


def test_clips_of_one_name_under_two_methods_are_two_videos_with_one_original(found):
    one, other = (found[f"manipulated_sequences/{method}/c23/videos/071_054"] for method in ("Deepfakes", "Face2Face"))
    assert one.original == other.original == f"{YOUTUBE}/c23/videos/071"
    assert one.identity == other.identity == "071;054"
    assert found[one.original].identity == "071"


def test_compressions_are_separate_videos_linked_by_their_original(found):
    both = f"{YOUTUBE}/c23/videos/000;{YOUTUBE}/c40/videos/000"
    for compression in ("c23", "c40"):
        assert found[f"manipulated_sequences/Deepfakes/{compression}/videos/000_003"].original == both
        assert found[f"{YOUTUBE}/{compression}/videos/000"].identity == "000"


def test_both_directions_and_both_originals_of_an_official_pair_are_in_one_split(found):
    splits = {}
    for item in found.values():
        splits.setdefault(item.split, set()).add(item.video.rpartition("/")[2])
    assert splits == {
        "train": {"071", "054", "071_054", "054_071"},
        "test": {"000", "003", "000_003", "003_000"},
        "": {"01__kitchen_pan", "01_02__kitchen_pan__YVGY8LOK"},
    }


def test_deepfakedetection_swaps_have_their_scene_as_original(found):
    swap = found["manipulated_sequences/DeepFakeDetection/c23/videos/01_02__kitchen_pan__YVGY8LOK"]
    assert (swap.identity, swap.original) == (
        "actor01;actor02",
        "original_sequences/actors/c23/videos/01__kitchen_pan",
    )
    assert found[swap.original].identity == "actor01"


def test_frames_below_another_root(tree):
    src = tree("FF/manipulated_sequences/Face2Face/raw/images/000_003/0012.png")
    (item,) = find("faceforensics", src)
    assert item.video == "FF/manipulated_sequences/Face2Face/raw/images/000_003"
    assert (item.frame, item.original) == ("12", f"FF/{YOUTUBE}/raw/images/000")


def test_split_files_may_be_in_src_and_incomplete(tree):
    src = tree(
        f"{YOUTUBE}/c23/videos/000.mp4", f"{YOUTUBE}/c23/videos/001.mp4", texts={"test.json": '[["000", "003"]]'}
    )
    assert [(item.split, item.problem) for item in find("faceforensics", src)] == [("test", ""), ("", "")]


def test_contradictions_to_the_split_files_are_named(faceforensics, tree):
    tree(
        f"{YOUTUBE}/c23/videos/555.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/000_071.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/holiday.mp4",
        texts={"splits/val.json": '[["054", "672"]]'},
    )
    problems = {item.video: item.problem for item in find("faceforensics", faceforensics) if item.problem}
    deepfakes, twice = "manipulated_sequences/Deepfakes/c23/videos", "contradiction: the split files put it into"
    assert problems == {
        f"{YOUTUBE}/c23/videos/555": "not listed: train.json, val.json, test.json",
        f"{YOUTUBE}/c23/videos/054": f"{twice} train and val",
        **{f"{deepfakes}/{name}": f"{twice} train and val" for name in ("054_071", "071_054")},
        **{
            f"{deepfakes.replace('Deepfakes', 'Face2Face')}/{name}": f"{twice} train and val"
            for name in ("054_071", "071_054")
        },
        f"{deepfakes}/000_071": f"{twice} test and train",
        f"{deepfakes}/holiday": "unknown name: expected TARGET_SOURCE",
    }


def test_a_clip_as_video_and_as_frames_is_refused(faceforensics, tree):
    tree(f"{YOUTUBE}/c23/frames/000/0.png", f"{YOUTUBE}/c23/frames/003/0.png")
    with pytest.raises(UserError, match="2 clips are stored twice"):
        find("faceforensics", faceforensics)


@pytest.mark.parametrize("text", ["", "{", '{"train": 1}', '["071", "054"]', '[["071"]]', "[[1, 2]]", "[" * 100_000])
def test_a_split_file_of_another_form_is_refused(faceforensics, text):
    (faceforensics / "splits" / "train.json").write_text(text)
    with pytest.raises(UserError, match="splits/train.json: expected the pairs of FaceForensics\\+\\+"):
        find("faceforensics", faceforensics)


@pytest.mark.parametrize("folder", ["", "splits/", "dataset/splits/", "a/FaceForensics/dataset/splits/"])
def test_split_files_are_found_anywhere(tree, folder):
    src = tree("x/Original_Sequences/youtube/c23/videos/000.mp4", "x/Manipulated_Sequences/F/c23/videos/000_003.mp4")
    (src / folder).mkdir(parents=True, exist_ok=True)
    for split, pairs in (("train", '[["000", "003"]]'), ("val", "[]"), ("test", "[]")):
        (src / folder / f"{split}.json").write_text(pairs)
    assert [(item.label, item.split) for item in find("faceforensics", src)] == [("fake", "train"), ("real", "train")]


@pytest.mark.parametrize("root", ["", "FaceForensics++_C23/"])
def test_a_copy_that_has_the_methods_alone(tree, root):
    """As on Kaggle; the folder csv/ has no videos."""
    names = (
        "original/000.mp4",
        "Deepfakes/000_003.mp4",
        "FaceSwap/000_003.mp4",
        "DeepFakeDetection/01_02__walk__ABC.mp4",
    )
    src = tree(*(root + name for name in names), f"{root}original/holiday.mp4", f"{root}csv/Full_Metadata.csv")
    found = {item.path.removeprefix(root): item for item in find("faceforensics", src)}
    assert {path: (item.label, item.source, item.original) for path, item in found.items()} == {
        "original/000.mp4": ("real", "youtube", ""),
        "Deepfakes/000_003.mp4": ("fake", "Deepfakes", f"{root}original/000"),
        "FaceSwap/000_003.mp4": ("fake", "FaceSwap", f"{root}original/000"),
        "DeepFakeDetection/01_02__walk__ABC.mp4": ("fake", "DeepFakeDetection", f"{root}original/01__walk"),
    }
    assert "Deepfakes: 1 of 1000 videos (999 missing)" in compare_with_published("faceforensics", list(found.values()))


def test_the_first_release_has_originals_without_youtube(tree):
    src = tree(
        "original_sequences/c0/images/000/0001.png", "manipulated_sequences/Deepfakes/c0/images/000_003/0001.png"
    )
    real, fake = sorted(find("faceforensics", src), key=lambda item: item.label, reverse=True)
    assert (real.source, real.identity, real.video) == ("youtube", "000", "original_sequences/c0/images/000")
    assert (fake.source, fake.original) == ("Deepfakes", "original_sequences/c0/images/000")
