"""The videos of Table II: under `frame` some are held out whole, since the other test frames are fragments."""

import hashlib

import pandas as pd

from common.labels import WORDS
from common.splits.components import component_units

HELD_OUT = "held_out"  # a column of a split's images: whether an image is of a video that was held out
MOST_HELD_OUT = 1 / 4  # of a class: the others train


def choose_videos(images: pd.DataFrame, count: int, seed: int) -> pd.Series:
    """Choose whole videos of each class by hash.

    A video that has a name or a picture in common with another one, as v1 and v2 of Celeb-DF have, is not chosen: its
    copy would be trained on.

    Args:
        images: with the columns of a manifest and dataset, optionally scope and near.
        count: videos of each class; fewer if that is more than a quarter of the class.
        seed: of the choice.

    Returns:
        bool (n,), with the index of `images`: whether an image is of a chosen video.
    """
    rows = images.reset_index(drop=True)
    unit = component_units(rows.assign(original=""), by_name=True).unit  # an original and its fakes may be separated
    units = rows.groupby(unit).agg(label=("label", "first"), video=("video", "first"))
    distinct = rows[["dataset", "video"]].assign(unit=unit).drop_duplicates().groupby("unit").size()
    alone = units[(distinct == 1) & (units["video"] != "")]
    chosen: list[int] = []
    for label in WORDS:
        candidates = alone[alone["label"] == label]
        most = int(MOST_HELD_OUT * rows.loc[(rows["label"] == label) & (rows["video"] != ""), "video"].nunique())
        order = candidates["video"].map(lambda video: hashlib.sha256(f"{seed}\n{video}".encode()).hexdigest())
        chosen += order.sort_values().index[: min(count, most)].to_list()
    return pd.Series(pd.Series(unit).isin(chosen).to_numpy(), index=images.index)


def videos_of_table_2(test: pd.DataFrame, protocol: str) -> pd.DataFrame | None:
    """Return the test images whose videos are whole: no frame of them trained or validated.

    Args:
        test: test images or their predictions; under `frame` with the column held_out if videos were held out.
        protocol: the protocol of the split.

    Returns:
        Rows of `test`; None under `frame` without videos that were held out, and if no image names its video.
    """
    if protocol == "frame":
        test = test[test[HELD_OUT]] if HELD_OUT in test else test[:0]
    return test if (test["video"] != "").any() else None


def single_frames(test: pd.DataFrame) -> pd.DataFrame:
    """Return the test images that numbers of frames are over: without the videos that were held out."""
    return test[~test[HELD_OUT]] if HELD_OUT in test else test
