"""Whether the images of a run are those of its manifests, when it starts and when it has ended."""

import os
from collections.abc import Iterable

import pandas as pd
from joblib import Parallel, cpu_count, delayed

from common.data.datasets import DataSet
from common.errors import UserError
from common.files import sha256
from common.progress import show_progress

CHUNK = 256  # images of one task: a task for each takes longer than a small image's SHA-256


class WatchedImages:
    """The images of data sets, whose bytes must not change while they are trained on and tested.

    Args:
        datasets: the data sets. Images without a SHA-256 in the manifest are compared with themselves at the start.

    Raises:
        UserError: if the bytes of an image are not those of the manifest.
    """

    def __init__(self, datasets: Iterable[DataSet]):
        tables = [data.images[["file", "sha256"]].assign(folder=str(data.folder)) for data in datasets]
        self._images = pd.concat(tables, ignore_index=True)
        self._stamps = self._stamp()  # before the bytes are read: a change in between is seen at the end
        known = self._images[self._images["sha256"] != ""]
        self._refuse(known[_differ(known)], "have other bytes than the manifest says")

    def check(self) -> None:
        """Compare with the start; the bytes of a file are read again only if its size, time or number has changed.

        Raises:
            UserError: if an image has changed, or is gone.
        """
        touched = self._images[[one != other for one, other in zip(self._stamp(), self._stamps, strict=True)]]
        self._refuse(touched[_differ(touched)], "have changed while the run was under way")

    def _stamp(self):
        return [_stamp(file) for file in self._images["file"]]

    def _refuse(self, changed, what):
        if changed.empty:
            return
        file, _, folder = changed.iloc[0]
        raise UserError(
            f"{len(changed)} of {len(self._images)} images {what}, e.g. {file}: restore them, or run data_prep again; "
            f"`python -m data_prep verify {folder}` lists them"
        )


def _stamp(file):
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


def _differ(images):
    """Return for each image whether its bytes are not those of its SHA-256; without one, always."""
    pairs = list(zip(images["file"], images["sha256"], strict=True))
    chunks = [pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK)]
    results = Parallel(n_jobs=cpu_count(), prefer="threads", return_as="generator")(
        map(delayed(_chunk_differs), chunks)
    )
    counted = show_progress(results, f"comparing {len(pairs)} images with the manifest", len(chunks), "part")
    return [differs for chunk in counted for differs in chunk]


def _chunk_differs(pairs):
    return [_differs(file, digest) for file, digest in pairs]


def _differs(file, digest):
    try:
        return sha256(file) != digest
    except OSError:
        return True
