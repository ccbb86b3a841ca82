"""Is a prepared folder still what its manifest says?"""

from pathlib import Path

from common.decoding import Unreadable, check_image
from common.errors import UserError
from common.files import sha256
from common.manifest import read_manifest
from data_prep.layouts import image_paths


def verify(folder, progress=True):
    """Return what is wrong with a prepared folder: a line for each problem, sorted by path.

    Looked at: every image of the manifest is there, readable, and has its sha256; no image lies beside it unlisted.
    UserError if there is no valid manifest.
    """
    from joblib import Parallel, cpu_count, delayed
    from tqdm import tqdm

    folder = Path(folder)
    images = read_manifest(folder)
    check = Parallel(n_jobs=cpu_count(), prefer="threads", return_as="generator")
    rows = zip(images["path"], images["sha256"], strict=True)
    found = check(delayed(_problem)(folder / path, path, digest) for path, digest in rows)
    bar = tqdm(found, total=len(images), desc="verifying", unit="image", disable=None if progress else True)
    problems = [problem for problem in bar if problem]
    unlisted = sorted(set(image_paths(folder)) - set(images["path"]))
    return sorted(problems + [f"{path}: not in the manifest" for path in unlisted])


def report(folder):
    """Print the problems of a prepared folder; UserError if there is one."""
    problems = verify(folder)
    for problem in problems:
        print(problem)
    if problems:
        raise UserError(f"{len(problems)} problems in {folder}: delete it and prepare the raw data again")
    print(f"{folder} is sound: {len(read_manifest(folder))} images")


def _problem(file, path, digest):
    try:
        check_image(file)
    except Unreadable as error:
        return f"{path}: {error}"
    if sha256(file) != digest:
        return f"{path}: sha256 differs from the manifest"
    return None
