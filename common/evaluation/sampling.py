"""What a test set was drawn by: persons, originals with their fakes, videos, or single images.

Images of one person, and frames of one video, resemble each other: a test set of 12 videos tells no more than 12
drawings, however many frames it has.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from common.splits.names import comparable_names

UNITS = ("person", "video", "image")


class Sampling(NamedTuple):
    """Which images were drawn together.

    Args:
        clusters: int64 (n,), equal for images that were drawn together, numbered from 0 in order of appearance.
        unit: `person`, `video` or `image`: the largest kind of cluster.
    """

    clusters: NDArray[np.int64]
    unit: str


def sampling_of(predictions: pd.DataFrame) -> Sampling:
    """Find what images were drawn by.

    An image belongs to the person that it shows, in a swap the target, whose video it is; without a named person to its
    original, without one to its video, else to itself. Names are compared as splits compare them, within a data set, or
    within a scope: several data sets that share videos and persons.

    Args:
        predictions: images or videos with the columns of predictions.csv, and perhaps `original` and `scope`.
    """
    scope = _column(predictions, "scope")
    scope = scope.where(scope != "", _column(predictions, "dataset"))
    person = _first_name(_column(predictions, "identity"))
    video = _column(predictions, "video")
    original = _first_name(_column(predictions, "original"))
    video = original.where(original != "", video)
    person, video = comparable_names(person), comparable_names(video)
    named = [(person != "").to_numpy(), (video != "").to_numpy()]
    kind = np.select(named, [0, 1], 2)
    numbers = np.arange(len(predictions))  # of a single image: its place
    for place, name in enumerate((person, video)):
        rows = kind == place
        keys = [scope[rows], name[rows]]
        numbers[rows] = (place + 1) * len(numbers) + name[rows].groupby(keys, sort=False).ngroup().to_numpy()
    return Sampling(pd.factorize(numbers)[0].astype(np.int64), UNITS[kind.min(initial=2)])


def _column(predictions, name):
    if name not in predictions:
        return pd.Series("", index=predictions.index)
    return _of_names(predictions[name].fillna("").astype(str), str.strip)


def _first_name(names):
    return _of_names(names, lambda name: name.partition(";")[0].strip())


def _of_names(names, change):
    """Each distinct name is changed once: a million frames have few."""
    numbers, distinct = pd.factorize(names)
    return pd.Series(
        np.array([change(name) for name in distinct], dtype=object)[numbers], index=names.index, dtype=object
    )
