"""The order of an epoch's images: a function of (seed, epoch)."""

import numpy as np

from common.errors import UserError


def epoch_order(
    labels: np.ndarray, batch_size: int, seed: int, epoch: int, fake_share: float | None = None
) -> np.ndarray:
    """Return the order of one epoch, another one for each (seed, epoch).

    Args:
        labels: int (n,), fake = 1, real = 0.
        batch_size: images in a batch.
        seed: of the run.
        epoch: number of the epoch, from 0.
        fake_share: None: all images once, as the data are. A share in (0, 1): round(share * batch_size) fakes in every
            batch. Each class has a shuffled order of its own; the smaller class is repeated until the larger one has
            been used once.

    Returns:
        Indices into `labels`, int (m,); m = n without a share.

    Raises:
        UserError: if `fake_share` leaves no place for a class in a batch, or a class has no image.
    """
    generator = np.random.default_rng([seed, epoch, 0])
    if fake_share is None:
        return generator.permutation(len(labels))
    classes = [np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)]
    fakes = round(fake_share * batch_size)
    counts = [fakes, batch_size - fakes]
    if min(counts) < 1 or any(len(members) == 0 for members in classes):
        raise UserError(
            f"a share of {fake_share} fakes in batches of {batch_size} needs both classes in every batch; "
            f"the training split has {len(classes[0])} fake and {len(classes[1])} real images"
        )
    batches = max(1, *(len(members) // count for members, count in zip(classes, counts, strict=True)))
    drawn = []
    for members, count in zip(classes, counts, strict=True):
        rounds = -(-batches * count // len(members))
        repeated = np.concatenate([generator.permutation(members) for _ in range(rounds)])
        drawn.append(repeated[: batches * count].reshape(batches, count))
    return np.concatenate([generator.permutation(batch) for batch in np.concatenate(drawn, axis=1)])
