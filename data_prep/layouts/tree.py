"""The files below a raw folder: links are not followed, nothing outside is read, and every refused file is named."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from common.data.decoding import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from common.data.manifest import MAX_FRAME_DIGITS
from common.data.media import ARCHIVE_FOLDER, is_hidden, unsupported_format
from common.errors import UserError

MEDIA_SUFFIXES = IMAGE_SUFFIXES + VIDEO_SUFFIXES
UNSTORABLE_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # a line of UTF-8 text cannot hold them
UNSTORABLE_NAME = "unreadable name: expected UTF-8 without line ends, rename it"


def image_paths(src: str | Path) -> list[str]:
    """Return the images below `src` by their suffix: sorted paths relative to it, with `/`.

    Links are not followed; hidden files and folders, and macOS's __MACOSX, are left out.
    """
    return [path for path in _regular_files(src) if path.lower().endswith(IMAGE_SUFFIXES)]


def media_paths(src: str | Path) -> list[str]:
    """Return the images and videos below `src` by their suffix, as image_paths does."""
    return [path for path in _regular_files(src) if path.lower().endswith(MEDIA_SUFFIXES)]


def paths_by_name(src: str | Path, *names: str) -> list[str]:
    """Return the files below `src` that have one of the names in any case, as image_paths does."""
    wanted = {name.lower() for name in names}
    return [path for path in _regular_files(src) if path.rpartition("/")[2].lower() in wanted]


def refused_paths(src: str | Path) -> dict[str, str]:
    """Return {path: reason} of the files that no layout may use.

    These are links, special files, folders that cannot be listed, unsupported formats, and names that a manifest
    cannot store.
    """
    reasons = {
        path: reason or unsupported_format(Path(path)) for path, reason in _walk(src) if not is_hidden(Path(path))
    }
    return {path: reason for path, reason in sorted(reasons.items()) if reason}


def is_video(path: str) -> bool:
    """Return True if the path has the suffix of a video."""
    return path.lower().endswith(VIDEO_SUFFIXES)


def strip_suffix(path: str) -> str:
    """Return the path without its last suffix."""
    return path[: len(path) - len(os.path.splitext(path)[1])]


def frame_index(path: str) -> str:
    """Return the number at the end of an image's name, without leading zeros.

    Empty if there is none, or if it has more digits than an index can have (MAX_FRAME_DIGITS): part of a hash, say.
    """
    number = re.search(r"[0-9]+$", strip_suffix(path))
    digits = number[0].lstrip("0") or "0" if number else ""
    return digits if len(digits) <= MAX_FRAME_DIGITS else ""


def read_text(path: str | Path) -> str:
    """Return the text of a list that came with the data.

    Raises:
        UserError: if it cannot be read as UTF-8.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a readable text file ({error}): get it again") from error


def refuse_class_folder(name: str, src: Path, paths: Iterable[str], layout: str) -> None:
    """Refuse a tree with images of a class that the layout does not know.

    Args:
        name: the folder of that class, `real` or `fake`.
        src: the raw folder, for the message.
        paths: the images found in it.
        layout: the layout's name, for the message.

    Raises:
        UserError: if one of the paths has a folder of that name.
    """
    example = next((path for path in paths if name in path.lower().split("/")[:-1]), None)
    if example:
        raise UserError(
            f"layout {layout} does not fit, {src} has a folder {name}/ ({example}): "
            f"use the layout folders for a tree of real/ and fake/, stylegan for Kaggle's 140k real and fake faces"
        )


def refuse_duplicate_clips(clips: Iterable[tuple[object, str]]) -> None:
    """Refuse a clip that is stored twice: as a video and as frames, or in two copies.

    Args:
        clips: pairs (what identifies the clip, its video file or its folder of frames).

    Raises:
        UserError: if one clip is stored in two places.
    """
    places: dict[object, str] = {}
    duplicates = {}
    for clip, place in clips:
        if places.setdefault(clip, place) != place:
            duplicates[clip] = place
    for clip, place in duplicates.items():
        raise UserError(
            f"{len(duplicates)} clips are stored twice, e.g. {places[clip]} and {place}: keep one of the two below "
            f"SRC, or rename one if they are different clips"
        )


def _regular_files(src):
    return sorted(path for path, reason in _walk(src) if not reason and not is_hidden(Path(path)))


def _walk(src):
    """Yield (path, reason) of every file and link below `src` outside hidden folders; the reason if it is refused."""
    root, folders = os.path.realpath(src), [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(src, folder)) as listing:
                entries = list(listing)
        except OSError as error:
            yield folder.rstrip("/") or ".", f"unreadable folder: {error.strerror}"
            continue
        for entry in entries:
            path = folder + entry.name
            if UNSTORABLE_CHARACTERS.search(entry.name):
                yield folder + repr(entry.name)[1:-1], UNSTORABLE_NAME
            elif entry.is_symlink():
                yield path, _describe_link(entry.path, root)
            elif entry.is_dir(follow_symlinks=False):
                folders += [] if entry.name.startswith(".") or entry.name == ARCHIVE_FOLDER else [path + "/"]
            else:  # opening a pipe would block for ever
                yield path, "" if entry.is_file(follow_symlinks=False) else "not a regular file"


def _describe_link(path, root):
    target = os.path.realpath(path)
    inside = target == root or target.startswith(root + os.sep)
    return f"symbolic link: {'not followed, its target counts by itself' if inside else 'it leads out of SRC'}"
