"""From pixels to what is kept of them: faces cropped, or the whole image resized, and the encoded bytes."""

import functools
import io
import os
import threading

import numpy as np
from PIL import Image

from common.faces.detection import crop, make_detector, pick


def cut(images, recipe, threads=None):
    """Return a list for each uint8 RGB image (height, width, 3): the pieces to keep, none where there is no face."""
    if recipe.faces != "none":
        found = _detect(_detector(recipe.faces, threading.get_ident(), threads), images)
        chosen = [pick(faces, recipe.pick, recipe.min_confidence) for faces in found]
        return [
            [crop(image, face, recipe.size, recipe.margin) for face in faces]
            for image, faces in zip(images, chosen, strict=True)
        ]
    if recipe.size is None:
        return [[image] for image in images]
    size = (recipe.size, recipe.size)
    return [[np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))] for image in images]


def named(pieces, name, recipe):
    """Yield (file name, piece): `name` with the recipe's suffix, and with a number each if all faces are kept."""
    for number, piece in enumerate(pieces):
        yield name + (f"-face{number}" if recipe.pick == "all" else "") + recipe.suffix, piece


def encode(image, jpeg=None):
    """The bytes of a PNG, or of a JPEG of that quality."""
    file = io.BytesIO()
    if jpeg is None:
        Image.fromarray(image).save(file, "PNG")
    else:
        Image.fromarray(image).save(file, "JPEG", quality=jpeg)
    return file.getvalue()


def keep_to(threads):
    """Let OpenCV and TensorFlow use so many threads, None: as they like; neither reads joblib's own variables."""
    if threads is None:
        return
    import cv2

    cv2.setNumThreads(threads)
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)


def _detect(detector, images):
    if len({image.shape for image in images}) == 1:
        return detector.detect_batch(images)
    return [detector.detect(image) for image in images]  # a clip that changes its size midway


@functools.cache  # loading MTCNN takes seconds; one a thread: a cluster's worker may run several, Haar's is not safe
def _detector(name, thread, threads):
    keep_to(threads)
    return make_detector(name)
