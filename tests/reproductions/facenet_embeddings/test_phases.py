"""Folds, the training parts of both phases, and the rows, on tables and vectors made by hand."""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from common.data.datasets import open_dataset
from common.errors import UserError
from common.evaluation.predictions import prediction_table
from common.training.distribution import set_up
from reproductions.facenet_embeddings import phase1, phase2, rows
from reproductions.facenet_embeddings.augmentation import augment, shift
from reproductions.facenet_embeddings.config import PRESETS
from reproductions.facenet_embeddings.splitting import parts_of, protocols_of

SMOKE = PRESETS["smoke"]


@pytest.fixture(scope="module")
def clips(make_prepared, tmp_path_factory):
    """40 frames of 10 real videos, and as many of 10 fakes of them."""
    folder = make_prepared(tmp_path_factory.mktemp("clips") / "data", clips=True, size=16)
    return open_dataset("celebdf", folder).images


def test_every_unit_is_tested_once_and_validates_once(clips):
    for protocol in ("frame", "video"):
        parts, remarks = parts_of(clips, protocol, replace(SMOKE, folds=5), seed=0)
        assert remarks == ("5-fold cross-validation",) and [part.name for part in parts][-1] == "fold 5"
        for split in ("val", "test"):
            drawn = pd.concat([part.images[part.images["split"] == split] for part in parts])
            assert sorted(drawn["path"]) == sorted(clips["path"])
            assert all(set(part.images[part.images["split"] == split]["label"]) == {"fake", "real"} for part in parts)
        for part in parts:
            video = part.images["original"].where(part.images["original"] != "", part.images["video"])
            together = part.images.groupby(video)["split"].nunique().max()
            assert together == 1 if protocol == "video" else together > 1


def test_folds_do_not_depend_on_the_order_of_the_rows_but_on_the_seed(clips):
    def tested(images, seed):
        parts, _ = parts_of(images, "video", replace(SMOKE, folds=4), seed)
        return [set(part.images[part.images["split"] == "test"]["path"]) for part in parts]

    assert tested(clips, 0) == tested(clips.sample(frac=1, random_state=1), 0) != tested(clips, 1)


def test_impossible_folds_are_refused(clips):
    with pytest.raises(UserError, match="expected at least 3"):
        parts_of(clips, "video", replace(SMOKE, folds=2), 0)
    with pytest.raises(UserError, match="only 10 groups"):
        parts_of(clips, "video", replace(SMOKE, folds=11), 0)
    with pytest.raises(UserError, match="expected a protocol of frame, video"):
        protocols_of(clips, replace(SMOKE, folds=3, protocol=("identity",)))
    assert protocols_of(clips, replace(SMOKE, folds=3)) == ["frame", "video"]
    with pytest.raises(UserError, match="only .* images"):
        parts_of(clips, "video", replace(SMOKE, batch_size=1000), 0)
    with pytest.raises(UserError, match="one class only"):
        parts_of(clips[clips["label"] == "fake"], "frame", SMOKE, 0)


def test_thinning_keeps_the_test_split_and_the_proportions(clips):
    images = clips.assign(split=np.resize(["train", "train", "train", "val", "test"], len(clips)))
    thin = phase1.thinned(images, 32)
    counts = thin["split"].value_counts()
    assert counts.to_dict() == {"train": 24, "val": 8, "test": 16}
    assert phase1.thinned(images, None) is images and phase1.thinned(images, 64) is images
    pd.testing.assert_frame_equal(phase1.thinned(images[::-1], 32)[::-1], thin)


def blobs(count, apart=4.0, seed=0):
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    values = generator.normal(size=(count, 512)) + apart * labels[:, None] * generator.choice([-1, 1], 512) * 0.1
    return phase2.Vectors((values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32), labels)


def test_the_base_network_learns_and_scores_are_the_classifiers_own(tmp_path):
    generator = np.random.default_rng(0)
    direction = generator.normal(size=512)

    def vectors(count):
        labels = np.arange(count) % 2
        values = generator.normal(size=(count, 512)) + 0.15 * labels[:, None] * direction
        return phase2.Vectors((values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32), labels)

    parts = {"train": vectors(160), "val": vectors(80), "test": vectors(80)}
    config = replace(PRESETS["quick"], epochs=12)
    trained = phase2.train(parts, config, tf.distribute.get_strategy(), None, tmp_path / "state", 0)
    found = phase2.scores(trained, parts["test"])
    assert roc_auc_score(parts["test"].labels, found["sgd"]) > 0.8
    forest = trained.classifiers["random_forest"]
    embedded = trained.base.predict(parts["test"].values, verbose=0)
    np.testing.assert_allclose(found["random_forest"], forest.predict_proba(embedded)[:, 1], atol=1e-6)
    plain = trained.classifiers["sgd_on_embeddings"]
    np.testing.assert_allclose(found["sgd_on_embeddings"], plain.predict_proba(parts["test"].values)[:, 1], atol=1e-6)
    margins = trained.classifiers["perceptron"].decision_function(embedded)
    assert ((found["perceptron"] >= 0.5) == (margins >= 0)).all()
    moved = [np.abs(a - b).max() for a, b in zip(trained.base.weights, trained.untrained.weights, strict=True)]
    assert min(moved) > 0
    best = trained.history["val_separation"].to_numpy().argmax() + 1
    assert trained.notes == [f"epoch {best} of 12 by val_separation"]


