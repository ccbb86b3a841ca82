"""The shortcut detector on files whose encoder gives the label away, and on files that tell nothing."""

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from common.data.file_features import file_features
from common.evaluation.shortcut import FOLDS, cross_fitted_scores, design_matrix, shortcut_scores

COUNT = 40


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A function of (quality of fakes, quality of reals) -> (features, labels) of noise, every second one fake."""

    def make(of_fakes, of_reals):
        folder, random, fake = tmp_path_factory.mktemp("files"), np.random.default_rng(0), np.arange(COUNT) % 2 == 0
        for number in range(COUNT):
            pixels = random.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.jpg", quality=of_fakes if fake[number] else of_reals)
        return file_features([folder / f"{number}.jpg" for number in range(COUNT)]), fake

    return make


def test_another_encoder_gives_the_label_away(files):
    features, fake = files(90, 80)
    scores = shortcut_scores(features[:20], fake[:20], features[20:])
    assert ((scores >= 0.5) == fake[20:]).all() and scores.min() >= 0 and scores.max() <= 1


def test_equal_files_tell_nothing(files):
    features, fake = files(80, 80)
    scores = cross_fitted_scores(features, fake, np.arange(COUNT))
    assert 0.2 < roc_auc_score(fake, scores) < 0.8


def test_cross_fitting_keeps_clusters_together(files):
    """Each pair of a fake and a real shares its own quality: of another pair it cannot be known who is fake."""
    features, fake = files(80, 80)
    features = features.assign(bytes=np.repeat(np.arange(COUNT // 2) * 100.0 + 500, 2))
    scores = cross_fitted_scores(features, fake, np.arange(COUNT) // 2)
    assert np.isfinite(scores).all() and len(scores) == COUNT
    assert cross_fitted_scores(features, fake, np.arange(COUNT) % (FOLDS - 1)) is None


def test_one_class_is_no_training_and_an_unreadable_file_has_no_score(files):
    features, fake = files(90, 80)
    assert shortcut_scores(features[fake], fake[fake], features) is None
    features.loc[25] = np.nan
    scores = shortcut_scores(features[:20], fake[:20], features[20:])
    assert np.isnan(scores).tolist() == [place == 5 for place in range(20)]


def test_the_design_is_finite_for_the_smallest_and_flattest_image(tmp_path):
    Image.new("L", (1, 1)).save(tmp_path / "a.png")
    assert np.isfinite(design_matrix(file_features([tmp_path / "a.png"]))).all()
