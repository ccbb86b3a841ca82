import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decoding import Unreadable
from common.videos import _middles, read_frames


def write_video(path, frames, codec="MJPG", rate=25):
    """A clip in which frame i is red 200 and blue i."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), rate, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), (index, 0, 200), dtype=np.uint8))
    writer.release()
    return path


class FakeClip:
    """Stands in for cv2.VideoCapture: promises `promised` frames and has `frames`."""

    def __init__(self, promised, frames, rate=25.0):
        self.promised, self.frames, self.rate, self.at = promised, frames, rate, -1

    def __call__(self, *_):
        self.at = -1
        return self

    def isOpened(self):
        return True

    def get(self, what):
        return {cv2.CAP_PROP_FPS: self.rate, cv2.CAP_PROP_FRAME_COUNT: self.promised}.get(what, 64.0)

    def grab(self):
        self.at += 1
        return self.at < self.frames

    def retrieve(self):
        return True, np.full((64, 64, 3), self.at, dtype=np.uint8)

    def release(self):
        pass


@pytest.fixture
def fake(monkeypatch, tmp_path):
    def replace(*numbers, **more):
        monkeypatch.setattr(cv2, "VideoCapture", FakeClip(*numbers, **more))
        (tmp_path / "a.mp4").write_bytes(b"something")
        return tmp_path / "a.mp4"

    return replace


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_frames_lie_evenly_over_the_whole_clip_and_are_rgb(tmp_path, name, codec):
    """40 frames in 4 parts of 10: their middles are 5, 15, 25, 35."""
    frames = read_frames(write_video(tmp_path / name, 40, codec), 4)
    assert [index for index, _ in frames] == [5, 15, 25, 35]
    for index, frame in frames:
        assert (frame.shape, frame.dtype) == ((48, 64, 3), np.uint8)
        assert abs(frame[24, 32].astype(int) - [200, 0, index]).max() <= 12


def test_a_clip_shorter_than_asked_for_gives_each_frame_once(tmp_path):
    assert [index for index, _ in read_frames(write_video(tmp_path / "a.avi", 3), 10)] == [0, 1, 2]


@given(frames=st.integers(1, 500), count=st.integers(1, 60))
def test_chosen_frames_are_in_order_and_reach_both_ends(frames, count):
    chosen = _middles(frames, count)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(frames, count)
    part = frames / count
    assert 0 <= chosen[0] <= part and frames - 1 - part <= chosen[-1] < frames


def test_a_header_that_promises_a_few_frames_too_many_is_corrected(fake):
    assert [index for index, _ in read_frames(fake(100, 98), 98)] == list(range(98))


def test_a_header_without_a_count_is_counted(fake):
    assert [index for index, _ in read_frames(fake(-1, 40), 4)] == [5, 15, 25, 35]


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        ((100, 50), "truncated video: it ends after 50 of 100 frames"),
        ((100, 0), "no frame can be decoded"),
        ((0, 0), "no frame can be decoded"),
        ((100, 100, 0.0), "no frame rate"),
        ((100, 100, float("nan")), "no frame rate"),
    ],
)
def test_a_clip_that_is_not_what_it_says_is_refused(fake, clip, reason):
    with pytest.raises(Unreadable, match=f"^{reason}$"):
        read_frames(fake(*clip), 4)


def test_files_that_are_no_videos_are_refused(tmp_path):
    with pytest.raises(Unreadable, match="no such file"):
        read_frames(tmp_path / "none.mp4", 4)
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(Unreadable, match="empty file"):
        read_frames(tmp_path / "empty.mp4", 4)
    (tmp_path / "text.mp4").write_text("not a video at all\n" * 100)
    with pytest.raises(Unreadable, match="cannot be opened"):
        read_frames(tmp_path / "text.mp4", 4)


def test_half_a_file_is_refused(tmp_path):
    for name, codec in (("a.avi", "MJPG"), ("a.mp4", "mp4v")):
        path = write_video(tmp_path / name, 60, codec)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(Unreadable):
            read_frames(path, 8)
