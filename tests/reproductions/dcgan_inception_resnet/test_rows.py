"""Rows of predictions: which splits a protocol measures, groups of fakes, real images alone."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from reproductions.dcgan_inception_resnet.rows import all_rows, result_rows, size_rows, summary
from reproductions.dcgan_inception_resnet.text_rows import convergence_batch, image_rows, training_rows
from reproductions.rows import as_table
from reproductions.splitting import Split
from results.tables import read_published

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


@pytest.mark.parametrize(("protocol", "cells"), [("resubstitution", (1, 0, 1, 2)), ("heldout", (2, 1, 0, 1))])
def test_rows_measure_the_splits_of_their_protocol(predictions, protocol, cells):
    table = as_table(result_rows(predictions, GROUPS, protocol)).set_index(["table", "metric"])["value"]
    assert tuple(table["Figure 10"][metric] for metric in ("tp", "fp", "fn", "tn")) == cells
    assert table["Figure 10"]["accuracy"] == pytest.approx((cells[0] + cells[3]) / sum(cells))


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


def test_numbers_of_images_are_counted_in_the_splits():
    """Three reals of the GAN alone are images of the run, but not of the detector."""
    parts = [("celeb", "real", "gan", 3), ("celeb", "real", "train", 4), ("celeb", "real", "val", 1)]
    parts += [("celeb", "real", "test", 2), ("dcgan", "fake", "train", 4), ("dcgan", "fake", "val", 1)]
    parts += [("dcgan", "fake", "test", 2), ("pggan", "fake", "test", 9)]
    images = pd.DataFrame([part[:3] for part in parts for _ in range(part[3])], columns=["dataset", "label", "split"])
    values = {(row["row"], row["metric"]): row["value"] for row in image_rows(images, "dcgan")}
    assert values == {("Celeb 100k", "images"): 10, ("detector", "reals"): 5, ("detector", "fakes"): 5}
    assert image_rows(images[images["split"] == "test"], "dcgan") == [], "nothing was trained"


def test_the_time_of_an_epoch_is_given_in_the_papers_units_with_our_device():
    histories = {
        "dcgan": pd.DataFrame({"seconds": [90.0, 150.0]}),
        "inception_resnet_v2": pd.DataFrame({"seconds": [30.0]}),
    }
    rows = {(row["row"], row["metric"]): row for row in training_rows(histories, None, "celeb", ["Tesla T4"])}
    assert rows["DCGAN, K80", "minutes_per_epoch"]["value"] == 2
    assert rows["detector, P100", "seconds_per_epoch"]["value"] == 30
    assert "another device: Tesla T4, the paper's is a K80" in rows["DCGAN, K80", "minutes_per_epoch"]["note"]
    assert "another device" not in rows["detector, T4", "minutes_per_epoch"]["note"] and len(rows) == 6
    assert training_rows({}, None, "celeb", []) == []


def test_the_losses_meet_where_their_moving_means_are_nearest():
    """The generator's loss falls from 6 to 0, the discriminator's rises from 0 to 2: they meet at 1.5, batch 300."""
    batch = pd.Series(range(1, 401))
    losses = pd.DataFrame({"batch": batch, "generator_loss": 6 - batch * 0.015, "discriminator_loss": batch * 0.005})
    assert convergence_batch(losses) == 300
    (row,) = training_rows({}, losses.assign(epoch=1), "celeb", [])
    assert (row["row"], row["metric"], row["value"]) == ("DCGAN, epoch 1", "convergence_batch", 300)


def test_after_a_complete_run_no_published_number_but_the_settings_is_not_run(predictions):
    """The network is a stand-in with the layers of Figure 3."""
    layer = SimpleNamespace(output_shape=(None, 2, 2, 1536), count_params=lambda: 1, units=2, input=np.zeros((1, 1536)))
    network = SimpleNamespace(get_layer=lambda name: layer, trainable_weights=[], count_params=lambda: 1)
    epochs = pd.DataFrame(
        {"epoch": [1], "batch": [1], "seconds": [9.0], "generator_loss": [1], "discriminator_loss": [1]}
    )
    extra = size_rows(network, "celeb")
    extra += training_rows({"dcgan": epochs, "inception_resnet_v2": epochs}, epochs, "celeb", ["CPU"])
    split = Split("resubstitution", 0, {"": predictions}, predictions=[predictions])
    rows = all_rows(split, GROUPS, extra)
    published = read_published("dcgan_inception_resnet")
    keys = set(
        published.loc[published["kind"] != "setting", ["table", "row", "metric"]].itertuples(index=False, name=None)
    )
    assert keys <= set(rows[["table", "row", "metric"]].itertuples(index=False, name=None))
