"""The files that a finished preparation writes beside its images: skipped.csv, prep.json and, last, manifest.csv."""

import hashlib
import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from common.data.manifest import COLUMNS, PREPARATION, manifest_bytes, write_manifest
from common.errors import UserError
from common.files import flush_all, write_csv, write_json
from common.labels import FAKE, WORDS
from data_prep.layouts.item import MISSING, Item
from data_prep.preparation.journal import Journal
from data_prep.preparation.process import NO_FACE_IN_FRAME, NO_FACES, FileResult

SKIPPED = "skipped.csv"


def write_output_files(
    items: Sequence[Item], journal: Journal, dst: Path, source: str | None, max_unreadable: float, remarks: list[str]
) -> None:
    """Write skipped.csv, prep.json and the manifest of a raw folder whose files all have a result.

    Args:
        items: all Items of the raw folder.
        journal: the results of all usable ones.
        dst: the prepared folder.
        source: the `source` of the fakes; None keeps the layout's.
        max_unreadable: share of the Items that may be unreadable, 0 to 1. Missing files and faces do not count.
        remarks: lines on the raw folder, stored as `found` in prep.json.

    Raises:
        UserError: if more files are unreadable, or no image is left.
    """
    columns: dict[str, list[str]] = {column: [] for column in COLUMNS}
    rows, unreadable, sizes, raw_bytes = [], [], [], 0
    for item, result in zip(items, journal.results(item.path for item in items), strict=True):
        if item.problem:
            result = FileResult(item.path, "", reason=item.problem)
        assert result is not None  # a usable file has been processed
        raw_bytes += int(result.stamp.partition("-")[0] or 0)
        _add_rows(columns, item, result, source)
        if result.images and result.size:
            sizes.append((item.label, *result.size))
        rows += [(item.path, f"{NO_FACE_IN_FRAME}: {index}") for index in result.faceless]
        if result.reason:
            rows.append((item.path, result.reason))
            if result.reason.partition(":")[0] not in (*NO_FACES, MISSING):  # a part of a data set is no damage
                unreadable.append(rows[-1])
    skipped = pd.DataFrame(rows, columns=["path", "reason"], dtype=str)
    write_csv(skipped, dst / SKIPPED)
    _refuse_unreadable(unreadable, len(items), dst, max_unreadable)
    if not columns["path"]:
        raise UserError(f"no image can be used: {len(items)} in all, {describe_reasons(skipped)}; see {dst / SKIPPED}")
    images = pd.DataFrame(columns)
    facts = {
        "counts": images["label"].value_counts().to_dict(),
        "source_size": _median_sizes(sizes),
        "skipped": count_reasons(skipped),
        "found": remarks,
        "raw_bytes": raw_bytes,
        "manifest_sha256": hashlib.sha256(manifest_bytes(images)).hexdigest(),
        "package_version": _package_version(),
    }
    write_json(journal.description | facts, dst / PREPARATION)
    flush_all()  # the images, before the manifest says that they are there
    write_manifest(images, dst)


def count_reasons(skipped: pd.DataFrame) -> dict[str, int]:
    """Return {reason without its details after a colon: number}, the most frequent first.

    Args:
        skipped: a table with the column reason.
    """
    return dict(Counter(reason.partition(":")[0] for reason in skipped["reason"]).most_common())


def describe_reasons(skipped: pd.DataFrame) -> str:
    """Return count_reasons as text: `2 no face, 1 empty file`."""
    return ", ".join(f"{number} {reason}" for reason, number in count_reasons(skipped).items())


def _add_rows(columns, item, result, source):
    """Add the rows of one Item to the columns of the manifest; only a video's result has frames of its own."""
    video = item.video or item.path if result.frames else item.video
    frames = map(str, result.frames) if result.frames else [item.frame] * len(result.images)
    source = source if source and item.label == WORDS[FAKE] else item.source
    for (path, digest), frame in zip(result.images, frames, strict=True):
        row = (path, item.label, source, video, item.identity, item.original, frame, item.split, digest)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)


def _median_sizes(sizes):
    """Return {label: median height and width of the raw images} from (label, height, width)."""
    table = pd.DataFrame(sizes, columns=["label", "height", "width"])
    medians = table.groupby("label").median().round().astype(int)
    return {label: row.to_dict() for label, row in medians.iterrows()}


def _refuse_unreadable(unreadable, number, dst, max_unreadable):
    if len(unreadable) <= max_unreadable * number:
        return
    first = "; ".join(f"{path}: {reason}" for path, reason in unreadable[:3])
    raise UserError(
        f"{len(unreadable)} of {number} files cannot be used, more than --max-unreadable {max_unreadable} allows: "
        f"{first}. All are listed in {dst / SKIPPED}; fix them or raise the limit, and run again"
    )


def _package_version():
    try:
        return importlib.metadata.version("deepfake-reproductions")
    except importlib.metadata.PackageNotFoundError:  # a checkout that is not installed
        return "unknown"
