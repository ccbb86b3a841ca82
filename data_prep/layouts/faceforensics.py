"""FaceForensics++ (Roessler et al. 2019, 10.1109/ICCV.2019.00009) and DeepFakeDetection, which is part of its tree.

original_sequences/{youtube,actors} and manipulated_sequences/METHOD hold {raw,c23,c40}/{videos,images}; masks and
models are left out. The first release had original_sequences/{c0,c23,c40} without youtube/; copies on Kaggle have
original/ and METHOD/ alone, with the videos in them. Names, by the set's own README: 000.mp4 is an original,
000_003.mp4 the face or expression of 003 in the video 000; 01__kitchen_pan.mp4 is a scene of an actor,
01_02__kitchen_pan__ABCDEFGH.mp4 the face of actor 02 in it. train.json, val.json and test.json, anywhere below SRC,
list the official pairs; both directions of a pair and both of its originals belong to the split. The same clip in
another compression is another video, linked to the first by its original.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from common.data.manifest import SPLITS
from common.errors import UserError
from data_prep.layouts.item import Item
from data_prep.layouts.tree import (
    frame_index,
    is_video,
    media_paths,
    paths_by_name,
    read_text,
    refuse_duplicate_clips,
    strip_suffix,
)

PATH = re.compile(  # c0 is the older name of raw; some tools extract images to frames/ or faces/
    r"((?:.*/)?)(original|manipulated)_sequences/(?:([^/]+)/)?((?:raw|c0|c23|c40)/(?:videos|images|frames|faces))/(.+)",
    re.IGNORECASE,
)
COPY = re.compile(
    r"((?:.*/)?)(?:(original)|(Deepfakes|Face2Face|FaceShifter|FaceSwap|NeuralTextures|DeepFakeDetection))/"
    r"((?:\d{3}(?:_\d{3})?|\d\d(?:_\d\d)?__\w+)(?:\.\w+|/[^/]+))"
)
YOUTUBE = "youtube"
SPLIT_FILES = tuple(f"{split}.json" for split in SPLITS)
SWAP = re.compile(r"(\d{3})_(\d{3})")
ACTORS_SWAP = re.compile(r"(\d\d)_(\d\d)__(.+)__\w+")
ACTOR = re.compile(r"(\d\d)__.+")


@dataclass(frozen=True)
class Place:
    """Where a file is in the tree of the set.

    Args:
        root: the path of that tree, empty or with `/`.
        kind: `original` or `manipulated`.
        source: youtube, actors or the method; empty if the tree does not say it.
        form: compression and kind of file, e.g. `c23/videos`; empty in a copy without them.
        folder: the path of the clips' folder, with `/`.
        rest: the path in it.
    """

    root: str
    kind: str
    source: str
    form: str
    folder: str
    rest: str

    @property
    def clip(self) -> str:
        """The name of the clip: that of a folder of frames, or of a file without its suffix."""
        folder, _, frame = self.rest.partition("/")
        return folder if frame else strip_suffix(self.rest)

    @property
    def video(self) -> str:
        """The path of the clip without suffix."""
        return self.folder + self.clip

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies the clip, whether it is a video or a folder of frames."""
        return self.kind, self.source or YOUTUBE, self.form.partition("/")[0], self.clip

    def original_folder(self, group: str) -> str:
        """Return the path that the originals of a group, youtube or actors, have in such a tree, with `/`."""
        return f"{self.root}original_sequences/{group}/{self.form}/" if self.form else f"{self.root}original/"


@dataclass(frozen=True)
class OfficialSplits:
    """The official splits.

    Args:
        splits: {original: set of the splits that list it}.
        complete: True if all three files were found.
    """

    splits: dict[str, set[str]]
    complete: bool

    def find(self, *clips: str) -> tuple[str, str]:
        """Return the split of an original, or of a swap of two, and a problem; both are empty if nothing is known."""
        found = {split for clip in clips for split in self.splits.get(clip, {""})}
        if len(found) > 1:
            return "", f"contradiction: the split files put it into {' and '.join(sorted(s or 'none' for s in found))}"
        split = found.pop()
        return split, "" if split or not self.complete else "not listed: train.json, val.json, test.json"


def find(src: Path) -> list[Item]:
    """Return the videos and frames in the set's folders; UserError if a split file is damaged."""
    paths = media_paths(src)
    places = _places(paths, PATH, _place_in_set) or _places(paths, COPY, _place_in_copy)
    refuse_duplicate_clips((place.key, path if is_video(path) else place.video) for path, place in places.items())
    originals = defaultdict(set)
    for place in places.values():
        if place.kind == "original":
            originals[place.clip].add(place.video)
    splits = _read_official_splits(src)
    return [_item(path, place, originals, splits) for path, place in places.items()]


def _places(paths, pattern, place):
    return {path: place(path, match) for path in paths if (match := pattern.fullmatch(path))}


def _place_in_set(path, match):
    root, kind, source, form, rest = match.groups()
    return Place(root, kind.lower(), source or "", form.lower(), path[: match.start(5)], rest)


def _place_in_copy(path, match):
    root, original, method, rest = match.groups()
    kind = original or "manipulated"
    return Place(root, kind, method or ("actors" if "__" in rest else YOUTUBE), "", path[: match.start(4)], rest)


def _item(path, place, originals, splits):
    source = place.source or (YOUTUBE if place.kind == "original" else "")
    clip, frame = place.clip, "" if is_video(path) else frame_index(path)
    if place.kind == "original":
        person = f"actor{m[1]}" if (m := ACTOR.fullmatch(clip)) else clip
        split, problem = splits.find(clip) if source == YOUTUBE else ("", "")
        return Item(path, "real", source, place.video, person, frame=frame, split=split, problem=problem)
    if m := SWAP.fullmatch(clip):
        group, target, identity = YOUTUBE, m[1], f"{m[1]};{m[2]}"
        split, problem = splits.find(*m.groups())
    elif m := ACTORS_SWAP.fullmatch(clip):
        group, target, identity = "actors", f"{m[1]}__{m[3]}", f"actor{m[1]};actor{m[2]}"
        split = problem = ""
    else:
        return Item(path, "fake", source, place.video, frame=frame, problem="unknown name: expected TARGET_SOURCE")
    guess = place.original_folder(group) + target  # fakes of an absent original still share one name
    original = ";".join(sorted(originals.get(target, [guess])))
    return Item(path, "fake", source, place.video, identity, original, frame, split, problem)


def _read_official_splits(src):
    """Return the OfficialSplits by the pair files that were found."""
    files = {path: strip_suffix(path.rpartition("/")[2].lower()) for path in paths_by_name(src, *SPLIT_FILES)}
    splits = defaultdict(set)
    for path, split in files.items():
        for original in {name for pair in _read_pairs(src / path) for name in pair}:
            splits[original].add(split)
    return OfficialSplits(dict(splits), set(files.values()) == set(SPLITS))


def _read_pairs(path):
    try:
        pairs = json.loads(read_text(path))
        if all(isinstance(name, str) and len(pair) == 2 for pair in pairs for name in pair):
            return pairs
    except (ValueError, TypeError, RecursionError):
        pass
    raise UserError(f'{path}: expected the pairs of FaceForensics++, like [["071", "054"], ...]: get it again')
