"""Is a prepared folder still what its manifest says?"""

from pathlib import Path

import pandas as pd

from common.data.decoding import Unreadable, check_image
from common.data.manifest import NAME, PREPARATION, read_manifest
from common.errors import UserError
from common.files import read_json, sha256
from data_prep.layouts import image_paths
from data_prep.preparation.tables import SKIPPED, count_reasons

FOUND = 1  # exit code where something is off; 2 is for a user's mistake


def verify(folder, progress=True):
    """Return what is wrong with a prepared folder: a line for each problem.

    Looked at: the manifest is valid; every image of it is there, readable, and has its sha256; no image lies beside it
    unlisted; no picture and no video is both real and fake; the counts are those of prep.json and skipped.csv; the
    manifest is, byte by byte, the one that prep.json was written with.
    UserError if there is no manifest.
    """
    folder = Path(folder)
    try:
        images = read_manifest(folder)
    except UserError as error:
        if (folder / NAME).is_file():
            return [str(error)]
        raise
    unlisted = sorted(set(image_paths(folder)) - set(images["path"]))
    problems = _file_problems(folder, images, progress) + [f"{path}: not in the manifest" for path in unlisted]
    return sorted(problems) + _label_problems(images) + _count_problems(folder, images)


def report(folder):
    """Print the problems of a prepared folder, or that there is none; return the exit code."""
    problems = verify(folder)
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{folder} is sound: {len(read_manifest(folder))} images")
        return 0
    print(
        f"{len(problems)} problems in {folder}; to mend them, delete damaged and unlisted images, and run the same "
        f"data_prep command again: it makes what is missing and writes the tables anew"
    )
    return FOUND


def _file_problems(folder, images, progress):
    from joblib import Parallel, cpu_count, delayed
    from tqdm import tqdm

    check = Parallel(n_jobs=cpu_count(), prefer="threads", return_as="generator")
    rows = zip(images["path"], images["sha256"], strict=True)
    found = check(delayed(_file_problem)(folder / path, path, digest) for path, digest in rows)
    bar = tqdm(found, total=len(images), desc="verifying", unit="image", disable=None if progress else True)
    return [problem for problem in bar if problem]


def _file_problem(file, path, digest):
    try:
        check_image(file)
    except Unreadable as error:
        return f"{path}: {error}"
    if sha256(file) != digest:
        return f"{path}: sha256 differs from the manifest"
    return None


def _label_problems(images):
    problems = []
    for row in contradictions(images, "sha256").itertuples():
        problems.append(f"{row.path}: the same picture is labelled both real and fake, here {row.label}")
    for row in contradictions(images[images["video"] != ""], "video").itertuples():
        problems.append(
            f"{row.path}: frames of the video {row.video} are labelled both real and fake, here {row.label}"
        )
    return problems


def contradictions(images, column):
    """The first row of each label where images equal in `column` have both labels."""
    labels = images.groupby(column)["label"].nunique()
    both = images[images[column].isin(labels.index[labels > 1])]
    return both.drop_duplicates([column, "label"]).sort_values([column, "path"])


def _count_problems(folder, images):
    if not (folder / PREPARATION).is_file():
        return [f"{PREPARATION}: no such file"]
    if not (folder / SKIPPED).is_file():
        return [f"{SKIPPED}: no such file"]
    try:
        promised = dict(read_json(folder / PREPARATION))
        skipped = pd.read_csv(folder / SKIPPED, dtype=str, keep_default_na=False)
        there = {"counts": images["label"].value_counts().to_dict(), "skipped": count_reasons(skipped)}
    except (UserError, ValueError, TypeError, KeyError) as error:
        return [f"{PREPARATION} or {SKIPPED} is damaged: {error}"]
    altered = promised.get("manifest_sha256") != sha256(folder / NAME)
    return [f"{NAME}: not as data_prep wrote it: its sha256 is not the one in {PREPARATION}"] * altered + [
        f"{PREPARATION}: {name} are {promised.get(name)}, but {found} in {file}"
        for (name, found), file in zip(there.items(), (NAME, SKIPPED), strict=True)
        if promised.get(name) != found
    ]
