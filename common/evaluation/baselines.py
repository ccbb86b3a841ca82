"""What an accuracy is worth: beside it, that of calling everything alike, and that of a detector that sees no face.

The second is `common.evaluation.shortcut`: if file size, compression, image size, brightness and sharpness tell fakes
from reals as well as a network does, then the network need not have learnt more.
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
    """Calling everything alike.

    Args:
        accuracy: its accuracy.
        fake: whether everything is called fake.
    """

    accuracy: float
    fake: bool

    @property
    def words(self) -> str:
        """What it does."""
        return f"calling everything {'fake' if self.fake else 'real'}"


def majority_of(fake: NDArray[np.bool_]) -> Majority:
    """Return the better of calling everything fake and calling everything real.

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
    """Say which baselines an accuracy does not beat, or nothing.

    Args:
        fake: bool (n,), not empty.
        called: bool (n,), which images the detector calls fake.
        shortcut: float64 (n,), the scores of the shortcut detector; None if there is none.
        clusters: int64 (n,), equal for images that are drawn together, numbered from 0.

    Returns:
        Remarks, joined by `; `. `no better` is a value that is not above the baseline's; `not shown to be better` a
        difference whose 95 % interval holds 0, or that has none.
    """
    majority, baselines = majority_of(fake), {}
    if 0 < fake.sum() < len(fake):  # of one class, nothing beats its name
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
