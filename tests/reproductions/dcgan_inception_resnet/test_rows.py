"""Rows of predictions: which splits a protocol measures, groups of fakes, real images alone."""

import pandas as pd
import pytest

from reproductions.dcgan_inception_resnet.rows import result_rows, summary
from reproductions.rows import as_table

# Of each split (fake, score): train is right, val misses a fake, test calls one of two reals fake.
SCORES = {
    "train": [(1, 0.9), (0, 0.1)],
    "val": [(1, 0.2), (0, 0.3)],
    "test": [(1, 0.8), (1, 0.7), (0, 0.9), (0, 0)],
}
GROUPS = {"DCGAN": "dcgan", "other fakes (pggan)": "pggan"}


@pytest.fixture
def predictions():
    """Reals of celeb, fakes of the DCGAN, and one fake of another generator that is not found."""
    rows = [
        {"split": split, "label": ("real", "fake")[label], "score": score, "dataset": ("celeb", "dcgan")[label]}
        for split, pairs in SCORES.items()
        for label, score in pairs
    ]
    rows += [{"split": "test", "label": "fake", "score": 0.1, "dataset": "pggan"}]
    return pd.DataFrame(rows).assign(path=range(len(rows)), video="", model="inception_resnet_v2", protocol="", seed=0)


@pytest.mark.parametrize(("protocol", "cells"), [("paper", (1, 0, 1, 2)), ("heldout", (2, 1, 0, 1))])
def test_rows_measure_the_splits_of_their_protocol(predictions, protocol, cells):
    table = as_table(result_rows(predictions, GROUPS, protocol)).set_index(["table", "metric"])["value"]
    assert tuple(table["Figure 10"][metric] for metric in ("tp", "fp", "fn", "tn")) == cells


def test_fakes_of_another_generator_have_rows_of_their_own(predictions):
    table = as_table(result_rows(predictions, GROUPS, "heldout")).set_index(["row", "metric"])
    assert table.loc[("inception_resnet_v2, other fakes (pggan)", "recall"), "value"].item() == 0
    assert table.loc[("inception_resnet_v2, other fakes (pggan)", "accuracy"), "dataset"] == "celeb+pggan"


def test_real_images_alone_have_a_specificity(predictions):
    """Of the two test reals one is called real; what needs fakes has no value."""
    table = as_table(result_rows(predictions[predictions["label"] == "real"], {}, "heldout"))
    assert set(table["row"]) == {"inception_resnet_v2, real images"} and set(table["table"]) == {"extra"}
    values = table.set_index("metric")["value"]
    assert values["specificity"] == 0.5 and values["recall"] != values["recall"]
    assert len(summary({"heldout": table})) == 2


def test_no_predictions_give_no_rows(predictions):
    table = as_table(result_rows(predictions.iloc[:0], {}, "heldout"))
    assert table.empty and summary({"heldout": table}) == []
