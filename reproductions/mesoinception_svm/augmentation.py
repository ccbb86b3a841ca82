"""The augmentations of Sec. 4.1.3 and of the authors' notebook, on one image in [0, 255], in the graph."""

import tensorflow as tf

from common.data.augmentation import affine, gaussian_blur

BLURS = (3, 9, 15)  # taps
ROTATIONS = (45.0, 90.0, 180.0)  # degrees
SCALES = (1.5, 0.5)  # +50 %, -50 %


def choose_augmentation(name):
    """The function (image float32 (S, S, 3), seed (2,) int32) -> image for `paper` or `notebook`; None for `none`."""
    return {"paper": paper, "notebook": notebook, "none": None}[name]


def paper(image, seed):
    """One of: as it is, a blur, a rotation, a scaling, each kind with probability 1/4 (the paper gives none)."""
    kind, which = tf.unstack(tf.random.stateless_uniform((2,), seed, maxval=12, dtype=tf.int32))
    third, half = which % 3, which % 2
    return tf.switch_case(
        kind // 3,
        [
            lambda: image,
            lambda: tf.switch_case(third, [lambda size=size: gaussian_blur(image, size) for size in BLURS]),
            lambda: affine(image, degrees=tf.gather(ROTATIONS, third)),
            lambda: affine(image, zoom=tf.gather(SCALES, half)),
        ],
    )


def paper_examples(image):
    """Return {what was done: image} of one image under each augmentation of Sec. 4.1.3."""
    return {
        "as it is": image,
        **{f"blur {size} x {size}": gaussian_blur(image, size) for size in BLURS},
        **{f"rotated {degrees:g}°": affine(image, degrees=degrees) for degrees in ROTATIONS},
        **{f"scaled {zoom - 1:+.0%}": affine(image, zoom=zoom) for zoom in SCALES},
    }


def notebook(image, seed):
    """Rotation within 15 degrees, zoom 0.8-1.2, brightness 0.8-1.2, a shift of each channel within 30, mirroring."""
    draws = tf.random.stateless_uniform((7,), seed, -1.0, 1.0)
    image = affine(image, degrees=15 * draws[0], zoom=1 + 0.2 * draws[1], flip=draws[2] > 0)
    return image * (1 + 0.2 * draws[3]) + 30 * draws[4:7]
