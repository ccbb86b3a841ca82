"""Bins by hand; the interval of the calibration error is in test_coverage."""

import numpy as np
import pytest

from common.evaluation.calibration import reliability
from common.evaluation.intervals import wilson


def test_the_bins_of_a_small_set_by_hand():
    """Bins are 1/15 wide: 0.01 and 0.05 are in the first, 0.7 in the eleventh, 0.99 and 1 in the last."""
    fake = np.array([False, True, True, True, True, False])
    scores = np.array([0.01, 0.05, 0.7, 0.99, 1.0, 0.95])
    first, middle, last = reliability(fake, scores, np.arange(6))
    assert (first.n, first.share, first.score) == (2, 0.5, pytest.approx(0.03))
    assert (middle.n, middle.share, middle.score) == (1, 1.0, pytest.approx(0.7))
    assert (last.n, last.share, last.score) == (3, pytest.approx(2 / 3), pytest.approx(0.98))
    assert (last.low, last.high) == pytest.approx(wilson(2, 3))


def test_frames_of_one_video_count_once_in_the_interval_of_a_bin():
    fake, scores = np.repeat([True, False, True, True], 25), np.full(100, 0.6)
    clusters = np.repeat(np.arange(4), 25)
    (frames,) = reliability(fake, scores, clusters)
    (images,) = reliability(fake, scores, np.arange(100))
    assert frames.share == images.share == 0.75
    assert frames.high - frames.low > 2 * (images.high - images.low)
