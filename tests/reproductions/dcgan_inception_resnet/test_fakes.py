"""Generated images on disk: a prepared folder, completed after a stop, compressed like the real files."""

import numpy as np
import pytest
from PIL import Image

from common.data.datasets import open_dataset
from common.errors import UserError
from common.files import sha256
from common.training.distribution import set_up
from reproductions.dcgan_inception_resnet import fakes, gan


@pytest.fixture(scope="module")
def generator():
    set_up()
    return gan.generator(8, 0.02)


def test_fakes_are_a_prepared_folder(generator, tmp_path):
    fakes.write_fakes(generator, tmp_path / "fakes", 70, 5, {"run": "a"})
    table = open_dataset("other", tmp_path / "fakes").images
    assert len(table) == 70 and set(table["label"]) == {"fake"} and set(table["source"]) == {"dcgan"}
    assert list(table["sha256"]) == [sha256(file) for file in table["file"]]
    expected = np.concatenate(list(gan.generate(generator, 70, 5)))
    for file, image in zip(table["file"], expected, strict=True):
        with Image.open(file) as picture:
            np.testing.assert_array_equal(np.asarray(picture), image)


def test_a_folder_of_fakes_that_was_started_is_completed(generator, tmp_path, monkeypatch):
    whole, partial = tmp_path / "whole", tmp_path / "partial"
    fakes.write_fakes(generator, whole, 150, 5, {"run": "a"})
    generate, calls = gan.generate, []

    def stopped(*arguments):
        for number, images in enumerate(generate(*arguments)):
            if number == 2:
                raise KeyboardInterrupt
            yield images

    monkeypatch.setattr(fakes, "generate", stopped)
    with pytest.raises(KeyboardInterrupt):
        fakes.write_fakes(generator, partial, 150, 5, {"run": "a"})
    assert not (partial / "manifest.csv").exists()
    monkeypatch.setattr(fakes, "generate", lambda *words: calls.append(words[-1]) or generate(*words))
    fakes.write_fakes(generator, partial, 150, 5, {"run": "a"})
    assert calls == [128]
    assert (partial / "manifest.csv").read_bytes() == (whole / "manifest.csv").read_bytes()


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


def test_the_images_of_a_seed_are_one_stream_without_repetition(generator):
    """The i-th image is one of a stream: what starts later continues it."""
    whole = np.concatenate(list(gan.generate(generator, 200, 3)))
    rest = np.concatenate(list(gan.generate(generator, 200, 3, start=128)))
    np.testing.assert_array_equal(whole[128:], rest)
    assert len(np.unique(whole.reshape(200, -1), axis=0)) == 200
