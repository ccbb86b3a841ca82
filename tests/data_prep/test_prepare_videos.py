"""Videos through data_prep; the test replaces `find`, so that it decides what the layout finds."""

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import data_prep.prepare as module
from common.data.decoding import read_image
from common.data.videos import Sampling, read_clip
from common.errors import UserError
from common.faces.detection import Face
from common.files import sha256
from data_prep.layouts.item import Item
from data_prep.options import PrepareOptions
from data_prep.preparation import crops
from data_prep.prepare import prepare
from data_prep.verify import verify


def write_video(path, frames, start=0, size=(64, 48)):
    """Write a lossless clip in which frame i is grey start + 2 i."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"FFV1"), 25, size)
    for index in range(frames):
        writer.write(np.full((size[1], size[0], 3), start + 2 * index, dtype=np.uint8))
    writer.release()
    return path


@pytest.fixture
def clips(tmp_path, monkeypatch):
    """A raw folder with a real clip of 40 frames in real/, and a fake of 30 frames that was made from it."""
    write_video(tmp_path / "raw" / "real" / "id0.avi", 40)
    write_video(tmp_path / "raw" / "fake" / "id0_id1.avi", 30, start=100)

    def find(layout, src):
        paths = sorted(path.relative_to(src).as_posix() for path in src.rglob("*.*"))
        return [item(path) for path in paths]

    monkeypatch.setattr(module, "find", find)
    return tmp_path / "raw"


def item(path):
    if path.startswith("fake"):
        return Item(path, "fake", "swap", identity="id0;id1", original="real/id0.avi", split="test")
    return Item(path, "real", "swap", video="named/id0.avi", identity="id0")


def options(**values):
    return PrepareOptions(workers=1, **values)


def skipped(dst):
    return list(pd.read_csv(dst / "skipped.csv", dtype=str).itertuples(index=False, name=None))


def test_frames_are_evenly_spaced_over_the_clip_and_have_the_columns_of_their_item(clips, tmp_path):
    """40 frames in 4 parts of 10: 5, 15, 25, 35; 30 in parts of 7.5: 3.75, 11.25, 18.75, 26.25."""
    dst = tmp_path / "out"
    images = prepare("any", clips, dst, options(frames_per_video=4))
    assert images.drop(columns="sha256").values.tolist() == [
        [f"fake/id0_id1/frame_{frame:06d}.png", "fake", "swap", "fake/id0_id1.avi", "id0;id1", "real/id0.avi"]
        + [str(frame), "test"]
        for frame in (3, 11, 18, 26)
    ] + [
        [f"real/id0/frame_{frame:06d}.png", "real", "swap", "named/id0.avi", "id0", "", str(frame), ""]
        for frame in (5, 15, 25, 35)
    ]
    for row in images.itertuples():
        shown = (100 if row.label == "fake" else 0) + 2 * int(row.frame)
        assert abs(read_image(dst / row.path).astype(int) - shown).max() <= 3
        assert row.sha256 == sha256(dst / row.path)
    assert verify(dst) == []


def test_ten_frames_are_the_default_and_stored_in_prep_json(clips, tmp_path):
    images = prepare("any", clips, tmp_path / "out", options())
    assert list(images["frame"][images["label"] == "real"]) == [str(frame) for frame in range(2, 40, 4)]
    assert '"frames_per_video": 10' in (tmp_path / "out" / "prep.json").read_text()
    with pytest.raises(UserError, match="started with --frames-per-video 10, not without"):
        prepare("any", clips, tmp_path / "out", options(every=5))


@pytest.mark.parametrize(
    ("flags", "real"), [({"every": 16}, [0, 16, 32]), ({"first": 3}, [0, 1, 2]), ({"frames_per_video": 1}, [20])]
)
def test_the_other_ways_to_choose_frames(clips, tmp_path, flags, real):
    images = prepare("any", clips, tmp_path / "out", options(jpeg=90, size=16, **flags))
    found = images[images["label"] == "real"]
    assert list(found["path"]) == [f"real/id0/frame_{frame:06d}.jpg" for frame in real]
    with Image.open(tmp_path / "out" / found["path"].iloc[0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (16, 16))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"every": 2, "first": 3}, "one way to choose frames, got --every and --first"),
        ({"frames_per_video": 2, "first": 3}, "got --frames-per-video and --first"),
        ({"every": 0}, "--every: expected at least 1, got 0"),
        ({"first": -1}, "--first: expected at least 1, got -1"),
    ],
)
def test_impossible_choices_of_frames_are_refused(clips, tmp_path, flags, message):
    with pytest.raises(UserError, match=message):
        prepare("any", clips, tmp_path / "out", options(**flags))


def test_a_choice_of_frames_without_a_video_is_refused(raw, tmp_path):
    with pytest.raises(UserError, match="--every is about videos, and SRC has none"):
        prepare("folders", raw, tmp_path / "out", options(every=5))


class TestDetector:
    """Finds one face if the image is brighter than 40, two if it is brighter than 140."""

    __test__ = False

    def __init__(self):
        self.batches = []

    def detect_batch(self, images):
        self.batches.append(len(images))
        return [self.detect(image) for image in images]

    def detect(self, image):
        faces = [Face(10, 10, 20, 20, 0.9), Face(30, 10, 10, 10, 0.8)]
        return faces[: int(image.mean() > 40) + int(image.mean() > 140)]


@pytest.fixture
def detector(monkeypatch):
    detector = TestDetector()
    monkeypatch.setattr(crops, "detector_of_thread", lambda *_: detector)
    return detector


def test_frames_and_videos_without_a_face_are_named_and_are_no_error(clips, detector, tmp_path):
    """Of frames 0, 6, .., 36, whose grey is twice their index, 24 and later have a face; the dark clip has none."""
    write_video(clips / "real" / "dark.avi", 15)
    images = prepare("any", clips, tmp_path / "out", options(faces="haar", size=8, every=6))
    assert list(images["frame"][images["label"] == "real"]) == ["24", "30", "36"]
    assert skipped(tmp_path / "out") == [("real/dark.avi", "no face in any frame: 3 looked at")] + [
        ("real/id0.avi", f"no face in a frame: {frame}") for frame in (0, 6, 12, 18)
    ]
    assert not (tmp_path / "out" / "real" / "dark").exists()


def test_the_detector_gets_batches_of_at_most_eight(clips, detector, tmp_path):
    prepare("any", clips, tmp_path / "out", options(faces="haar", every=2))
    assert detector.batches == [8, 7, 8, 8, 4]


def test_all_faces_of_a_frame_are_numbered(clips, detector, tmp_path):
    """Frames 0 and 29 of the fake have one face and two."""
    images = prepare("any", clips, tmp_path / "out", options(faces="haar", pick="all", every=29))
    fakes = images[images["label"] == "fake"]
    assert list(fakes["path"]) == [
        "fake/id0_id1/frame_000000-face0.png",
        "fake/id0_id1/frame_000029-face0.png",
        "fake/id0_id1/frame_000029-face1.png",
    ]
    assert list(fakes["frame"]) == ["0", "29", "29"]


def test_hostile_videos_are_skipped_with_a_reason(clips, tmp_path):
    (clips / "real" / "text.mp4").write_text("hello")
    (clips / "real" / "playlist.mp4").write_text("#EXTM3U\n#EXTINF:1,\nid0.avi\n")
    (clips / "real" / "empty.mkv").write_bytes(b"")
    (clips / "real" / "box.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(range(256)) * 8)
    (clips / "real" / "unplayable.mov").symlink_to(clips / "nowhere")
    cut = write_video(clips / "real" / "cut.avi", 60)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    images = prepare("any", clips, tmp_path / "out", options(max_unreadable=0.8))
    assert len(images) == 20 and verify(tmp_path / "out") == []
    reasons = dict(skipped(tmp_path / "out"))
    assert reasons.pop("real/cut.avi").startswith("truncated video: it ends after")
    assert reasons == {
        "real/box.mp4": "not a video, or a broken one: it cannot be opened",
        "real/empty.mkv": "empty file",
        "real/playlist.mp4": "not a video: its content is none of MP4, QuickTime, AVI, Matroska, WebM, MPEG",
        "real/text.mp4": "not a video: its content is none of MP4, QuickTime, AVI, Matroska, WebM, MPEG",
        "real/unplayable.mov": "no such file",
    }


def test_a_clip_keeps_its_suffix_if_its_folder_exists(clips, tmp_path, save_noise):
    save_noise(clips / "real" / "id0" / "frame_000002.png", 0)
    write_video(clips / "real" / "twin.avi", 4)
    write_video(clips / "real" / "twin.mkv", 4)
    images = prepare("any", clips, tmp_path / "out", options(frames_per_video=1))
    assert [path for path in images["path"] if path.startswith("real")] == [
        "real/id0.avi/frame_000020.png",
        "real/id0/frame_000002.png",
        "real/twin.avi/frame_000002.png",
        "real/twin.mkv/frame_000002.png",
    ]


def test_a_clip_that_changed_leaves_no_old_frame_behind(clips, tmp_path):
    prepare("any", clips, tmp_path / "out", options(frames_per_video=4))
    write_video(clips / "real" / "id0.avi", 12)
    images = prepare("any", clips, tmp_path / "out", options(frames_per_video=4))
    assert list(images["frame"][images["label"] == "real"]) == ["1", "4", "7", "10"]
    assert verify(tmp_path / "out") == []


def test_a_lost_frame_is_made_again(clips, tmp_path):
    first = prepare("any", clips, tmp_path / "out", options())
    (tmp_path / "out" / "real" / "id0" / "frame_000002.png").unlink()
    assert prepare("any", clips, tmp_path / "out", options()).equals(first)
    assert verify(tmp_path / "out") == []


def test_frames_equal_those_that_predict_reads(clips, tmp_path):
    images = prepare("any", clips, tmp_path / "out", options(frames_per_video=3)).query("label == 'real'")
    frames = read_clip(clips / "real" / "id0.avi", Sampling(count=3), list)
    for path, (_, frame) in zip(images["path"], frames, strict=True):
        np.testing.assert_array_equal(read_image(tmp_path / "out" / path), frame)
