"""The splits of a run: folds, their protocols, and data of one class."""

from dataclasses import replace

import pandas as pd
import pytest

from common.errors import UserError
from reproductions.facenet_embeddings.config import PRESETS
from reproductions.facenet_embeddings.folds import draw_folds, draw_splits, protocols_with_folds

SMOKE = PRESETS["smoke"]


def test_every_unit_is_tested_once_and_validates_once(clips):
    splits = draw_splits(clips, replace(SMOKE, folds=5))
    assert [split.protocol for split in splits] == ["frame", "video"]
    for split in splits:
        assert split.remarks == ["5-fold cross-validation"] and list(split.parts) == [f"fold {n}" for n in range(1, 6)]
        for name in ("val", "test"):
            drawn = pd.concat([part[part["split"] == name] for part in split.parts.values()])
            assert sorted(drawn["path"]) == sorted(clips["path"])
            assert all(set(part[part["split"] == name]["label"]) == {"fake", "real"} for part in split.parts.values())
        for part in split.parts.values():
            video = part["original"].where(part["original"] != "", part["video"])
            together = part.groupby(video)["split"].nunique().max()
            assert together == 1 if split.protocol == "video" else together > 1


def test_folds_depend_on_the_seed_but_not_on_the_order_of_the_rows(clips):
    def tested(images, seed):
        return [set(part[part["split"] == "test"]["path"]) for part in draw_folds(images, "video", 4, seed).values()]

    assert tested(clips, 0) == tested(clips.sample(frac=1, random_state=1), 0) != tested(clips, 1)


def test_a_run_goes_through_the_seeds_and_each_seeds_protocols(clips):
    splits = draw_splits(clips, replace(SMOKE, seeds=(3, 1), protocol=("video", "frame")))
    assert [(split.seed, split.protocol) for split in splits] == [
        (3, "video"),
        (3, "frame"),
        (1, "video"),
        (1, "frame"),
    ]


@pytest.mark.parametrize(
    ("protocol", "label", "folds", "message"),
    [
        ("video", None, 11, "only 10 groups"),
        ("identity", None, 3, "expected a protocol of frame, video"),
        ("video", "fake", 3, "one class only"),
    ],
)
def test_impossible_folds_are_refused(clips, protocol, label, folds, message):
    images = clips if label is None else clips[clips["label"] == label]
    with pytest.raises(UserError, match=message):
        draw_splits(images, replace(SMOKE, folds=folds, protocol=(protocol,)))


def test_folds_of_few_videos_need_no_split_by_shares(clips):
    """The paper's shares leave six videos a class without a validation split; three folds of them are possible."""
    few = clips[clips["video"].str.rpartition("/")[2].astype(int) < 6]
    config = replace(PRESETS["paper"], folds=3)
    assert [split.protocol for split in draw_splits(few, config)] == ["frame", "video"]


def test_images_without_videos_have_frame_folds_alone(clips):
    single = clips.assign(video="", original="")
    assert protocols_with_folds(single, replace(SMOKE, folds=3)) == ["frame"]
    with pytest.raises(UserError, match="no image names its video"):
        protocols_with_folds(single, replace(SMOKE, folds=3, protocol=("video",)))


def test_without_training_images_of_one_class_are_all_test(clips):
    reals = clips[clips["label"] == "real"]
    (split,) = draw_splits(reals, replace(SMOKE, epochs=0, protocol=("frame",)))
    assert set(split.images["split"]) == {"test"} and len(split.images) == len(reals)
    with pytest.raises(UserError):
        draw_splits(reals, replace(SMOKE, protocol=("frame",)))
