"""Files made byte by byte after the containers' specifications."""

import pytest

from common.data.containers import is_cut_short


def box(kind, content, size=None):
    return (size if size is not None else 8 + len(content)).to_bytes(4, "big") + kind + content


def riff(content, size=None):
    return b"RIFF" + (size if size is not None else 4 + len(content)).to_bytes(4, "little") + b"AVI " + content


def matroska(size):
    """An empty EBML header, and a segment with its size as it is written, 8 bytes."""
    return b"\x1aE\xdf\xa3\x80" + b"\x18\x53\x80\x67" + size + b"frames" * 10


WHOLE_MP4 = box(b"ftyp", b"isom") + box(b"mdat", b"x" * 50) + box(b"moov", b"y" * 20)


@pytest.mark.parametrize(
    ("content", "cut"),
    [
        (WHOLE_MP4, False),
        (WHOLE_MP4[:-1], True),
        (box(b"ftyp", b"isom") + (1).to_bytes(4, "big") + b"mdat" + (66).to_bytes(8, "big") + b"x" * 50, False),
        (box(b"ftyp", b"isom") + (1).to_bytes(4, "big") + b"mdat" + (67).to_bytes(8, "big") + b"x" * 50, True),
        (box(b"ftyp", b"isom") + box(b"mdat", b"x" * 50, size=0), False),
        (WHOLE_MP4 + b"\0\0\0", False),
        (riff(b"x" * 40), False),
        (riff(b"x" * 40)[:-1], True),
        (riff(b"x" * 40) + riff(b"x" * 9), False),
        (riff(b"x" * 40) + riff(b"x" * 9)[:-1], True),
        (riff(b"x" * 40, size=0), False),
        (riff(b"x" * 40, size=0xFFFFFFFF), False),
        (matroska(b"\x01" + (60).to_bytes(7, "big")), False),
        (matroska(b"\x01" + (61).to_bytes(7, "big")), True),
        (matroska(b"\x01" + b"\xff" * 7), False),
        (b"G" + b"x" * 187, False),
        (b"\0\0\1\xba" + b"x" * 100, False),
    ],
)
def test_a_file_is_cut_short_if_its_container_states_more_bytes(tmp_path, content, cut):
    (tmp_path / "clip").write_bytes(content)
    assert is_cut_short(tmp_path / "clip") is cut
