"""The real command on tiny embedded data: what it writes, who is held out, generating, matching, mistakes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix

RUN = Path(__file__).parents[3] / "reproductions" / "dcgan_inception_resnet" / "run.py"
PUBLISHED = Path(__file__).parents[3] / "results" / "published" / "dcgan_inception_resnet.csv"
SMOKE = (RUN, "--preset", "smoke", "--imagenet-weights", "none")


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, command):
    """(folder, what the command printed) of the smoke preset on the embedded data."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, command(folder, *SMOKE)


def test_the_run_folder_is_whole(run_folder):
    names = {"config.json", "environment.json", "splits.csv", "predictions.csv", "history.csv", "log.txt"}
    assert {path.name for path in run_folder.iterdir()} == names | {
        "models", "figures", "samples", "fakes", "gan_losses.csv",
    }  # fmt: skip
    models = {path.name for path in (run_folder / "models").iterdir()}
    assert {"generator.keras", "discriminator.keras", "generator-epoch-0001.keras", "stand_in.json"} <= models
    assert {"inception_resnet_v2.keras", "inception_resnet_v2.json", "stand_in.keras"} <= models
    figures = {path.name: path.stat().st_size for path in (run_folder / "figures").iterdir()}
    assert sorted({name.split("_")[1] for name in figures if name.startswith("figure")}) == [
        "05", "06", "07", "08", "09", "10",
    ]  # fmt: skip
    assert min(figures.values()) > 1000
    with Image.open(run_folder / "figures" / "samples_over_epochs.gif") as animation:
        assert animation.n_frames == 3
    losses = pd.read_csv(run_folder / "gan_losses.csv")
    assert list(losses["epoch"].unique()) == [1, 2, 3] and np.isfinite(losses["generator_loss"]).all()


def test_rows_have_published_keys_and_both_protocols(rows):
    keys = set(map(tuple, pd.read_csv(PUBLISHED)[["table", "row", "metric"]].astype(str).values))
    ours = rows[rows["table"] != "extra"]
    assert set(map(tuple, ours[["table", "row", "metric"]].values)) <= keys
    assert set(rows["protocol"]) == {"paper", "heldout"}
    assert rows["dataset"].str.startswith("synthetic").all()
    assert rows["note"].str.contains("generated images not compressed").all()
    value = ours.drop_duplicates(["table", "row", "metric"]).set_index(["row", "metric"])["value"].astype(float)
    assert value["total", "parameters"] == 54_339_810 and value["total", "trainable"] == 54_279_266
    extra = rows[rows["table"] == "extra"].set_index(["row", "metric"])
    assert {"DCGAN", "DCGAN, epoch 2", "real images of the training split"} <= set(extra.index.get_level_values(0))
    assert extra.loc[("DCGAN", "kid"), "note"].startswith("features: our inception_resnet_v2")
    assert "fewer than 2000 images" in extra.loc[("DCGAN", "fid"), "note"]
    assert {"stand_in, DCGAN, epoch 2", "stand_in, other fakes (synthetic-deconv)"} <= set(
        extra.index.get_level_values(0)
    )


def test_numbers_are_those_of_the_predictions(rows, run_folder):
    """Figure 10 against scikit-learn: `paper` counts training and validation images, `heldout` the test split."""
    predictions = pd.read_csv(run_folder / "predictions.csv")
    predictions = predictions[(predictions["label"] == "real") | (predictions["dataset"] == "synthetic-dcgan")]
    for protocol, splits, count in (("paper", ("train", "val"), 48), ("heldout", ("test",), 24)):
        for model in ("inception_resnet_v2", "stand_in"):
            chosen = predictions[(predictions["protocol"] == protocol) & (predictions["model"] == model)]
            chosen = chosen[chosen["split"].isin(splits)]
            assert len(chosen) == count
            labels, called = chosen["label"] == "fake", chosen["score"] >= 0.5
            of = rows[(rows["protocol"] == protocol) & (rows["row"] == f"{model}, DCGAN")].set_index("metric")["value"]
            assert float(of["accuracy"]) == pytest.approx(accuracy_score(labels, called))
            tn, fp, fn, tp = confusion_matrix(labels, called).ravel()
            assert [float(of[name]) for name in ("tp", "fp", "fn", "tn")] == [tp, fp, fn, tn]
        figure = rows[(rows["table"] == "Figure 10") & (rows["protocol"] == protocol)]
        assert figure["value"].astype(float).sum() == count


