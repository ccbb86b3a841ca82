"""The DCGAN's training as a stage, its fakes on disk, and who sees which real image."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.data.datasets import open_dataset
from common.errors import UserError
from common.files import sha256
from common.training.distribution import set_up
from reproductions.dcgan_inception_resnet import data, fakes, gan, gan_training
from reproductions.dcgan_inception_resnet.rows import result_rows


def settings(**values):
    fixed = dict(
        image_size=8, gan_epochs=3, gan_batch_size=8, gan_learning_rate=1e-3, gan_beta_1=0.5, gan_width=0.02,
        gan_pooling=True, checkpoint_every=2, jit="auto",
    )  # fmt: skip
    return SimpleNamespace(**fixed | values)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A table of 24 small pictures."""
    folder, random = tmp_path_factory.mktemp("faces"), np.random.default_rng(0)
    files = [folder / f"{number}.png" for number in range(24)]
    for file in files:
        Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(file)
    return pd.DataFrame({"file": [str(file) for file in files], "label": "real"})


@pytest.fixture(scope="module")
def generator():
    set_up()
    return gan.generator(8, 0.02)


def train(faces, folder, weights=None, **values):
    return gan_training.train_gan(
        faces, settings(**values), set_up(), weights or {}, folder / "state", folder / "samples", 1
    )


