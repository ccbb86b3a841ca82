"""Frames of a video: evenly spaced over the whole clip, every N-th, or the first N; one in memory at a time."""

import itertools
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from common.data.containers import check_container, is_cut_short
from common.data.decoding import MAX_PIXELS, Unreadable

TRUNCATED_BELOW = 0.9  # a file that was cut, and has a lower share of the frames of its header, is truncated

Frame = tuple[int, np.ndarray]
Result = TypeVar("Result")


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
            header. If the decoder then finds another length, `use` is called again with the frames for that one.

    Returns:
        What the last call of `use` returned.

    Raises:
        Unreadable: if the file is missing, empty, no video, broken or truncated, or has no frame rate.
    """
    promised = _promised_frames(path)
    length = promised or (_count_frames(path) if sampling.count else 0)
    try:
        return use(_frames(path, sampling.indices(length), promised, length if sampling.count else None))
    except _OtherLength as first:
        try:
            return use(_frames(path, sampling.indices(first.length), promised, first.length))
        except _OtherLength as second:
            reason = f"broken video: it ends after {first.length} frames, then after {second.length}"
            raise Unreadable(reason) from None


class _OtherLength(Exception):
    """A clip has another number of frames than its header states, so its evenly spaced frames are others."""

    def __init__(self, length):
        super().__init__(length)
        self.length = length


def _frames(path, indices, promised, length):
    """Yield the frames; with a length, read to the end and raise _OtherLength if the clip has another one."""
    with _open(path) as clip:
        seen = 0
        for index in indices:
            while seen <= index and clip.grab():
                seen += 1
            decoded, frame = clip.retrieve() if seen > index else (False, None)
            if not decoded:
                seen = min(seen, index)
                break
            yield index, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        else:
            while length is not None and clip.grab():
                seen += 1
            if length is None or seen == length:
                return
    if seen == 0:
        raise Unreadable("no frame can be decoded")
    if seen < TRUNCATED_BELOW * promised and is_cut_short(path):
        raise Unreadable(f"truncated video: it ends after {seen} of {promised} frames")
    if length is not None:
        raise _OtherLength(seen)


def _promised_frames(path):
    """The number of frames that the header states, or 0; Unreadable without a frame rate or if frames are too large.

    It is exact in few containers: fragments, variable rates, edit lists and stopped recorders make it too low or high.
    """
    with _open(path) as clip:
        rate, frames = clip.get(cv2.CAP_PROP_FPS), int(clip.get(cv2.CAP_PROP_FRAME_COUNT))
        pixels = clip.get(cv2.CAP_PROP_FRAME_WIDTH) * clip.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if not math.isfinite(rate) or rate <= 0:
        raise Unreadable("no frame rate")
    if pixels > MAX_PIXELS:
        raise Unreadable(f"too large: {int(pixels)} pixels a frame, at most {MAX_PIXELS} are read")
    return max(frames, 0)


def _count_frames(path):
    """The number of frames of a stream whose header does not state it: all are skipped over."""
    frames = 0
    with _open(path) as clip:
        while clip.grab():
            frames += 1
    if not frames:
        raise Unreadable("no frame can be decoded")
    return frames


@contextmanager
def _open(path):
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # FFmpeg would write messages of its own to stderr
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # no warning for each file that is no video
    check_container(path)
    threads = [cv2.CAP_PROP_N_THREADS, max(1, cv2.getNumThreads())]  # FFmpeg takes all cores otherwise
    with _name_for_opencv(path) as name:
        clip = cv2.VideoCapture(name, cv2.CAP_FFMPEG, threads)
        try:
            if not clip.isOpened():
                raise Unreadable("not a video, or a broken one: it cannot be opened")
            yield clip
        finally:
            clip.release()


@contextmanager
def _name_for_opencv(path):
    """Yield a name under which OpenCV finds the file.

    FFmpeg takes a relative `12:30.mp4` for a protocol and `pipe:0.mp4` for the standard input, and OpenCV ends the
    process at a name that is not UTF-8.
    """
    name = os.path.abspath(path)
    try:
        name.encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory() as folder:
            link = os.path.join(folder, "clip")
            os.symlink(name, link)
            yield link
    else:
        yield name
