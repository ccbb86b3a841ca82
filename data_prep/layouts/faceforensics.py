"""FaceForensics++ (Roessler et al. 2019, 10.1109/ICCV.2019.00009) and DeepFakeDetection, which is part of its tree.

original_sequences/{youtube,actors} and manipulated_sequences/METHOD hold {raw,c23,c40}/{videos,images}; masks and
models are left out. The first release had original_sequences/{c0,c23,c40} without youtube/. Names, by the set's own
README: 000.mp4 is an original, 000_003.mp4 the face or expression of 003 in the video 000; 01__kitchen_pan.mp4 is a
scene of an actor, 01_02__kitchen_pan__ABCDEFGH.mp4 the face of actor 02 in it. train.json, val.json and test.json, in
SRC or SRC/splits/, list the official pairs; both directions of a pair and both of its originals belong to the split.
The same clip in another compression is another video, linked to the first by its original.
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
    r"((?:.*/)?)(original|manipulated)_sequences/(?:([^/]+)/)?((?:raw|c0|c23|c40)/(?:videos|images|frames|faces))/(.+)"
)
YOUTUBE = "youtube"
SWAP = re.compile(r"(\d{3})_(\d{3})")
ACTORS_SWAP = re.compile(r"(\d\d)_(\d\d)__(.+)__\w+")
ACTOR = re.compile(r"(\d\d)__.+")


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
    matches = {path: match for path in media_paths(src) if (match := PATH.fullmatch(path))}
    videos = {path: path[: match.start(5)] + _clip_name(match[5]) for path, match in matches.items()}
    refuse_duplicate_clips(
        (_clip_key(match), path if is_video(path) else videos[path]) for path, match in matches.items()
    )
    originals = defaultdict(set)
    for path, match in matches.items():
        if match[2] == "original":
            originals[_clip_name(match[5])].add(videos[path])
    splits = _read_official_splits(src)
    return [_item(path, match, videos[path], originals, splits) for path, match in matches.items()]


def _clip_name(rest):
    """Return the name of a clip from the end of its path: a folder of frames, or a file."""
    folder, _, frame = rest.partition("/")
    return folder if frame else strip_suffix(rest)


def _clip_key(match):
    """Return what identifies a clip, whether it is a video or a folder of frames."""
    _, kind, source, form, rest = match.groups()
    return kind, source or YOUTUBE, form.partition("/")[0], _clip_name(rest)


def _item(path, match, video, originals, splits):
    root, kind, source, form, rest = match.groups()
    source = source or (YOUTUBE if kind == "original" else "")
    clip, frame = _clip_name(rest), "" if is_video(path) else frame_index(path)
    if kind == "original":
        person = f"actor{m[1]}" if (m := ACTOR.fullmatch(clip)) else clip
        split, problem = splits.find(clip) if source == YOUTUBE else ("", "")
        return Item(path, "real", source, video, person, frame=frame, split=split, problem=problem)
    if m := SWAP.fullmatch(clip):
        group, target, identity = YOUTUBE, m[1], f"{m[1]};{m[2]}"
        split, problem = splits.find(*m.groups())
    elif m := ACTORS_SWAP.fullmatch(clip):
        group, target, identity = "actors", f"{m[1]}__{m[3]}", f"actor{m[1]};actor{m[2]}"
        split = problem = ""
    else:
        return Item(path, "fake", source, video, frame=frame, problem="unknown name: expected TARGET_SOURCE")
    guess = f"{root}original_sequences/{group}/{form}/{target}"  # fakes of an absent original still share one name
    original = ";".join(sorted(originals.get(target, [guess])))
    return Item(path, "fake", source, video, identity, original, frame, split, problem)


def _read_official_splits(src):
    """Return the OfficialSplits by the pair files that were found."""
    split_of_file = {f"{folder}{split}.json": split for split in SPLITS for folder in ("", "splits/")}
    files = [path for path in paths_by_name(src, *(f"{split}.json" for split in SPLITS)) if path in split_of_file]
    splits = defaultdict(set)
    for path in files:
        for original in {name for pair in _read_pairs(src / path) for name in pair}:
            splits[original].add(split_of_file[path])
    return OfficialSplits(dict(splits), {split_of_file[path] for path in files} == set(SPLITS))


def _read_pairs(path):
    try:
        pairs = json.loads(read_text(path))
        if all(isinstance(name, str) and len(pair) == 2 for pair in pairs for name in pair):
            return pairs
    except (ValueError, TypeError, RecursionError):
        pass
    raise UserError(f'{path}: expected the pairs of FaceForensics++, like [["071", "054"], ...]: get it again')
