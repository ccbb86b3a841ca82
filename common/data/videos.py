"""Frames of a video: evenly spaced over the whole clip, every N-th, or the first N; one in memory at a time."""

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from common.data.decoding import MAX_PIXELS, Unreadable, open_bytes

TRUNCATED_BELOW = 0.9  # headers are off by a few frames; a clip that ends before this share of them is truncated

Frame = tuple[int, np.ndarray]
Result = TypeVar("Result")

# FFmpeg looks at the content alone, and would follow a play list named .mp4 to other files: known containers only.
_SIGNATURES = {
    0: (b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"G"),  # Matroska and WebM, MPEG's own
    4: (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"),  # MP4, QuickTime
    8: (b"AVI ",),
}


@dataclass(frozen=True)
class Sampling:
    """Which frames of a clip to read: exactly one of the three.

    Args:
        count: the middle frames of this number of equal parts of the clip; a clip with fewer frames gives each once.
        every: every N-th frame, from the first.
        first: the first N frames.
    """

    count: int | None = None
    every: int | None = None
    first: int | None = None

    def indices(self, length: int) -> Iterable[int]:
        """Return the indices to read, from 0 and ascending.

        Args:
            length: frames of the clip; only `count` depends on it.

        Returns:
            The indices; endless for `every`.

        Raises:
            ValueError: if none of the three is given.
        """
        if self.every:
            return itertools.count(0, self.every)
        if self.first:
            return range(self.first)
        if self.count is None:
            raise ValueError("expected one of count, every and first, got none")
        return sorted({(2 * part + 1) * length // (2 * self.count) for part in range(self.count)})


def read_clip(path: str | Path, sampling: Sampling, use: Callable[[Iterator[Frame]], Result]) -> Result:
    """Read frames of a clip, in its order.

    The clip is read through without seeking: in many codecs seeking finds the wrong frame, and it takes four times as
    long for ten frames of ten seconds in 1080p.

    Args:
        path: the file.
        sampling: which frames.
        use: called with an iterator over (index, frame): the index in the clip from 0, and uint8 RGB (height, width,
            3). The reader keeps no frame when the next one is read. Evenly spaced frames take the length from the
            header. If the clip is a few frames shorter, `use` is called again with the frames for the true length.

    Returns:
        What the last call of `use` returned.

    Raises:
        Unreadable: if the file is missing, empty, no video, broken or truncated, or has no frame rate.
    """
    promised = _promised_frames(path)
    length = promised or (_count_frames(path) if sampling.count else 0)
    try:
        return use(_frames(path, sampling.indices(length), promised, sampling.count))
    except _Shorter as first:
        try:
            return use(_frames(path, sampling.indices(first.length), first.length, sampling.count))
        except _Shorter as second:
            reason = f"broken video: it ends after {first.length} frames, then after {second.length}"
            raise Unreadable(reason) from None


def read_frames(path: str | Path, count: int) -> list[Frame]:
    """Return frames evenly spaced over the whole clip; all are in memory at once.

    Args:
        path: the file.
        count: of frames; a clip with fewer gives each once.

    Returns:
        Pairs (index, frame) as of `read_clip`.

    Raises:
        Unreadable: as read_clip does.
    """
    return read_clip(path, Sampling(count=count), list)


class _Shorter(Exception):
    """A clip ends a little earlier than its header says, so its evenly spaced frames are others."""

    def __init__(self, length):
        super().__init__(length)
        self.length = length


def _frames(path, indices, promised, evenly_spaced):
    clip, seen = _open(path), 0
    try:
        for index in indices:
            while seen <= index and clip.grab():
                seen += 1
            decoded, frame = clip.retrieve() if seen > index else (False, None)
            if not decoded:
                return _check_end(min(seen, index), promised, evenly_spaced)
            yield index, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        clip.release()


def _check_end(seen, promised, evenly_spaced):
    if seen == 0:
        raise Unreadable("no frame can be decoded")
    if seen < TRUNCATED_BELOW * promised:
        raise Unreadable(f"truncated video: it ends after {seen} of {promised} frames")
    if evenly_spaced:
        raise _Shorter(seen)


def _promised_frames(path):
    """The number of frames that the header states, or 0; Unreadable without a frame rate or if frames are too large."""
    clip = _open(path)
    try:
        rate, frames = clip.get(cv2.CAP_PROP_FPS), int(clip.get(cv2.CAP_PROP_FRAME_COUNT))
        pixels = clip.get(cv2.CAP_PROP_FRAME_WIDTH) * clip.get(cv2.CAP_PROP_FRAME_HEIGHT)
    finally:
        clip.release()
    if not math.isfinite(rate) or rate <= 0:
        raise Unreadable("no frame rate")
    if pixels > MAX_PIXELS:
        raise Unreadable(f"too large: {int(pixels)} pixels a frame, at most {MAX_PIXELS} are read")
    return max(frames, 0)


def _count_frames(path):
    """The number of frames of a stream whose header does not state it: all are skipped over."""
    clip, frames = _open(path), 0
    try:
        while clip.grab():
            frames += 1
    finally:
        clip.release()
    if not frames:
        raise Unreadable("no frame can be decoded")
    return frames


def _open(path):
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg would write messages of its own to stderr
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # no warning for each file that is no video
    _check_container(Path(path))
    threads = [cv2.CAP_PROP_N_THREADS, max(1, cv2.getNumThreads())]  # FFmpeg takes all cores otherwise
    clip = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, threads)
    if not clip.isOpened():
        clip.release()
        raise Unreadable("not a video, or a broken one: it cannot be opened")
    return clip


def _check_container(path):
    with open_bytes(path) as file:
        start = file.read(12)
    if not start:
        raise Unreadable("empty file")
    if not any(start[at:].startswith(signatures) for at, signatures in _SIGNATURES.items()):
        raise Unreadable("not a video: its content is none of MP4, QuickTime, AVI, Matroska, WebM, MPEG")
