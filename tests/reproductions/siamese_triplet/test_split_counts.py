"""The protocol of stated numbers, against counts by hand and on random manifests with copies."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.splits.leaks import check_splits
from reproductions.siamese_triplet.split_counts import split_counts

CASE_I = {name: {"train": 30000, "test": 10000} for name in ("ffhq", "stylegan")}


def table(**sizes):
    """The given number of images of each source, each with its own bytes."""
    rows = [{"path": f"{source}/{n}.png", "source": source} for source, size in sizes.items() for n in range(size)]
    return pd.DataFrame(rows).assign(sha256=lambda rows: "bytes of " + rows["path"])


def drawn(images, splits):
    return {key: count for key, count in images.groupby(["source", splits]).size().items() if key[1]}


def test_the_papers_numbers_are_drawn_if_there_are_enough_images():
    images = table(ffhq=45000, stylegan=40000, pggan=5)
    splits, note = split_counts(images, CASE_I)
    assert note == ""
    assert drawn(images, splits) == {
        ("ffhq", "train"): 30000, ("ffhq", "test"): 10000, ("stylegan", "train"): 30000, ("stylegan", "test"): 10000,
    }  # fmt: skip
    assert (splits[images["source"] == "pggan"] == "").all()


def test_too_few_images_shrink_all_numbers_by_one_factor_with_a_note():
    """600 of the 40,000 of one source: 0.015 of all numbers, of the other source's too."""
    images = table(ffhq=600, stylegan=2000)
    splits, note = split_counts(images, CASE_I)
    assert set(drawn(images, splits).values()) == {450, 150} and (splits != "").sum() == 1200
    assert "ffhq has 600 of 40000, stylegan has 2000 of 40000; drawn" in note
    assert "train 900" in note and "test 300" in note


def test_a_share_of_train_becomes_val():
    images = table(ffhq=100, pggan=80)
    counts = {"ffhq": {"train": 80, "test": 20}, "pggan": {"test": 40}}
    without, _ = split_counts(images, {"ffhq": counts["ffhq"]})
    splits, _ = split_counts(images, {"ffhq": counts["ffhq"]}, val_share=0.1)
    assert ((splits == "test") == (without == "test")).all()
    assert drawn(images, splits) == {("ffhq", "train"): 72, ("ffhq", "val"): 8, ("ffhq", "test"): 20}
    splits, note = split_counts(images, counts, val_share=0.25)
    assert note == ""
    assert drawn(images, splits) == {
        ("ffhq", "train"): 60, ("ffhq", "val"): 20, ("ffhq", "test"): 20, ("pggan", "test"): 40,
    }  # fmt: skip


def test_names_can_be_in_another_column():
    images = table(tree=40).assign(label=["real", "fake"] * 20)
    splits, _ = split_counts(images, {word: {"train": 15, "test": 5} for word in ("real", "fake")}, by="label")
    assert pd.crosstab(images["label"], splits)[["train", "test"]].to_numpy().tolist() == [[15, 5]] * 2


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("abcdefghijkl"), min_size=12, max_size=40),
    st.integers(1, 30), st.integers(1, 30), st.integers(0, 9), st.booleans(), st.randoms(use_true_random=False),
)  # fmt: skip
def test_no_copy_is_drawn_twice_and_the_proportion_is_kept(digests, train, test, seed, near, order):
    images = pd.DataFrame({"path": [f"{n}.png" for n in range(len(digests))], "source": "x", "sha256": digests})
    if near:
        images = images.assign(near=digests, sha256="bytes of " + images["path"])
    distinct = len(set(digests))
    factor = min(1, distinct / (train + test))
    expected = {"train": int(train * factor + 1e-9), "test": int(test * factor + 1e-9)}
    if 0 in expected.values():
        with pytest.raises(UserError, match="too few"):
            split_counts(images, {"x": {"train": train, "test": test}}, seed)
        return
    splits, note = split_counts(images, {"x": {"train": train, "test": test}}, seed)
    kept = splits != ""
    assert not pd.Series(digests)[kept.to_numpy()].duplicated().any()
    assert splits[kept].value_counts().to_dict() == expected
    assert bool(note) == (distinct < train + test)
    check_splits(images[kept].assign(video="", original=""), splits[kept], "frame")
    shuffled = images.iloc[order.sample(range(len(images)), len(images))]
    again, _ = split_counts(shuffled, {"x": {"train": train, "test": test}}, seed)
    assert again.reindex(splits.index).equals(splits)


def test_seeds_draw_other_images():
    images = table(ffhq=1000)
    first, second = (split_counts(images, {"ffhq": {"train": 300, "test": 100}}, seed)[0] for seed in (0, 1))
    assert 0.3 < (first != second).mean() < 0.8


def test_files_without_a_hash_are_distinguished_by_data_set_and_path():
    images = pd.concat([table(x=20).assign(dataset=name, sha256="") for name in "ab"])
    images.index = np.arange(40) + 5
    splits, note = split_counts(images, {"x": {"train": 30, "test": 10}})
    assert note == "" and (splits != "").all() and splits.index.equals(images.index)


def test_a_name_without_images_is_named():
    with pytest.raises(UserError, match="got ffhq, pggan, none with stylegan"):
        split_counts(table(ffhq=10, pggan=5), CASE_I)
