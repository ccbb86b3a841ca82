"""The splits of a run: folds, their protocols, and data of one class."""

from dataclasses import replace

import pandas as pd
import pytest

from common.errors import UserError
from common.splits.leaks import check_splits
from reproductions.facenet_embeddings.config import PRESETS, SCOPE
from reproductions.facenet_embeddings.folds import draw_folds, draw_splits, protocols_with_folds
from reproductions.facenet_embeddings.whole_videos import choose_videos
from tests.common.splits.manifests import swap_graph

SMOKE = PRESETS["smoke"]


@pytest.fixture
def swapped():
    """A manifest of 15 persons, each with two real videos and swapped with all others."""
    return swap_graph(15, unnamed=0).assign(dataset="celebdf")


def test_every_unit_is_tested_once_and_validates_once(clips):
    splits = draw_splits(clips, replace(SMOKE, folds=5))
    assert [split.protocol for split in splits] == ["frame", "video"]
    for split in splits:
        known = ["video known for 100.0% of the images"] if split.protocol == "video" else []
        assert split.remarks == ["5-fold cross-validation", *known]
        assert list(split.parts) == [f"fold {n}" for n in range(1, 6)]
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
        ("official", None, 3, "expected a protocol of frame, video, identity"),
        ("identity", None, 3, "'identity' is not possible with these data"),
        ("video", "fake", 3, "one class only"),
    ],
)
def test_impossible_folds_are_refused(clips, protocol, label, folds, message):
    images = clips if label is None else clips[clips["label"] == label]
    with pytest.raises(UserError, match=message):
        draw_splits(images, replace(SMOKE, folds=folds, protocol=(protocol,)))


def test_folds_of_identity_leave_persons_out(swapped):
    """15 persons, all swapped with all: in a fold nobody is on two sides, and each person is tested once."""
    (split,) = draw_splits(swapped, replace(SMOKE, folds=5, protocol=("identity",)))
    tested = []
    for fold in split.parts.values():
        sides = fold["identity"].str.split(";").explode()
        assert fold["split"][sides.index].groupby(sides.to_numpy()).nunique().max() == 1
        test = fold[fold["split"] == "test"]
        assert set(test["label"]) == {"fake", "real"} == set(fold.loc[fold["split"] == "val", "label"])
        tested += sorted(set(test["identity"].str.split(";").explode()))
        assert len(fold) < len(swapped) and (fold["split"] == "train").sum() > len(test)
    assert sorted(tested) == sorted(f"id{n}" for n in range(15))
    assert split.remarks[:2] == ["5-fold cross-validation", "person known for 100.0% of the images"]
    assert split.remarks[2].startswith("persons left out: ") and "never tested" in split.remarks[3]
    again = draw_folds(swapped.sample(frac=1, random_state=1), "identity", 5, 0)
    for fold, other in zip(split.parts.values(), again.values(), strict=True):
        assert dict(zip(fold["path"], fold["split"], strict=True)) == dict(
            zip(other["path"], other["split"], strict=True)
        )


def test_folds_say_once_how_many_near_duplicates_they_share_and_warn_of_few_persons(swapped, caplog):
    """Two frames of one group in each of three parts of frame folds: the largest number of a fold is noted."""
    near = swapped.assign(near_duplicates=[0, 0, 1, 1, 2, 2, *range(3, len(swapped) - 3)])
    frame, identity = (
        draw_splits(near, replace(SMOKE, folds=5, protocol=(name,)))[0] for name in ("frame", "identity")
    )
    counts = []
    for fold in frame.parts.values():
        sides = fold[fold["near_duplicates"] < 3].groupby("near_duplicates")["split"].nunique()
        counts.append(int((sides > 1).sum()))
    words = f"at most {max(counts)} of 3 groups of near-duplicates in several splits of a fold"
    assert len(set(counts)) > 1 and [remark for remark in frame.remarks if "near-duplicates" in remark] == [words]
    assert sum("near-duplicates" in remark for remark in identity.remarks) == 1
    few = swap_graph(9, unnamed=0).assign(dataset="celebdf")
    caplog.clear()
    with caplog.at_level("INFO", "deepfake"):
        (weak,) = draw_splits(few, replace(SMOKE, folds=3, protocol=("identity",)))
    (warning,) = [record for record in caplog.records if "test decides little" in record.getMessage()]
    assert warning.levelname == "WARNING" and "test decides little: 9 persons" in weak.remarks[-1]


