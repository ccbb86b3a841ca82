import pytest

from data_prep.layouts.item import Item
from data_prep.layouts.published_counts import compare_with_published
from data_prep.layouts.registry import find

ASSUMED = "of Celeb-DF v2 (assumed, there is no test list)"


def items_of(number, label, source, video=True, **fields):
    return [
        Item(f"{source}/{i}.mp4", label, source, video=f"{source}/{i}" if video else "", **fields)
        for i in range(number)
    ]


def celebdf(real, youtube, fake, **fields):
    items = items_of(real, "real", "Celeb-real", **fields) + items_of(youtube, "real", "YouTube-real", **fields)
    return items + items_of(fake, "fake", "Celeb-synthesis", **fields)


def test_a_complete_set_gives_no_lines():
    assert compare_with_published("celebdf", celebdf(590, 300, 5639)) == []
    assert compare_with_published("ffhq", items_of(70_000, "real", "ffhq", video=False)) == []


def test_missing_videos_are_counted_not_frames():
    items = celebdf(590, 300, 5639)
    items = [item for item in items if item.source != "Celeb-real"] + [
        Item(f"Celeb-real/{clip}/{frame}.jpg", "real", "Celeb-real", video=f"Celeb-real/{clip}")
        for clip in range(12)
        for frame in range(100)
    ]
    assert compare_with_published("celebdf", items) == [f"Celeb-real {ASSUMED}: 12 of 590 videos (578 missing)"]


def test_a_missing_part_and_too_many_files_are_reported():
    assert compare_with_published("celebdf", celebdf(591, 0, 5639)) == [
        f"Celeb-real {ASSUMED}: 591 videos, but 590 are published",
        f"none of the videos of YouTube-real {ASSUMED} (300)",
    ]


def test_files_with_a_problem_do_not_count():
    items = celebdf(590, 300, 5638) + [Item("x.mp4", "fake", "Celeb-synthesis", problem="missing: listed")]
    assert compare_with_published("celebdf", items) == [f"Celeb-synthesis {ASSUMED}: 5638 of 5639 videos (1 missing)"]


def test_celebdf_v1_is_recognised_by_its_shorter_test_list():
    items = celebdf(158, 250, 795)
    tests = [Item(f"test/{i}.mp4", "real", "Celeb-real", split="test", problem="missing: listed") for i in range(100)]
    assert compare_with_published("celebdf", items + tests) == []
    assert len(compare_with_published("celebdf", items)) == 3
    assert compare_with_published("celebdf", items[1:] + tests) == [
        "Celeb-real of Celeb-DF v1: 157 of 158 videos (1 missing)"
    ]


def test_a_tree_that_does_not_name_the_parts_is_not_compared(tree):
    assert compare_with_published("celebdf", find("celebdf", tree("real/0/1.jpg", "fake/0/1.jpg"))) == []


@pytest.mark.parametrize(("folder", "count"), [("img_align_celeba", "of 202599"), ("100k", "of 100000")])
def test_celeba_and_its_cut(tree, folder, count):
    (line,) = compare_with_published("celeba", find("celeba", tree(f"{folder}/000001.jpg")))
    assert count in line


def test_the_inner_folder_of_celebas_cut_is_complete():
    items = [Item(f"{number:06d}.jpg", "real", "celeba") for number in range(100_000)]
    assert compare_with_published("celeba", items) == []
    assert "of 202599" in compare_with_published("celeba", items[1:])[0]


def test_kaggles_140k_faces(kaggle_140k, tree):
    lines = compare_with_published("stylegan", find("stylegan", kaggle_140k))
    assert "train ffhq: 1 of 50000 images (49999 missing)" in lines
    assert "val stylegan: 1 of 10000 images (9999 missing)" in lines
    assert len(lines) == 6


def test_samples_have_no_published_number(tree):
    src = tree("1.png")
    assert (
        compare_with_published("stylegan", find("stylegan", src))
        == compare_with_published("pggan", find("pggan", src))
        == []
    )


def test_mesonets_four_folders(tree):
    src = tree("train_test/df/1.jpg", "train_test/real/2.jpg", "validation/df/3.jpg")
    assert compare_with_published("mesonet", find("mesonet", src)) == [
        "train fake: 1 of 5111 images (5110 missing)",
        "train real: 1 of 7250 images (7249 missing)",
        "test fake: 1 of 2889 images (2888 missing)",
        "none of the images of test real (4259)",
    ]


def test_dfdc_names_the_missing_parts(dfdc, tree):
    tree(*(f"dfdc_train_part_{part}/x{part}.mp4" for part in range(3, 50)))
    tree(texts={f"dfdc_train_part_{p}/metadata.json": f'{{"x{p}.mp4": {{"label": "REAL"}}}}' for p in range(3, 50)})
    assert compare_with_published("dfdc", find("dfdc", dfdc)) == [
        "real: 48 of 19154 videos (19106 missing)",
        "fake: 3 of 100000 videos (99997 missing)",
        "1 of 50 folders dfdc_train_part_N are not there: 2",
    ]
    assert len(compare_with_published("dfdc", find("dfdc", dfdc / "dfdc_train_part_0"))) == 2


def test_faceforensics_by_method_and_compression(faceforensics):
    lines = compare_with_published("faceforensics", find("faceforensics", faceforensics))
    assert "Deepfakes c23: 4 of 1000 videos (996 missing)" in lines
    assert "Deepfakes c40: 1 of 1000 videos (999 missing)" in lines
    assert "actors c23: 1 of 363 videos (362 missing)" in lines
    assert "DeepFakeDetection c23: 1 of 3068 videos (3067 missing)" in lines
    assert lines[-1] == "c23 and c40 of the same clips, all taken: for one of them move the others' folders out of SRC"
    assert lines[-2].startswith("none of the videos of FaceSwap c23 (1000), NeuralTextures c23 (1000), Face2Face c40")
    assert "FaceShifter" not in "".join(lines)


def test_faceforensics_without_one_of_its_split_files(faceforensics):
    text = "without a split"
    assert text not in "".join(compare_with_published("faceforensics", find("faceforensics", faceforensics)))
    (faceforensics / "splits" / "test.json").unlink()
    lines = compare_with_published("faceforensics", find("faceforensics", faceforensics))
    assert lines[-1] == "8 videos without a split: there is no val.json or test.json"  # the tree has no clip for val
    (faceforensics / "splits" / "val.json").unlink()
    (faceforensics / "splits" / "train.json").unlink()
    assert text not in "".join(compare_with_published("faceforensics", find("faceforensics", faceforensics)))


@pytest.mark.parametrize(("val", "lines"), [(140, 0), (150, 1)])
def test_faceforensics_official_splits_are_compared_with_the_published_ones(val, lines):
    folder = "original_sequences/youtube/c23/videos"
    splits = ["train"] * (860 - val) + ["val"] * val + ["test"] * 140
    items = [
        Item(f"{folder}/{i:03}.mp4", "real", "youtube", video=f"{folder}/{i:03}", split=split)
        for i, split in enumerate(splits)
    ]
    found = [line for line in compare_with_published("faceforensics", items) if "split files are not" in line]
    assert len(found) == lines
    assert all("710 train (published: 720), 150 val (published: 140), 140 test" in line for line in found)