def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(faces, tmp_path):
    whole, losses, notes = train(faces, tmp_path / "whole")
    train(faces, tmp_path / "stopped", gan_epochs=2)
    gone_on, again, _ = train(faces, tmp_path / "stopped")
    for one, other in zip(whole.get_weights(), gone_on.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    pd.testing.assert_frame_equal(losses, again, rtol=1e-4)
    assert list(losses.columns) == ["epoch", "batch", "generator_loss", "discriminator_loss"] and len(losses) == 9
    assert notes == []
    strips = sorted((tmp_path / "whole" / "samples").iterdir())
    assert [file.name for file in strips] == [f"epoch-000{epoch}.png" for epoch in (1, 2, 3)]
    with Image.open(strips[-1]) as strip:
        first = np.asarray(strip)[:, :8]
    np.testing.assert_array_equal(first, next(gan.generate(whole, 5, 1))[0])


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


def test_a_training_starts_from_given_weights(faces, tmp_path):
    train(faces, tmp_path, gan_epochs=1)
    gan_training.keep_models(tmp_path / "state", tmp_path / "models", "")
    weights = {"generator": tmp_path / "models" / "generator.keras"}
    given, losses, notes = train(faces, tmp_path / "a", weights, gan_epochs=0)
    assert losses is None and notes == [f"generator of generator.keras ({sha256(weights['generator'])[:12]})"]
    started, _, _ = train(faces, tmp_path / "b", weights, gan_epochs=1, gan_learning_rate=1e-9)
    np.testing.assert_allclose(started.trainable_weights[0].numpy(), given.trainable_weights[0].numpy(), atol=1e-6)
    with pytest.raises(UserError, match="parameters, got .*--gan-width"):
        train(faces, tmp_path / "c", weights, gan_width=0.03)


def test_a_training_that_diverges_is_an_error_that_names_the_epoch(faces, tmp_path):
    with pytest.raises(UserError, match=r"diverged in epoch \d: a loss is no finite number.*lower --gan-learning-rate"):
        train(faces, tmp_path, gan_learning_rate=1e30)
    assert not gan.checkpoints(tmp_path / "state") or max(gan.checkpoints(tmp_path / "state")) < 3


def test_a_discriminator_that_wins_is_told(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(gan, "NO_CONTEST", 1e9)
    _, _, notes = train(faces, tmp_path, gan_epochs=2)
    assert notes == ["DCGAN: the discriminator's loss is about 0 in 2 of 2 epochs"]


def test_fakes_are_a_prepared_folder(generator, tmp_path):
    fakes.write_fakes(generator, tmp_path / "fakes", 70, 5, {"run": "a"})
    table = open_dataset("other", tmp_path / "fakes").images
    assert len(table) == 70 and set(table["label"]) == {"fake"} and set(table["source"]) == {"dcgan"}
    assert list(table["sha256"]) == [sha256(file) for file in table["file"]]
    expected = np.concatenate(list(gan.generate(generator, 70, 5)))
    for file, image in zip(table["file"], expected, strict=True):
        with Image.open(file) as picture:
            np.testing.assert_array_equal(np.asarray(picture), image)


def test_a_folder_of_fakes_that_was_begun_is_completed(generator, tmp_path, monkeypatch):
    whole, begun = tmp_path / "whole", tmp_path / "begun"
    fakes.write_fakes(generator, whole, 150, 5, {"run": "a"})
    generate, calls = gan.generate, []

    def stopped(*arguments):
        for number, images in enumerate(generate(*arguments)):
            if number == 2:
                raise KeyboardInterrupt
            yield images

    monkeypatch.setattr(fakes, "generate", stopped)
    with pytest.raises(KeyboardInterrupt):
        fakes.write_fakes(generator, begun, 150, 5, {"run": "a"})
    assert not (begun / "manifest.csv").exists()
    monkeypatch.setattr(fakes, "generate", lambda *words: calls.append(words[-1]) or generate(*words))
    fakes.write_fakes(generator, begun, 150, 5, {"run": "a"})
    assert calls == [128]
    assert (begun / "manifest.csv").read_bytes() == (whole / "manifest.csv").read_bytes()


def test_fakes_of_another_generator_do_not_mix(generator, tmp_path):
    fakes.write_fakes(generator, tmp_path / "fakes", 3, 5, {"run": "a"})
    fakes.write_fakes(generator, tmp_path / "fakes", 3, 5, {"run": "a"})
    for arguments in ((3, 6, {"run": "a"}), (4, 5, {"run": "a"}), (3, 5, {"run": "b"})):
        with pytest.raises(UserError, match="images of another generator"):
            fakes.write_fakes(generator, tmp_path / "fakes", *arguments)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    with pytest.raises(UserError, match="new or empty folder"):
        fakes.write_fakes(generator, tmp_path / "full", 3, 5, {})


def test_matched_fakes_have_the_tables_of_the_real_files(generator, tmp_path):
    random, files = np.random.default_rng(0), []
    for number, options in enumerate(({"quality": 60, "subsampling": 0}, {"quality": 90, "subsampling": 2}, None)):
        files.append(tmp_path / f"{number}.{'jpg' if options else 'png'}")
        Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(files[-1], **options or {})
    settings = fakes.jpeg_settings(files)
    fakes.write_fakes(generator, tmp_path / "fakes", 6, 5, {}, settings)
    for place, file in enumerate(open_dataset("other", tmp_path / "fakes").images["file"]):
        with Image.open(file) as ours, Image.open(files[place % 3]) as real:
            assert ours.format == real.format
            if real.format == "JPEG":
                assert ours.quantization == real.quantization and ours.layer == real.layer
    with pytest.raises(UserError, match="expected JPEG files among the real images, got 1 others"):
        fakes.jpeg_settings(files[2:])


def test_the_noise_of_the_splits_and_of_training_is_never_the_same(generator):
    """The i-th image is one of a stream: what begins later goes on with it."""
    whole = np.concatenate(list(gan.generate(generator, 200, 3)))
    rest = np.concatenate(list(gan.generate(generator, 200, 3, begin=128)))
    np.testing.assert_array_equal(whole[128:], rest)
    assert len(np.unique(whole.reshape(200, -1), axis=0)) == 200


def reals(count, persons=None):
    identity = [str(number % persons) for number in range(count)] if persons else ""
    table = {"path": [f"{number}.png" for number in range(count)], "label": "real", "source": "celeba"}
    table |= {"video": "", "identity": identity, "original": "", "frame": "", "split": "", "dataset": "celeb"}
    return pd.DataFrame(table).assign(sha256=[f"{number:064d}" for number in range(count)])


def limits(**values):
    return SimpleNamespace(**{"epochs": 1, "detector_images": 100, "held_out": 0.2, "validation": 0.1} | values)


def test_reals_are_dealt_in_the_stated_numbers():
    counts = data.deal(reals(300), limits(), 0)["split"].value_counts()
    assert counts.to_dict() == {"train": 90, "val": 10, "test": 20, "gan": 180}
    fewer = data.deal(reals(60), limits(), 0)["split"].value_counts()
    assert fewer.to_dict() == {"train": 45, "val": 5, "test": 10}
    assert data.deal(reals(60), limits(epochs=0), 0)["split"].unique().tolist() == ["test"]
    again, other = data.deal(reals(300), limits(), 0), data.deal(reals(300), limits(), 1)
    assert (again["split"] == data.deal(reals(300), limits(), 0)["split"]).all()
    assert (again["split"] != other["split"]).any()


def test_no_person_is_held_out_and_trained_on():
    dealt = data.deal(reals(400, persons=40), limits(), 0)
    people = {split: set(rows["identity"]) for split, rows in dealt.groupby("split")}
    assert not people["test"] & (people["train"] | people["val"] | people["gan"])
    data.check(dealt)
    mixed = dealt.copy()
    mixed.loc[mixed.index[mixed["split"] == "gan"][0], "identity"] = next(iter(people["test"]))
    with pytest.raises(UserError, match="forbids identity"):
        data.check(mixed)


def test_other_generators_give_as_many_fakes_as_there_are_held_out_reals():
    """Of 30 fakes of each of two generators 20 are taken, none of which is an image of the run."""
    known = data.deal(reals(300), limits(), 0)
    fakes = pd.concat([reals(60).assign(label="fake", dataset=name).iloc[30:] for name in ("a", "b")])
    fakes["sha256"] = [f"{number:064x}" for number in range(2000, 2060)]
    assert data.others_for_test(fakes, known)["dataset"].value_counts().to_dict() == {"a": 20, "b": 20}
    fakes.iloc[:15, fakes.columns.get_loc("sha256")] = known["sha256"].head(15).to_list()
    chosen = data.others_for_test(fakes, known)
    assert chosen["dataset"].value_counts().to_dict() == {"a": 15, "b": 20} and set(chosen["split"]) == {"test"}
    assert len(data.others_for_test(fakes, known.iloc[:0])) == 60


def test_too_few_reals_are_named():
    with pytest.raises(UserError, match="2 real images are too few for --validation"):
        data.deal(reals(2), limits(), 0)
    with pytest.raises(UserError, match="give --data celeb=DIR"):
        data.deal(reals(2).iloc[:0], limits(), 0)


def test_rows_take_the_splits_of_their_protocol():
    """train: all right; val: one fake missed; test: one of four wrong; another generator: none found."""
    scores = {
        "train": [(1, 0.9), (0, 0.1)],
        "val": [(1, 0.2), (0, 0.3)],
        "test": [(1, 0.8), (1, 0.7), (0, 0.9), (0, 0)],
    }
    rows = [
        {"split": split, "label": ("real", "fake")[label], "score": score, "dataset": ("celeb", "dcgan")[label]}
        for split, pairs in scores.items()
        for label, score in pairs
    ]
    rows += [{"split": "test", "label": "fake", "score": 0.1, "dataset": "pggan"}]
    table = pd.DataFrame(rows).assign(path=range(len(rows)), video="", model="inception_resnet_v2", protocol="", seed=0)
    groups = {"DCGAN": "dcgan", "other fakes (pggan)": "pggan"}
    for protocol, expected in (("paper", (1, 0, 1, 2)), ("heldout", (2, 1, 0, 1))):
        found = result_rows(table, groups, protocol).set_index(["table", "metric"])["value"]
        assert tuple(found["Figure 10"][metric] for metric in ("tp", "fp", "fn", "tn")) == expected
    other = result_rows(table, groups, "heldout").set_index(["row", "metric"])
    assert other.loc[("inception_resnet_v2, other fakes (pggan)", "recall"), "value"].item() == 0
    assert other.loc[("inception_resnet_v2, other fakes (pggan)", "accuracy"), "dataset"] == "celeb+pggan"
