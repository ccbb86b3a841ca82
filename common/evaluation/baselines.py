"""Two baselines of an accuracy: that of calling all images alike, and that of the shortcut detector.

The shortcut detector (`common.evaluation.shortcut`) knows file size, compression, image size, brightness and sharpness
alone. If it separates fakes from reals as well as a network does, the network may have learnt nothing else.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.evaluation.differences import accuracy_difference

SHORTCUT = "shortcut"  # the column of the shortcut detector's scores in predictions
MAJORITY = "majority_accuracy"
SHORTCUT_METRICS = {"shortcut_accuracy": "accuracy", "shortcut_auc": "auc"}
SHORTCUT_THRESHOLD = 0.5


class Majority(NamedTuple):
    """The baseline that calls all images alike.

    Args:
        accuracy: its accuracy.
        fake: whether all images are called fake; otherwise they are called real.
    """

    accuracy: float
    fake: bool

    @property
    def words(self) -> str:
        """What the baseline does, as remarks name it."""
        return f"calling everything {'fake' if self.fake else 'real'}"


def majority_of(fake: NDArray[np.bool_]) -> Majority:
    """Return the more accurate of two baselines: all images are called fake, or all are called real.

    Args:
        fake: bool (n,), not empty.
    """
    share = float(fake.mean())
    return Majority(max(share, 1 - share), share >= 0.5)


def remark_on_accuracy(
    fake: NDArray[np.bool_],
    called: NDArray[np.bool_],
    shortcut: NDArray[np.float64] | None,
    clusters: NDArray[np.int64],
) -> str:
    """Return which baselines an accuracy does not beat; an empty text if it beats them all.

    Args:
        fake: bool (n,), not empty.
        called: bool (n,), whether the detector calls an image fake.
        shortcut: float64 (n,), the scores of the shortcut detector; None if there is none.
        clusters: int64 (n,), equal for images that are drawn together, numbered from 0.

    Returns:
        Remarks, joined by `; `: `no better than` a baseline if the accuracy is not above the baseline's; `not shown to
        be better than` it if the 95 % interval of the difference contains 0, or there is no interval.
    """
    majority, baselines = majority_of(fake), {}
    if 0 < fake.sum() < len(fake):  # if all images are of one class, nothing is better
        baselines[majority.words] = np.full(len(fake), majority.fake)
    if shortcut is not None:
        baselines["the shortcut detector"] = shortcut >= SHORTCUT_THRESHOLD
    remarks = []
    for name, verdicts in baselines.items():
        difference = accuracy_difference(fake, called == fake, verdicts == fake, clusters)
        if difference.value <= 0:
            remarks.append(f"no better than {name}")
        elif not difference.low > 0:
            remarks.append(f"not shown to be better than {name}")
    return "; ".join(remarks)
