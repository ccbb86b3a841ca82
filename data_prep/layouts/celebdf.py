"""Celeb-DF v1 and v2 (Li et al. 2020, 10.1109/CVPR42600.2020.00327): videos, or a folder of frames or faces for each.

Celeb-DF++ (Li et al. 2025, github.com/OUC-VAS/Celeb-DF-PP) has its fakes in Celeb-synthesis/SCENARIO/METHOD/. The same
name in two methods is two videos. A talking face is named idA_NNNN_...: the real video idA_NNNN speaks other words.

A swap is named idA_idB_NNNN: the face of idB in the real video idA_NNNN (the authors' issue 6). In
List_of_testing_videos.txt 1 is real and 0 is fake; videos that it does not list are for training. The persons of
YouTube-real are not named. A tree of extracted clips may have real/ and fake/ instead of the set's own folders.
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from common.data.manifest import leaves_folder
from common.errors import UserError
from data_prep.layouts.item import MISSING, Item
from data_prep.layouts.tree import (
    frame_index,
    is_video,
    media_paths,
    paths_by_name,
    read_text,
    refuse_duplicate_clips,
    strip_suffix,
)

CLASSES = {  # folder in lower case: label, source
    "celeb-real": ("real", "Celeb-real"),
    "youtube-real": ("real", "YouTube-real"),
    "celeb-synthesis": ("fake", "Celeb-synthesis"),
    "real": ("real", "Celeb-DF"),
    "fake": ("fake", "Celeb-synthesis"),
}
INTERMEDIATE_FOLDERS = ("videos", "frames", "images", "faces")  # some tools put them between class and clips
SCENARIOS = ("faceswap", "facereenact", "talkingface")
TEST_LIST = "List_of_testing_videos.txt"
LISTED_LABELS = {"1": "real", "0": "fake"}
SWAP, PERSON = re.compile(r"(id\d+)_(id\d+)_(\d+)"), re.compile(r"(id\d+)_\d+")
TALKING = re.compile(r"(id\d+)_(\d+)_.+")


@dataclass(frozen=True)
class Clip:
    """The clip that a file is, or that it is a frame of.

    Args:
        folder: path of its class folder.
        kind: name of that folder in lower case, a key of CLASSES.
        name: its name without suffix.
        video: its path without suffix, or that of the folder of its frames.
        method: of Celeb-DF++; empty in v1 and v2.
    """

    folder: str
    kind: str
    name: str
    video: str
    method: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies the clip, in the test list too."""
        return self.kind, self.method, self.name


def find(src: Path) -> list[Item]:
    """Return the files below class folders, and an Item with a problem for each listed video that is not there."""
    clips = {path: clip for path in media_paths(src) if (clip := _clip(path))}
    if not clips:
        return []
    refuse_duplicate_clips((clip.key, path if is_video(path) else clip.video) for path, clip in clips.items())
    originals = _originals(clips)
    listed, outside = _read_test_list(src)
    items = [_item(path, clip, originals, listed) for path, clip in clips.items()]
    present = {clip.key for clip in clips.values()}
    return items + outside + [_missing_item(*key) for key in listed or () if key not in present]


def _clip(path):
    parts = path.split("/")
    depth = max((i for i, part in enumerate(parts[:-1]) if _kind(part) in CLASSES), default=None)
    if depth is None:
        return None
    single = is_video(path) or depth == len(parts) - 2 or parts[-2].lower() in INTERMEDIATE_FOLDERS
    video = strip_suffix(path) if single else "/".join(parts[:-1])
    method = _method(parts[depth + 1 : -1])
    return Clip("/".join(parts[: depth + 1]), _kind(parts[depth]), video.rpartition("/")[2], video, method)


def _kind(folder):
    """A folder's name as CLASSES has it; some copies of the set write Celeb_real."""
    return re.sub("[ _]", "-", folder.lower())


def _method(folders):
    """Return the method of Celeb-DF++ by the folders below Celeb-synthesis, or ''."""
    return folders[1] if len(folders) > 1 and folders[0].lower() in SCENARIOS else ""


def _originals(clips):
    """Return {name of a celebrity's real clip: set of the videos of that name}."""
    videos = defaultdict(set)
    for clip in clips.values():
        if clip.kind in ("celeb-real", "real"):
            videos[clip.name].add(clip.video)
    return videos


def _item(path, clip, originals, listed):
    label, source = CLASSES[clip.kind]
    source = clip.method or source
    frame = "" if is_video(path) else frame_index(path)
    split = problem = identity = original = ""
    if swap := label == "fake" and SWAP.fullmatch(clip.name):
        identity, name = f"{swap[1]};{swap[2]}", f"{swap[1]}_{swap[3]}"
        original = ";".join(sorted(originals.get(name, ()))) or _guess_original(clip, name)
    elif talking := clip.method and TALKING.fullmatch(clip.name):
        identity, name = talking[1], f"{talking[1]}_{talking[2]}"
        original = ";".join(sorted(originals.get(name, ()))) or _guess_original(clip, name)
    elif clip.kind == "celeb-synthesis":
        problem = "unknown name: expected idA_idB_NNNN"
    elif person := PERSON.fullmatch(clip.name):
        identity = person[1]
    if listed is not None and "-" in clip.kind:
        listed_label = listed.get(clip.key)
        split = "test" if listed_label else "train"
        if listed_label not in (None, label):
            known = listed_label in LISTED_LABELS.values()
            contradiction = f"contradiction: {listed_label} by {TEST_LIST}, {label} by its folder"
            problem = contradiction if known else f"unknown label: {listed_label} in {TEST_LIST}"
    return Item(path, label, source, clip.video, identity, original, frame, split, problem)


def _guess_original(clip, name):
    """Return the path that the absent real video would have, so that all its fakes share one original."""
    parent = clip.folder[: -len(clip.kind)]
    between = "/" if clip.method else clip.video[len(clip.folder) : -len(clip.name)]
    return f"{parent}{'Celeb-real' if clip.kind == 'celeb-synthesis' else 'real'}{between}{name}"


def _missing_item(kind, method, name):
    label, source = CLASSES[kind]
    path = "/".join(filter(None, (source, method, f"{name}.mp4")))
    return Item(path, label, method or source, split="test", problem=f"{MISSING}: listed in {TEST_LIST}")


def _read_test_list(src):
    """Read the test list.

    Returns:
        A pair: {Clip.key: label, or the mark if it is unknown}, None without a list; and Items with a problem for names
        that lead out of SRC.
    """
    path = next(iter(paths_by_name(src, TEST_LIST)), None)
    if path is None:
        return None, []
    listed, outside = {}, set()
    for number, line in enumerate(read_text(src / path).splitlines(), 1):
        if not line.strip():
            continue
        mark, name = (*re.sub("[\"',;]", " ", line).split(maxsplit=1), "")[:2]
        folder, _, file = name.strip().replace("\\", "/").partition("/")
        folder = _kind(folder)
        if leaves_folder(name):
            outside.add(name.strip())
        elif folder not in CLASSES or not file:
            raise UserError(f"{src / path}: expected 1 or 0 and FOLDER/NAME.mp4 in line {number}, got {line[:80]!r}")
        else:
            key = folder, _method(file.split("/")[:-1]), strip_suffix(file.rpartition("/")[2])
            listed[key] = LISTED_LABELS.get(mark, mark)
    return listed, [Item(name, "", "", problem=f"leaves SRC: listed in {TEST_LIST}") for name in sorted(outside)]
