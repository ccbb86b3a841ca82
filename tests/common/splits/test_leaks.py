"""What check_splits names, by hand. The tests of the protocols check that it refuses exactly the leaks."""

import pandas as pd
import pytest

from common.data.manifest import COLUMNS
from common.errors import UserError
from common.splits.leaks import check_splits
from common.splits.protocols import split_images


def manifest(rows):
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(object).fillna("")
    return table.assign(sha256="bytes of " + table.index.astype(str))


def test_a_planted_person_is_named_and_counted():
    identities = ["ann", "ann", "bob", "cy;ann", "bob;dee"]
    images = manifest([{"path": f"{n}.png", "identity": identity} for n, identity in enumerate(identities)])
    splits = pd.Series(["train"] * 3 + ["test"] * 2)
    with pytest.raises(UserError, match=r"forbids identity ann in train \(0.png\) and in test \(3.png\); 2 such"):
        check_splits(images, splits, "identity")
    check_splits(images, splits, "video")
    check_splits(images.assign(dataset=list("aaabb")), splits, "identity")


def test_near_duplicates_stay_on_one_side_and_the_check_names_them():
    images = manifest([{"path": f"{n}.png", "label": "fake" if n % 2 else "real", "video": f"{n}"} for n in range(80)])
    images["near"] = images.index // 4
    for protocol in ("frame", "video"):
        splits = split_images(images, protocol)
        assert splits.groupby(images["near"]).nunique().max() == 1
        check_splits(images, splits, protocol)
    splits[4] = "train" if splits[5] != "train" else "test"
    with pytest.raises(UserError, match="forbids near-duplicates of group 1 in .*; 1 such overlaps"):
        check_splits(images, splits, "frame")


def test_a_path_on_two_sides_is_refused_within_a_data_set():
    images = manifest([{"path": "a.png"}, {"path": "a.png"}])
    with pytest.raises(UserError, match="forbids the file a.png in train"):
        check_splits(images, pd.Series(["train", "test"]), "frame")
    check_splits(images.assign(dataset=["a", "b"]), pd.Series(["train", "test"]), "frame")


@pytest.mark.parametrize("stray", ["", "dropped", None])
def test_rows_in_no_split_are_an_error(stray):
    images = manifest([{"path": f"{n}.png"} for n in range(3)])
    with pytest.raises(ValueError, match="1 of 3 images are in no split"):
        check_splits(images, pd.Series(["train", stray, "test"]), "frame")


def test_an_index_with_repeats_is_allowed():
    images = manifest([{"path": f"{n}.png"} for n in range(2)]).assign(sha256="x").set_index([[7, 7]])
    with pytest.raises(UserError, match=r"train \(0.png\) and in test \(1.png\)"):
        check_splits(images, pd.Series(["train", "test"], index=[7, 7]), "frame")