def test_two_devices_step_like_one_but_for_dropout(tmp_path):
    parts = {"train": blobs(64), "val": blobs(32, seed=1)}
    mirrored = set_up("mirrored")
    losses = []
    for place, strategy in enumerate((tf.distribute.get_strategy(), mirrored)):
        config = replace(PRESETS["quick"], epochs=1)
        _, _, history, _ = phase2.train_base(parts, config, strategy, None, tmp_path / str(place), 0)
        losses.append(history["loss"].item())
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_separation_by_hand():
    """Means 3 and 1, variances 1 and 4: 2 / sqrt(2.5)."""
    labels, margins = np.array([1, 1, 0, 0]), np.array([2.0, 4.0, -1.0, 3.0])
    assert phase2.separation(labels, margins) == pytest.approx(2 / 2.5**0.5)
    assert np.isfinite(phase2.separation(labels, np.ones(4)))


def test_the_last_epoch_can_be_kept_instead(tmp_path):
    """The weights after three epochs are those of a training of three, whatever the validation says."""
    parts = {"train": blobs(64), "val": blobs(32, 0.0, 1)}
    config = replace(PRESETS["quick"], epochs=3, keep="last")
    strategy = tf.distribute.get_strategy()
    _, base, history, notes = phase2.train_base(parts, config, strategy, None, tmp_path / "a", 0)
    assert notes == [] and len(history) == 3
    last = keras.models.clone_model(base)
    last.load_weights(tmp_path / "a" / "epoch-0003.weights.h5")
    for ours, expected in zip(base.get_weights(), last.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_an_lstm_sees_each_videos_frames_in_order_and_by_split(clips, monkeypatch):
    images = clips.assign(split=np.resize(["train", "train", "val", "test"], len(clips)))  # two frames of a clip train
    images = images.sample(frac=1, random_state=0).assign(number=lambda t: pd.factorize(t["video"])[0])
    images = images.assign(place=images["frame"].astype(int)).sort_values(["number", "place"])
    marks = np.arange(len(images), dtype=np.float32)[:, None] * np.ones((1, 512), np.float32)
    sequences = phase1._Sequences(images, marks, "train")
    assert sequences.frames.shape == (20, 2, 512)
    of = images.reset_index(drop=True)
    of = of[of["split"] == "train"]
    for video, frames in of.groupby("number"):
        np.testing.assert_array_equal(sequences.frames[video, :, 0], frames.sort_values("place").index)
        assert sequences.labels[video] == (frames["label"].iloc[0] == "fake")
    assert (sequences.of_frame == of["number"].to_numpy()).all()


def test_augmentation_is_a_function_of_its_seed_and_moves_pixels():
    image = tf.constant(np.random.default_rng(0).uniform(0, 255, (20, 20, 3)).astype(np.float32))
    one, again, other = (augment(image, tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3]))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).mean() > 5 and np.abs(one - image).mean() > 5 and one.shape == (20, 20, 3)


@pytest.mark.parametrize("pixels", [(0, 0), (3, -2), (-4, 5)])
def test_shift_by_hand(pixels):
    """out[y, x] = in[y - down, x - right], mirrored at the edges without repeating them."""
    image = np.random.default_rng(0).uniform(0, 255, (9, 11, 3)).astype(np.float32)

    def mirrored(place, size):
        place = abs(place)
        return place if place < size else 2 * (size - 1) - place

    down, right = pixels
    expected = [[image[mirrored(y - down, 9), mirrored(x - right, 11)] for x in range(11)] for y in range(9)]
    np.testing.assert_array_equal(shift(tf.constant(image), tf.constant(pixels)), expected)


def predictions(clips, scores, model):
    return prediction_table(clips.assign(split="test"), scores, model, "frame", 0)


def test_table_2_is_over_videos_and_phase_1_over_frames(clips):
    """Scores at which frames and videos disagree: three frames of a video at 0.4, one at 1.0, mean 0.55."""
    fake = (clips["label"] == "fake").to_numpy()
    scores = np.where(fake, np.where(clips["frame"] == "0", 1.0, 0.4), 0.1)
    table = pd.concat([predictions(clips, scores, model) for model in ("sgd", "random_forest", "trial2", "lstm")])
    found = rows.result_rows(table, dict.fromkeys(table["model"], "celebdf"))
    value = found.set_index(["table", "row", "metric"])["value"]
    assert value["Table II", "Triplets + SGD", "accuracy"] == value["Table III", rows.BOTH, "accuracy"] == 1.0
    assert value["text", "Phase II: SGD and RF", "auc"] == 1.0
    assert found.set_index(["table", "row", "metric"])["n"]["Table II", "Triplets + RF", "accuracy"] == 20
    frame = 50 / 80  # 40 real ones and 10 fakes
    for table_name, row in (("Table I", "trial 2"), ("Table III", "XceptionNet"), ("Table III", "LSTM + frames")):
        assert value[table_name, row, "accuracy"] == frame
    assert value["extra", "sgd, frame level", "accuracy"] == frame


def test_without_videos_there_is_no_table_2(clips):
    single = clips.assign(video="", original="")
    found = rows.result_rows(predictions(single, np.full(len(clips), 0.7), "random_forest"), {"random_forest": "x"})
    assert set(found["table"]) == {"extra"} and set(found["row"]) == {"random_forest, frame level"}


def test_the_summary_has_the_published_interval():
    """Wilson, 21 of 24 by hand: centre (0.875 + 1.92/24) / 1.16 = 0.823, half width 0.134."""
    (*_, told) = rows.summary({})
    assert "0.875" in told and "n = 24" in told and "0.69 to 0.96" in told
