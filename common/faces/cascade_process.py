"""MTCNN for a process whose Keras does not run on TensorFlow."""

import functools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from common.tensorflow_import import use_tensorflow


class CascadeProcess:
    """The cascade of common.faces.mtcnn in a process of its own.

    Keras has one backend in a process, and the networks of the package mtcnn are called in graphs of TensorFlow.
    """

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=use_tensorflow)

    def boxes(self, frames: np.ndarray) -> list[np.ndarray]:
        """Find the faces of frames; see `common.faces.mtcnn.Cascade.boxes`."""
        return self._pool.submit(_boxes, frames).result()


@functools.cache
def _cascade():
    from common.faces.mtcnn import Cascade

    return Cascade()


def _boxes(frames):
    return _cascade().boxes(frames)
