"""The trainings of phase I on tiny networks: sequences, what they score, what is saved and what is skipped."""

import logging
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from common.data.augmentation import affine_matrices, transform
from common.detectors import store
from common.errors import UserError
from common.training.supervised import NOT_TRAINED, Training
from reproductions.facenet_embeddings import method, model, phase1
from reproductions.facenet_embeddings.augmentation import augment
from reproductions.facenet_embeddings.config import LSTM, PRESETS
from reproductions.facenet_embeddings.embeddings import Embedder, find_embedder
from reproductions.facenet_embeddings.sequences import VideoSequences, order_frames
from reproductions.splitting import Split

SMOKE = replace(PRESETS["smoke"], phase1_size=16, phase1_frames=None, lstm_units=4)


def tiny(image_size=16, weights="none", synchronized=False):
    """A network with the ends of `model.xception`."""
    image = keras.Input((image_size, image_size, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Dense(8, activation="relu", name=model.FRAME_EMBEDDING)(x)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax", name="real_fake")(x))


@pytest.fixture
def images(clips):
    """Two frames of each clip train, one validates, one tests."""
    return clips.assign(split=np.resize(["train", "train", "val", "test"], len(clips)))


@pytest.fixture
def training(tmp_path):
    return Training(tf.distribute.get_strategy(), tmp_path / "checkpoints" / "training")


@pytest.fixture
def trained(monkeypatch, images, training):
    """The tiny network as phase I trains it."""
    monkeypatch.setattr(model, "xception", tiny)
    return phase1.train_xception("trial3", images, SMOKE, None, ("none", ["no weights"]), training)


def session_of(tmp_path, images, config=SMOKE, **weights):
    """The parts of a Session that the method uses; what it saves is a list."""
    split = Split("official", 0, {"": images})
    saved = []

    def training(name, split, part):
        return Training(tf.distribute.get_strategy(), tmp_path / "checkpoints" / name, split.seed)

    def path(*parts):
        tmp_path.joinpath(*parts).parent.mkdir(parents=True, exist_ok=True)
        return tmp_path.joinpath(*parts)

    session = SimpleNamespace(
        config=config, weights=weights, data=SimpleNamespace(roles={"celebdf": "celebdf"}), training=training,
        run=SimpleNamespace(path=path), save=lambda split, detector, images=None: saved.append(detector.description),
    )  # fmt: skip
    return session, split, saved


def test_sequences_have_each_videos_frames_in_order_and_of_one_split(images):
    ordered = order_frames(images.sample(frac=1, random_state=0))
    marks = np.arange(len(ordered), dtype=np.float32)[:, None] * np.ones((1, 512), np.float32)
    sequences = VideoSequences.of_split(ordered, marks, "train")
    assert sequences.frames.shape == (20, 2, 512)
    rows = ordered.reset_index(drop=True)
    rows = rows[rows["split"] == "train"]
    for number, (_, frames) in enumerate(rows.groupby("number")):
        assert list(frames["frame"]) == ["0", "1"]
        np.testing.assert_array_equal(sequences.frames[number, :, 0], frames.index)
        assert sequences.labels[number] == (frames["label"].iloc[0] == "fake")
    np.testing.assert_array_equal(sequences.video_of_frame, rows["number"])


def test_an_empty_split_has_no_sequences(images):
    sequences = VideoSequences.of_split(
        order_frames(images[images["split"] != "test"]), np.ones((60, 512), np.float32), "test"
    )
    assert len(sequences.labels) == len(sequences.video_of_frame) == 0
    assert sequences.scores(model.xception_lstm(units=2), 4).shape == (0,)


def test_a_training_scores_validation_and_test_and_notes_its_epoch(trained, images):
    assert trained.notes == ["no weights", "epoch 1 of 1 by val_accuracy"]
    pd.testing.assert_frame_equal(trained.images, images[images["split"] != "train"])
    assert len(trained.scores) == 40 and trained.validation_accuracy == trained.history["val_accuracy"].max()


@pytest.mark.slow
def test_a_stored_detector_is_a_start_and_scores_alike(trained, images, training, tmp_path):
    """A run stores P(fake) (B, 1); phase I starts from that file again, without training."""
    detector = phase1.as_detector("trial3", trained.network, SMOKE, "celebdf")
    assert detector.description.trained_on == {"celebdf": ""}
    store.save_network(detector.network, tmp_path / "trial3.keras")
    config = replace(SMOKE, epochs=0)
    again = phase1.train_xception("trial1", images, config, tmp_path / "trial3.keras", ("none", ["unused"]), training)
    np.testing.assert_array_equal(again.scores, trained.scores)
    assert again.notes[0].startswith("started from trial3.keras") and again.notes[1:] == [NOT_TRAINED]
    assert again.history is None and again.validation_accuracy == 0
    with pytest.raises(UserError, match="--weights xception=.*does not fit"):
        phase1.train_xception(
            "trial1", images, replace(config, phase1_size=20), tmp_path / "trial3.keras", ("none", []), training
        )


def frame_network(monkeypatch):
    """An Xception of which the LSTM takes 512 numbers of a frame."""
    monkeypatch.setattr(model, "FRAME_EMBEDDING", "wide")
    image = keras.Input((16, 16, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Dense(512, activation="relu", name="wide")(x)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax")(x))


def test_an_lstm_gives_all_frames_of_a_video_one_score(monkeypatch, images, training):
    result = phase1.train_lstm(frame_network(monkeypatch), images, SMOKE, training)
    assert sorted(result.images["path"]) == sorted(images[images["split"] != "train"]["path"])
    assert list(result.images.columns) == list(images.columns)
    scored = result.images.assign(score=result.scores)
    assert scored.groupby(["split", "video"])["score"].nunique().max() == 1
    assert scored["score"].nunique() > 10


@pytest.mark.slow
def test_an_lstm_without_test_images_scores_the_validation_images(monkeypatch, images, training):
    """An official split of several data sets can leave Celeb-DF without test images."""
    result = phase1.train_lstm(frame_network(monkeypatch), images[images["split"] != "test"], SMOKE, training)
    assert set(result.images["split"]) == {"val"} and len(result.scores) == 20


def test_trials_without_validation_images_are_skipped_before_they_are_trained(images, tmp_path, caplog):
    session, split, saved = session_of(tmp_path, images[images["split"] != "val"])
    with caplog.at_level(logging.WARNING, logger="deepfake"):
        method.run_phase1(session, SMOKE, split, "", ("none", []))
    assert not saved and not split.predictions and not split.histories
    for trial in ("trial3", LSTM):
        message = f"{trial}: skipped under protocol official, celebdf has no fake and no real validation images"
        assert message in caplog.text


def test_an_lstm_takes_the_best_xception_and_is_saved(monkeypatch, images, tmp_path):
    accuracies = {"trial1": 0.5, "trial2": 0.75, "trial3": 0.75}
    networks = {}

    def train_xception(trial, images, *arguments):
        networks[trial] = tiny()
        history = pd.DataFrame({"val_accuracy": [accuracies[trial]]})
        return phase1.Phase1Model(networks[trial], images, np.full(len(images), 0.5), history, [trial])

    def train_lstm(xception, images, *arguments):
        assert xception is networks["trial2"]  # the first of equals
        return phase1.Phase1Model(model.xception_lstm(units=2), images, np.full(len(images), 0.5), None, ["notes"])

    monkeypatch.setattr(phase1, "train_xception", train_xception)
    monkeypatch.setattr(phase1, "train_lstm", train_lstm)
    config = replace(SMOKE, phase1=("lstm", "trial3", "trial1", "trial2"))
    session, split, saved = session_of(tmp_path, images, config)
    method.run_phase1(session, config, split, "", ("none", []))
    assert [description.model for description in saved] == ["trial1", "trial2", "trial3"]
    assert split.notes[LSTM] == ["on trial2", "notes"] and set(split.histories) == set(accuracies)
    assert keras.models.load_model(tmp_path / "models" / "lstm.keras", compile=False).count_params() > 0

    def interrupted(self, path, **options):
        path.write_bytes(b"half of the file")
        raise KeyboardInterrupt

    (tmp_path / "models" / "lstm.keras").unlink()
    monkeypatch.setattr(keras.Model, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        method.run_phase1(session, config, split, "", ("none", []))
    assert list((tmp_path / "models").iterdir()) == []


def test_an_lstm_stands_on_an_xception_of_its_own_data_and_phase_2_on_one_of_all_data():
    """A network that calls everything fake scores the share of fakes, 0.83 on both sets and 0.66 on Celeb-DF alone."""
    roles = {"celebdf": "celebdf", "celebdf_v2": "celebdf_v2"}
    accuracies = {"trial1": 0.66, "trial3": 0.7, "xception_30k": 0.83}
    trained = {
        trial: phase1.Phase1Model(tiny(), pd.DataFrame(), np.zeros(0), pd.DataFrame({"val_accuracy": [value]}), [])
        for trial, value in accuracies.items()
    }
    assert method.best_xception(trained, "celebdf", roles) == "trial3"
    assert method.best_xception({"xception_30k": trained["xception_30k"]}, "celebdf", roles) is None
    assert method.best_xception(trained, "celebdf", {"celebdf": "celebdf"}) == "xception_30k"  # all have one data set
    embedder = method.xception_embedder(trained, Embedder("xception", 16), roles)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3)).astype(np.float32)
    expected = model.frame_embedder(trained["xception_30k"].network)(pixels)
    np.testing.assert_array_equal(embedder.network(pixels), expected)
    assert embedder.identity == "" and embedder.notes == [
        "not FaceNet: phase I's Xception, as in the first experiment of Sec. X"
    ]
    with pytest.raises(UserError, match="--embedder xception: no Xception was trained"):
        method.xception_embedder({}, Embedder("xception", 16), roles)
    with pytest.raises(UserError, match="--embedder xception needs one of trial1, .* in --phase1"):
        find_embedder(replace(SMOKE, embedder="xception", phase1=(LSTM,)))


def test_an_lstm_without_epochs_or_without_an_xception_is_skipped(images, tmp_path, caplog):
    session, split, _ = session_of(tmp_path, images, replace(SMOKE, phase1=(LSTM,)))
    with caplog.at_level(logging.INFO, logger="deepfake"):
        for changes in ({}, {"phase1_epochs": 0}, {"epochs": 0}):
            config = replace(SMOKE, phase1=(LSTM,), **changes)
            session.config = config
            method.run_phase1(session, config, split, "", ("none", []))
    assert "lstm: skipped, it needs an Xception" in caplog.text and not split.predictions
    assert caplog.text.count("lstm: skipped, it has no epochs") == 2


def test_augmentation_is_a_function_of_its_seed_and_moves_pixels():
    image = tf.constant(np.random.default_rng(0).uniform(0, 255, (20, 20, 3)).astype(np.float32))
    seeds = tf.constant([[1, 2], [1, 2], [1, 3]])
    one, again, other = augment(tf.tile(image[None], (3, 1, 1, 1)), seeds).numpy()
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
    unchanged = affine_matrices((9, 11), tf.zeros(1), tf.ones(1), tf.constant([False]))
    shifted = transform(tf.constant(image)[None], unchanged, tf.constant([pixels]))
    np.testing.assert_array_equal(shifted[0], expected)
