"""Check a prepared folder against its manifest."""

from pathlib import Path

import pandas as pd
from joblib import Parallel, cpu_count, delayed

from common.data.decoding import Unreadable, read_image
from common.data.manifest import NAME, PREPARATION, read_manifest
from common.data.text_tables import read_text_table
from common.errors import UserError
from common.files import read_json, sha256
from common.progress import show_progress
from data_prep.layouts.tree import image_paths
from data_prep.preparation.output_files import SKIPPED, count_reasons

EXIT_PROBLEMS = 1  # exit code if the folder has problems; 2 is a mistake of the user


def verify(folder: str | Path, progress: bool = True) -> list[str]:
    """Find what is wrong with a prepared folder.

    Checked: the manifest is valid; each of its images exists, can be read by training, and has its sha256; no other
    image is in the folder; no image and no video is both real and fake; prep.json and skipped.csv agree with the
    manifest; the manifest is byte for byte the one that prep.json was written with.

    Args:
        folder: a prepared folder.
        progress: show a progress bar if stderr is a terminal.

    Returns:
        One line for each problem; empty if the folder is sound.

    Raises:
        UserError: if there is no manifest.
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


def print_report(folder: Path) -> int:
    """Print the problems of a prepared folder, or that it is sound; return the exit code."""
    problems = verify(folder)
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{folder} is sound: {len(read_manifest(folder))} images")
        return 0
    print(
        f"{len(problems)} problems in {folder}; to fix them, delete damaged and unlisted images, and run the same "
        f"data_prep command again: it makes what is missing and writes the tables again"
    )
    return EXIT_PROBLEMS


def contradicting_labels(images: pd.DataFrame, column: str) -> pd.DataFrame:
    """Find images that are equal in a column and have different labels.

    Args:
        images: a manifest.
        column: `sha256` or `video`.

    Returns:
        For each such value of the column, the first row of each label.
    """
    labels = images.groupby(column)["label"].nunique()
    both = images[images[column].isin(labels.index[labels > 1])]
    return both.drop_duplicates([column, "label"]).sort_values([column, "path"])


def _file_problems(folder, images, progress):
    check = Parallel(n_jobs=cpu_count(), prefer="threads", return_as="generator")
    rows = zip(images["path"], images["sha256"], strict=True)
    results = check(delayed(_file_problem)(folder / path, path, digest) for path, digest in rows)
    return [problem for problem in show_progress(results, "verifying", len(images), "image", progress) if problem]


def _file_problem(file, path, digest):
    try:
        read_image(file)
    except Unreadable as error:
        return f"{path}: {error}"
    if sha256(file) != digest:
        return f"{path}: sha256 differs from the manifest"
    return None


def _label_problems(images):
    problems = []
    for row in contradicting_labels(images, "sha256").itertuples():
        problems.append(f"{row.path}: the same image is labelled both real and fake, here {row.label}")
    for row in contradicting_labels(images[images["video"] != ""], "video").itertuples():
        problems.append(
            f"{row.path}: frames of the video {row.video} are labelled both real and fake, here {row.label}"
        )
    return problems


def _count_problems(folder, images):
    for name in (PREPARATION, SKIPPED):
        if not (folder / name).is_file():
            return [f"{name}: no such file"]
    try:
        stored = dict(read_json(folder / PREPARATION))
        skipped = read_text_table(folder / SKIPPED)
        counts = {
            "counts": (images["label"].value_counts().to_dict(), NAME),
            "skipped": (count_reasons(skipped), SKIPPED),
        }
    except (UserError, ValueError, TypeError, KeyError) as error:
        return [f"{PREPARATION} or {SKIPPED} is damaged: {error}"]
    problems = []
    if stored.get("manifest_sha256") != sha256(folder / NAME):
        problems.append(f"{NAME}: not as data_prep wrote it: its sha256 is not the one in {PREPARATION}")
    for name, (found, file) in counts.items():
        if stored.get(name) != found:
            problems.append(f"{PREPARATION}: {name} are {stored.get(name)}, but {found} in {file}")
    return problems
