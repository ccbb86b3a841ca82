"""Celeb-DF v1 and v2 (Li et al. 2020, 10.1109/CVPR42600.2020.00327): videos, or a folder of frames or faces for each.

A swap is named idA_idB_NNNN: the face of idB in the real video idA_NNNN (the authors' issue 6). In
List_of_testing_videos.txt 1 is real and 0 is fake; what it does not list is for training. YouTube-real's people are not
named. A tree of extracted clips may have real/ and fake/ instead of the set's own folders.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

from common.errors import UserError
from data_prep.layouts import MISSING, Item
from data_prep.layouts.tree import (
    frame_index,
    is_video,
    leaves_folder,
    media_paths,
    named_paths,
    read_text,
    refuse_twins,
    without_suffix,
)

CLASSES = {  # folder in small letters: label, source
    "celeb-real": ("real", "Celeb-real"),
    "youtube-real": ("real", "YouTube-real"),
    "celeb-synthesis": ("fake", "Celeb-synthesis"),
    "real": ("real", "Celeb-DF"),
    "fake": ("fake", "Celeb-synthesis"),
}
BETWEEN = ("videos", "frames", "images", "faces")  # folders that some tools put between the class and its clips
TEST_LIST = "List_of_testing_videos.txt"
LISTED_LABELS = {"1": "real", "0": "fake"}
SWAP, PERSON = re.compile(r"(id\d+)_(id\d+)_(\d+)"), re.compile(r"(id\d+)_\d+")


@dataclass(frozen=True)
class Clip:
    """The clip that a file is or belongs to: path of its class folder, that folder in small letters, name, video."""

    folder: str
    kind: str
    name: str
    video: str


def find(src):
    clips = {path: clip for path in media_paths(src) if (clip := _clip(path))}
    if not clips:
        return []
    refuse_twins(((clip.kind, clip.name), path if is_video(path) else clip.video) for path, clip in clips.items())
    originals = _originals(clips)
    listed, leaving = _read_test_list(src)
    items = [_item(path, clip, originals, listed) for path, clip in clips.items()]
    there = {(clip.kind, clip.name) for clip in clips.values()}
    return items + leaving + [_missing(*key) for key in listed or () if key not in there]


def _clip(path):
    parts = path.split("/")
    depth = max((i for i, part in enumerate(parts[:-1]) if part.lower() in CLASSES), default=None)
    if depth is None:
        return None
    single = is_video(path) or depth == len(parts) - 2 or parts[-2].lower() in BETWEEN
    video = without_suffix(path) if single else "/".join(parts[:-1])
    return Clip("/".join(parts[: depth + 1]), parts[depth].lower(), video.rpartition("/")[2], video)


def _originals(clips):
    """{name of a real celebrity's clip: the videos it lies in}"""
    videos = defaultdict(set)
    for clip in clips.values():
        if clip.kind in ("celeb-real", "real"):
            videos[clip.name].add(clip.video)
    return videos


def _item(path, clip, originals, listed):
    label, source = CLASSES[clip.kind]
    frame = "" if is_video(path) else frame_index(path)
    split = problem = identity = original = ""
    if swap := label == "fake" and SWAP.fullmatch(clip.name):
        identity, name = f"{swap[1]};{swap[2]}", f"{swap[1]}_{swap[3]}"
        original = ";".join(sorted(originals.get(name, ()))) or _real_twin(clip, name)
    elif clip.kind == "celeb-synthesis":
        problem = "unknown name: expected idA_idB_NNNN"
    elif person := PERSON.fullmatch(clip.name):
        identity = person[1]
    if listed is not None and "-" in clip.kind:
        word = listed.get((clip.kind, clip.name))
        split = "test" if word else "train"
        if word not in (None, label):
            known = word in LISTED_LABELS.values()
            clash = f"contradiction: {word} by {TEST_LIST}, {label} by its folder"
            problem = clash if known else f"unknown label: {word} in {TEST_LIST}"
    return Item(path, label, source, clip.video, identity, original, frame, split, problem)


def _real_twin(clip, name):
    """What the real video would be called, so that its fakes hang together without it."""
    parent = clip.folder[: -len(clip.kind)]
    between = clip.video[len(clip.folder) : -len(clip.name)]
    return f"{parent}{'Celeb-real' if clip.kind == 'celeb-synthesis' else 'real'}{between}{name}"


def _missing(kind, name):
    label, source = CLASSES[kind]
    path = f"{source}/{name}.mp4"
    return Item(path, label, source, split="test", problem=f"{MISSING}: listed in {TEST_LIST}")


def _read_test_list(src):
    """{(class, clip's name): label, or an unknown mark}, None without a list; and Items for names that leave SRC."""
    path = next(iter(named_paths(src, TEST_LIST)), None)
    if path is None:
        return None, []
    listed, leaving = {}, set()
    for number, line in enumerate(read_text(src / path).splitlines(), 1):
        if not line.strip():
            continue
        mark, name = (*line.split(maxsplit=1), "")[:2]
        folder, _, file = name.strip().replace("\\", "/").partition("/")
        if leaves_folder(name):
            leaving.add(name.strip())
        elif folder.lower() not in CLASSES or not file:
            raise UserError(f"{src / path}: expected 1 or 0 and FOLDER/NAME.mp4 in line {number}, got {line[:80]!r}")
        else:
            listed[folder.lower(), without_suffix(file.rpartition("/")[2])] = LISTED_LABELS.get(mark, mark)
    return listed, [Item(name, "", "", problem=f"leaves SRC: listed in {TEST_LIST}") for name in sorted(leaving)]
