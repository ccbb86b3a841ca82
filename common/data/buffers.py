"""Arrays that are used again for batch after batch: the pages of a new one take longer than the pixels put into it."""

import sys

import numpy as np

ALIGNMENT = 64  # bytes; TensorFlow copies an array that lies elsewhere


class Buffers:
    """Gives out arrays, again as soon as nobody refers to them any more.

    A tensor that TensorFlow makes of an array, without a copy, refers to it until it is freed.

    Args:
        most: how many are kept, all of one shape; beyond them, arrays are new.
    """

    def __init__(self, most: int = 8):
        self._most = most
        self._arrays = [_aligned((1,), np.uint8)]
        self._idle = [_references(array) for array in self._arrays][0]
        self._arrays = []

    def take(self, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Return an array of any content, C-contiguous.

        Args:
            shape: of the array.
            dtype: of its values.
        """
        self._arrays = [array for array in self._arrays if array.shape == shape and array.dtype == dtype]
        for array in self._arrays:
            if _references(array) == self._idle:
                return array
        array = _aligned(shape, dtype)
        if len(self._arrays) < self._most:
            self._arrays.append(array)
        return array


def _references(array):
    """How many refer to an array, and to the memory that it and all views of it have."""
    return sys.getrefcount(array), sys.getrefcount(array.base)


def _aligned(shape, dtype):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)
