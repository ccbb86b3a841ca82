"""The command on tiny data: what it writes, who is held out, one training for two protocols, evaluation alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from common.detectors.description import descriptions
from common.errors import UserError
from reproductions.dcgan_inception_resnet import figures
from reproductions.dcgan_inception_resnet import rows as rows_module
from reproductions.dcgan_inception_resnet.run import main
from results.compare import compare
from results.tables import read_published

pytestmark = pytest.mark.slow

RUN = Path(__file__).parents[3] / "reproductions" / "dcgan_inception_resnet" / "run.py"
SMOKE = (RUN, "--preset", "smoke", "--imagenet-weights", "none")
SMALL = ("--preset", "smoke", "--imagenet-weights", "none", "--models", "stand_in", "--image-size", "8")


def call(folder, *words):
    """Run the paper in this process; its run folder and its rows."""
    main([*map(str, (*SMALL, *words)), "--runs", str(folder / "runs"), "--results", str(folder / "results")])
    run = max((folder / "runs" / "dcgan_inception_resnet").iterdir(), key=lambda path: path.stat().st_mtime)
    return run, pd.read_csv(folder / "results" / "dcgan_inception_resnet.csv", keep_default_na=False)


@pytest.fixture(scope="module")
def faces(tmp_path_factory, make_prepared):
    """A prepared folder of 60 real faces, and as many fakes of another generator."""
    return make_prepared(tmp_path_factory.mktemp("faces") / "celeb", per_class=60, size=8)


@pytest.fixture(scope="module")
def one_class(faces):
    """A function of a label -> a copy of `faces` with that class alone."""

    def make(label):
        folder = faces.with_name(label)
        if not folder.exists():
            folder.mkdir()
            (folder / label).symlink_to(faces / label)
            manifest = pd.read_csv(faces / "manifest.csv", keep_default_na=False)
            manifest[manifest["label"] == label].to_csv(folder / "manifest.csv", index=False)
        return folder

    return make


@pytest.fixture(scope="module")
def finished(tmp_path_factory, faces):
    """(run folder, rows) of two seeds under both protocols; the rows are computed once predictions.csv exists."""
    folder, all_rows, complete = tmp_path_factory.mktemp("small"), rows_module.all_rows, []

    def checked(*arguments):
        complete.append(bool(list(folder.glob("runs/*/*/predictions.csv"))))
        return all_rows(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "all_rows", checked)
        patch.setattr(figures, "draw_figures", lambda *_: None)  # they have tests of their own
        flags = ("--gan-epochs", "2", "--gan-beta-1", "0", "--no-gan-pooling")
        run, rows = call(folder, "--data", f"celeb={faces}", "--seeds", "0", "1", *flags)
    assert complete == [True] * 4
    return run, rows


def test_one_training_serves_both_protocols(finished):
    """The protocols of a seed share their splits and, on what both score, their predictions."""
    run, rows = finished
    assert {path.name for path in (run / "models").glob("stand_in*")} == {
        *(f"stand_in{seed}.{kind}" for seed in ("", "-seed1") for kind in ("json", "keras", "npz")),
    }  # fmt: skip
    for name, description in descriptions(run).items():
        assert (description.model, description.protocol) == ("stand_in", "heldout")
        assert description.seed == int(name.endswith("-seed1")) and set(description.trained_on) == {"celeb"}
    splits = pd.read_csv(run / "splits.csv", keep_default_na=False)
    for seed in (0, 1):
        paper, heldout = (
            splits[(splits["protocol"] == protocol) & (splits["seed"] == seed)].reset_index(drop=True)
            for protocol in ("resubstitution", "heldout")
        )
        assert paper.drop(columns="protocol").equals(heldout.drop(columns="protocol"))
    predictions = pd.read_csv(run / "predictions.csv", keep_default_na=False)
    scored = predictions.groupby(["protocol", "seed"], sort=False)["split"].agg(lambda names: set(names))
    assert list(scored.index) == [("resubstitution", 0), ("heldout", 0), ("resubstitution", 1), ("heldout", 1)]
    assert scored["resubstitution", 0] == {"resubstitution", "val"} and scored["heldout", 1] == {"test", "val"}
    validation = predictions[(predictions["split"] == "val") & (predictions["seed"] == 0)]
    scores = [list(table["score"]) for _, table in validation.groupby("protocol")]
    assert scores[0] == scores[1]
    history = pd.read_csv(run / "history.csv")
    assert set(history["protocol"]) == {"resubstitution"} and set(history["model"]) == {"stand_in", "dcgan"}
    assert {"gan_losses.csv", "gan_losses-seed1.csv"} <= {path.name for path in run.iterdir()}


def test_notes_name_flags_that_can_be_typed(finished):
    _, rows = finished
    assert rows["note"].str.contains("--gan-epochs 2; --gan-beta-1 0.0; --no-gan-pooling", regex=False).all()
    assert rows["note"].str.contains("generated images not compressed").all()
    assert rows["note"].str.contains("partial data: 60 of the paper's 100000 real images").all()
    assert not rows["note"].str.contains("epoch 1 of 1.*epoch 1 of 1").any()


def test_the_quality_of_the_fakes_is_measured_on_held_out_reals(finished):
    _, rows = finished
    quality = rows[rows["metric"].isin(["kid", "fid"])]
    assert set(quality["protocol"]) == {"heldout"} and set(quality["seed"]) == {0, 1}
    assert set(quality["row"]) == {"DCGAN", "DCGAN, epoch 1", "real images of the training split"}
    assert quality["note"].str.startswith("features: our stand_in").all()


@pytest.mark.parametrize(
    ("label", "metric", "row"),
    [("real", "specificity", "stand_in, real images"), ("fake", "recall", "stand_in, other fakes (celeb)")],
)
def test_one_class_is_evaluated(finished, one_class, tmp_path, label, metric, row):
    weights = f"stand_in={finished[0] / 'models' / 'stand_in.keras'}"
    run, rows = call(tmp_path, "--epochs", "0", "--weights", weights, "--data", f"celeb={one_class(label)}")
    predictions = pd.read_csv(run / "predictions.csv", keep_default_na=False)
    assert len(predictions) == 60 and set(predictions["label"]) == {label}
    assert set(rows["row"]) == {row} and set(rows["protocol"]) == {"heldout"}
    value = rows.set_index("metric").loc[metric]
    share = ((predictions["score"] >= 0.5) == (label == "fake")).mean()
    assert float(value["value"]) == pytest.approx(share) and int(value["n"]) == 60
    assert (run / "figures" / "figure_10_confusion.png").is_file()


def test_unseen_fakes_alone_are_evaluated_even_with_a_generator(finished, one_class, tmp_path):
    models = finished[0] / "models"
    weights = [f"{name}={models / name}.keras" for name in ("stand_in", "generator")]
    run, rows = call(tmp_path, "--epochs", "0", "--weights", *weights, "--data", f"pggan={one_class('fake')}")
    assert set(rows["row"]) == {"stand_in, other fakes (pggan)"} and not (run / "fakes").exists()
    assert rows["note"].str.contains("not trained by this run").all()


def test_nothing_to_score_is_an_error_before_the_run(finished, one_class, tmp_path):
    weights = f"stand_in={finished[0] / 'models' / 'stand_in.keras'}"
    with pytest.raises(UserError, match="nothing to score: give real faces as --data celeb=DIR"):
        call(tmp_path, "--epochs", "0", "--weights", weights, "--data", f"pggan={one_class('real')}")
    assert not (tmp_path / "runs").exists()


def test_a_generator_writes_images_that_a_detector_is_tested_on(finished, tmp_path):
    models, made = finished[0] / "models", tmp_path / "made"
    words = ["--weights", f"generator={models / 'generator.keras'}", "--generate", "20", "--generate-to", made]
    main([*SMALL, *map(str, words)])
    assert len(pd.read_csv(made / "manifest.csv")) == 20
    weights = f"stand_in={models / 'stand_in.keras'}"
    _, rows = call(tmp_path, "--epochs", "0", "--weights", weights, "--data", f"other={made}")
    recall = rows[(rows["row"] == "stand_in, other fakes (other)") & (rows["metric"] == "recall")]
    assert recall["n"].astype(int).item() == 20


def test_resubstitution_needs_a_training(finished, tmp_path, faces):
    weights = f"stand_in={finished[0] / 'models' / 'stand_in.keras'}"
    with pytest.raises(UserError, match="choose heldout"):
        call(
            tmp_path, "--epochs", "0", "--weights", weights, "--protocol", "resubstitution", "--data", f"celeb={faces}"
        )


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, command):
    """(folder, what the command printed) of the smoke preset on the embedded data."""
    folder = tmp_path_factory.mktemp("smoke")
    return folder, command(folder, *SMOKE)


def test_the_run_folder_is_complete(run_folder, assert_drawn):
    names = {"config.json", "environment.json", "requirements.txt", "log.txt"}
    names |= {"splits.csv", "predictions.csv", "history.csv", "times.csv", "summary.txt"}
    assert {path.name for path in run_folder.iterdir()} == names | {
        "models", "figures", "samples", "fakes", "gan_losses.csv", "breakdown.csv", "shortcut.csv",
    }  # fmt: skip
    models = {path.name for path in (run_folder / "models").iterdir()}
    assert {"generator.keras", "discriminator.keras", "generator-epoch-0001.keras", "stand_in.json"} <= models
    assert {"inception_resnet_v2.keras", "inception_resnet_v2.json", "stand_in.keras"} <= models
    names = {path.name for path in (run_folder / "figures").iterdir()}
    assert sorted({name.split("_")[1] for name in names if name.startswith("figure")}) == [
        "05", "06", "07", "08", "09", "10",
    ]  # fmt: skip
    assert_drawn(run_folder / "figures")
    losses = pd.read_csv(run_folder / "gan_losses.csv")
    assert list(losses["epoch"].unique()) == [1, 2, 3] and np.isfinite(losses["generator_loss"]).all()


def test_the_proposed_detector_has_the_papers_parameters(rows):
    sizes = rows[rows["table"] == "Figure 3"].set_index(["row", "metric"])["value"].astype(float)
    assert sizes["total", "parameters"] == 54_339_810 and sizes["total", "trainable"] == 54_279_266
    extra = rows[rows["table"] == "extra"].set_index(["row", "metric"])
    assert extra.loc[("DCGAN", "kid"), "note"].startswith("features: our inception_resnet_v2")
    assert "fewer than 2000 images" in extra.loc[("DCGAN", "fid"), "note"]
    assert {"stand_in, DCGAN, epoch 2", "stand_in, other fakes (synthetic-deconv)"} <= set(
        extra.index.get_level_values(0)
    )


def test_numbers_are_those_of_the_predictions(rows, run_folder):
    """Figure 10 against scikit-learn: `resubstitution` counts training and validation images, `heldout` test images."""
    predictions = pd.read_csv(run_folder / "predictions.csv")
    predictions = predictions[(predictions["label"] == "real") | (predictions["dataset"] == "synthetic-dcgan")]
    for protocol, splits, count in (("resubstitution", ("resubstitution", "val"), 48), ("heldout", ("test",), 24)):
        for model in ("inception_resnet_v2", "stand_in"):
            chosen = predictions[(predictions["protocol"] == protocol) & (predictions["model"] == model)]
            chosen = chosen[chosen["split"].isin(splits)]
            assert len(chosen) == count
            labels, called = chosen["label"] == "fake", chosen["score"] >= 0.5
            ours = rows[(rows["protocol"] == protocol) & (rows["row"] == f"{model}, DCGAN")]
            values = ours.set_index("metric")["value"].astype(float)
            assert values["accuracy"] == pytest.approx(accuracy_score(labels, called))
            tn, fp, fn, tp = confusion_matrix(labels, called).ravel()
            assert [values[name] for name in ("tp", "fp", "fn", "tn")] == [tp, fp, fn, tn]
        figure = rows[(rows["table"] == "Figure 10") & (rows["protocol"] == protocol)]
        assert figure.loc[figure["metric"] != "accuracy", "value"].astype(float).sum() == count


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
    assert done.stdout.splitlines()[1].split(",")[2] in ("fake", "real", "unknown", "no face")


def test_matched_fakes_from_a_given_generator(run_folder, command, tmp_path, read_rows):
    generator = f"generator={run_folder / 'models' / 'generator.keras'}"
    words = ("--gan-epochs", "0", "--weights", generator, "--match-jpeg", "--models", "stand_in")
    command(tmp_path, *SMOKE, *words, "--protocol", "heldout")
    (run,) = (tmp_path / "runs" / "dcgan_inception_resnet").iterdir()
    made = sorted((run / "fakes" / "dcgan-seed0" / "fake").iterdir())
    assert len(made) == 36 and {file.suffix for file in made} == {".jpg"}
    rows = read_rows(tmp_path)
    assert set(rows["protocol"]) == {"heldout"} and rows["note"].str.contains("--match-jpeg").all()
    assert not rows["note"].str.contains("not compressed|--match-jpeg True").any()


def test_after_a_complete_run_no_published_number_but_the_settings_is_not_run(smoke):
    comparison = compare(["dcgan_inception_resnet"], smoke[0] / "results")
    assert comparison[comparison["verdict"] == "not run"].empty
    published = read_published("dcgan_inception_resnet")
    assert (comparison["verdict"] == "as published").sum() == (published["kind"] == "setting").sum()
    times = comparison[comparison["metric"].isin(["minutes_per_epoch", "seconds_per_epoch"])]
    assert len(times) == 6 and times["verdict"].str.contains("another device").all()
