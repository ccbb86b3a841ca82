"""The embedded videos: files in the tree of Celeb-DF, read back by data_prep."""

import json

import cv2
import numpy as np
import pytest

from common.data.videos import Sampling, read_clip
from common.errors import UserError
from data_prep.drawing.videos import FAMILY, draw_videos
from data_prep.layouts.registry import find
from data_prep.options import PrepareOptions
from data_prep.prepare import prepare

FRAMES = 2


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Five persons: two pairs, and one who takes the face of the person before."""
    folder = tmp_path_factory.mktemp("videos") / "tree"
    draw_videos(folder, 5, FRAMES, seed=4, workers=1)
    return folder


def frames(path):
    return np.stack([frame for _, frame in read_clip(path, Sampling(count=FRAMES), list)]).astype(float)


def test_names_tell_target_and_source_and_each_swap_has_its_original(tree):
    names = {path.relative_to(tree).as_posix() for path in tree.rglob("*.mp4")}
    swaps = ("id0_id1", "id1_id0", "id2_id3", "id3_id2", "id4_id3")
    assert names == {f"Celeb-real/id{person}_0000.mp4" for person in range(5)} | {
        f"Celeb-synthesis/{swap}_0000.mp4" for swap in swaps
    }
    items = {item.path: item for item in find("celebdf", tree)}
    assert items["Celeb-real/id4_0000.mp4"].identity == "id4"
    swap = items["Celeb-synthesis/id4_id3_0000.mp4"]
    assert (swap.label, swap.identity, swap.original) == ("fake", "id4;id3", "Celeb-real/id4_0000")
    assert json.loads((tree / "SYNTHETIC.json").read_text())["family"] == FAMILY


def test_videos_are_complete_and_move(tree):
    for path in tree.rglob("*.mp4"):
        pictures = frames(path)
        assert pictures.shape == (FRAMES, 256, 256, 3)
        assert np.abs(np.diff(pictures, axis=0)).mean() > 0.5


def test_a_swap_is_its_original_with_another_face(tree):
    """Corners equal those of the original up to noise and codec; the middle does not."""
    for swap in sorted((tree / "Celeb-synthesis").iterdir()):
        original = tree / "Celeb-real" / f"{swap.name.split('_')[0]}_0000.mp4"
        difference = np.abs(frames(swap) - frames(original)).mean(axis=(0, 3))
        assert difference[:40, :40].mean() < 6 and difference.max() > 4 * difference[:40, :40].mean()
        other = tree / "Celeb-real" / f"{swap.name.split('_')[1]}_0000.mp4"
        assert np.abs(frames(swap) - frames(other)).mean() > 2 * difference.mean()


@pytest.mark.slow
def test_the_same_seed_draws_the_same_videos_with_any_number_of_workers(tree, tmp_path):
    draw_videos(tmp_path / "again", 2, FRAMES, seed=4, workers=2)
    paths = list((tmp_path / "again").rglob("*.mp4"))
    assert len(paths) == 4
    for path in paths:
        np.testing.assert_array_equal(frames(path), frames(tree / path.relative_to(tmp_path / "again")))


@pytest.mark.slow
def test_mtcnn_finds_the_drawn_faces(tree, tmp_path):
    options = PrepareOptions(faces="mtcnn", size=96, margin=24, first=FRAMES, workers=1)
    manifest = prepare("celebdf", tree, tmp_path / "prepared", options, progress=False)
    assert len(manifest) > 0.8 * 10 * FRAMES and manifest["video"].nunique() >= 9
    assert cv2.imread(str(tmp_path / "prepared" / manifest["path"].iloc[0])).shape == (96, 96, 3)


@pytest.mark.parametrize(("count", "frames"), [(1, 3), (4, 0)])
def test_too_few_are_refused(tmp_path, count, frames):
    with pytest.raises(UserError, match="at least 2 persons and 1 frame"):
        draw_videos(tmp_path / "tree", count, frames)
    assert not (tmp_path / "tree").exists()
