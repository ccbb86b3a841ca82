import weakref

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.data.decoding import Unreadable
from common.data.videos import Sampling, read_clip


def write_video(path, frames, codec="MJPG", rate=25):
    """A clip in which frame i is red 200 and blue i."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), rate, (64, 48))
    for index in range(frames):
        writer.write(np.full((48, 64, 3), (index, 0, 200), dtype=np.uint8))
    writer.release()
    return path


def read_frames(path, count):
    """Pairs (index, frame), evenly spaced over the clip."""
    return read_clip(path, Sampling(count=count), list)


class FakeClip:
    """Replaces cv2.VideoCapture: its header states `promised` frames, it has `frames`."""

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
    def replace(*numbers, cut=False):
        monkeypatch.setattr(cv2, "VideoCapture", FakeClip(*numbers))
        (tmp_path / "a.mp4").write_bytes((100 if cut else 12).to_bytes(4, "big") + b"ftypisom")
        return tmp_path / "a.mp4"

    return replace


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
def test_frames_are_evenly_spaced_and_rgb(tmp_path, name, codec):
    """40 frames in 4 parts of 10: their middles are 5, 15, 25, 35."""
    frames = read_frames(write_video(tmp_path / name, 40, codec), 4)
    assert [index for index, _ in frames] == [5, 15, 25, 35]
    for index, frame in frames:
        assert (frame.shape, frame.dtype) == ((48, 64, 3), np.uint8)
        assert abs(frame[24, 32].astype(int) - [200, 0, index]).max() <= 12


def test_a_clip_with_fewer_frames_gives_each_once(tmp_path):
    assert [index for index, _ in read_frames(write_video(tmp_path / "a.avi", 3), 10)] == [0, 1, 2]


@given(frames=st.integers(1, 500), count=st.integers(1, 60))
def test_chosen_frames_are_in_order_and_reach_both_ends(frames, count):
    chosen = Sampling(count=count).indices(frames)
    assert chosen == sorted(set(chosen)) and len(chosen) == min(frames, count)
    part = frames / count
    assert 0 <= chosen[0] <= part and frames - 1 - part <= chosen[-1] < frames


def test_a_header_with_a_few_frames_too_many_is_corrected(fake):
    assert [index for index, _ in read_frames(fake(100, 98), 98)] == list(range(98))


def test_frames_are_counted_if_the_header_does_not_state_them(fake):
    assert [index for index, _ in read_frames(fake(-1, 40), 4)] == [5, 15, 25, 35]


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        ((100, 0), "no frame can be decoded"),
        ((0, 0), "no frame can be decoded"),
        ((100, 100, 0.0), "no frame rate"),
        ((100, 100, float("nan")), "no frame rate"),
    ],
)
def test_a_clip_that_contradicts_its_header_is_refused(fake, clip, reason):
    with pytest.raises(Unreadable, match=f"^{reason}$"):
        read_frames(fake(*clip), 4)


def test_a_file_that_was_cut_is_truncated_if_many_frames_are_missing(fake):
    with pytest.raises(Unreadable, match="^truncated video: it ends after 50 of 100 frames$"):
        read_frames(fake(100, 50, cut=True), 4)
    assert [index for index, _ in read_frames(fake(100, 98, cut=True), 2)] == [24, 73]


def write_number(data, name, offset, number):
    """Set a field of 4 bytes in the first chunk `name` of an AVI."""
    start = data.index(name) + 8 + offset
    data[start : start + 4] = number.to_bytes(4, "little")


@pytest.mark.parametrize("promised", [4, 36, 44, 400])
def test_the_decoder_and_not_the_header_says_how_long_a_clip_is(tmp_path, promised):
    """A sound AVI of 40 frames whose headers state another number."""
    data = bytearray(write_video(tmp_path / "a.avi", 40).read_bytes())
    write_number(data, b"avih", 16, promised)
    write_number(data, b"strh", 32, promised)
    (tmp_path / "other.avi").write_bytes(data)
    clip = cv2.VideoCapture(str(tmp_path / "other.avi"))
    assert clip.get(cv2.CAP_PROP_FRAME_COUNT) == promised
    frames = read_frames(tmp_path / "other.avi", 4)
    assert [index for index, _ in frames] == [5, 15, 25, 35]
    assert [abs(int(frame[24, 32, 2]) - index) <= 12 for index, frame in frames] == [True] * 4


@pytest.mark.parametrize(
    "name", ["12:30.avi", "pipe:0.avi", "caf\udce9.avi", "-i.avi", "a b%d.avi", "x" * 251 + ".avi"]
)
def test_a_clip_of_any_name_is_read(tmp_path, monkeypatch, name):
    clip = write_video(tmp_path / "a.avi", 4)
    monkeypatch.chdir(tmp_path)
    try:
        clip.rename(name)
    except OSError:  # of file systems that refuse the name
        pytest.skip("this file system has no such names")
    assert [index for index, _ in read_frames(name, 2)] == [1, 3]


def test_files_that_are_no_videos_are_refused(tmp_path):
    with pytest.raises(Unreadable, match="no such file"):
        read_frames(tmp_path / "none.mp4", 4)
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(Unreadable, match="empty file"):
        read_frames(tmp_path / "empty.mp4", 4)
    for text in (
        "not a video at all\n" * 100,
        "#EXTM3U\n#EXTINF:1,\nsecret.avi\n",
        "ffconcat version 1.0\nfile a.avi\n",
    ):
        (tmp_path / "text.mp4").write_text(text)
        with pytest.raises(Unreadable, match="^not a video: its content"):
            read_frames(tmp_path / "text.mp4", 4)
    (tmp_path / "box.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"nothing more" * 100)
    with pytest.raises(Unreadable, match="cannot be opened"):
        read_frames(tmp_path / "box.mp4", 4)


def test_half_a_file_is_refused(tmp_path):
    for name, codec in (("a.avi", "MJPG"), ("a.mp4", "mp4v")):
        path = write_video(tmp_path / name, 60, codec)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(Unreadable):
            read_frames(path, 8)


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(count=5), [4, 12, 20, 28, 36]),
        (Sampling(every=15), [0, 15, 30]),
        (Sampling(every=1), list(range(40))),
        (Sampling(every=100), [0]),
        (Sampling(first=3), [0, 1, 2]),
        (Sampling(first=100), list(range(40))),
    ],
)
def test_each_way_of_sampling(tmp_path, sampling, expected):
    path = write_video(tmp_path / "a.avi", 40)
    assert [index for index, _ in read_clip(path, sampling, list)] == expected
    for index, frame in read_clip(path, sampling, list):
        assert abs(int(frame[24, 32, 2]) - index) <= 12


def test_frames_come_one_by_one(tmp_path):
    """A frame that its user releases is freed before the next one is read."""
    references = []

    def count_alive(frames):
        most = 0
        for _, frame in frames:
            references.append(weakref.ref(frame))
            del frame
            most = max(most, sum(reference() is not None for reference in references))
        return most

    assert read_clip(write_video(tmp_path / "a.avi", 40), Sampling(every=1), count_alive) <= 1
    assert len(references) == 40


def test_a_clip_that_ends_a_little_early_is_read_again_for_its_true_length(fake):
    """Of 100 promised frames there are 94: the middle of the tenth tenth, 95, is not there; of 94 it is 89."""
    passes = []

    def use(frames):
        passes.append([])
        for index, _ in frames:
            passes[-1].append(index)
        return passes[-1]

    assert read_clip(fake(100, 94), Sampling(count=10), use) == [4, 14, 23, 32, 42, 51, 61, 70, 79, 89]
    assert passes[0] == [5, 15, 25, 35, 45, 55, 65, 75, 85]


def test_the_first_frames_do_not_need_the_rest_of_a_clip(fake):
    """Only half of the promised frames are there."""
    assert [index for index, _ in read_clip(fake(100, 50, cut=True), Sampling(first=4), list)] == [0, 1, 2, 3]
    for sampling in (Sampling(first=60), Sampling(every=7), Sampling(count=7)):
        with pytest.raises(Unreadable, match="truncated video: it ends after 50 of 100 frames"):
            read_clip(fake(100, 50, cut=True), sampling, list)


def test_every_reads_more_frames_than_the_header_states(fake):
    assert [index for index, _ in read_clip(fake(10, 25), Sampling(every=10), list)] == [0, 10, 20]
