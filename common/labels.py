"""The label convention, in one place: the words `fake` and `real` in files, fake = 1 and real = 0 in code.

The positive class of every metric is fake, and every score grows with P(fake).
"""

import numpy as np

REAL, FAKE = 0, 1
WORDS = ("real", "fake")  # indexed by the number


def to_numbers(words):
    """Turn an iterable of `fake` / `real` into an int64 array (n,) of 1 / 0; ValueError names any other word."""
    words = np.asarray(list(words), dtype=object)
    unknown = sorted({str(word) for word in words} - set(WORDS))
    if unknown:
        raise ValueError(f"expected the labels {' or '.join(WORDS)}, got {', '.join(unknown[:5])}")
    return (words == WORDS[FAKE]).astype(np.int64)


def to_words(numbers):
    """Turn 0 / 1 into an object array (n,) of `real` / `fake`."""
    return np.array(WORDS, dtype=object)[np.asarray(numbers, dtype=np.int64)]
