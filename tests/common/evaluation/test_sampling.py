"""What a test set was drawn by."""

import unicodedata

import numpy as np
import pandas as pd
import pytest

from common.evaluation.sampling import sampling_of


def images(**columns):
    size = len(next(iter(columns.values())))
    return pd.DataFrame({"path": [f"{place}.png" for place in range(size)], "dataset": "d"} | columns)


def test_the_largest_thing_that_repeats_is_the_unit():
    video = ["real/a.mp4", "real/b.mp4", "fake/a_b.mp4", "fake/b_a.mp4"]
    original = ["", "", "real/a.mp4", "real/b.mp4;real/a.mp4"]
    identity = ["p", "q", "p;q", "q;p"]
    alone = sampling_of(images(frame=["", "", "", ""]))
    assert alone.unit == "image" and alone.clusters.tolist() == [0, 1, 2, 3]
    assert sampling_of(images(video=video)).clusters.tolist() == [0, 1, 2, 3]
    fakes = sampling_of(images(video=video, original=original))
    assert fakes.unit == "video" and fakes.clusters.tolist() == [0, 1, 0, 1]
    persons = sampling_of(images(video=video, identity=["p", "p", "p;q", "q;p"]))
    assert persons.unit == "person" and persons.clusters.tolist() == [0, 0, 0, 1]
    assert sampling_of(images(video=video, identity=identity, original=original)).clusters.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Zoë", unicodedata.normalize("NFD", "Zoë")),
        ("Actor 7", "actor 7"),
        ("real\\a.mp4", "./real//a.mp4"),
    ],
)
def test_names_are_compared_as_the_splits_compare_them(one, other):
    for column in ("identity", "video"):
        assert sampling_of(images(**{column: [one, other, "another"]})).clusters.tolist() == [0, 0, 1]
    assert sampling_of(images(video=[one, "f", "g"], original=["", other, ""])).clusters.tolist() == [0, 0, 1]


def test_names_count_within_a_data_set_or_a_scope():
    table = images(video=["a", "a", "b"]).assign(dataset=["v1", "v2", "v2"])
    assert sampling_of(table).clusters.tolist() == [0, 1, 2]
    assert sampling_of(table.assign(scope="celebdf")).clusters.tolist() == [0, 0, 1]
    assert sampling_of(table.assign(scope=[np.nan, "v1", ""])).clusters.tolist() == [0, 0, 1]