def test_held_out_images_are_in_no_training(run_folder):
    splits = pd.read_csv(run_folder / "splits.csv")
    splits = splits[splits["protocol"] == "heldout"]
    assert not splits.duplicated(["dataset", "path"]).any()
    real = splits[splits["label"] == "real"]["split"].value_counts()
    fake = splits[splits["dataset"] == "synthetic-dcgan"]["split"].value_counts()
    assert real[["train", "val", "test"]].to_dict() == fake.to_dict() == {"train": 18, "val": 6, "test": 12}
    assert real["gan"] > 0


def test_predict_scores_a_generated_picture(smoke, run_folder, command):
    pictures = sorted((run_folder / "fakes" / "dcgan-seed0" / "fake").iterdir())[:1]
    done = command(smoke[0], "-m", "common.predict", run_folder, *pictures, "--model", "stand_in")
    assert done.stdout.splitlines()[1].split(",")[2] in ("fake", "real", "no face")


def test_a_trained_generator_writes_images_that_a_detector_is_tested_on(
    smoke, run_folder, command, tmp_path, read_rows
):
    models = run_folder / "models"
    generator = f"generator={models / 'generator.keras'}"
    words = (*SMOKE, "--weights", generator, "--generate", "20", "--generate-to", tmp_path / "made")
    assert command(tmp_path, *words).stderr == ""
    assert len(pd.read_csv(tmp_path / "made" / "manifest.csv")) == 20 and not (tmp_path / "runs").exists()
    words = ("--epochs", "0", "--models", "stand_in", "--weights", f"stand_in={models / 'stand_in.keras'}")
    command(tmp_path, *SMOKE, *words, "--data", f"other={tmp_path / 'made'}")
    rows = read_rows(tmp_path)
    assert set(rows["protocol"]) == {"heldout"} and rows["note"].str.contains("not trained by this run").all()
    recall = rows[(rows["row"] == "stand_in, other fakes (other)") & (rows["metric"] == "recall")]
    assert recall["n"].astype(int).item() == 20


def test_matched_fakes_from_a_given_generator(run_folder, command, tmp_path, read_rows):
    generator = f"generator={run_folder / 'models' / 'generator.keras'}"
    words = ("--gan-epochs", "0", "--weights", generator, "--match-jpeg", "--models", "stand_in")
    command(tmp_path, *SMOKE, *words, "--protocol", "heldout")
    (run,) = (tmp_path / "runs" / "dcgan_inception_resnet").iterdir()
    made = sorted((run / "fakes" / "dcgan-seed0" / "fake").iterdir())
    assert len(made) == 36 and {file.suffix for file in made} == {".jpg"}
    rows = read_rows(tmp_path)
    assert set(rows["protocol"]) == {"heldout"} and rows["note"].str.contains("--match-jpeg True").all()
    assert not rows["note"].str.contains("not compressed").any()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--epochs", "0"), "give --weights inception_resnet_v2=FILE"),
        (("--gan-epochs", "0"), "give --weights generator=FILE"),
        (("--generate", "5"), "expected --weights generator=RUN/models/generator.keras"),
        (("--protocol", "frame"), "expected some of paper, heldout"),
        (("--image-size", "20"), "makes images of 8, 16, 32"),
        (("--gan-batch-size", "64"), "images to train on"),
        (("--weights", "generator=/no/such/file"), "no such file"),
    ],
)
def test_mistakes_are_one_line(refused, words, message):
    refused(message, *SMOKE, *words)


def test_png_faces_cannot_be_matched(tmp_path, command, make_prepared):
    make_prepared(tmp_path / "png", per_class=40, size=16)
    done = command(tmp_path, *SMOKE, "--data", f"celeb={tmp_path / 'png'}", "--match-jpeg", expect=2)
    assert "expected JPEG files among the real images" in done.stderr.splitlines()[-1]
