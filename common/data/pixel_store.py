"""The decoded pixels of a run: each image is decoded once, whatever splits, models and seeds read it again."""

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np

from common.files import cache_folder

MEMORY_SHARE = 0.25  # of what the machine has
FREE_DISK_SHARE = 0.5  # of what is free when the file is opened: other programs need the rest
BLOCK_BYTES = 1 << 26  # of memory that is taken at once; pages that are not written take none
UNKNOWN_MEMORY = 1 << 32
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container

log = logging.getLogger("deepfake")


class PixelStore:
    """Keeps resized pixels in memory and, beyond a budget, in a file.

    The file has no name, so that its space is free again as soon as the process ends, however it ends. It is read by
    position and not mapped: a mapped file counts as memory of the process, and a disk that fails would end it by a
    signal. A disk that is full ends the keeping, not the run.

    Args:
        memory_bytes: of pixels in memory.
        disk_bytes: of pixels in the file; None: half of what the disk has left.
        folder: of the file; None: the cache folder.
    """

    def __init__(self, memory_bytes: int, disk_bytes: int | None = None, folder: Path | None = None):
        self._memory_left, self._disk_left = memory_bytes, disk_bytes if hasattr(os, "preadv") else 0
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._end = 0
        self._kept: dict[tuple[int, str], KeptPixels] = {}

    @classmethod
    def of_machine(cls, share: float = MEMORY_SHARE) -> "PixelStore":
        """Return a store that takes a share of this machine's memory, or of what its container may take."""
        return cls(int(share * machine_memory()))

    def kept(self, size: int, resize: str) -> "KeptPixels":
        """Return the images that are kept with (size, size) pixels after this method of resizing."""
        return self._kept.setdefault((size, resize), KeptPixels(self, size))

    def has_room(self, size: int) -> bool:
        """Return whether there may be room for an image of `size` bytes."""
        return self._memory_left >= size or self._disk_left != 0

    def take_memory(self, least: int) -> int:
        """Take a block of memory of at least `least` bytes, and return its size; 0 if there is not so much left."""
        granted = min(max(least, BLOCK_BYTES), self._memory_left)
        if granted < least:
            return 0
        self._memory_left -= granted
        return granted

    def write(self, pixels: np.ndarray) -> int | None:
        """Append pixels to the file and return their position; None if there is no room."""
        if self._disk_left == 0:
            return None
        try:
            file = self._open_file()
            if self._end + pixels.nbytes > (self._disk_left or 0):
                raise OSError(None, "half of what the disk had left is used")
            data, written = _bytes_of(np.ascontiguousarray(pixels)), 0
            while written < len(data):
                written += os.pwrite(file.fileno(), data[written:], self._end + written)
        except OSError as error:  # full, read-only, or a quota
            self._disk_left = 0
            log.warning(
                "not all decoded images can be kept, the rest is decoded again in every epoch: %s (%s)",
                error.strerror or error, self._folder or cache_folder(),
            )  # fmt: skip
            return None
        self._end += pixels.nbytes
        return self._end - pixels.nbytes

    def read(self, position: int, pixels: np.ndarray) -> None:
        """Read what `write` has put at a position into `pixels`, which is contiguous."""
        assert self._file is not None
        data, done = _bytes_of(pixels), 0
        while done < len(data):
            count = os.preadv(self._file.fileno(), [data[done:]], position + done)
            if count == 0:
                raise OSError(f"the file of decoded images in {self._folder or cache_folder()} has become shorter")
            done += count

    def _open_file(self) -> IO[bytes]:
        if self._file is None:
            folder = self._folder or cache_folder()
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (open as long as the store is)
            if self._disk_left is None:
                self._disk_left = int(FREE_DISK_SHARE * shutil.disk_usage(folder).free)
        return self._file


class KeptPixels:
    """The images that a store keeps in one size, after one method of resizing.

    Args:
        store: where they are kept.
        size: height and width.

    Attributes:
        shape: of an image.
        is_full: whether there was no room for an image.
    """

    def __init__(self, store: PixelStore, size: int):
        self._store, self.shape = store, (size, size, 3)
        self._places: dict[str, int] = {}
        self._images: list[np.ndarray | int] = []  # by place: pixels in memory, or a position in the file
        self._free: Iterator[np.ndarray] = iter(())  # what is left of the newest block
        self.is_full = not store.has_room(math.prod(self.shape))

    def places(self, files: Sequence[str]) -> np.ndarray:
        """Return the place of each file, int64 (n,); -1 if it is not kept."""
        return np.array([self._places.get(file, -1) for file in files], np.int64)

    def add(self, file: str, pixels: np.ndarray) -> bool:
        """Keep the pixels of a file, uint8 (S, S, 3); return whether there was room."""
        memory = self._next_in_memory()
        if memory is not None:
            memory[:] = pixels
        image = self._store.write(pixels) if memory is None else memory
        self.is_full = image is None
        if image is not None:
            self._places[file] = len(self._images)
            self._images.append(image)
        return not self.is_full

    def read(self, place: int) -> np.ndarray:
        """Return the pixels at a place, uint8 (S, S, 3), which must not be changed."""
        image = self._images[place]
        if isinstance(image, np.ndarray):
            return image
        pixels = np.empty(self.shape, np.uint8)
        self._store.read(image, pixels)
        return pixels

    def _next_in_memory(self) -> np.ndarray | None:
        image = next(self._free, None)
        if image is None:
            count = self._store.take_memory(least=math.prod(self.shape)) // math.prod(self.shape)
            self._free = iter(np.empty((count, *self.shape), np.uint8))
            image = next(self._free, None)
        return image


def machine_memory() -> int:
    """Return the bytes of memory that this machine has, or that its container may take."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")] if hasattr(os, "sysconf") else []
    for file in LIMITS:
        with suppress(OSError, ValueError):  # no such file, or `max`
            sizes.append(int(Path(file).read_text(encoding="ascii")))
    return min(sizes, default=UNKNOWN_MEMORY)


def _bytes_of(pixels: np.ndarray) -> memoryview:
    return pixels.reshape(-1).view(np.uint8).data


class _Run:
    store: PixelStore | None = None


def open_store(share: float) -> None:
    """Keep the images that this process reads from now on in one store, with this share of the machine's memory."""
    _Run.store = PixelStore.of_machine(share)


def close_store() -> None:
    """Give the memory and the file of the open store back."""
    _Run.store = None


def current_store() -> PixelStore:
    """Return the open store; a new one if there is none."""
    return _Run.store or PixelStore.of_machine()
