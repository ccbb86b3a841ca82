"""Why a number of ours is not comparable with a published one: the words that papers write and that results reads.

A condition is a part of a row's `note`, alone or with an explanation: `partial data`, or `partial data: 60 of 30114
frames`. The parts of a note are separated by `; `. Synthetic data need no note: the name of the data set says it.
"""

import re

SYNTHETIC = "synthetic"  # the names of drawn data sets begin with it

RESUBSTITUTION = "resubstitution"  # what tables call scores of the images that were trained on
SYNTHETIC_DATA = "synthetic data"
PARTIAL_DATA = "partial data"
OTHER_DATA = "other data"  # more than the paper's, or with another share of fakes
NO_IMAGENET_WEIGHTS = "no ImageNet weights"
NOT_FACENET = "not FaceNet"
OTHER_DEVICE = "another device"
DATA_CONDITIONS = (PARTIAL_DATA, OTHER_DATA)  # what papers write into `note`: first about data, then about weights
WEIGHT_CONDITIONS = (NO_IMAGENET_WEIGHTS, NOT_FACENET)
DEVICE_CONDITIONS = (OTHER_DEVICE,)  # of times


def is_synthetic(dataset: str) -> bool:
    """Whether a data set is drawn, or one of several is.

    Args:
        dataset: a name, or several as in a results table: `celebdf+synthetic-swap`, `dfdc against synthetic-swap`.
    """
    return any(name.startswith(SYNTHETIC) for name in re.split(r"[+\s]+", dataset))


def has_condition(note: str, condition: str) -> bool:
    """Whether a condition is one of the parts of a note, with or without an explanation.

    Args:
        note: parts separated by `; `. After a condition may follow an explanation, `: ...`, or seeds, `(seed 1)`.
        condition: one of DATA_CONDITIONS, WEIGHT_CONDITIONS or DEVICE_CONDITIONS.
    """
    return any(re.match(rf"{re.escape(condition)}(?!\w)", part) for part in note.split("; "))
