"""The label convention."""

import numpy as np
import pytest

from common.labels import to_numbers, to_words


def test_fake_is_one_and_real_is_zero():
    np.testing.assert_array_equal(to_numbers(["fake", "real", "fake"]), [1, 0, 1])
    np.testing.assert_array_equal(to_words([1, 0]), ["fake", "real"])


def test_an_unknown_word_is_named():
    with pytest.raises(ValueError, match="FAKE"):
        to_numbers(["real", "FAKE"])
