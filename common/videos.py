"""Frames of a video, evenly spaced over the whole clip."""

import math
import os
from pathlib import Path

from common.decoding import MAX_PIXELS, Unreadable

TRUNCATED_BELOW = 0.9  # headers are off by a few frames; a clip that ends before this share of them was cut off


def read_frames(path, count):
    """Return up to `count` pairs (index, frame): the middle frames of `count` equal parts of the clip, in order.

    frame is a uint8 RGB array (height, width, 3), index counts from 0 in the clip; a clip with fewer frames gives each
    once. Frames are stepped through one after the other, since seeking lands on the wrong frame in many codecs. Raises
    Unreadable for a missing, empty, broken or truncated file, and where there is no frame rate.
    """
    promised = _promised_frames(path)
    frames, seen = _grab(path, _middles(promised, count))
    if len(frames) == min(count, promised):
        return frames
    if seen == 0:
        raise Unreadable("no frame can be decoded")
    if seen < TRUNCATED_BELOW * promised:
        raise Unreadable(f"truncated video: it ends after {seen} of {promised} frames")
    frames, again = _grab(path, _middles(seen, count))
    if len(frames) < min(count, seen):
        raise Unreadable(f"broken video: it ends after {seen} frames, then after {again}")
    return frames


def _middles(frames, count):
    return sorted({(2 * part + 1) * frames // (2 * count) for part in range(count)})


def _promised_frames(path):
    import cv2

    clip = _open(path)
    try:
        rate, frames = clip.get(cv2.CAP_PROP_FPS), int(clip.get(cv2.CAP_PROP_FRAME_COUNT))
        pixels = clip.get(cv2.CAP_PROP_FRAME_WIDTH) * clip.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if not math.isfinite(rate) or rate <= 0:
            raise Unreadable("no frame rate")
        if pixels > MAX_PIXELS:
            raise Unreadable(f"too large: {int(pixels)} pixels a frame, at most {MAX_PIXELS} are read")
        if frames > 0:
            return frames
        while clip.grab():  # streams without an index do not know their length
            frames = max(frames, 0) + 1
    finally:
        clip.release()
    if frames <= 0:
        raise Unreadable("no frame can be decoded")
    return frames


def _grab(path, wanted):
    """Return the wanted frames that there are, and how many frames were stepped over until the last one or the end."""
    import cv2

    clip, frames, index = _open(path), [], 0
    try:
        for index in range(wanted[-1] + 1):
            if not clip.grab():
                return frames, index
            if index in wanted:
                decoded, frame = clip.retrieve()
                if not decoded:
                    return frames, index
                frames.append((index, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)))
        return frames, index + 1
    finally:
        clip.release()


def _open(path):
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # or FFmpeg writes its own complaints to stderr
    import cv2

    path = Path(path)
    if not path.is_file():
        raise Unreadable("no such file")
    if path.stat().st_size == 0:
        raise Unreadable("empty file")
    clip = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not clip.isOpened():
        clip.release()
        raise Unreadable("not a video, or a broken one: it cannot be opened")
    return clip
