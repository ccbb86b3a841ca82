"""What a finished preparation leaves beside its images: skipped.csv, prep.json and last manifest.csv."""

import hashlib
import importlib.metadata
from collections import Counter

import pandas as pd

from common.data.manifest import COLUMNS, PREPARATION, manifest_bytes, write_manifest
from common.errors import UserError
from common.files import write_csv, write_json
from common.labels import FAKE, WORDS
from data_prep.layouts import MISSING
from data_prep.preparation.process import NO_FACE_IN_FRAME, NO_FACES, Outcome

SKIPPED = "skipped.csv"


def write_tables(items, journal, dst, source, max_unreadable, remarks):
    """Write skipped.csv, prep.json and the manifest of the Items, all done by the journal.

    source: the `source` of the fakes, None leaves the layout's. remarks: lines on what was found, for prep.json.
    UserError if more than the share `max_unreadable` of the files that are there cannot be read, or none is left.
    """
    columns, skipped, unreadable = {column: [] for column in COLUMNS}, [], []
    for item, outcome in zip(items, journal.outcomes(item.path for item in items), strict=True):
        outcome = Outcome(item.path, "", reason=item.problem) if item.problem else outcome
        _add_rows(columns, item, outcome, source)
        skipped += [(item.path, f"{NO_FACE_IN_FRAME}: {index}") for index in outcome.faceless]
        if outcome.reason:
            skipped.append((item.path, outcome.reason))
            harmless = outcome.reason.partition(":")[0] in (*NO_FACES, MISSING)  # a part of a data set is no damage
            unreadable += [] if harmless else [skipped[-1]]
    skipped = pd.DataFrame(skipped, columns=["path", "reason"], dtype=str)
    write_csv(skipped, dst / SKIPPED)
    _refuse_unreadable(unreadable, len(items), dst, max_unreadable)
    if not columns["path"]:
        raise UserError(f"no image can be used: {len(items)} in all, {in_words(skipped)}; see {dst / SKIPPED}")
    images = pd.DataFrame(columns)
    facts = {
        "counts": images["label"].value_counts().to_dict(),
        "skipped": count_reasons(skipped),
        "found": remarks,
        "manifest_sha256": hashlib.sha256(manifest_bytes(images)).hexdigest(),
        "package_version": _package_version(),
    }
    write_json(journal.description | facts, dst / PREPARATION)
    write_manifest(images, dst)


def count_reasons(skipped):
    """{reason: number} of a table with the column reason, details after a colon left out, the most frequent first."""
    return dict(Counter(reason.partition(":")[0] for reason in skipped["reason"]).most_common())


def in_words(skipped):
    """The same as text: `2 no face, 1 empty file`."""
    return ", ".join(f"{number} {reason}" for reason, number in count_reasons(skipped).items())


def _add_rows(columns, item, outcome, source):
    """Add the rows of the manifest; only a video's outcome has frames of its own."""
    video = item.video or item.path if outcome.frames else item.video
    frames = map(str, outcome.frames) if outcome.frames else [item.frame] * len(outcome.images)
    source = source if source and item.label == WORDS[FAKE] else item.source
    for (path, digest), frame in zip(outcome.images, frames, strict=True):
        row = (path, item.label, source, video, item.identity, item.original, frame, item.split, digest)
        for column, value in zip(columns.values(), row, strict=True):
            column.append(value)


def _refuse_unreadable(unreadable, number, dst, allowed):
    if len(unreadable) <= allowed * number:
        return
    first = "; ".join(f"{path}: {reason}" for path, reason in unreadable[:3])
    raise UserError(
        f"{len(unreadable)} of {number} files cannot be used, more than --max-unreadable {allowed} allows: {first}. "
        f"All are listed in {dst / SKIPPED}; mend them or raise the limit, and run again"
    )


def _package_version():
    try:
        return importlib.metadata.version("deepfake-reproductions")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "unknown"
