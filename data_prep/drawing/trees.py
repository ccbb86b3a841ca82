"""The embedded data: drawn faces, real and faked, in the layout on disk of MesoNet's public face set.

Every image comes from its own random stream, np.random.SeedSequence([seed, family, index]), so that the bytes depend
neither on how many are drawn nor on how many processes draw them.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from common.errors import UserError
from common.files import write_bytes, write_csv, write_json
from common.labels import FAKE, REAL, WORDS

FAMILIES = ("swap", "deconv", "resample")
VERSION = 1  # of the drawing code: another version draws other pictures
CACHE = "DEEPFAKE_REPRODUCTIONS_CACHE"  # environment variable: a folder to use instead of the user's cache
FOLDERS = {REAL: "real", FAKE: "df"}  # MesoNet's names
TRAINING_SHARE = 12356 / 19504  # of MesoNet's face set lies in train_test, the rest in validation
COLUMNS = ("path", "label", "source", "video", "identity", "original", "frame")


def parse_source(text):
    """Read `family[:count[:seed[:frames]]]` into (family, count, seed, frames); UserError if it is anything else."""
    family, *numbers = text.split(":")
    if len(numbers) > 3 or not all(number.isdecimal() for number in numbers):
        raise UserError(f"expected FAMILY[:COUNT[:SEED[:FRAMES]]], e.g. swap:500:0:1, got {text!r}")
    count, seed, frames = [int(number) for number in numbers] + [500, 0, 1][len(numbers) :]
    _check(family, count, seed, frames)
    return family, count, seed, frames


def cached_tree(family, count, seed=0, frames=1):
    """The folder of `draw_tree` in the user's cache, drawn if it is not there yet. Returns a Path."""
    _check(family, count, seed, frames)
    name = f"{family}-{count}-seed{seed}-frames{frames}-v{VERSION}"
    return cached(name, lambda folder: draw_tree(folder, family, count, seed, frames))


def cached(name, draw):
    """The folder `name` in the user's cache, made by `draw(folder)` if it is not there yet. Returns a Path.

    A tree is whole or absent, and two processes do not draw it twice.
    """
    from filelock import FileLock

    cache = cache_folder()
    folder = cache / name
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{name}.lock"):
        if not folder.is_dir():
            partial = cache / f".{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
            try:
                draw(partial)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder


def cache_folder():
    """The user's cache; the environment variable DEEPFAKE_REPRODUCTIONS_CACHE names another folder."""
    import platformdirs

    return Path(os.environ.get(CACHE) or platformdirs.user_cache_path("deepfake-reproductions"))


def draw_tree(folder, family, count, seed=0, frames=1, workers=None):
    """Draw `count` real and `count` fake images of a family (clips of `frames` images, if that is above 1).

    Writes folder/{train_test,validation}/{df,real}/*.jpg, folder/metadata.csv (COLUMNS) and folder/SYNTHETIC.json. With
    one frame each image is a scene of its own, and a fake's underlying face is in no real image. With more, fake clip i
    is made from real clip i and lies beside it. `workers` processes draw; None: one for each CPU.
    """
    from joblib import Parallel, cpu_count, delayed
    from tqdm import tqdm

    _check(family, count, seed, frames)
    folder = Path(folder)
    for split in ("train_test", "validation"):
        for name in FOLDERS.values():
            (folder / split / name).mkdir(parents=True, exist_ok=True)
    tasks = [(index, label) for index in range(count) for label in (REAL, FAKE)]
    draw = delayed(_draw_clip)
    rows = []
    parallel = Parallel(n_jobs=workers or cpu_count(), return_as="generator")
    clips = parallel(draw(folder, family, count, seed, frames, index, label) for index, label in tasks)
    for clip in tqdm(
        clips, total=len(tasks), desc=f"drawing {family}", unit="clip" if frames > 1 else "face", disable=None
    ):
        rows += clip
    write_csv(pd.DataFrame(rows, columns=COLUMNS).sort_values("path"), folder / "metadata.csv")
    facts = {"family": family, "count": count, "seed": seed, "frames": frames, "size": 256, "version": VERSION}
    write_json(facts, folder / "SYNTHETIC.json")


def _draw_clip(folder, family, count, seed, frames, index, label):
    """Draw one clip, or one image, into the tree; returns its rows of metadata.csv."""
    from data_prep.drawing.clip import draw_clip

    split = "train_test" if index < round(count * TRAINING_SHARE) else "validation"
    prefix = "df" if label == FAKE else "real"
    made_from = 2 * index + (label == FAKE and frames == 1)  # a fake clip is made from the real clip of its number
    ours = 2 * index + (label == FAKE)
    number = FAMILIES.index(family)
    scene_seed, _ = np.random.SeedSequence([seed, number, made_from]).spawn(2)
    _, process_seed = np.random.SeedSequence([seed, number, ours]).spawn(2)
    person = f"{family}-{seed}-{made_from}"
    row = {
        "label": WORDS[label],
        "source": f"synthetic-{family}" if label == FAKE else "synthetic-real",
        "identity": f"{person};{family}-{seed}-{ours}-source" if label == FAKE and family == "swap" else person,
        "video": f"clips/{prefix}{index:05d}" if frames > 1 else "",
        "original": f"clips/real{index:05d}" if frames > 1 and label == FAKE else "",
    }
    rows = []
    images = draw_clip(family if label == FAKE else None, frames, scene_seed, process_seed)
    for frame, image in enumerate(images):
        name = f"{prefix}{index:05d}" + (f"_{frame:03d}" if frames > 1 else "") + ".jpg"
        path = f"{split}/{FOLDERS[label]}/{name}"
        write_bytes(image, folder / path)
        rows.append({"path": path, "frame": str(frame) if frames > 1 else "", **row})
    return rows


def _check(family, count, seed, frames):
    if family not in FAMILIES:
        raise UserError(f"expected a family of drawn fakes ({', '.join(FAMILIES)}), got {family!r}")
    if count < 1 or frames < 1 or seed < 0:
        raise UserError(
            f"expected count and frames of at least 1 and a seed of at least 0, got {count}, {frames}, {seed}"
        )
