"""FaceForensics++ (Roessler et al. 2019, 10.1109/ICCV.2019.00009) and DeepFakeDetection, which came into its tree.

original_sequences/{youtube,actors} and manipulated_sequences/METHOD hold {raw,c23,c40}/{videos,images}; masks and
models are left out. Names, by the set's own README: 000.mp4 an original, 000_003.mp4 the face or expression of 003 in
the video 000; 01__kitchen_pan.mp4 an actor's scene, 01_02__kitchen_pan__ABCDEFGH.mp4 the face of actor 02 in it.
train.json, val.json and test.json, in SRC or SRC/splits/, are the official pairs: both directions of a pair, and both
of its originals. The same clip in another compression is a video of its own, tied to the others by its original.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass

from common.data.manifest import SPLITS
from common.errors import UserError
from data_prep.layouts import Item
from data_prep.layouts.tree import (
    frame_index,
    is_video,
    media_paths,
    named_paths,
    read_text,
    refuse_twins,
    without_suffix,
)

FOLDER = re.compile(  # c0 is raw by its older name; frames and faces are what some tools call extracted images
    r"((?:.*/)?)(original|manipulated)_sequences/([^/]+)/((?:raw|c0|c23|c40)/(?:videos|images|frames|faces))/(.+)"
)
SWAP = re.compile(r"(\d{3})_(\d{3})")
ACTORS_SWAP = re.compile(r"(\d\d)_(\d\d)__(.+)__\w+")
ACTOR = re.compile(r"(\d\d)__.+")


@dataclass(frozen=True)
class Official:
    """The official splits: {original: set of the files it is listed in}, and whether all three files are there."""

    splits: dict
    complete: bool

    def of(self, *clips):
        """The split of an original or of a swap of two, and what is wrong with it; both empty if nothing is known."""
        found = {split for clip in clips for split in self.splits.get(clip, {""})}
        if len(found) > 1:
            return "", f"contradiction: the split files put it into {' and '.join(sorted(s or 'none' for s in found))}"
        split = found.pop()
        return split, "" if split or not self.complete else "not listed: train.json, val.json, test.json"


def find(src):
    places = {path: m for path in media_paths(src) if (m := FOLDER.fullmatch(path))}
    videos = {path: path[: m.start(5)] + _clip(m[5]) for path, m in places.items()}
    refuse_twins((_key(m), path if is_video(path) else videos[path]) for path, m in places.items())
    originals = defaultdict(set)
    for path, m in places.items():
        if m[2] == "original":
            originals[_clip(m[5])].add(videos[path])
    splits = _official(src)
    return [_item(path, m, videos[path], originals, splits) for path, m in places.items()]


def _clip(rest):
    """The clip's name: a folder of frames, or a file."""
    folder, _, frame = rest.partition("/")
    return folder if frame else without_suffix(rest)


def _key(place):
    """What tells clips apart: all but whether it is a video or a folder of frames."""
    _, kind, source, form, rest = place.groups()
    return kind, source, form.partition("/")[0], _clip(rest)


def _item(path, place, video, originals, splits):
    root, kind, source, form, rest = place.groups()
    clip, frame = _clip(rest), "" if is_video(path) else frame_index(path)
    if kind == "original":
        person = f"actor{m[1]}" if (m := ACTOR.fullmatch(clip)) else clip
        split, problem = splits.of(clip) if source == "youtube" else ("", "")
        return Item(path, "real", source, video, person, frame=frame, split=split, problem=problem)
    if m := SWAP.fullmatch(clip):
        group, target, identity = "youtube", m[1], f"{m[1]};{m[2]}"
        split, problem = splits.of(*m.groups())
    elif m := ACTORS_SWAP.fullmatch(clip):
        group, target, identity = "actors", f"{m[1]}__{m[3]}", f"actor{m[1]};actor{m[2]}"
        split = problem = ""
    else:
        return Item(path, "fake", source, video, frame=frame, problem="unknown name: expected TARGET_SOURCE")
    guess = f"{root}original_sequences/{group}/{form}/{target}"  # its fakes hang together though it is not here
    original = ";".join(sorted(originals.get(target, [guess])))
    return Item(path, "fake", source, video, identity, original, frame, split, problem)


def _official(src):
    """The Official splits by the pair files that are there."""
    files = {f"{folder}{split}.json": split for split in SPLITS for folder in ("", "splits/")}
    there = [path for path in named_paths(src, *(f"{split}.json" for split in SPLITS)) if path in files]
    splits = defaultdict(set)
    for path in there:
        for original in {name for pair in _read_pairs(src / path) for name in pair}:
            splits[original].add(files[path])
    return Official(dict(splits), {files[path] for path in there} == set(SPLITS))


def _read_pairs(path):
    try:
        pairs = json.loads(read_text(path))
        if all(isinstance(name, str) and len(pair) == 2 for pair in pairs for name in pair):
            return pairs
    except (ValueError, TypeError, RecursionError):
        pass
    raise UserError(f'{path}: expected FaceForensics++\'s list of pairs, like [["071", "054"], ...]: get it anew')
