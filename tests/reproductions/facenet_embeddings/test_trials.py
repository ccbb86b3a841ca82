"""Which images the trainings of phase I use, and the settings that their rows have."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from common.errors import UserError
from reproductions.facenet_embeddings.config import LSTM, PRESETS, PROPOSED
from reproductions.facenet_embeddings.trials import (
    draw_validation,
    has_phase1,
    limit_frames,
    missing_images,
    settings_used,
    training_set,
    trial_batches,
    trial_images,
)
from reproductions.splitting import Split

SMOKE = PRESETS["smoke"]
ROLES = {"celebdf": "celebdf", "celebdf_v2": "synthetic-swap"}


@pytest.fixture
def images(clips):
    """Three fifths of the frames train, one validates, one tests; with a second data set of the same frames."""
    split = clips.assign(split=np.resize(["train", "train", "train", "val", "test"], len(clips)))
    return pd.concat([split, split.assign(dataset="synthetic-swap")], ignore_index=True)


def test_a_limit_keeps_the_test_split_and_the_proportions(images):
    images = images[images["dataset"] == "celebdf"]
    limited = limit_frames(images, 32)
    assert limited["split"].value_counts().to_dict() == {"train": 24, "val": 8, "test": 16}
    assert limit_frames(images, None) is images and limit_frames(images, 64) is images
    pd.testing.assert_frame_equal(limit_frames(images[::-1], 32)[::-1], limited)


def test_celebdf_alone_or_both_data_sets(images):
    assert training_set("trial1", ROLES) == training_set(LSTM, ROLES) == "celebdf"
    assert training_set("xception_30k", ROLES) == training_set(PROPOSED, ROLES) == "celebdf+synthetic-swap"
    assert training_set("trial1", {"celebdf_v2": "x"}) == "x"
    split = Split("frame", 0, {"": images})
    assert set(trial_images("trial1", split, "", SMOKE, ROLES)["dataset"]) == {"celebdf"}
    assert len(trial_images("xception_30k", split, "", replace(SMOKE, phase1_frames=None), ROLES)) == len(images)


@pytest.mark.parametrize("protocol", ["frame", "video", "identity"])
def test_phase_1_validates_on_15_percent_of_its_frames_by_the_units_of_the_protocol(clips, protocol):
    """80 frames of 20 videos, of which the 16 of test stay."""
    video = clips["original"].where(clips["original"] != "", clips["video"])
    tested = video.isin(sorted(set(video))[:2])
    images = clips.assign(split=np.where(tested, "test", "train"), identity="person of " + video)
    images.loc[images[~tested].groupby("label").head(1).index, "split"] = "val"
    drawn = draw_validation(images, protocol, 0, 0.15)
    assert set(drawn[drawn["split"] == "test"]["path"]) == set(images[tested]["path"])
    fitted = drawn[drawn["split"] != "test"]
    assert len(fitted) == 64 and 0.1 < (fitted["split"] == "val").mean() < 0.2
    sides = fitted.groupby(video[fitted.index])["split"].nunique().max()
    assert sides == (2 if protocol == "frame" else 1)
    assert draw_validation(images, protocol, 0, None) is images


def test_phase_1_validates_as_phase_2_if_there_are_too_few_videos(clips, caplog):
    """One group of a video and its fake cannot be divided."""
    first = clips[clips["video"].isin(clips["video"].unique()[:1]) | (clips["original"] == clips["video"].iloc[-1])]
    two = pd.concat([clips[clips["label"] == "real"].head(4), clips[clips["label"] == "fake"].head(4)])
    images = (first if first["label"].nunique() == 2 else two).assign(split="train")
    images.loc[images.groupby("label").head(1).index, "split"] = "val"
    images = images.assign(video="one", original="")
    assert draw_validation(images, "video", 0, 0.15) is images
    assert "phase I validates on the images of phase II" in caplog.text


def test_what_a_training_needs_is_named(images):
    assert missing_images(images) == ""
    assert missing_images(images[images["split"] != "val"]) == "no fake and no real validation images"
    fakes = images[(images["split"] != "train") | (images["label"] == "fake")]
    assert missing_images(fakes) == "no real training images"


def test_a_batch_of_phase_1_is_checked_in_the_smallest_split(images):
    config = replace(SMOKE, phase1=("trial1", "xception_30k", LSTM), phase1_frames=None, phase1_batch_size=49)
    smaller = images.assign(split=images["split"].where(images.index % 10 != 0, "test"))
    splits = [Split("frame", 0, {"": images}), Split("video", 0, {"": smaller})]
    first, second = trial_batches(splits, config, ROLES)
    assert (first.images, second.images) == (48, 96)
    first, second = trial_batches(splits, replace(config, phase1_protocols="all"), ROLES)
    assert (first.images, second.images) == (40, 80)
    with pytest.raises(UserError, match="--phase1-batch-size 49: the training split of trial1 has only 40 images"):
        first.check()
    without = Split("official", 0, {"": images[(images["split"] != "val") | (images["dataset"] != "celebdf")]})
    (batch,) = trial_batches([without], config, ROLES)  # trial1 is skipped, it has no validation images
    assert batch.subject.endswith("xception_30k")


def test_phase_1_runs_on_the_first_split_or_on_all(images):
    splits = [Split("frame", 0, {"": images}), Split("video", 0, {"": images})]
    assert [has_phase1(split, splits, SMOKE) for split in splits] == [True, False]
    for config in (replace(SMOKE, phase1_protocols="all"), replace(SMOKE, epochs=0)):
        assert [has_phase1(split, splits, config) for split in splits] == [True, True]


def test_settings_are_those_of_table_3(images):
    split = Split("frame", 0, {"fold 1": images, "fold 2": images[:0]})
    used = settings_used("trial2", split, replace(PRESETS["paper"], phase1_frames=32), ROLES)
    assert used.pop("validation_share") == pytest.approx(0.15, abs=0.04)  # 5 of 32 frames; --split has 8
    assert used == {"learning_rate": 0.05, "epochs": 10, "batch_size": 64, "frames": 32}
    assert settings_used(PROPOSED, split, PRESETS["paper"], ROLES) == {
        "learning_rate": 3e-4, "epochs": 100, "batch_size": 32,
    }  # fmt: skip
