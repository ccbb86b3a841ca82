"""From the pixels of an image to the crops that are kept: its faces, or the whole image, resized and encoded."""

import functools
import io
import os
import threading
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from PIL import Image

from common.faces.detection import crop, make_detector, pick, resize
from data_prep.preparation.recipe import Recipe


def extract_crops(images: Sequence[np.ndarray], recipe: Recipe, threads: int | None = None) -> list[list[np.ndarray]]:
    """Rescale images, then crop their faces or resize the whole images.

    Args:
        images: uint8 RGB arrays (height, width, 3).
        recipe: detector, size before and after the detection, and margin.
        threads: as in limit_threads.

    Returns:
        A list of crops, uint8 RGB arrays, for each image; empty if no face was found.
    """
    images = [resize(image, recipe.rescale) for image in images]
    if recipe.faces != "none":
        found = _detect(detector_of_thread(recipe.faces, threading.get_ident(), threads), images)
        chosen = [pick(faces, recipe.pick, recipe.min_confidence) for faces in found]
        return [
            [crop(image, face, recipe.size, recipe.margin) for face in faces]
            for image, faces in zip(images, chosen, strict=True)
        ]
    return [[resize(image, recipe.size)] for image in images]


def name_crops(crops: Sequence[np.ndarray], stem: str, recipe: Recipe) -> Iterator[tuple[str, np.ndarray]]:
    """Yield pairs (file name, crop): `stem` with the recipe's suffix, and a number each if all faces are kept."""
    for number, image in enumerate(crops):
        yield stem + (f"-face{number}" if recipe.pick == "all" else "") + recipe.suffix, image


def encode(image: np.ndarray, jpeg: int | None = None) -> bytes:
    """Encode a uint8 RGB array as PNG, or as JPEG of the quality `jpeg`, 1 to 100."""
    file = io.BytesIO()
    if jpeg is None:
        Image.fromarray(image).save(file, "PNG")
    else:
        Image.fromarray(image).save(file, "JPEG", quality=jpeg)
    return file.getvalue()


def limit_threads(threads: int | None) -> None:
    """Limit the threads of OpenCV and TensorFlow in this process; None keeps their own choice.

    Neither reads the environment variables that joblib sets. TensorFlow must not have been imported yet.
    """
    if threads is None:
        return
    cv2.setNumThreads(threads)
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)


@functools.cache  # loading MTCNN takes seconds; one a thread: cluster workers may have several, Haar is not thread-safe
def detector_of_thread(name: str, thread: int, threads: int | None):
    """Return the detector `name` of the thread with the identifier `thread`, loaded on the first call."""
    limit_threads(threads)
    return make_detector(name)


def _detect(detector, images):
    if len({image.shape for image in images}) == 1:
        return detector.detect_batch(images)
    return [detector.detect(image) for image in images]  # a clip whose frame size changes
