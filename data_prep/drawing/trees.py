"""The embedded images: drawn faces, real and faked, in the tree of MesoNet's public face set.

Each image has its own random stream, np.random.SeedSequence([seed, family, index]), so that its bytes depend neither on
the number of images nor on the number of processes.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, cpu_count, delayed

from common.errors import UserError
from common.files import atomic_folder, cache_folder, file_lock, flush_all, write_bytes, write_csv, write_json
from common.labels import FAKE, REAL, WORDS
from common.progress import announce, show_progress
from data_prep.drawing.canvas import SIZE
from data_prep.drawing.clip import draw_clip

FAMILIES = ("swap", "deconv", "resample")
VERSION = 1  # of the drawing code: another version draws other pictures
FOLDERS = {REAL: "real", FAKE: "df"}  # names in MesoNet's set
TRAINING_SHARE = 12356 / 19504  # share of MesoNet's face set in train_test; the rest is in validation
COLUMNS = ("path", "label", "source", "video", "identity", "original", "frame")
CACHE_TIMEOUT_SECONDS = 3600  # for another process that draws or prepares the same data


def parse_source(text: str) -> tuple[str, int, int, int]:
    """Read `family[:count[:seed[:frames]]]`.

    Returns:
        (family, count, seed, frames); the defaults are 500 images, seed 0 and 1 frame.

    Raises:
        UserError: if the text is anything else.
    """
    family, *numbers = text.split(":")
    if len(numbers) > 3 or not all(number.isdecimal() for number in numbers):
        raise UserError(f"expected FAMILY[:COUNT[:SEED[:FRAMES]]], e.g. swap:500:0:1, got {text!r}")
    count, seed, frames = [int(number) for number in numbers] + [500, 0, 1][len(numbers) :]
    _check(family, count, seed, frames)
    return family, count, seed, frames


def cached_tree(family: str, count: int, seed: int = 0, frames: int = 1) -> Path:
    """Return the folder of `draw_tree` in the user's cache; it is drawn on the first call."""
    _check(family, count, seed, frames)
    name = f"{family}-{count}-seed{seed}-frames{frames}-v{VERSION}"
    return cached_folder(name, lambda folder: draw_tree(folder, family, count, seed, frames))


def cached_folder(name: str, draw: Callable[[Path], None]) -> Path:
    """Return a folder in the user's cache, which is either complete or absent.

    Args:
        name: of the folder.
        draw: called with a path to fill if there is no folder of that name. Another process that wants the same folder
            waits for it.

    Raises:
        UserError: if another process has not finished it after CACHE_TIMEOUT_SECONDS.
    """
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    with file_lock(folder.with_name(f"{name}.lock"), f"the cached folder {folder}", CACHE_TIMEOUT_SECONDS):
        if not folder.is_dir():
            partial = folder.with_name(f".{name}.partial")
            shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
            partial.mkdir()
            try:
                with atomic_folder(folder, partial, one_of_many=True) as temporary:
                    draw(temporary)
                    flush_all()
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder


def draw_tree(
    folder: str | Path, family: str, count: int, seed: int = 0, frames: int = 1, workers: int | None = None
) -> None:
    """Draw real and fake images, or clips.

    Writes folder/{train_test,validation}/{df,real}/*.jpg, folder/metadata.csv (COLUMNS) and folder/SYNTHETIC.json. With
    one frame each image is a scene of its own, and the face under a fake is in no real image. With more frames, fake
    clip i is made from real clip i and stored beside it.

    Args:
        folder: created if needed.
        family: how the fakes are made, one of FAMILIES.
        count: number of real images, or clips, and of fake ones.
        seed: other seeds draw other persons.
        frames: images of a clip; 1 draws single images.
        workers: number of processes; None: one for each CPU.

    Raises:
        UserError: for an unknown family or a number out of range.
    """
    _check(family, count, seed, frames)
    folder = Path(folder)
    for split in ("train_test", "validation"):
        for name in FOLDERS.values():
            (folder / split / name).mkdir(parents=True, exist_ok=True)
    tasks = [(index, label) for index in range(count) for label in (REAL, FAKE)]
    draw = delayed(_draw_clip)
    rows: list[dict[str, Any]] = []
    parallel = Parallel(n_jobs=workers or cpu_count(), return_as="generator")
    clips = parallel(draw(folder, family, count, seed, frames, index, label) for index, label in tasks)
    unit = "clip" if frames > 1 else "face"
    announce(f"drawing {len(tasks):,} {unit}s, real ones and {family} fakes, once for all runs")
    for clip in show_progress(clips, f"drawing {family}", len(tasks), unit):
        rows += clip
    write_csv(pd.DataFrame(rows, columns=COLUMNS).sort_values("path"), folder / "metadata.csv")
    facts = {"family": family, "count": count, "seed": seed, "frames": frames, "size": SIZE, "version": VERSION}
    write_json(facts, folder / "SYNTHETIC.json")


def _draw_clip(folder, family, count, seed, frames, index, label):
    """Draw one clip, or one image, into the tree; return its rows of metadata.csv."""
    split = "train_test" if index < round(count * TRAINING_SHARE) else "validation"
    prefix = "df" if label == FAKE else "real"
    own_number = 2 * index + (label == FAKE)
    scene_number = 2 * index + (label == FAKE and frames == 1)  # a fake clip shares the scene of its original
    family_number = FAMILIES.index(family)
    scene_seed, _ = np.random.SeedSequence([seed, family_number, scene_number]).spawn(2)
    _, process_seed = np.random.SeedSequence([seed, family_number, own_number]).spawn(2)
    person = f"{family}-{seed}-{scene_number}"
    swapped = label == FAKE and family == "swap"
    row = {
        "label": WORDS[label],
        "source": f"synthetic-{family}" if label == FAKE else "synthetic-real",
        "identity": f"{person};{family}-{seed}-{own_number}-source" if swapped else person,
        "video": f"clips/{prefix}{index:05d}" if frames > 1 else "",
        "original": f"clips/real{index:05d}" if frames > 1 and label == FAKE else "",
    }
    rows = []
    images = draw_clip(family if label == FAKE else None, frames, scene_seed, process_seed)
    for frame, image in enumerate(images):
        name = f"{prefix}{index:05d}" + (f"_{frame:03d}" if frames > 1 else "") + ".jpg"
        path = f"{split}/{FOLDERS[label]}/{name}"
        write_bytes(image, folder / path, one_of_many=True)
        rows.append({"path": path, "frame": str(frame) if frames > 1 else "", **row})
    return rows


def _check(family, count, seed, frames):
    if family not in FAMILIES:
        raise UserError(f"expected a family of drawn fakes ({', '.join(FAMILIES)}), got {family!r}")
    if count < 1 or frames < 1 or seed < 0:
        raise UserError(
            f"expected count and frames of at least 1 and a seed of at least 0, got {count}, {frames}, {seed}"
        )
