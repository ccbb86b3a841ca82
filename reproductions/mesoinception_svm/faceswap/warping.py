"""The training batches: each face is distorted, and the autoencoder has to undo it.

As in the first public face swap (github.com/deepfakes/faceswap): the input is pulled at the points of a 5 x 5 grid, so
that the network learns what the person's face looks like instead of copying its input.
"""

import cv2
import numpy as np
import tensorflow as tf

GRID = 5  # points a side
SHIFT = 0.02  # standard deviation of a point's shift, in sides of the face
ROTATION, ZOOM, MOVE = 5.0, 0.04, 0.02  # largest rotation in degrees, change of size, and shift in sides


def training_batches(
    faces: dict[str, np.ndarray], batch_size: int, steps: int, seed: int, epoch: int
) -> tf.data.Dataset:
    """Return the batches of one epoch, a function of (seed, epoch).

    Args:
        faces: {`a`: standardised faces, float32 (n, size, size, 3) in [0, 1], `b`: likewise}.
        batch_size: faces of each person in a batch.
        steps: batches.
        seed: of the run.
        epoch: number of the epoch, from 0.

    Returns:
        A dataset of ((distorted A, distorted B), (A, B)), float32 (batch_size, size, size, 3) in [0, 1].
    """
    size = faces["a"].shape[1]

    def generate():
        rng = np.random.default_rng([seed, epoch])
        for _ in range(steps):
            pairs = [_batch(rng, faces[person], batch_size) for person in ("a", "b")]
            yield tuple(zip(*pairs, strict=True))

    face = tf.TensorSpec((batch_size, size, size, 3), tf.float32)
    batches = tf.data.Dataset.from_generator(generate, output_signature=((face, face), (face, face)))
    return batches.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(2)


def distort(rng: np.random.Generator, face: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (distorted face, the face that it was made from), float32 (size, size, 3) in [0, 1].

    Both are turned, moved and resized alike; the first alone is pulled at the points of a grid.

    Args:
        rng: a NumPy generator.
        face: float32 (size, size, 3) in [0, 1].
    """
    size = face.shape[0]
    turn, zoom = rng.uniform(-ROTATION, ROTATION), 1 + rng.uniform(-ZOOM, ZOOM)
    matrix = cv2.getRotationMatrix2D((size / 2, size / 2), turn, zoom)
    matrix[:, 2] += rng.uniform(-MOVE, MOVE, 2) * size
    target = cv2.warpAffine(face, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    pull = rng.normal(0, SHIFT * size, (2, GRID, GRID)).astype(np.float32)
    grid = np.mgrid[0:size, 0:size].astype(np.float32)
    y, x = (
        axis + cv2.resize(shift, (size, size), interpolation=cv2.INTER_CUBIC)
        for axis, shift in zip(grid, pull, strict=True)
    )
    return cv2.remap(target, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), target


def _batch(rng, faces, batch_size):
    pairs = [distort(rng, faces[index]) for index in rng.integers(len(faces), size=batch_size)]
    return tuple(np.stack(images) for images in zip(*pairs, strict=True))
