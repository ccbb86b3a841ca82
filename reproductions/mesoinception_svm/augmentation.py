"""The augmentations of Sec. 4.1.3 and of the authors' notebook, on batches in [0, 255], in the graph."""

import tensorflow as tf

from common.data.augmentation import affine, affine_matrices, gaussian_blur, transform, uniform

BLURS = (3, 9, 15)  # taps
ROTATIONS = (45.0, 90.0, 180.0)  # degrees
SCALES = (1.5, 0.5)  # +50 %, -50 %


def choose_augmentation(name):
    """The function (images uint8 (B, S, S, 3), seeds (B, 2) int32) -> images for `paper` or `notebook`, else None."""
    return {"paper": paper, "notebook": notebook, "none": None}[name]


def paper(images, seeds):
    """One of: as it is, a blur, a rotation, a scaling, each kind with probability 1/4 (the paper gives none)."""
    draws = tf.map_fn(lambda seed: tf.random.stateless_uniform((2,), seed, maxval=12, dtype=tf.int32), seeds)
    kind, third, half = draws[:, 0] // 3, draws[:, 1] % 3, draws[:, 1] % 2
    taps = tf.where(kind == 1, tf.gather(BLURS, third), 1)
    degrees = tf.where(kind == 2, tf.gather(ROTATIONS, third), 0.0)
    zoom = tf.where(kind == 3, tf.gather(SCALES, half), 1.0)
    return transform(images, affine_matrices(images.shape[1:3], degrees, zoom, tf.zeros_like(kind, bool)), taps=taps)


def paper_examples(image):
    """Return {what was done: image} of one image under each augmentation of Sec. 4.1.3."""
    return {
        "as it is": image,
        **{f"blur {size} x {size}": gaussian_blur(image, size) for size in BLURS},
        **{f"rotated {degrees:g}°": affine(image, degrees=degrees) for degrees in ROTATIONS},
        **{f"scaled {zoom - 1:+.0%}": affine(image, zoom=zoom) for zoom in SCALES},
    }


def notebook(images, seeds):
    """Rotation within 15 degrees, zoom 0.8-1.2, brightness 0.8-1.2, a shift of each channel within 30, mirroring."""
    draws = uniform(seeds, 7)
    matrices = affine_matrices(images.shape[1:3], 15 * draws[:, 0], 1 + 0.2 * draws[:, 1], draws[:, 2] > 0)
    return transform(images, matrices, gains=1 + 0.2 * draws[:, 3], offsets=30 * draws[:, 4:7])
