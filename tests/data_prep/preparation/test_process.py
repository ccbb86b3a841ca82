"""One raw file in a worker: an interrupted video is absent, and chunks of tasks."""

import numpy as np
import pytest

from data_prep.preparation import process
from data_prep.preparation.crops import encode
from data_prep.preparation.process import Task, WorkFolders, process_files
from data_prep.preparation.recipe import Recipe
from data_prep.preparation.tasks import split_into_chunks


def test_a_video_is_complete_or_absent(tmp_path, monkeypatch):
    """Stopped while the second frame is encoded: the folder of the frames does not appear."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "out" / ".partial").mkdir(parents=True)
    frame = np.zeros((8, 8, 3), np.uint8)
    encoded = []

    def stop(image, jpeg):
        encoded.append(image)
        if len(encoded) == 2:
            raise KeyboardInterrupt
        return encode(image, jpeg)

    monkeypatch.setattr(process, "encode", stop)
    monkeypatch.setattr(process, "read_clip", lambda path, sampling, use: use(iter([(0, frame), (1, frame)])))
    folders = WorkFolders(tmp_path / "raw", tmp_path / "out", tmp_path / "out" / ".partial")
    with pytest.raises(KeyboardInterrupt):
        process_files(folders, Recipe(), [Task("clips/a.mp4", "clips/a", "")])
    assert len(encoded) == 2 and [path.name for path in (tmp_path / "out").iterdir()] == [".partial"]
    assert list((tmp_path / "out" / ".partial").iterdir()) == []


def test_a_worker_that_outlives_its_run_puts_nothing_in_place(tmp_path, save_noise):
    """The run has removed its folder of partial files."""
    save_noise(tmp_path / "raw" / "a.png", 0)
    (tmp_path / "out").mkdir()
    folders = WorkFolders(tmp_path / "raw", tmp_path / "out", tmp_path / "out" / ".partial")
    for recipe in (Recipe(), Recipe(size=8)):
        with pytest.raises(FileNotFoundError):
            process_files(folders, recipe, [Task("a.png", "a", "")])
    assert list((tmp_path / "out").iterdir()) == []


def test_a_name_of_the_largest_length_can_be_written(tmp_path, save_noise):
    name = "x" * 251 + ".png"
    save_noise(tmp_path / "raw" / name, 0)
    (tmp_path / "out" / ".partial").mkdir(parents=True)
    folders = WorkFolders(tmp_path / "raw", tmp_path / "out", tmp_path / "out" / ".partial")
    (result,) = process_files(folders, Recipe(), [Task(name, name, "")])
    assert result.images[0][0] == name and (tmp_path / "out" / name).is_file()


def test_a_video_is_a_chunk_of_its_own():
    tasks = [Task(path, "", "") for path in ("a.mp4", "b.jpg", "c.AVI", "d.jpg", "e.jpg")]
    chunks = split_into_chunks(tasks, 2)
    assert [[task.path for task in chunk] for chunk in chunks] == [["a.mp4"], ["c.AVI"], ["b.jpg", "d.jpg"], ["e.jpg"]]
