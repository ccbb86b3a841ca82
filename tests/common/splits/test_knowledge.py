"""What a manifest knows of its images: spellings of one name, the share that is named, what two sides share."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.splits.knowledge import KNOWN_SHARE, known_share, shared_between_sides, shares_names, why_weak
from common.splits.leaks import check_splits
from common.splits.names import comparable_names, separate_names
from common.splits.protocols import choose_protocols, split_images
from tests.common.splits.manifests import SPLITS, manifest, real, swap

SPELLINGS = [
    str,
    str.upper,
    lambda name: unicodedata.normalize("NFD", name),
    lambda name: f" {name}",
    lambda name: f"./{name}",
    lambda name: f"x/..//{name}",
    lambda name: f".\\{name}",
]


def test_spellings_of_one_name_are_equal_and_other_names_are_not():
    for name in ("Zoë/Straße 1.mp4", "a.mp4", "id0_0001"):
        assert comparable_names(pd.Series([spell(name) for spell in SPELLINGS])).nunique() == 1
    others = pd.Series(["a.mp4", "a.mp", "a/b", "b/a", "ab", "/a", "", "a;b"])
    assert comparable_names(others).nunique() == len(others) and comparable_names(others)[6] == ""
    assert separate_names(pd.Series(["a; b;", "", " c"])).tolist() == ["a", "b", "c"]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), column=st.sampled_from(["identity", "video", "original"]))
def test_a_name_is_on_one_side_whatever_its_spelling(seed, column):
    """Sixty names, four rows each, every row spelled at random."""
    spelled = np.random.default_rng(seed).integers(0, len(SPELLINGS), 240)
    rows = [
        {"label": label, "video": f"{label}{n}{k}", "identity": f"{label}{n}{k}", column: f"Zoë {label}{n}"}
        for label in ("real", "fake")
        for n in range(30)
        for k in range(4)
    ]
    images = manifest(rows)
    images[column] = [SPELLINGS[kind](name) for kind, name in zip(spelled, images[column], strict=True)]
    protocol = "identity" if column == "identity" else "video"
    splits = split_images(images, protocol, seed)
    names = [f"{row['label']}{n // 4}" for n, row in enumerate(rows)]
    assert splits.groupby(names).nunique().max() == 1
    check_splits(images, splits, protocol)
    wrong = splits.copy()
    wrong[0] = "train" if splits[0] != "train" else "test"
    with pytest.raises(UserError, match="forbids"):
        check_splits(images, wrong, protocol)


def test_the_spelling_of_a_name_changes_no_split_if_all_rows_have_it():
    rows = [row for n in range(40) for row in real(f"v{n}", f"p{n}", frames=2)]
    rows += [row for n in range(40) for row in swap(f"p{n}", f"q{n}")]
    images = manifest(rows)
    spelled = images.assign(video="./" + images["video"])
    for protocol in ("video", "identity"):
        assert sorted(split_images(spelled, protocol).value_counts()) == sorted(
            split_images(images, protocol).value_counts()
        )


def partly_named(column, named, count=100):
    """Reals and fakes, of which the first `named` have a video, or a person in two videos."""
    rows = [{"label": ("real", "fake")[n % 2], "video": f"v{n}", "identity": f"p{n // 4}"} for n in range(count)]
    return manifest([row | ({} if n < named else {column: ""}) for n, row in enumerate(rows)])


@pytest.mark.parametrize(("protocol", "column"), [("identity", "identity"), ("video", "video")])
def test_a_protocol_needs_a_name_for_95_percent_of_the_images(protocol, column, caplog):
    assert KNOWN_SHARE == 0.95
    enough = partly_named(column, 95)
    assert known_share(enough, protocol) == 0.95 and protocol in choose_protocols(enough)
    assert set(split_images(enough, protocol)) == set(SPLITS)
    for named in (94, 6):
        few = partly_named(column, named)
        message = rf"at least 95% of the images, got {named} of 100 .*: fill in the column {column} of manifest.csv"
        with pytest.raises(UserError, match=message):
            split_images(few, protocol)
        with pytest.raises(UserError, match=message):
            choose_protocols(few, (protocol,))
        caplog.clear()
        assert protocol not in choose_protocols(few)
        assert f"protocol {protocol} is left out, expected a" in caplog.text
    assert known_share(enough, "frame") is None and known_share(enough[:0], protocol) is None


def test_an_original_is_enough_for_video():
    images = manifest([{"label": ("real", "fake")[n % 2], "original": f"o{n // 2}"} for n in range(40)])
    assert known_share(images, "video") == 1 and choose_protocols(images) == ["frame", "video"]


def test_what_official_splits_share_is_counted():
    rows = [*real("a", "ann"), *real("b", "bob"), *real("A", "cy"), *swap("ann", "dee"), {"label": "fake"}]
    images = manifest(rows).assign(near_duplicates=[0, 1, 1, 2, 3])
    images.loc[3, "original"] = "./b"
    splits = pd.Series(["train", "train", "test", "test", "val"])
    assert shared_between_sides(images, splits) == {
        "videos": (1, 3),  # a and A; b; the swap's own
        "originals": (1, 1),  # b, in train as a video and in test as an original
        "persons": (1, 4),  # ann
        "groups of near-duplicates": (1, 1),
    }
    assert shared_between_sides(images, pd.Series(["train"] * 5))["videos"] == (0, 3)
    apart = images.assign(dataset=list("aabba"))
    assert {kind: count for kind, (count, _) in shared_between_sides(apart, splits).items()}["persons"] == 0


def test_a_scope_is_shared_by_data_sets_and_a_data_set_alone_is_one():
    rows = [*real("a", "ann"), *real("a", "ann"), *real("b", "ann"), *real("c", "bob")]
    images = manifest(rows).assign(dataset=["v1", "v2", "v2", "v2"])
    chosen = images["dataset"] == "v1"
    assert not shares_names(images, chosen, "identity").any()
    shared = images.assign(scope="celebdf")
    assert shares_names(shared, chosen, "video").tolist() == [False, True, False, False]
    assert shares_names(shared, chosen, "identity").tolist() == [False, True, True, False]
    assert not shares_names(shared, chosen, "frame").any()


def test_a_small_test_split_is_called_weak():
    def counts(persons, real, fake):
        return pd.DataFrame({"persons": persons, "real": real, "fake": fake}, index=["test"])

    assert why_weak(counts(10, 50, 50)) == ""
    assert why_weak(counts(9, 50, 19)) == "test decides little: 9 persons, 19 fake images"