def test_folds_of_one_person_name_their_own_remedy():
    """Six persons in six folds: --split does nothing with --folds."""
    with pytest.raises(UserError) as error:
        draw_folds(swap_graph(6, unnamed=0).assign(dataset="celebdf"), "identity", 6, 0)
    assert "lower --folds" in str(error.value) and "--split" not in str(error.value)


def test_folds_of_few_videos_need_no_split_by_shares(clips):
    """The paper's shares leave six videos a class without a validation split; three folds of them are possible."""
    few = clips[clips["video"].str.rpartition("/")[2].astype(int) < 6]
    config = replace(PRESETS["paper"], folds=3)
    assert [split.protocol for split in draw_splits(few, config)] == ["frame", "video"]


def test_images_without_videos_have_frame_folds_alone(clips):
    single = clips.assign(video="", original="")
    assert protocols_with_folds(single, replace(SMOKE, folds=3)) == ["frame"]
    with pytest.raises(UserError, match="'video' is not possible with these data, only frame"):
        protocols_with_folds(single, replace(SMOKE, folds=3, protocol=("video",)))


def test_without_training_images_of_one_class_are_all_test(clips):
    reals = clips[clips["label"] == "real"]
    (split,) = draw_splits(reals, replace(SMOKE, epochs=0, protocol=("frame",)))
    assert set(split.images["split"]) == {"test"} and len(split.images) == len(reals)
    with pytest.raises(UserError):
        draw_splits(reals, replace(SMOKE, protocol=("frame",)))


def test_under_frame_whole_videos_are_kept_for_table_2_and_the_others_are_split_by_frames(clips):
    """Ten videos a class: a quarter, two, is less than the twelve that the paper has."""
    config = replace(PRESETS["paper"], protocol=("frame",), split=(0.6, 0.2, 0.2))
    for seed in (0, 1):
        (split,) = draw_splits(clips, replace(config, seeds=(seed,)))
        images = split.images
        held_out = images[images["held_out"]]
        assert held_out.groupby("label")["video"].nunique().to_dict() == {"fake": 2, "real": 2}
        assert set(held_out["split"]) == {"test"} and len(held_out) == 4 * 4  # all frames of each
        assert not set(held_out["video"]) & set(images.loc[~images["held_out"], "video"])
        others = images[~images["held_out"]]
        assert others.groupby("video")["split"].nunique().max() > 1 and set(others["split"]) == {"train", "val", "test"}
    again = draw_splits(clips[::-1], replace(config, seeds=(1,)))
    assert set(again[0].images.query("held_out")["path"]) == set(held_out["path"])


def test_no_videos_are_held_out_under_other_protocols_or_on_request(clips):
    (video,) = draw_splits(clips, replace(SMOKE, protocol=("video",)))
    (frame,) = draw_splits(clips, replace(SMOKE, protocol=("frame",), table2_videos=0))
    assert "held_out" not in video.images and "held_out" not in frame.images


def test_a_video_of_v1_that_is_in_v2_too_is_on_one_side_and_never_held_out(clips):
    """v2 extends v1: the same names, other bytes."""
    second = clips.assign(dataset="celebdf_v2", sha256=["x" + digest for digest in clips["sha256"]])
    first = clips[clips["video"].isin(sorted(set(clips["video"]))[::2])]
    both = pd.concat([first, second], ignore_index=True)
    scene = both["original"].where(both["original"] != "", both["video"])
    both = both.assign(identity=[f"id{max(0, number - 1)}" for number in scene.factorize()[0]], scope=SCOPE)
    config = replace(SMOKE, protocol=("video", "identity"), split=(0.4, 0.3, 0.3))  # nine persons, one in two scenes
    for split in draw_splits(both, config):
        sides = split.images.groupby("video")["split"].nunique()
        assert sides.max() == 1 and len(split.images) == len(both)
        with pytest.raises(UserError, match="forbids video"):
            wrong = split.images["split"].where(split.images["dataset"] == "celebdf", "train")
            check_splits(split.images.drop(columns="split"), wrong, split.protocol)
    alone = both.assign(scope=both["dataset"])
    (apart,) = draw_splits(alone, replace(config, protocol=("video",), split=(0.5, 0.25, 0.25)))
    assert apart.images.groupby("video")["split"].nunique().max() > 1  # as they were before they shared a scope
    chosen = both[choose_videos(both, 12, 0)]["video"]
    assert len(chosen) and not set(chosen) & set(first["video"])
