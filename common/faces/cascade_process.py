"""MTCNN's cascade, also for a process whose Keras does not run on TensorFlow."""

import functools
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Union

import numpy as np

from common.tensorflow_import import use_tensorflow

if TYPE_CHECKING:
    from common.faces.mtcnn import Cascade


class CascadeProcess:
    """The cascade of common.faces.mtcnn in a process of its own.

    Keras has one backend in a process, and the networks of the package mtcnn are called in graphs of TensorFlow.
    """

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=use_tensorflow)

    def boxes(self, frames: np.ndarray) -> list[np.ndarray]:
        """Find the faces of frames; see `common.faces.mtcnn.Cascade.boxes`."""
        return self._pool.submit(_boxes, frames).result()


def make_cascade() -> Union["Cascade", CascadeProcess]:
    """Return the cascade, in this process unless Keras was imported on another backend."""
    if "keras" not in sys.modules:
        use_tensorflow()
    import keras

    if keras.config.backend() != "tensorflow":
        return CascadeProcess()
    from common.faces.mtcnn import Cascade

    return Cascade()


_cascade = functools.cache(make_cascade)


def _boxes(frames):
    return _cascade().boxes(frames)
