"""Zip archives from strangers (.keras, .skops, .npz): looked at before anything in them is unpacked."""

import zipfile
from pathlib import Path, PureWindowsPath

MAX_UNPACKED = 1 << 30  # bytes; the largest network of the suite has 0.3 GB
MAX_MEMBERS = 100_000
MAX_TEXT = 64 << 20  # bytes of a member that is JSON; Inception-ResNet-v2's has 0.6 MB


class UnsafeArchive(ValueError):
    """An archive that must not be unpacked. The message is the reason, without the file's name."""


def check_archive(file: str | Path, *texts: str) -> list[str]:
    """Check a zip archive by its directory; nothing is unpacked.

    Python reads at most as many bytes of a member as the directory declares, so that the declared sizes can be relied
    on. Keras, skops and NumPy store without compression: a sound archive declares no more than its own size.

    Args:
        file: the archive.
        texts: names of members that are text, which is short.

    Returns:
        The names of its members.

    Raises:
        UnsafeArchive: if it is no zip archive, unpacks to more than MAX_UNPACKED and more than its own size, has too
            many members, or one that leads out of its folder.
    """
    try:
        size = Path(file).stat().st_size
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UnsafeArchive(f"not a zip archive: {error}") from error
    declared = sum(member.file_size for member in members)
    if declared > max(MAX_UNPACKED, size):
        raise UnsafeArchive(f"it unpacks to {declared / 1e9:.1f} GB, at most {MAX_UNPACKED / 1e9:.1f} are read")
    if len(members) > MAX_MEMBERS:
        raise UnsafeArchive(f"it has {len(members)} members, at most {MAX_MEMBERS} are read")
    for member in members:
        path = PureWindowsPath(member.filename)  # its separators and roots include those of POSIX
        if path.drive or path.root or ".." in path.parts:
            raise UnsafeArchive(f"its member {member.filename!r} leads out of its folder")
        if member.filename in texts and member.file_size > MAX_TEXT:
            raise UnsafeArchive(f"its member {member.filename} has {member.file_size / 1e9:.1f} GB of text")
    return [member.filename for member in members]
