"""Rows on a training itself, its epochs and its times: numbers over no images, which have no protocol."""

from collections.abc import Sequence
from math import nan

from common.conditions import OTHER_DEVICE
from common.evaluation.evaluate import Value
from reproductions.rows import result_row


def number_row(key: tuple[str, str, str], model: str, number: float, dataset: str, *notes: str) -> dict:
    """Return a row of the results for a number that no image is counted for, e.g. an epoch.

    Args:
        key: (table, row, metric).
        model: whose notes the row gets.
        number: the value.
        dataset: what was trained on, as the results name it.
        notes: what a reader of this number must know.
    """
    return result_row(key, model, Value(float(number), nan, nan, 0), dataset, *notes) | {"n": None}


def device_note(devices: Sequence[str], published: str) -> str:
    """Return the note that a time was measured on another device than the paper's, or an empty text.

    Args:
        devices: the names of ours.
        published: a part of the name of the paper's, e.g. `K80`.
    """
    if any(published.lower() in device.lower() for device in devices):
        return ""
    return f"{OTHER_DEVICE}: {', '.join(devices)}, the paper's is a {published}"
