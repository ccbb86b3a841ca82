"""Video containers, by their first bytes: which ones are read, and whether a file ends before its container does."""

import os
from pathlib import Path
from typing import BinaryIO

from common.data.decoding import Unreadable, open_bytes

# FFmpeg looks at the content alone, and would follow a play list named .mp4 to other files: known containers only.
_SIGNATURES = {
    0: (b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"G"),  # Matroska and WebM, MPEG's own
    4: (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"),  # MP4, QuickTime
    8: (b"AVI ",),
}
_SEGMENT = b"\x18\x53\x80\x67"  # the one element of Matroska that holds all frames


def check_container(path: str | Path) -> None:
    """Check that a file is a video by its content.

    Args:
        path: the file.

    Raises:
        Unreadable: if it is missing, empty, or none of the containers that are read.
    """
    with open_bytes(Path(path)) as file:
        start = file.read(12)
    if not start:
        raise Unreadable("empty file")
    if not any(start[at:].startswith(signatures) for at, signatures in _SIGNATURES.items()):
        raise Unreadable("not a video: its content is none of MP4, QuickTime, AVI, Matroska, WebM, MPEG")


def is_cut_short(path: str | Path) -> bool:
    """Return whether a file has fewer bytes than its container states.

    Containers of MPEG state no size, nor do those of a recorder that was stopped: they are never cut short.

    Args:
        path: a file that `check_container` accepts.
    """
    size = os.path.getsize(path)
    with open_bytes(Path(path)) as file:
        start = file.read(12)
        file.seek(0)
        if start[4:8] in _SIGNATURES[4]:
            return _end_of_boxes(file, size) > size
        if start[8:12] == b"AVI ":
            return _end_of_riff(file, size) > size
        return start.startswith(_SIGNATURES[0][0]) and _end_of_segment(file) > size


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Return where the last box of MP4 ends (ISO/IEC 14496-12, 4.2): a size of 1 is in the next 8 bytes, 0 is open."""
    end = 0
    while end < size:
        file.seek(end)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 1 and len(header) == 16:
            length = int.from_bytes(header[8:], "big")
        if length < 8:  # open, or padding after the last box
            return size
        end += length
    return end


def _end_of_riff(file: BinaryIO, size: int) -> int:
    """Return where the last RIFF chunk of an AVI ends; those of more than 1 GB have several."""
    end = 0
    while end < size:
        file.seek(end)
        header = file.read(8)
        length = int.from_bytes(header[4:], "little")
        if header[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):  # other bytes, or a recorder that was stopped
            return size
        end += 8 + length
    return end


def _end_of_segment(file: BinaryIO) -> int:
    """Return where Matroska's segment ends (RFC 8794, 4): after an ID and a size of variable length; 0 if unknown."""
    end = 0
    for identifier in (_SIGNATURES[0][0], _SEGMENT):
        file.seek(end)
        header = file.read(12)
        octets = 9 - header[4].bit_length() if len(header) == 12 else 9
        if header[:4] != identifier or octets > 8:
            return 0
        length = int.from_bytes(header[4 : 4 + octets], "big") & ((1 << 7 * octets) - 1)
        if length == (1 << 7 * octets) - 1:
            return 0
        end += 4 + octets + length
    return end
