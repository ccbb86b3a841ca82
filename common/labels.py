"""The label convention, in one place: the words `fake` and `real` in files, fake = 1 and real = 0 in code.

The positive class of every metric is fake, and every score increases with P(fake).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

REAL, FAKE = 0, 1
WORDS = ("real", "fake")  # indexed by the number


def to_numbers(words: Iterable[str]) -> NDArray[np.int64]:
    """Convert labels from files to numbers.

    Args:
        words: n times `fake` or `real`.

    Returns:
        int64 (n,): 1 for fake, 0 for real.

    Raises:
        ValueError: for any other word, naming it.
    """
    labels = np.asarray(list(words), dtype=object)
    unknown = sorted({str(label) for label in labels} - set(WORDS))
    if unknown:
        raise ValueError(f"expected the labels {' or '.join(WORDS)}, got {', '.join(unknown[:5])}")
    return (labels == WORDS[FAKE]).astype(np.int64)


def to_words(numbers: ArrayLike) -> NDArray[np.object_]:
    """Convert numbers to labels for files.

    Args:
        numbers: (n,), 1 for fake, 0 for real.

    Returns:
        object (n,): `fake` or `real`.
    """
    return np.array(WORDS, dtype=object)[np.asarray(numbers, dtype=np.int64)]
