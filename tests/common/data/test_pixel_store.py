"""Each image is decoded once in a run; beyond memory and disk, images are decoded again, with the same pixels."""

import errno
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from common.data import image_reader, pixel_store
from common.data.buffers import Buffers
from common.data.datasets import open_dataset
from common.data.pipeline import Images, Preprocessing
from common.data.pixel_store import PixelStore, machine_memory

SIZE = 16
IMAGE_BYTES = SIZE * SIZE * 3
EVERYTHING = 1 << 30


@pytest.fixture
def table(prepared):
    return open_dataset("dfdc", prepared).images


@pytest.fixture
def decoded(monkeypatch):
    """The files that were decoded, in order."""
    files, read_image = [], image_reader.read_image
    monkeypatch.setattr(image_reader, "read_image", lambda file: files.append(file) or read_image(file))
    return files


def batches_of(table, store, epoch=0):
    images = Images(table, Preprocessing(SIZE), store)
    return [images.numpy() for images, _ in images.training_batches(8, 3, epoch)]


def test_a_run_decodes_each_file_once(table, decoded):
    pixel_store.open_store(0.01)
    try:
        for part in (table.iloc[:60], table.iloc[50:], table):
            for epoch in range(2):
                batches_of(part, None, epoch)
            list(Images(part, Preprocessing(SIZE)).evaluation_batches(7))
    finally:
        pixel_store.close_store()
    assert sorted(decoded) == sorted(table["file"])


@pytest.mark.parametrize(("in_memory", "on_disk"), [(0, 0), (3, 20), (3, None)])
def test_pixels_are_the_same_wherever_they_are(table, tmp_path, decoded, in_memory, on_disk):
    disk_bytes = None if on_disk is None else on_disk * IMAGE_BYTES
    store = PixelStore(in_memory * IMAGE_BYTES, disk_bytes, tmp_path / "cache")
    for epoch in range(2):
        expected = batches_of(table, PixelStore(EVERYTHING, 0), epoch)
        decoded.clear()
        np.testing.assert_array_equal(batches_of(table, store, epoch), expected)
    assert on_disk is not None or not decoded, "all of them are kept, and no file is opened again"
    assert not list(tmp_path.glob("cache/*")), "the file has no name"


def test_a_full_disk_is_said_once_and_ends_the_keeping(table, tmp_path, monkeypatch, caplog):
    written, write = [], os.pwrite

    def fail_after_ten(*arguments):
        written.append(arguments)
        if len(written) > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(*arguments)

    monkeypatch.setattr(os, "pwrite", fail_after_ten)
    store = PixelStore(0, None, tmp_path)
    for epoch in range(2):
        expected = batches_of(table, PixelStore(EVERYTHING, 0), epoch)
        np.testing.assert_array_equal(batches_of(table, store, epoch), expected)
    assert len(written) == 11
    assert [record.message for record in caplog.records] == [
        "not all decoded images can be kept, the rest is decoded again in every epoch: No space left on device "
        f"({tmp_path})"
    ]


def test_a_folder_that_cannot_be_written_stops_nothing(table, tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    expected = batches_of(table, PixelStore(EVERYTHING, 0))
    np.testing.assert_array_equal(batches_of(table, PixelStore(0, None, tmp_path / "file" / "cache")), expected)
    assert [record.levelname for record in caplog.records] == ["WARNING"] and "Not a directory" in caplog.text


def test_a_killed_process_leaves_nothing_behind(tmp_path):
    program = f"""
import numpy as np, pathlib, sys, time
from common.data.pixel_store import PixelStore
store = PixelStore(0, None, pathlib.Path({str(tmp_path)!r}))
for number in range(100):
    assert store.kept(64, "area").add(str(number), np.full((64, 64, 3), number, np.uint8))
print("written", flush=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(tmp_path.iterdir()) == []


def test_memory_is_that_of_the_machine_or_of_its_container(tmp_path, monkeypatch):
    whole = machine_memory()
    assert 1 << 28 < whole <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    (tmp_path / "none").write_text("max\n")
    (tmp_path / "limit").write_text(f"{whole // 4}\n")
    monkeypatch.setattr(pixel_store, "LIMITS", [str(tmp_path / name) for name in ("missing", "none", "limit")])
    assert machine_memory() == whole // 4


def test_batches_that_are_held_keep_their_pixels(table):
    images = Images(table, Preprocessing(SIZE), PixelStore(EVERYTHING, 0))
    held, copies = [], []
    for batch in images.evaluation_batches(2):
        held.append(batch)
        copies.append(np.array(batch))
    assert len(held) == 40
    np.testing.assert_array_equal(held, copies)


def test_a_buffer_is_given_again_only_when_nobody_refers_to_it():
    buffers = Buffers(most=2)
    first = buffers.take((4, 3), np.float32)
    part = first[1:].reshape(-1)
    place = first.ctypes.data
    del first
    second = buffers.take((4, 3), np.float32)
    assert second.ctypes.data != place, "a part of the first is still used"
    del part
    assert buffers.take((4, 3), np.float32).ctypes.data == place
    assert place % 64 == 0 and second.shape == (4, 3) and second.dtype == np.float32
    held = [buffers.take((4, 3), np.float32) for _ in range(5)]
    assert len({array.ctypes.data for array in held} | {second.ctypes.data}) == 6
    assert buffers.take((2, 3), np.uint8).shape == (2, 3)
