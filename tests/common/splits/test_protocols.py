"""Protocols frame, video and official: what they keep together, and how they draw."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.data.manifest import COLUMNS
from common.errors import UserError
from common.splits.leaks import check_splits
from common.splits.protocols import choose_protocols, split_images


def manifest(rows):
    """A manifest from dicts; missing cells are empty, but each row has its own bytes."""
    table = pd.DataFrame(rows)
    for column in COLUMNS:
        if column not in table:
            table[column] = ""
    table = table.fillna("")
    table["path"] = [path or f"{number}.png" for number, path in enumerate(table["path"])]
    table["sha256"] = [
        digest or f"bytes of {path}" for digest, path in zip(table["sha256"], table["path"], strict=True)
    ]
    return table


def clips(videos, frames, label, source="youtube", **more):
    """Rows of `videos` clips with `frames` images each."""
    return [
        {"label": label, "source": source, "video": f"{source}/{label}{v}", "path": f"{source}{label}{v}-{f}", **more}
        for v in range(videos)
        for f in range(frames)
    ]


def dfdc(originals, fakes_each):
    """Every original is a real video, from which `fakes_each` fakes are made."""
    rows = [{"label": "real", "video": f"o{o}.mp4", "path": f"o{o}.jpg"} for o in range(originals)]
    return rows + [
        {"label": "fake", "video": f"f{o}-{k}.mp4", "original": f"o{o}.mp4", "path": f"f{o}-{k}.jpg"}
        for o in range(originals)
        for k in range(fakes_each)
    ]


def overlaps(images, splits, by_name):
    """The oracle: every pair of rows that shares bytes (or a video or original of one data set) must share its side."""
    found = []
    rows = images.to_dict("records")
    for i, first in enumerate(rows):
        for j, second in enumerate(rows[:i]):
            names = [
                {row["video"], *(part.strip() for part in row["original"].split(";"))} - {""} for row in (first, second)
            ]
            same_set = first.get("dataset") == second.get("dataset")
            shared = first["sha256"] == second["sha256"] or (by_name and same_set and names[0] & names[1])
            if shared and splits.iloc[i] != splits.iloc[j]:
                found.append((j, i))
    return found


@st.composite
def tangled_manifests(draw):
    """Sixty clips of each class, so that a split exists, and rows that share videos, originals and bytes."""
    rows = [{"label": label, "dataset": "a", "video": f"{label}{n}"} for label in ("real", "fake") for n in range(60)]
    name = st.sampled_from(["", "v1", "v2", "v3", "v4", "v5", "v6"])
    tangled = st.fixed_dictionaries(
        {
            "label": st.sampled_from(["real", "fake"]),
            "dataset": st.sampled_from(["a", "b"]),
            "video": name,
            "original": st.one_of(name, st.just("v1; v2"), st.just("v5;v6")),
            "sha256": st.sampled_from(["", "", "x", "y", "z"]),
        }
    )
    return manifest(rows + draw(st.lists(tangled, min_size=1, max_size=25)))


@settings(max_examples=30, deadline=None)
@given(images=tangled_manifests(), protocol=st.sampled_from(["frame", "video"]), seed=st.integers(0, 99))
def test_no_split_overlaps_and_the_check_agrees(images, protocol, seed):
    try:
        choose_protocols(images, (protocol,), [seed])
    except UserError:
        return
    splits = split_images(images, protocol, seed)
    assert set(splits) == {"train", "val", "test"}
    assert overlaps(images, splits, by_name=protocol == "video") == []
    check_splits(images, splits, protocol)


@settings(max_examples=40, deadline=None)
@given(images=tangled_manifests(), protocol=st.sampled_from(["frame", "video", "official"]), data=st.data())
def test_the_check_refuses_exactly_what_the_oracle_finds(images, protocol, data):
    sides = st.lists(st.sampled_from(["train", "test"]), min_size=len(images), max_size=len(images))
    splits = pd.Series(data.draw(st.one_of(st.just(["train"] * len(images)), sides)), index=images.index)
    if overlaps(images, splits, by_name=protocol == "video"):
        with pytest.raises(UserError, match="forbids"):
            check_splits(images, splits, protocol)
    else:
        check_splits(images, splits, protocol)


@pytest.mark.parametrize(
    ("leak", "protocol", "words"),
    [
        ({"sha256": "twin"}, "frame", "the same picture twin in"),
        ({"sha256": "twin"}, "official", "the same picture twin in"),
        ({"video": "clip"}, "video", "video clip in"),
        ({"original": "other;clip"}, "video", "video clip in"),
    ],
)
def test_a_planted_leak_is_named(leak, protocol, words):
    images = manifest(clips(20, 2, "real") + clips(20, 2, "fake"))
    images.loc[[3, 70], list(leak)] = [list(leak.values())] * 2
    if "original" in leak:
        images.loc[3, ["original", "video"]] = ["", "clip"]
    splits = pd.Series(["train"] * 40 + ["test"] * 40)
    with pytest.raises(UserError, match=words) as error:
        check_splits(images, splits, protocol)
    assert images["path"][3] in str(error.value) and images["path"][70] in str(error.value)


def test_videos_may_overlap_under_frame_and_names_of_other_data_sets_are_other_videos():
    images = manifest(clips(2, 10, "real") + clips(2, 10, "fake"))
    alternating = pd.Series(["train", "test"] * 20)
    check_splits(images, alternating, "frame")
    with pytest.raises(UserError):
        check_splits(images, alternating, "video")
    twins = pd.concat([images.assign(dataset="a"), images.assign(dataset="b", sha256=images["path"] + "b")])
    check_splits(twins, pd.Series(["train"] * 40 + ["test"] * 40, index=twins.index), "video")


def test_equal_names_in_two_data_sets_are_two_groups():
    """Two videos per class in each: as one data set they are two groups, too few for three splits."""
    images = manifest(clips(2, 5, "real") + clips(2, 5, "fake")).assign(dataset="a")
    images = pd.concat([images, images.assign(dataset="b", sha256=images["sha256"] + "b")], ignore_index=True)
    assert set(split_images(images, "video")) == {"train", "val", "test"}
    with pytest.raises(UserError, match="got 2 with real"):
        split_images(images.assign(dataset="a"), "video")


def test_an_original_and_all_its_fakes_stay_together():
    images = manifest(dfdc(100, 4))
    splits = split_images(images, "video")
    scene = images["original"].where(images["original"] != "", images["video"])
    assert splits.groupby(scene).nunique().max() == 1
    assert pd.crosstab(splits, images["label"]).loc[["train", "val", "test"]].to_numpy().tolist() == [
        [280, 70],
        [80, 20],
        [40, 10],
    ]


def test_a_video_without_its_original_in_the_data_still_joins_its_siblings():
    images = manifest([row for row in dfdc(60, 3) if row["label"] == "fake"] + clips(60, 1, "real"))
    splits = split_images(images, "video")
    fakes = images["label"] == "fake"
    assert splits[fakes].groupby(images["original"]).nunique().max() == 1


def test_equal_bytes_stay_together_across_data_sets_under_every_protocol():
    images = manifest(clips(100, 1, "real") + clips(100, 1, "fake"))
    twice = pd.concat([images.assign(dataset="a"), images.assign(dataset="b")], ignore_index=True)
    for protocol in ("frame", "video"):
        splits = split_images(twice, protocol)
        assert (splits[:200].to_numpy() == splits[200:].to_numpy()).all()


@pytest.mark.parametrize("protocol", ["frame", "video"])
def test_sizes_and_strata(protocol):
    rows = clips(60, 4, "real") + clips(40, 4, "fake", "Deepfakes") + clips(20, 4, "fake", "Face2Face")
    images = manifest(rows)
    shares = pd.crosstab([images["label"], images["source"]], split_images(images, protocol), normalize="index")
    np.testing.assert_allclose(shares[["train", "val", "test"]], [[0.7, 0.2, 0.1]] * 3, atol=0.026)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(seed, order):
    images = manifest(dfdc(40, 3) + clips(30, 2, "real"))
    shuffled = order.sample(range(len(images)), len(images))
    for protocol in ("frame", "video"):
        expected = split_images(images, protocol, seed)
        got = split_images(images.iloc[shuffled], protocol, seed)
        assert got.reindex(expected.index).equals(expected)


@pytest.mark.parametrize("protocol", ["frame", "video"])
def test_one_percent_more_images_move_few_of_the_others(protocol):
    images = manifest(clips(600, 3, "real") + clips(400, 3, "fake"))
    added = manifest(clips(6, 3, "real", "zoo") + clips(4, 3, "fake", "zoo")).assign(source="youtube")
    before = split_images(images, protocol)
    after = split_images(pd.concat([images, added], ignore_index=True), protocol)[: len(images)]
    assert (before != after).mean() < 0.03


def test_seeds_draw_other_splits():
    images = manifest(clips(50, 2, "real") + clips(50, 2, "fake"))
    first, second = (split_images(images, "video", seed) for seed in (0, 1))
    assert 0.2 < (first != second).mean() < 0.8


def test_six_videos_per_class_are_split_four_one_one():
    images = manifest(clips(6, 25, "real") + clips(6, 25, "fake"))
    for seed in range(5):
        counts = pd.crosstab(images["label"], split_images(images, "video", seed))
        assert counts[["train", "val", "test"]].to_numpy().tolist() == [[100, 25, 25]] * 2


def test_three_videos_per_class_suffice_and_two_do_not():
    enough = manifest(clips(3, 5, "real") + clips(3, 5, "fake"))
    assert pd.crosstab(enough["label"], split_images(enough, "video")).to_numpy().tolist() == [[5, 5, 5]] * 2
    few = manifest(clips(2, 50, "real") + clips(5, 5, "fake"))
    with pytest.raises(UserError, match="got 2 with real images and 5 with fake images"):
        split_images(few, "video")
    assert set(split_images(few, "frame")) == {"train", "val", "test"}


def test_many_small_sources_are_not_all_assigned_to_train():
    """Forty sources of one video each: if each were a stratum, all would be train."""
    rows = [row for n in range(40) for row in clips(1, 2, "fake", f"method{n}")] + clips(40, 2, "real")
    images = manifest(rows)
    counts = pd.crosstab(images["label"], split_images(images, "video"))
    assert counts.loc["fake", ["train", "val", "test"]].tolist() == [56, 16, 8]


def test_one_class_is_refused():
    with pytest.raises(UserError, match="got 0 with real images and 30 with fake"):
        split_images(manifest(clips(30, 1, "fake")), "frame")


@pytest.mark.parametrize("fractions", [(0.7, 0.3), (0.7, 0.2, 0.2), (1.0, 0.0, 0.0)])
def test_impossible_fractions_are_refused(fractions):
    with pytest.raises(UserError, match="sum to 1"):
        split_images(manifest(clips(30, 1, "fake")), "frame", fractions=fractions)


def test_an_official_split_is_not_changed():
    images = manifest(clips(9, 1, "real") + clips(9, 1, "fake")).assign(split=["train", "val", "test"] * 6)
    assert split_images(images, "official", seed=5).tolist() == images["split"].tolist()


def test_a_missing_official_val_is_drawn_from_train_by_groups():
    rows = clips(36, 3, "real", split="train") + clips(36, 3, "fake", split="train")
    images = manifest(rows + clips(10, 3, "fake", "unseen", split="test"))
    splits = split_images(images, "official")
    train = images["split"] == "train"
    assert (splits[~train] == "test").all()
    assert splits.groupby(images["video"]).nunique().max() == 1
    counts = pd.crosstab(images["label"][train], splits[train])
    assert counts[["train", "val"]].to_numpy().tolist() == [[84, 24]] * 2  # 2/9 of 36 videos: 8 of 3 frames


def test_the_index_is_kept():
    images = manifest(clips(20, 2, "real") + clips(20, 2, "fake")).set_index(np.arange(80) * 7 + 3)
    for protocol in ("frame", "video"):
        splits = split_images(images, protocol)
        assert splits.index.equals(images.index)
        check_splits(images, splits, protocol)
    with pytest.raises(ValueError, match="index"):
        check_splits(images, splits.reset_index(drop=True), "frame")


@pytest.mark.slow
def test_a_large_manifest_is_split_and_checked_correctly():
    """A hundred thousand rows: a quadratic step would not finish."""
    images = manifest(dfdc(2000, 49))
    splits = split_images(images, "video")
    check_splits(images, splits, "video")
    np.testing.assert_allclose(
        splits.value_counts(normalize=True)[["train", "val", "test"]], [0.7, 0.2, 0.1], atol=1e-3
    )
