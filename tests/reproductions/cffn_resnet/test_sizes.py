"""Rows of sizes: of the splits, of the data, of the network."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from common.evaluation.predictions import prediction_table
from reproductions.cffn_resnet import model, rows, sizes
from reproductions.cffn_resnet.config import MODELS, Config
from reproductions.inputs import RunData
from reproductions.splitting import Split
from results.tables import read_published


def values(rows):
    assert set(rows["table"]) <= {"text"} and rows["n"].isna().all()  # numbers over no images have no protocol
    return rows.set_index(["row", "metric"])["value"].to_dict()


def test_splits_have_the_sizes_of_the_text(clips_table):
    images = clips_table.assign(split=np.resize(["train", "train", "test"], len(clips_table)))
    test = images[images["split"] == "test"]
    found = values(sizes.split_rows(pd.concat([images, images.assign(dataset="other")]), "dfdc"))
    fakes = int((test["label"] == "fake").sum())
    assert found == {
        ("training set", "images"): (images["split"] == "train").sum(),
        ("validation set", "images"): len(test), ("validation set", "n"): len(test),
        ("validation set", "fakes"): fakes, ("validation set", "reals"): len(test) - fakes,
        ("validation set", "fake_share"): fakes / len(test),
    }  # fmt: skip


@pytest.fixture
def clips_table():
    """Two real videos of three frames; the first has three fakes, the second one, a lost one has two."""
    videos = [("real", "r0", ""), ("real", "r1", ""), *(("fake", f"f{n}", "r0") for n in range(3))]
    videos += [("fake", "f3", "r1"), ("fake", "f4", "lost"), ("fake", "f5", "lost")]
    rows = [(label, video, original, frame) for label, video, original in videos for frame in range(3)]
    return pd.DataFrame(rows, columns=["label", "video", "original", "frame"]).assign(dataset="dfdc")


def test_fakes_are_counted_by_videos_and_by_originals(clips_table):
    """Six of eight videos are fakes, of three originals; 2.5 gigabytes of files."""
    dataset = SimpleNamespace(images=clips_table, name="dfdc", preparation={"raw_bytes": 2_500_000_000})
    assert values(sizes.data_rows(dataset)) == {
        ("DFDC, 20 GB sample", "fake_share"): 0.75, ("DFDC, 20 GB sample", "fakes_per_real"): 2.0,
        ("DFDC", "gigabytes"): 2.5, ("DFDC, slice", "gigabytes"): 2.5,
    }  # fmt: skip
    older = SimpleNamespace(images=clips_table.assign(original=""), name="dfdc", preparation={})
    assert values(sizes.data_rows(older)) == {("DFDC, 20 GB sample", "fake_share"): 0.75}


@pytest.mark.parametrize(
    ("changes", "units", "added"), [({}, 15, 6), ({"added_units": False}, 9, 0), ({"kernels": (3,)}, 15, 6)]
)
def test_units_are_counted_in_the_network(changes, units, added):
    """Figure 2 has 2, 4, 3 and 6 units; a thirty-second of the filters, since none is computed."""
    config = replace(Config(), image_size=64, width=1 / 32, **changes)
    towers = len(config.kernels)
    networks = model.build_networks(config)
    for network in (networks.classifier, model.fake_score(networks.classifier)):
        assert sizes.count_units(network, config) == {
            "residual_units": units, "added_units": towers * added, "added_units_per_block": added,
            "added_convolutions": 2 * towers * added,
        }  # fmt: skip
    assert values(sizes.network_rows({"added_units": 12}, "dfdc")) == {("network", "added_units"): 12}


def test_a_run_of_everything_has_a_row_for_each_published_number_but_settings(clips_table):
    images = clips_table.assign(
        split=np.resize(["train", "test", "test"], len(clips_table)), source="", identity="",
        path=[f"{place}.png" for place in range(len(clips_table))],
    )  # fmt: skip
    split = Split("video", 0, {"": images})
    for name in MODELS:
        scores = np.where(images["label"] == "fake", 0.8, 0.3)
        split.predictions.append(prediction_table(images, scores, name, "video", 0))
        split.histories[name] = pd.DataFrame({"epoch": [1]})
    dataset = SimpleNamespace(role="dfdc", name="dfdc", images=images, preparation={"raw_bytes": 1})
    units = dict.fromkeys(("residual_units", "added_units", "added_units_per_block", "added_convolutions"), 1)
    found = rows.all_rows(split, RunData([dataset], ("dfdc",), [split]), Config(), units)
    published = read_published("cffn_resnet")
    wanted = published[published["kind"] != "setting"]
    keys = set(zip(found["table"], found["row"], found["metric"], strict=True))
    assert set(zip(wanted["table"], wanted["row"], wanted["metric"], strict=True)) <= keys
