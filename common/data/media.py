"""The images and videos that a command line names."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from common.data.decoding import IMAGE_SUFFIXES, UNSUPPORTED_SUFFIXES, VIDEO_SUFFIXES, Unreadable, read_image
from common.errors import UserError

SUFFIXES = frozenset(IMAGE_SUFFIXES + VIDEO_SUFFIXES + UNSUPPORTED_SUFFIXES)
ARCHIVE_FOLDER = "__MACOSX"  # of zip archives from macOS: resource forks under the names of the files


@dataclass(frozen=True)
class Media:
    """The files below paths.

    Args:
        files: images and videos by their suffix, and files of unsupported formats, sorted within each folder.
        hidden: the number of hidden images and videos, which are left out.
        others: the other files in the folders, which are no images or videos by their suffix.
        empty: folders without any image or video.
    """

    files: list[Path]
    hidden: int = 0
    others: list[Path] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)


def find_media(paths: Iterable[Path]) -> Media:
    """Find the images and videos that `paths` name.

    Args:
        paths: files, taken as they are, and folders, searched with their sub-folders. Links to folders are not
            followed.

    Returns:
        The files; each once.

    Raises:
        UserError: if a path does not exist, or there is no image or video.
    """
    files: dict[Path, None] = {}
    hidden: list[Path] = []
    others: list[Path] = []
    empty: list[Path] = []
    for path in paths:
        if not os.path.lexists(path):
            raise UserError(f"no such file or folder: {path}")
        if not path.is_dir():
            files[path] = None
            continue
        found = _files_below(path)
        if not any(map(_is_media, found)):
            empty.append(path)
        for file in found:
            if is_hidden(file.relative_to(path)):
                hidden += [file] if _is_media(file) else []
            elif _is_media(file):
                files[file] = None
            else:
                others.append(file)
    if not files:
        left_out = f"; {len(hidden)} hidden files are left out, e.g. {hidden[0]}" if hidden else ""
        left_out += (
            f"; {len(others)} other files, e.g. {others[0]}: name one to read it by its content" if others else ""
        )
        raise UserError(f"no image or video in {', '.join(map(str, paths)) or 'an empty list of paths'}{left_out}")
    return Media(list(files), len(hidden), others, empty)


def is_hidden(path: Path) -> bool:
    """Return whether a relative path is hidden: it, or a folder of it, begins with a dot or is of macOS's archives."""
    return any(part.startswith(".") or part == ARCHIVE_FOLDER for part in path.parts)


def unsupported_format(path: Path) -> str:
    """Return why a file is not read, by its suffix; empty if it may be an image or video that is."""
    suffix = path.suffix.lower()
    return f"unsupported format: {suffix[1:]}" if suffix in UNSUPPORTED_SUFFIXES else ""


def check_format(file: Path) -> None:
    """Unreadable if a file's suffix is of a format that is not read."""
    if reason := unsupported_format(file):
        raise Unreadable(reason)


def check_readable(file: Path) -> None:
    """Unreadable if an image cannot be read, or the first frame of a video."""
    from common.data.videos import Sampling, read_clip  # here: the layouts list files without OpenCV

    check_format(file)
    if file.suffix.lower() in VIDEO_SUFFIXES:
        read_clip(file, Sampling(first=1), list)
    else:
        read_image(file)


def _is_media(file):
    return os.path.splitext(file)[1].lower() in SUFFIXES


def _files_below(folder):
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        found += [Path(place, name) for name in names]
    return sorted(file for file in found if not file.is_dir())  # a dangling link is reported when it is read
