import json
import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from common.errors import UserError
from common.files import CACHE_VARIABLE
from common.labels import to_numbers
from data_prep.drawing import trees as trees_module
from data_prep.drawing.canvas import SIZE
from data_prep.drawing.fakes import draw_fake, inner_face
from data_prep.drawing.person import animate_pose, draw_person, draw_pose
from data_prep.drawing.scene import draw_scene, render
from data_prep.drawing.trees import FAMILIES, cached_tree, draw_tree, parse_source

COUNT = 5


def read(folder):
    return pd.read_csv(folder / "metadata.csv", dtype=str, keep_default_na=False)


def read_files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def draw_all_families(folder, count):
    for family in FAMILIES:
        draw_tree(folder / family, family, count)
    return {family: folder / family for family in FAMILIES}


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """A tree of each family."""
    return draw_all_families(tmp_path_factory.mktemp("trees"), COUNT)


@pytest.fixture(scope="module")
def large_trees(tmp_path_factory):
    """A tree of 120 + 120 images of each family."""
    return draw_all_families(tmp_path_factory.mktemp("large"), 120)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips") / "swap"
    draw_tree(folder, "swap", 3, seed=3, frames=2, workers=1)
    return folder


def test_layout_counts_and_metadata(trees):
    for family, folder in trees.items():
        images = read(folder)
        assert list(images.columns) == list(trees_module.COLUMNS)
        assert sorted(images["path"]) == sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.jpg"))
        splits = images.groupby([images["path"].str.split("/").str[0], "label"]).size().to_dict()
        train = round(COUNT * 12356 / 19504)
        assert splits == {
            ("train_test", "fake"): train,
            ("train_test", "real"): train,
            ("validation", "fake"): COUNT - train,
            ("validation", "real"): COUNT - train,
        }
        fake = images["label"] == "fake"
        assert set(images.loc[fake, "source"]) == {f"synthetic-{family}"}
        assert set(images.loc[~fake, "source"]) == {"synthetic-real"}
        assert images.loc[fake, "path"].str.fullmatch(r"(train_test|validation)/df/df\d{5}\.jpg").all()
        assert images.loc[~fake, "path"].str.fullmatch(r"(train_test|validation)/real/real\d{5}\.jpg").all()
        assert (images[["video", "original", "frame"]] == "").all(axis=None)
        assert json.loads((folder / "SYNTHETIC.json").read_text()) == {
            "family": family, "count": COUNT, "seed": 0, "frames": 1, "size": 256, "version": trees_module.VERSION,
        }  # fmt: skip


def test_each_single_image_shows_other_persons(trees):
    persons = [person for folder in trees.values() for cell in read(folder)["identity"] for person in cell.split(";")]
    assert len(persons) == len(set(persons)) == COUNT * (2 + 2 + 2) + COUNT  # a swap's fake shows two


