"""Stage 1: the DCGAN's training from epoch to epoch, its kept models, given weights and divergence."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.errors import UserError
from common.files import sha256
from common.training.checkpoints import full_epochs
from common.training.distribution import set_up
from common.training.supervised import Training
from reproductions.dcgan_inception_resnet import dcgan, gan, gan_training


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A table of 24 small pictures."""
    folder, random = tmp_path_factory.mktemp("faces"), np.random.default_rng(0)
    files = [folder / f"{number}.png" for number in range(24)]
    for file in files:
        Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(file)
    return pd.DataFrame({"file": [str(file) for file in files], "label": "real"})


def train(faces, folder, weights=None, **values):
    fixed = dict(
        image_size=8, gan_epochs=3, gan_batch_size=8, gan_learning_rate=1e-3, gan_beta_1=0.5, gan_width=0.02,
        gan_pooling=True, checkpoint_every=2,
    )  # fmt: skip
    training = Training(set_up(), folder / "state", seed=1)
    config = SimpleNamespace(**fixed | values)
    return gan_training.train_gan(faces, config, training, weights or {}, folder / "samples")


@pytest.mark.slow
def test_a_stopped_training_resumes_as_if_it_had_not_been(faces, tmp_path):
    whole, losses, notes = train(faces, tmp_path / "whole")
    train(faces, tmp_path / "stopped", gan_epochs=2)
    resumed, resumed_losses, _ = train(faces, tmp_path / "stopped")
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    columns = ["epoch", "batch", "generator_loss", "discriminator_loss"]
    pd.testing.assert_frame_equal(losses[columns], resumed_losses[columns], rtol=1e-4)
    assert list(losses.columns) == [*columns, "seconds"] and len(losses) == 9
    assert (losses["seconds"] > 0).all() and (losses.groupby("epoch")["seconds"].nunique() == 1).all()
    assert notes == []
    strips = sorted((tmp_path / "whole" / "samples").iterdir())
    assert [file.name for file in strips] == [f"epoch-000{epoch}.png" for epoch in (1, 2, 3)]
    with Image.open(strips[-1]) as strip:
        first = np.asarray(strip)[:, :8]
    np.testing.assert_array_equal(first, next(gan.generate(whole, 5, 1))[0])
    by_epoch = gan_training.losses_by_epoch(losses)
    assert by_epoch["epoch"].tolist() == [1, 2, 3]
    assert by_epoch["seconds"].tolist() == pytest.approx(losses["seconds"][::3].tolist())
    assert by_epoch["generator_loss"][1] == pytest.approx(losses["generator_loss"][3:6].mean())


@pytest.mark.slow
def test_every_second_checkpoint_and_the_last_are_kept(faces, tmp_path):
    generator, _, _ = train(faces, tmp_path)
    earlier = gan_training.keep_models(tmp_path / "state", tmp_path / "models", "")
    assert {file.name for file in (tmp_path / "models").iterdir()} == {
        "generator.keras", "discriminator.keras", "generator-epoch-0002.keras",
    }  # fmt: skip
    kept = gan_training.load_generator(tmp_path / "models" / "generator.keras", 8)
    np.testing.assert_array_equal(kept.get_weights()[0], generator.get_weights()[0])
    assert list(earlier) == [2]
    before = gan_training.load_generator(earlier[2])
    assert not np.array_equal(before.get_weights()[0], generator.get_weights()[0])
    with pytest.raises(UserError, match="makes images of 8 px; give --image-size 8"):
        gan_training.load_generator(earlier[2], 16)
    with pytest.raises(UserError, match="expected a generator, got a network named discriminator"):
        gan_training.load_generator(tmp_path / "models" / "discriminator.keras")


@pytest.mark.slow
def test_a_training_starts_from_given_weights(faces, tmp_path):
    train(faces, tmp_path, gan_epochs=1)
    gan_training.keep_models(tmp_path / "state", tmp_path / "models", "")
    weights = {"generator": tmp_path / "models" / "generator.keras"}
    given, losses, notes = train(faces, tmp_path / "a", weights, gan_epochs=0)
    assert losses is None and notes == [f"generator of generator.keras ({sha256(weights['generator'])[:12]})"]
    started, _, _ = train(faces, tmp_path / "b", weights, gan_epochs=1, gan_learning_rate=1e-9)
    np.testing.assert_allclose(started.trainable_weights[0].numpy(), given.trainable_weights[0].numpy(), atol=1e-6)
    with pytest.raises(UserError, match="--weights generator=.*generator.keras: the file does not fit this network"):
        train(faces, tmp_path / "c", weights, gan_width=0.03)
    with pytest.raises(UserError, match="its input is"):
        train(faces, tmp_path / "d", {"discriminator": weights["generator"]})


@pytest.mark.slow
def test_a_training_that_diverges_is_an_error_that_names_the_epoch(faces, tmp_path):
    with pytest.raises(UserError, match=r"diverged in epoch \d: a loss is not a finite number.*lower --gan-learning"):
        train(faces, tmp_path, gan_learning_rate=1e30)
    assert not full_epochs(tmp_path / "state") or max(full_epochs(tmp_path / "state")) < 3


@pytest.mark.slow
def test_a_discriminator_that_wins_is_noted(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(dcgan, "COLLAPSE_LOSS", 1e9)
    _, _, notes = train(faces, tmp_path, gan_epochs=2)
    assert notes == ["DCGAN: the discriminator's loss is about 0 in 2 of 2 epochs"]


def test_a_damaged_image_is_explained(faces, tmp_path):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"cut short")
    table = pd.concat([faces, pd.DataFrame({"file": [str(damaged)], "label": ["real"]})], ignore_index=True)
    with pytest.raises(UserError, match="an image of the manifest is missing or damaged"):
        train(table.iloc[::-1], tmp_path, gan_batch_size=25)
