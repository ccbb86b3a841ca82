"""What lies below a raw folder: no link is followed, nothing outside is read, and what is refused is named."""

import os
import re
from pathlib import Path, PureWindowsPath

from common.data.decoding import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from common.errors import UserError

MEDIA_SUFFIXES = IMAGE_SUFFIXES + VIDEO_SUFFIXES
UNWRITABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # cannot stand in a line of a manifest in UTF-8
UNREADABLE = "unreadable name: expected UTF-8 without line ends, rename it"
UNREAD_SUFFIXES = (
    *(".gif", ".tif", ".tiff", ".avif", ".heic", ".jfif", ".jp2", ".ppm", ".pgm", ".tga"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".mts"),
)


def image_paths(src, hidden=False):
    """Every image below `src` by its suffix: sorted paths relative to it, with `/`.

    Links are not followed. Hidden files and folders are left out, or with `hidden` only hidden files are returned.
    """
    return [path for path in _regular(src, hidden) if path.lower().endswith(IMAGE_SUFFIXES)]


def media_paths(src):
    """Every image and video below `src` by its suffix, as image_paths gives them."""
    return [path for path in _regular(src) if path.lower().endswith(MEDIA_SUFFIXES)]


def named_paths(src, *names):
    """Every file below `src` that has one of the names, in capitals or not, as image_paths gives them."""
    wanted = {name.lower() for name in names}
    return [path for path in _regular(src) if path.rpartition("/")[2].lower() in wanted]


def refused_paths(src):
    """{path: reason} of what no layout may take: links, special files, unreadable folders, formats nobody reads."""
    reasons = {path: reason or _unread(path) for path, reason in _walk(src) if not _is_hidden(path)}
    return {path: reason for path, reason in sorted(reasons.items()) if reason}


def is_video(path):
    """True if the path, a str, has a video's suffix."""
    return path.lower().endswith(VIDEO_SUFFIXES)


def without_suffix(path):
    """The path, a str, without its last suffix."""
    return path[: len(path) - len(os.path.splitext(path)[1])]


def frame_index(path):
    """The number at the end of an image's name as text, without leading zeros; empty where there is none."""
    number = re.search(r"\d+$", without_suffix(path))
    return str(int(number[0])) if number else ""


def leaves_folder(name):
    """True if a name found in somebody's list leads out of the folder it is relative to, on any system."""
    path = PureWindowsPath(name)
    return bool(path.drive or path.root or ".." in path.parts)


def read_text(path):
    """The text of a list that came with the data; UserError if it cannot be read as UTF-8."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a readable text file ({error}): get it anew") from error


def refuse_folder(word, src, paths, layout):
    """Raise UserError if an image lies in a folder of this name: the layout would mistake it, or leave it out."""
    wrong = next((path for path in paths if word in path.lower().split("/")[:-1]), None)
    if wrong:
        raise UserError(
            f"layout {layout} does not fit, {src} has a folder {word}/ ({wrong}): "
            f"use the layout folders for a tree of real/ and fake/, stylegan for Kaggle's 140k real and fake faces"
        )


def refuse_twins(clips):
    """Raise UserError if pairs (clip, place) name a clip in two places: as a video and as frames, or in two copies."""
    first, twins = {}, {}
    for clip, place in clips:
        if first.setdefault(clip, place) != place:
            twins[clip] = place
    for clip, place in twins.items():
        raise UserError(
            f"{len(twins)} clips lie there twice, e.g. {first[clip]} and {place}: keep one of the two below SRC, or "
            f"rename one if they are two clips"
        )


def _regular(src, hidden=False):
    return sorted(path for path, reason in _walk(src) if not reason and _is_hidden(path) == hidden)


def _walk(src):
    """Pairs (path, reason): every file and link below `src` except in hidden folders, the reason if it is refused."""
    real, waiting = os.path.realpath(src), [""]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(src, folder)) as listing:
                entries = list(listing)
        except OSError as error:
            yield folder.rstrip("/") or ".", f"unreadable folder: {error.strerror}"
            continue
        for entry in entries:
            path = folder + entry.name
            if UNWRITABLE.search(entry.name):
                yield folder + repr(entry.name)[1:-1], UNREADABLE
            elif entry.is_symlink():
                yield path, _link(entry.path, real)
            elif entry.is_dir(follow_symlinks=False):
                waiting += [] if entry.name.startswith(".") else [path + "/"]
            else:  # a pipe would keep its reader waiting for ever
                yield path, "" if entry.is_file(follow_symlinks=False) else "not a regular file"


def _link(path, root):
    target = os.path.realpath(path)
    inside = target == root or target.startswith(root + os.sep)
    return f"symbolic link: {'not followed, its target counts by itself' if inside else 'it leads out of SRC'}"


def _is_hidden(path):
    return path.rpartition("/")[2].startswith(".")


def _unread(path):
    suffix = os.path.splitext(path)[1].lower()
    return f"unsupported format: {suffix[1:]}" if suffix in UNREAD_SUFFIXES else ""
