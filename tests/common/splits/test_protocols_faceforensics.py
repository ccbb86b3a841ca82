"""The known finding on FaceForensics++'s numbering: which swaps of a test set show a person of the training set."""

import numpy as np
import pandas as pd
import pytest

from common.errors import UserError
from common.splits.leaks import check_splits
from common.splits.protocols import split_images

SPLITS = ["train", "val", "test"]


def faceforensics(pairs):
    """1000 videos, each of a person, and each faked from its partner's: one image of each as a manifest."""
    both = [*pairs, *(pair[::-1] for pair in pairs)]
    reals = [{"label": "real", "video": target, "identity": target} for target, _ in both]
    fakes = [
        {"label": "fake", "video": f"{target}_{source}", "original": target, "identity": f"{target};{source}"}
        for target, source in both
    ]
    images = pd.DataFrame(reals + fakes).fillna("").assign(source="c23", split="")
    return images.assign(path=images["video"] + ".png", sha256="bytes of " + images["video"])


def share_of_seen_sources(images, splits):
    """Of the test swaps, those whose source is in any training image."""
    persons = images["identity"].str.split(";")
    trained = {person for row, split in zip(persons, splits, strict=True) if split == "train" for person in row}
    tested = persons[(splits == "test") & (images["label"] == "fake")]
    return np.mean([source in trained for _, source in tested])


def shuffled_ids(seed):
    return [f"{number:03d}" for number in np.random.default_rng(seed).permutation(1000)]


def pairs_of(ids):
    """A random perfect matching, in the form of train.json, val.json and test.json: 360, 70 and 70 pairs."""
    return list(zip(ids[::2], ids[1::2], strict=True))


def test_by_target_alone_three_quarters_of_the_test_swaps_show_a_training_person():
    """A source is one of 999 others, of whom 720 are training targets: 0.72."""
    shares = []
    for seed in range(10):
        images = faceforensics(pairs_of(shuffled_ids(seed)))
        sides = dict(zip(shuffled_ids([seed, 1]), np.repeat(SPLITS, [720, 140, 140]), strict=True))
        splits = images["identity"].str[:3].map(sides)
        shares.append(share_of_seen_sources(images, splits))
        check_splits(images, splits, "video")  # the trap: no video, and no original, is on two sides
        with pytest.raises(UserError, match=r"forbids identity \d{3} in .*; \d{3} such overlaps"):
            check_splits(images, splits, "identity")
    assert np.mean(shares) == pytest.approx(720 / 999, abs=0.02)


def test_with_the_official_pairs_none_does():
    for seed in range(3):
        ids = shuffled_ids(seed)
        images = faceforensics(pairs_of(ids))
        sides = dict(zip(ids, np.repeat(SPLITS, [720, 140, 140]), strict=True))
        images["split"] = images["identity"].str[:3].map(sides)
        splits = split_images(images, "official")
        assert splits.value_counts().to_dict() == {"train": 1440, "val": 280, "test": 280}
        assert share_of_seen_sources(images, splits) == 0
        check_splits(images, splits, "identity")


def test_identity_keeps_pairs_whole_and_drops_nothing():
    images = faceforensics(pairs_of(shuffled_ids(0)))
    splits = split_images(images, "identity", seed=5)
    assert pd.crosstab(images["label"], splits)[SPLITS].to_numpy().tolist() == [[700, 200, 100]] * 2
    assert share_of_seen_sources(images, splits) == 0
