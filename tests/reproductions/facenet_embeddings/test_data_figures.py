"""Figures 1, 2 and 4: counts, frames from the raw folder beside the prepared one, and what is said without it."""

import logging
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.faces.detection import Face
from reproductions.facenet_embeddings import data_figures
from reproductions.inputs import RunData
from reproductions.splitting import Split


@pytest.fixture
def drawn(monkeypatch):
    """{file name: figure} of what was drawn, instead of the files."""
    found = {}
    monkeypatch.setattr(data_figures, "save_figure", lambda figure, path: found.update({path.name: figure}) or path)
    return found


@pytest.fixture
def data(clips, tmp_path):
    """The clips as a data set that was cropped by Haar from a raw folder named `raw`."""
    dataset = SimpleNamespace(
        folder=tmp_path / "prepared", name="celebdf", role="celebdf", images=clips,
        preparation={"source_folder": "raw", "flags": {"faces": "haar", "pick": "best", "min_confidence": None}},
    )  # fmt: skip
    split = Split("video", 0, {"": clips.assign(split=np.resize(["train", "train", "val", "test"], len(clips)))})
    return RunData([dataset], ("celebdf",), [split])


def run(tmp_path):
    return SimpleNamespace(path=lambda *parts: tmp_path.joinpath(*parts))


def test_figure_1_has_the_counts(data, drawn, tmp_path):
    data_figures.draw_data_figures(data, run(tmp_path))
    videos, frames = drawn["figure_01_split.png"].axes
    assert [patch.get_height() for patch in videos.patches] == [10, 10]
    table = pd.crosstab(data.splits[0].images["label"], data.splits[0].images["split"])
    expected = [table.loc[label, split] for label in ("real", "fake") for split in ("train", "val", "test")]
    assert [patch.get_height() for patch in frames.patches] == expected


def test_without_raw_frames_figure_2_has_the_faces_alone_and_the_log_says_so(data, drawn, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="deepfake"):
        data_figures.draw_data_figures(data, run(tmp_path))
    assert set(drawn) == {"figure_01_split.png", "figure_02_faces.png"}
    assert len(drawn["figure_02_faces.png"].axes) == 2 * 4
    assert "Figure 2 shows faces without their frames, and there is no Figure 4" in caplog.text


def test_frames_are_those_of_the_raw_folder_and_the_box_is_drawn(data, drawn, tmp_path, monkeypatch):
    """Each raw image is grey with its number; of videos the frame with the index of the face."""
    images = data.datasets[0].images
    for place, row in enumerate(images.itertuples()):
        path = (tmp_path / "raw" / row.path).with_suffix(".jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((30, 40, 3), place, np.uint8)).save(path)
    detector = SimpleNamespace(detect=lambda frame: [Face(4, 5, 20, 10, 0.9)])
    monkeypatch.setattr(data_figures, "make_detector", lambda name: detector)
    data_figures.draw_data_figures(data, run(tmp_path))
    examples = data_figures.choose_examples(images)
    shown = [axis.get_images()[0].get_array() for axis in drawn["figure_02_faces.png"].axes]
    numbers = [int(picture.mean().round()) for picture in [*shown[:4], *shown[8:12]]]
    assert numbers == [list(images.index).index(place) for place in examples.index]
    detection, face = drawn["figure_04_detection.png"].axes
    box = detection.patches[0]
    assert (box.get_x(), box.get_y(), box.get_width(), box.get_height()) == (4, 5, 20, 10)
    assert face.get_images()[0].get_array().shape == (16, 16, 3)


def test_a_frame_of_a_video_is_found_by_its_index(data, tmp_path):
    (tmp_path / "raw").mkdir()
    writer = cv2.VideoWriter(str(tmp_path / "raw" / "clip.avi"), cv2.VideoWriter_fourcc(*"FFV1"), 25, (64, 48))
    for index in range(5):
        writer.write(np.full((48, 64, 3), 10 * index, np.uint8))
    writer.release()
    row = SimpleNamespace(video="clip", frame="3", path="clip/frame_000003.png")
    assert abs(data_figures.find_frame(data.datasets[0], row).astype(int) - 30).max() <= 3
    uncropped = SimpleNamespace(folder=tmp_path / "prepared", preparation={"source_folder": "raw", "flags": {}})
    assert data_figures.find_frame(uncropped, row) is None