def test_images_are_colour_jpegs_of_256_pixels_and_all_differ(trees):
    seen = set()
    for path in trees["resample"].rglob("*.jpg"):
        assert path.read_bytes()[:3] == b"\xff\xd8\xff"
        image = cv2.imread(str(path))
        assert image.shape == (SIZE, SIZE, 3) and image.std() > 10
        seen.add(image.tobytes())
    assert len(seen) == 2 * COUNT


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_gives_the_same_bytes_with_any_number_of_workers(tmp_path, family):
    for name, workers, seed in (("one", 1, 5), ("two", 2, 5), ("other", 2, 6)):
        draw_tree(tmp_path / name, family, 1, seed=seed, workers=workers)
    one, two, other = (read_files(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    pictures = [name for name in one if name.endswith(".jpg")]
    assert len(pictures) == 2 and all(one[name] != other[name] for name in pictures)


def test_a_larger_tree_begins_with_the_smaller_one(tmp_path):
    draw_tree(tmp_path / "small", "deconv", 1, workers=1)
    draw_tree(tmp_path / "large", "deconv", 3, workers=1)
    small, large = ({p.name: p.read_bytes() for p in (tmp_path / n).rglob("*.jpg")} for n in ("small", "large"))
    assert small.items() <= large.items()


def test_families_do_not_share_their_real_images(trees):
    assert len({next(folder.rglob("real00000.jpg")).read_bytes() for folder in trees.values()}) == len(FAMILIES)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_no_simple_statistic_reveals_the_label(large_trees, family):
    """File size, brightness, mean of each channel, contrast, sharpness: AUC between 0.35 and 0.65 on 120 + 120."""
    images = read(large_trees[family])
    labels = to_numbers(images["label"])
    statistics = pd.DataFrame([_statistics(large_trees[family] / path) for path in images["path"]])
    areas = {name: roc_auc_score(labels, statistics[name]) for name in statistics}
    assert {name: area for name, area in areas.items() if not 0.35 <= area <= 0.65} == {}


def _statistics(path):
    image = cv2.imread(str(path))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    blue, green, red = image.reshape(-1, 3).mean(axis=0)
    return {
        "file size": path.stat().st_size,
        "brightness": grey.mean(),
        "contrast": grey.std(),
        "red": red,
        "green": green,
        "blue": blue,
        "sharpness": cv2.Laplacian(grey, cv2.CV_64F).var(),
        "compression": _quantisation(path.read_bytes()),
    }


def _quantisation(data):
    """Return the sum of the first JPEG quantisation table, which the quality setting scales."""
    start = data.index(b"\xff\xdb") + 5
    return sum(data[start : start + 64])


@pytest.mark.slow
def test_haar_finds_the_faces(large_trees):
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    assert not cascade.empty()
    for folder in large_trees.values():
        paths = sorted(folder.rglob("*.jpg"))
        found = [len(cascade.detectMultiScale(cv2.imread(str(p), 0), 1.05, minNeighbors=6)) > 0 for p in paths]
        assert np.mean(found) >= 0.98


@pytest.mark.slow
def test_mtcnn_finds_the_faces(large_trees):
    from mtcnn import MTCNN

    detector = MTCNN(device="CPU:0")
    paths = [path for folder in large_trees.values() for path in sorted(folder.rglob("*.jpg"))[::12]]
    found = [bool(detector.detect_faces(cv2.imread(str(path))[..., ::-1])) for path in paths]
    assert len(paths) == 60 and np.mean(found) >= 0.95


def test_clips(clips):
    images = read(clips)
    assert images.groupby(["label", "video"]).size().to_dict() == {
        (label, f"clips/{name}{clip:05d}"): 2 for label, name in (("fake", "df"), ("real", "real")) for clip in range(3)
    }
    assert (images.groupby("video")["frame"].apply(list).map(sorted) == pd.Series([list("01")] * 6).values).all()
    fake = images["label"] == "fake"
    assert (images.loc[~fake, "original"] == "").all()
    assert (images.loc[fake, "original"] == images.loc[fake, "video"].str.replace("df", "real")).all()
    split = images["path"].str.split("/").str[0]
    splits_of_clip = split.groupby(images["video"].str.replace("df", "real")).nunique()
    assert (splits_of_clip == 1).all() and split.nunique() == 2
    targets = images[fake].set_index("original")["identity"].str.split(";").str[0].drop_duplicates()
    owners = images[~fake].set_index("video")["identity"].drop_duplicates()
    assert targets.to_dict() == owners.to_dict()


def test_a_fake_clip_equals_its_original_outside_the_face(clips):
    """Both share background and camera: the upper edge differs by sensor noise only, the face by more."""
    for clip in range(3):
        for frame in range(2):
            name = f"{clip:05d}_{frame:03d}.jpg"
            real, fake = (cv2.imread(str(next(clips.rglob(prefix + name)))).astype(float) for prefix in ("real", "df"))
            difference = cv2.GaussianBlur(np.abs(real - fake).mean(axis=2), (0, 0), 3)
            assert difference[60:190, 70:190].max() > 2 * difference[:25].max()


@pytest.fixture(scope="module")
def swapped_clip():
    """Clean pictures of every third frame of a clip and their swaps, without a camera."""
    rng = np.random.default_rng(11)
    person, scene = draw_person(rng), draw_scene(rng)
    poses = animate_pose(rng, draw_pose(rng), 30)[::3]
    fake = draw_fake("swap", rng)
    pictures = [render(person, pose, scene) for pose in poses]
    swaps = [fake(picture, person, pose, scene) for picture, pose in zip(pictures, poses, strict=True)]
    return person, poses, pictures, swaps


def test_heads_move_smoothly():
    rng = np.random.default_rng(11)
    poses = animate_pose(rng, draw_pose(rng), 30)
    steps = np.linalg.norm(np.diff([pose.centre for pose in poses], axis=0), axis=1)
    assert 0 < steps.max() < 3


def test_the_swapped_face_moves_with_the_head(swapped_clip):
    person, poses, pictures, swaps = swapped_clip
    changed = [np.abs(a - b).mean(axis=2) > 1 / 255 for a, b in zip(pictures, swaps, strict=True)]
    middles = np.array([np.argwhere(change).mean(axis=0)[::-1] for change in changed])
    outlines = np.array([inner_face(person, pose).mean(axis=0) for pose in poses])
    heads = np.array([pose.centre for pose in poses])
    assert np.ptp(heads, axis=0).max() > 3
    assert np.abs((middles - middles[0]) - (outlines - outlines[0])).max() < 3
    assert np.corrcoef(middles[:, 0], heads[:, 0])[0, 1] > 0.8


def test_a_swap_changes_the_inner_face_only_and_keeps_its_colours(swapped_clip):
    person, poses, pictures, swaps = swapped_clip
    for pose, before, after in zip(poses, pictures, swaps, strict=True):
        inside = np.zeros((SIZE, SIZE), np.uint8)
        cv2.fillPoly(inside, [inner_face(person, pose).round().astype(np.int32)], 1)
        reach = cv2.dilate(inside, np.ones((51, 51), np.uint8)) > 0
        assert np.array_equal(before[~reach], after[~reach])
        assert np.abs(before - after)[inside > 0].mean() > 0.005
        assert np.allclose(before[inside > 0].mean(axis=0), after[inside > 0].mean(axis=0), atol=0.02)


@pytest.mark.parametrize("family", ["deconv", "resample"])
def test_a_decoder_keeps_the_picture(family):
    rng = np.random.default_rng(2)
    picture = render(draw_person(rng), draw_pose(rng), draw_scene(rng))
    again = draw_fake(family, rng)(picture, None, None, None)
    assert again.shape == picture.shape and again.dtype == np.float32
    assert again.min() >= 0 and again.max() <= 1
    assert 0.001 < np.abs(again - picture).mean() < 0.05
    assert np.abs(again.mean(axis=(0, 1)) - picture.mean(axis=(0, 1))).max() < 0.01


def test_cached_tree_draws_once_and_leaves_no_partial_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    calls = []

    def draw_and_count(folder, *arguments):
        calls.append(arguments)
        (folder / "drawn.jpg").touch()

    monkeypatch.setattr(trees_module, "draw_tree", draw_and_count)
    folder = cached_tree("swap", 2, seed=4)
    assert folder == cached_tree("swap", 2, seed=4) and calls == [("swap", 2, 4, 1)]
    assert isinstance(folder, Path) and (folder / "drawn.jpg").is_file()
    names = {
        cached_tree(*source).name for source in (("deconv", 2, 4), ("swap", 1, 4), ("swap", 2, 5), ("swap", 2, 4, 2))
    }
    assert len(names | {folder.name}) == 5
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".partial")]


