"""Rows of sizes and settings: how many images and fakes there are, how large the network is, how it was trained."""

from collections.abc import Mapping

import keras
import pandas as pd

from common.data.datasets import DataSet
from common.labels import FAKE, WORDS
from reproductions.cffn_resnet.config import PROPOSED, Config
from reproductions.cffn_resnet.model import STAGES, scaled_filters
from reproductions.rows import as_table, number_row

GIGABYTE = 1e9


def split_rows(images: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """Return the sizes of our splits, under the keys of those in the text.

    Args:
        images: with the columns dataset, split and label.
        dataset: the name of the data set that is trained on.
    """
    images = images[images["dataset"] == dataset]
    rows = [number_row(("text", "training set", "images"), (images["split"] == "train").sum(), dataset)]
    test = images[images["split"] == "test"]
    if len(test):
        fakes = int((test["label"] == WORDS[FAKE]).sum())
        sizes = {"images": len(test), "n": len(test), "fakes": fakes, "reals": len(test) - fakes}
        values = sizes | {"fake_share": fakes / len(test)}
        note = "ours is the test split"
        rows += [
            number_row(("text", "validation set", metric), value, dataset, note) for metric, value in values.items()
        ]
    return as_table([row for row in rows if row["value"]])


def data_rows(dataset: DataSet) -> pd.DataFrame:
    """Return what a data set holds, under the keys of Sec. 3: fakes, the fakes of a real video, the size of its files.

    Args:
        dataset: the one that is trained on.
    """
    images = dataset.images
    videos = images[(images["video"] == "") | ~images.duplicated("video")]
    fakes = videos[videos["label"] == WORDS[FAKE]]
    originals = fakes["original"][fakes["original"] != ""]
    values = {("DFDC, 20 GB sample", "fake_share"): len(fakes) / len(videos)}
    if len(originals):
        values["DFDC, 20 GB sample", "fakes_per_real"] = len(originals) / originals.nunique()
    if raw_bytes := dataset.preparation.get("raw_bytes"):
        values |= {(row, "gigabytes"): raw_bytes / GIGABYTE for row in ("DFDC", "DFDC, slice")}
    note = "of the videos that were prepared"
    return as_table([number_row(("text", *key), value, dataset.name, note) for key, value in values.items()])


def count_units(network: keras.Model, config: Config) -> dict[str, int]:
    """Count the residual units of a network, as Sec. 5.1 and 5.2 do.

    Args:
        network: of `model.build_networks`, or a detector's.
        config: what it was built by.

    Returns:
        residual_units of a tower; added_units, those with 256 channels, of both towers and added_units_per_block;
        their added_convolutions.
    """
    firsts = [layer for layer in network.layers if layer.name.startswith("tower") and layer.name.endswith("_first")]
    widest = scaled_filters(STAGES[-1][0], config.width)
    units = [layer for layer in firsts if isinstance(layer, keras.layers.Conv2D)]
    added = [layer for layer in units if layer.filters == widest] if config.added_units else []
    towers = len(config.kernels)
    return {
        "residual_units": len(units) // towers,
        "added_units": len(added),
        "added_units_per_block": len(added) // towers,
        "added_convolutions": 2 * len(added),
    }


def network_rows(counts: Mapping[str, int], dataset: str) -> pd.DataFrame:
    """Return rows of `count_units` of the proposed network."""
    return as_table(
        [number_row(("text", "network", metric), value, dataset, model=PROPOSED) for metric, value in counts.items()]
    )


def setting_rows(config: Config, dataset: str) -> pd.DataFrame:
    """Return the settings of Sec. 5.1 that the proposed model was trained with.

    Args:
        config: the model's own.
        dataset: what it was trained on.
    """
    settings = {
        "batch_size": config.batch_size,
        "phase_1_epochs": config.triplet_epochs,
        "phase_2_epochs": config.epochs,
        "schedule_epochs": config.last_after,
        "schedule_accuracy": config.last_accuracy,
        "stopping_accuracy": config.stop_accuracy,
    }
    return as_table(
        [number_row(("text", "training", metric), value, dataset, model=PROPOSED) for metric, value in settings.items()]
    )
