"""What is read of the files beside predictions: a shortcut detector's scores, and columns of a manifest."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.errors import UserError
from common.evaluation.baselines import SHORTCUT
from results.file_baselines import add_files, add_manifest


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """(folder, predictions) of 12 + 12 JPEG files: fakes have quality 50, real ones 95."""
    folder, random, rows = tmp_path_factory.mktemp("images"), np.random.default_rng(0), []
    for number in range(24):
        label, quality = ("fake", 50) if number % 2 else ("real", 95)
        pixels = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((64, 64), Image.Resampling.BILINEAR).save(
            folder / f"{number}.jpg", quality=quality
        )
        rows.append({"path": f"{number}.jpg", "label": label, "score": 0.5})
    return folder, pd.DataFrame(rows)


def test_the_shortcut_detector_is_fitted_on_the_files_of_validation(images):
    folder, predictions = images
    validation, test = predictions[:12], predictions[12:]
    found, sentence = add_files(test, folder, validation)
    assert sentence == f"12 of 12 files found in {folder}; shortcut detector fitted on 12 files of validation"
    assert ((found[SHORTCUT] >= 0.5) == (test["label"] == "fake")).all()
    assert set(found["compression"]) == {"JPEG quality 50 to 74", "JPEG quality 95 to 100"}


def test_an_image_of_several_models_has_one_score(images):
    folder, predictions = images
    twice = pd.concat([predictions.assign(model="a"), predictions.assign(model="b")], ignore_index=True)
    found, _ = add_files(twice, folder, predictions)
    np.testing.assert_array_equal(found[SHORTCUT][:24], found[SHORTCUT][24:])


def test_validation_of_one_class_gives_no_shortcut_detector(images):
    folder, predictions = images
    found, sentence = add_files(predictions, folder, predictions[predictions["label"] == "fake"])
    assert SHORTCUT not in found and sentence.endswith("no shortcut detector: too few of them of each class")


def test_files_without_paths_are_refused(images):
    folder, predictions = images
    with pytest.raises(UserError, match="expected a column path in each file"):
        add_files(predictions, folder, predictions.drop(columns="path"))


def test_columns_of_a_manifest_are_added_by_path(images, tmp_path):
    manifest = tmp_path / "manifest.csv"
    pd.DataFrame({"path": ["1.jpg", "0.jpg"], "source": ["swap", "camera"]}).to_csv(manifest, index=False)
    for given in (manifest, tmp_path):
        found = add_manifest(images[1][:3], given, ["source"])
        assert found["source"].tolist() == ["camera", "swap", ""]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"path": ["0.jpg"]}, "has no column 'source'; found: path"),
        ({"path": ["0.jpg", "0.jpg"], "source": ["a", "b"]}, "each path once in the manifest"),
        (None, "no such file"),
    ],
)
def test_a_manifest_that_does_not_serve_is_refused(images, tmp_path, table, message):
    if table:
        pd.DataFrame(table).to_csv(tmp_path / "manifest.csv", index=False)
    with pytest.raises(UserError, match=message):
        add_manifest(images[1], tmp_path / "manifest.csv", ["source"])
