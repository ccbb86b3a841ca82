"""Frames of a video: evenly spaced over the whole clip, each N-th, or the first ones; one in memory at a time."""

import itertools
import math
import os
from dataclasses import dataclass
from pathlib import Path

from common.data.decoding import MAX_PIXELS, Unreadable

TRUNCATED_BELOW = 0.9  # headers are off by a few frames; a clip that ends before this share of them was cut off

# FFmpeg goes by the content alone, and would follow a play list named .mp4 to other files: known containers only.
_SIGNATURES = {
    0: (b"\x1aE\xdf\xa3", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"G"),  # Matroska and WebM, MPEG's own
    4: (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"),  # MP4, QuickTime
    8: (b"AVI ",),
}


@dataclass(frozen=True)
class Sampling:
    """Which frames of a clip, one of three: `count` of them evenly spaced, each `every`-th, or the `first` so many.

    count: the middle frames of so many equal parts of the clip; a clip with fewer frames gives each once.
    """

    count: int | None = None
    every: int | None = None
    first: int | None = None

    def indices(self, length):
        """The wanted indices from 0 in ascending order, for a clip of `length` frames; `every` has no end."""
        if self.every:
            return itertools.count(0, self.every)
        return range(self.first) if self.first else _middles(length, self.count)


def read_clip(path, sampling, use):
    """Return use(frames), where frames iterates over pairs (index, frame) in the order of the clip.

    frame is a uint8 RGB array (height, width, 3), index counts from 0 in the clip; none is held here when the next one
    is read. Evenly spaced frames take the length from the header: where it promises a few frames too many, `use` is
    called a second time, with the frames for the true length. The clip is stepped through, never sought in: that lands
    on the wrong frame in many codecs, and takes four times as long for ten frames of ten seconds in 1080p.

    Raises Unreadable for a missing, empty, broken or truncated file, one that is no video, and where there is no frame
    rate.
    """
    promised = _promised_frames(path)
    length = promised or (_count(path) if sampling.count else 0)
    try:
        return use(_frames(path, sampling.indices(length), promised, sampling.count))
    except _Shorter as first:
        try:
            return use(_frames(path, sampling.indices(first.length), first.length, sampling.count))
        except _Shorter as second:
            reason = f"broken video: it ends after {first.length} frames, then after {second.length}"
            raise Unreadable(reason) from None


def read_frames(path, count):
    """Return up to `count` pairs (index, frame), evenly spaced over the whole clip; all are held in memory."""
    return read_clip(path, Sampling(count=count), list)


class _Shorter(Exception):
    """A clip that ends a little earlier than its header says, and whose evenly spaced frames lie elsewhere then."""

    def __init__(self, length):
        super().__init__(length)
        self.length = length


def _middles(frames, count):
    return sorted({(2 * part + 1) * frames // (2 * count) for part in range(count)})


def _frames(path, wanted, promised, evenly):
    import cv2

    clip, seen = _open(path), 0
    try:
        for index in wanted:
            while seen <= index and clip.grab():
                seen += 1
            decoded, frame = clip.retrieve() if seen > index else (False, None)
            if not decoded:
                return _check_end(min(seen, index), promised, evenly)
            yield index, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        clip.release()


def _check_end(seen, promised, evenly):
    if seen == 0:
        raise Unreadable("no frame can be decoded")
    if seen < TRUNCATED_BELOW * promised:
        raise Unreadable(f"truncated video: it ends after {seen} of {promised} frames")
    if evenly:
        raise _Shorter(seen)


def _promised_frames(path):
    """The number of frames by the header, 0 if it does not say; Unreadable without a frame rate or sane dimensions."""
    import cv2

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


def _count(path):
    """The number of frames of a stream whose header does not say: all are stepped over."""
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
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # or FFmpeg writes its own complaints to stderr
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # or OpenCV warns of each file that is no video
    _check_container(Path(path))
    threads = [cv2.CAP_PROP_N_THREADS, max(1, cv2.getNumThreads())]  # FFmpeg takes all cores otherwise
    clip = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, threads)
    if not clip.isOpened():
        clip.release()
        raise Unreadable("not a video, or a broken one: it cannot be opened")
    return clip


def _check_container(path):
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except IsADirectoryError:
        raise Unreadable("a folder, not a file") from None
    except PermissionError:
        raise Unreadable("no permission to read it") from None
    if not start:
        raise Unreadable("empty file")
    if not any(start[at:].startswith(signatures) for at, signatures in _SIGNATURES.items()):
        raise Unreadable("not a video: its content is none of MP4, QuickTime, AVI, Matroska, WebM, MPEG")