def test_a_killed_drawing_leaves_no_tree_and_is_drawn_again(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    original = trees_module.draw_tree

    def be_killed(folder, *rest, **options):
        (folder / "leftover.jpg").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(trees_module, "draw_tree", be_killed)
    with pytest.raises(KeyboardInterrupt):
        cached_tree("resample", 1)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    partial = tmp_path / f".resample-1-seed0-frames1-v{trees_module.VERSION}.partial" / "tree"
    partial.mkdir(parents=True)  # as a process leaves it that is killed by SIGKILL
    monkeypatch.setattr(trees_module, "draw_tree", original)
    assert not list(cached_tree("resample", 1).rglob("leftover.jpg"))


def test_parse_source():
    assert parse_source("swap") == ("swap", 500, 0, 1)
    assert parse_source("deconv:20") == ("deconv", 20, 0, 1)
    assert parse_source("resample:7:3") == ("resample", 7, 3, 1)
    assert parse_source("swap:40:2:8") == ("swap", 40, 2, 8)


@pytest.mark.parametrize(
    "text", ["", "warp", "swap:", "swap:x", "swap:0", "swap:-1", "swap:1.5", "swap:5:0:0", "swap:1:2:3:4"]
)
def test_parse_source_refuses_the_rest(text):
    with pytest.raises(UserError):
        parse_source(text)
