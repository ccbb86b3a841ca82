"""A complete run: folders of all legal NAMEs, both cases, all nine models on stand-ins of the ImageNet networks."""

import keras
import pandas as pd
import pytest

from reproductions.siamese_triplet import model
from reproductions.siamese_triplet.config import LAYOUTS, SIAMESE, TRANSFER
from reproductions.siamese_triplet.run import main
from results.compare import compare

pytestmark = pytest.mark.slow

LABELS = {"ffhq": "real", "stylegan": "fake", "pggan": "fake", "celeba": "real"}
SMALL = "--image-size 32 --width 0.05 --batch-size 8 --epochs 1 --baseline-epochs 2 --dense-units 4 --tsne-images 30"


def small_backbone(name, shape, weights="none", synchronized=False):
    image = keras.Input(shape)
    x = keras.layers.Rescaling(1 / 255)(image)
    return keras.Model(image, keras.layers.Conv2D(4, 8, strides=8, activation="relu")(x), name=name)


@pytest.fixture(scope="module")
def complete(tmp_path_factory, make_prepared):
    """(run folder, the comparison with the paper)."""
    folder = tmp_path_factory.mktemp("complete")
    for seed, (name, label) in enumerate(LABELS.items()):
        make_prepared(folder / name, per_class=40, seed=seed)
        manifest = pd.read_csv(folder / name / "manifest.csv", keep_default_na=False)
        manifest[manifest["label"] == label].to_csv(folder / name / "manifest.csv", index=False)
    models, cases = ("--models", *SIAMESE, *TRANSFER), ("--cases", "case1", "case2")
    words = [
        "--preset",
        "smoke",
        *models,
        *cases,
        *SMALL.split(),
        "--runs",
        folder / "runs",
        "--results",
        folder / "results",
    ]
    words += ["--protocol", "paper", "--data", *(f"{name}={folder / name}" for name in LABELS)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "backbone", small_backbone)
        main([str(word) for word in words])
    (run,) = (folder / "runs" / "siamese_triplet").iterdir()
    return run, compare(["siamese_triplet"], folder / "results")


def test_no_published_number_but_the_settings_is_not_run(complete):
    assert set(LABELS) == set(LAYOUTS)
    _, comparison = complete
    assert comparison[comparison["verdict"] == "not run"].empty


def test_times_of_another_device_are_not_compared(complete):
    _, comparison = complete
    times = comparison[
        comparison["metric"].isin(["training_minutes", "training_hours"]) & comparison["table"].eq("text")
    ]
    assert len(times) == 4 and times["verdict"].str.contains("another device").all()


def test_every_figure_is_drawn(complete, assert_drawn):
    run, _ = complete
    assert {path.stem for path in (run / "figures").iterdir()} == {
        "figure_01_samples", "figure_04_accuracy", "figure_05_loss", "figure_06_case2", "figure_07_embeddings",
        "roc_case1", "roc_case2", "precision_recall_case1", "precision_recall_case2", "reliability",
    }  # fmt: skip
    assert_drawn(run / "figures")
