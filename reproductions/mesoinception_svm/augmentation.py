"""The augmentations of Sec. 4.1.3 and of the authors' notebook, on batches in [0, 255], in the graph."""

import tensorflow as tf

from common.data.augmentation import affine, affine_matrix, gaussian_blur, transform

BLURS = (3, 9, 15)  # taps
ROTATIONS = (45.0, 90.0, 180.0)  # degrees
SCALES = (1.5, 0.5)  # +50 %, -50 %


def choose_augmentation(name):
    """The function (images uint8 (B, S, S, 3), seeds (B, 2) int32) -> images for `paper` or `notebook`, else None."""
    return {"paper": paper, "notebook": notebook, "none": None}[name]


def paper(images, seeds):
    """One of: as it is, a blur, a rotation, a scaling, each kind with probability 1/4 (the paper gives none)."""
    size = images.shape[1:3]

    def draw(seed):
        kind, which = tf.unstack(tf.random.stateless_uniform((2,), seed, maxval=12, dtype=tf.int32))
        third, half = which % 3, which % 2
        taps = tf.where(kind // 3 == 1, tf.gather(BLURS, third), 1)
        degrees = tf.where(kind // 3 == 2, tf.gather(ROTATIONS, third), 0.0)
        zoom = tf.where(kind // 3 == 3, tf.gather(SCALES, half), 1.0)
        return affine_matrix(size, degrees, zoom), taps

    matrices, taps = tf.map_fn(draw, seeds, fn_output_signature=(tf.float32, tf.int32))
    return transform(images, matrices, taps=taps)


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
    size = images.shape[1:3]

    def draw(seed):
        draws = tf.random.stateless_uniform((7,), seed, -1.0, 1.0)
        return affine_matrix(size, 15 * draws[0], 1 + 0.2 * draws[1], draws[2] > 0), 1 + 0.2 * draws[3], 30 * draws[4:7]

    matrices, brightness, shifts = tf.map_fn(draw, seeds, fn_output_signature=(tf.float32, tf.float32, tf.float32))
    images = transform(images, matrices) * brightness[:, None, None, None] + shifts[:, None, None]
    return tf.clip_by_value(images, 0.0, 255.0)
