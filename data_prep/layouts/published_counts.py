"""The published sizes of the data sets, and what of them is missing in a raw folder.

Sources: FFHQ's README (github.com/NVlabs/ffhq-dataset); Liu et al. 2015 for CelebA, the name of Kaggle's cut for its
100,000; the READMEs of Celeb-DF v1 and v2 (github.com/yuezunli/celeb-deepfakeforensics), v1's parts from its first
version; Dolhansky et al. 2020 (arXiv:2006.07397) for DFDC's training videos; Li et al. 2020 (arXiv:1909.12962, Table 1)
for its Preview; the README of FaceForensics++'s data set (github.com/ondyari/FaceForensics); MesoNet's README
(github.com/DariusAf/MesoNet); the folders of Kaggle's 140k faces.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from data_prep.layouts.dfdc import PREVIEW_FOLDERS
from data_prep.layouts.item import Item
from data_prep.layouts.tree import is_video

FFHQ = 70_000
CELEBA, CELEBA_CUT = 202_599, 100_000
CELEBDF = {
    "v1": {"Celeb-real": 158, "YouTube-real": 250, "Celeb-synthesis": 795},
    "v2": {"Celeb-real": 590, "YouTube-real": 300, "Celeb-synthesis": 5639},
}
CELEBDF_V2_TEST_VIDEOS = 518
DFDC, DFDC_PARTS = {"real": 19_154, "fake": 100_000}, 50
DFDC_PREVIEW = {"real": 1131, "fake": 4113}
FACEFORENSICS = {"youtube": 1000, "Deepfakes": 1000, "Face2Face": 1000, "FaceSwap": 1000, "NeuralTextures": 1000}
FACEFORENSICS_SPLITS = {"train": 720, "val": 140, "test": 140}  # of the originals
FACEFORENSICS_EXTRA = {"FaceShifter": 1000, "actors": 363, "DeepFakeDetection": 3068}  # separate downloads
MESONET = {"train fake": 5111, "train real": 7250, "test fake": 2889, "test real": 4259}
KAGGLE = {
    **{"train ffhq": 50_000, "train stylegan": 50_000, "val ffhq": 10_000, "val stylegan": 10_000},
    **{"test ffhq": 10_000, "test stylegan": 10_000},
}


def compare_with_published(layout: str, items: Sequence[Item]) -> list[str]:
    """Describe how the usable Items differ from the published data set.

    Args:
        layout: a key of LAYOUTS.
        items: all Items of a raw folder. A video is counted once, whatever its number of frames.

    Returns:
        One line for each part that is incomplete, absent or too large; empty if nothing is missing or if nothing is
        published about such a tree.
    """
    usable = [item for item in items if not item.problem]
    expect = _EXPECTATIONS.get(layout)
    if not usable or expect is None:
        return []
    published, part_of, notes = expect(usable, items)
    names = defaultdict(set)
    for item in usable:
        names[part_of(item)].add(item.video or item.path)
    unit = "videos" if usable[0].video else "images"
    return _differences(published, {part: len(found) for part, found in names.items()}, unit) + notes


def _differences(published, found, unit):
    lines = []
    for part, number in published.items():
        present = found.get(part, 0)
        if 0 < present < number:
            lines.append(f"{part}: {present} of {number} {unit} ({number - present} missing)")
        elif present > number:
            lines.append(f"{part}: {present} {unit}, but {number} are published")
    absent = [f"{part} ({number})" for part, number in published.items() if part not in found]
    if absent:
        lines.append(f"none of the {unit} of {', '.join(absent)}")
    return lines


# Each function below takes the usable Items and all Items, and returns the published counts {part: number}, a function
# that names the part of an Item, and lines on what else is missing.


def _ffhq(usable, items):
    return {"ffhq": FFHQ}, lambda item: item.source, []


def _stylegan(usable, items):
    return (KAGGLE if usable[0].split else {}), lambda item: f"{item.split} {item.source}", []


def _celeba(usable, items):
    cut = len(usable) == CELEBA_CUT or any("100k" in item.path.split("/") for item in usable)  # or its inner folder
    return {"celeba": CELEBA_CUT if cut else CELEBA}, lambda item: item.source, []


def _celebdf(usable, items):
    test_videos = {item.video or item.path for item in items if item.split == "test"}
    version = "v1" if 0 < len(test_videos) < CELEBDF_V2_TEST_VIDEOS else "v2"
    known = all(item.source in CELEBDF[version] for item in usable)  # folders real/ and fake/ do not name the parts
    name = f"of Celeb-DF {version}" + ("" if test_videos else " (assumed, there is no test list)")
    published = {f"{part} {name}": number for part, number in CELEBDF[version].items()} if known else {}
    return published, lambda item: f"{item.source} {name}", []


def _dfdc(usable, items):
    if not is_video(usable[0].path):
        return {}, lambda item: item.label, []
    if any(item.source in PREVIEW_FOLDERS for item in usable):
        return DFDC_PREVIEW, lambda item: item.label, []
    parts = {int(m[1]) for item in usable if (m := re.search(r"dfdc_train_part_(\d+)/", item.path))}
    absent = sorted(set(range(DFDC_PARTS)) - parts) if parts else []
    numbers = ", ".join(map(str, absent[:10])) + (", ..." if len(absent) > 10 else "")
    note = f"{len(absent)} of {DFDC_PARTS} folders dfdc_train_part_N are not there: {numbers}"
    return DFDC, lambda item: item.label, [note] if absent else []


def _faceforensics(usable, items):
    compressions = sorted({_compression(item) for item in usable})
    sources = {item.source for item in usable}
    parts = FACEFORENSICS | {name: number for name, number in FACEFORENSICS_EXTRA.items() if name in sources}
    published = {f"{name} {level}".strip(): number for level in compressions for name, number in parts.items()}
    notes = []
    if len(compressions) > 1:
        names = " and ".join(compressions)
        notes.append(f"{names} of the same clips, all taken: for one of them move the others' folders out of SRC")
    return published, lambda item: f"{item.source} {_compression(item)}".strip(), notes + _official_splits(usable)


def _official_splits(usable):
    """Return lines on how the official splits differ from the published ones; empty without splits."""
    clips = {item.video: item for item in usable if item.source not in ("actors", "DeepFakeDetection")}.values()
    counts = Counter(clip.split for clip in clips)
    if set(counts) <= {""}:
        return []
    if counts[""]:
        absent = " or ".join(f"{split}.json" for split in FACEFORENSICS_SPLITS if not counts[split])
        return [f"{counts['']} videos without a split: there is no {absent}"]
    notes = []
    for level in sorted({_compression(clip) for clip in clips}):
        found = Counter(clip.split for clip in clips if clip.source == "youtube" and _compression(clip) == level)
        if found.total() == FACEFORENSICS["youtube"] and found != FACEFORENSICS_SPLITS:
            numbers = ", ".join(f"{found[name]} {name} (published: {n})" for name, n in FACEFORENSICS_SPLITS.items())
            notes.append(f"the split files are not the published ones: youtube {level} has {numbers}")
    return notes


def _compression(item):
    """The compression in the path of a clip; empty in a copy that does not name it."""
    level = "/".join(item.video.lower().split("/")[-3:-2])
    return {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}.get(level, "")


def _mesonet(usable, items):
    return (MESONET if usable[0].split else {}), lambda item: f"{item.split} {item.label}", []


_EXPECTATIONS = {
    "ffhq": _ffhq,
    "stylegan": _stylegan,
    "celeba": _celeba,
    "celebdf": _celebdf,
    "dfdc": _dfdc,
    "faceforensics": _faceforensics,
    "mesonet": _mesonet,
}
