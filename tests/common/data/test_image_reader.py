"""Training reads the pixels of `read_image`, whatever the format, and names a file that is damaged."""

import zlib

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image, ImageFilter

from common.data.decoding import Unreadable, read_image
from common.data.image_reader import ImageReader, explain_damaged_images
from common.data.pipeline import Images, Preprocessing
from common.data.pixel_store import PixelStore
from common.errors import UserError
from data_prep.__main__ import main as prepare

ORIENTATION = 0x0112  # the EXIF tag


def picture(height=21, width=34, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(1))


def exif(orientation):
    block = Image.Exif()
    block[ORIENTATION] = orientation
    return block


def sixteen_bits():
    return Image.fromarray(np.random.default_rng(0).integers(0, 1 << 16, (21, 34), dtype=np.uint16))


def grey_alpha():
    image = picture().convert("L")
    image.putalpha(picture(seed=1).convert("L"))
    return image


FILES = {  # name: (picture, file name, options of Pillow's encoder)
    "jpeg": (picture(), "a.jpg", {"quality": 90}),
    "jpeg 4:4:4": (picture(), "a.jpg", {"quality": 50, "subsampling": "4:4:4"}),
    "jpeg 4:2:2": (picture(), "a.jpg", {"subsampling": "4:2:2"}),
    "jpeg, optimised, with comment": (picture(), "a.jpg", {"optimize": True, "comment": b"Exif in a comment"}),
    "jpeg, progressive": (picture(), "a.jpg", {"progressive": True}),
    "jpeg, grey": (picture().convert("L"), "a.jpg", {}),
    "jpeg, CMYK": (picture().convert("CMYK"), "a.jpg", {}),
    "jpeg, one pixel": (picture(1, 1), "a.jpeg", {}),
    "png": (picture(), "a.png", {}),
    "png, alpha": (picture().convert("RGBA"), "a.png", {}),
    "png, grey": (picture().convert("L"), "a.png", {}),
    "png, grey and alpha": (grey_alpha(), "a.png", {}),
    "png, palette": (picture().quantize(16), "a.png", {}),
    "png, palette, transparent": (picture().quantize(16), "a.png", {"transparency": 3}),
    "png, transparent colour": (picture(), "a.png", {"transparency": (1, 2, 3)}),
    "png, 1 bit": (picture().convert("1"), "a.png", {}),
    "png, 16 bits": (sixteen_bits(), "a.png", {}),
    "bmp": (picture(), "a.bmp", {}),
    "bmp, grey": (picture().convert("L"), "a.bmp", {}),
    "bmp, palette": (picture().quantize(200), "a.bmp", {}),
    "bmp, 1 bit": (picture().convert("1"), "a.bmp", {}),
    "bmp, 32 bits": (picture().convert("RGBA"), "a.bmp", {}),
    "webp": (picture(), "a.webp", {}),
    "webp, lossless, alpha": (picture().convert("RGBA"), "a.webp", {"lossless": True}),
} | {
    f"{suffix}, orientation {orientation}": (picture(), f"a.{suffix}", {"exif": exif(orientation)})
    for suffix in ("jpg", "png", "webp")
    for orientation in range(1, 9)
}


def training_pixels(files, epochs=1, **options):
    """The pixels that a training pipeline reads in its last epoch, uint8 (H, W, 3) each."""
    reader = ImageReader([str(file) for file in files])
    for _ in range(epochs):
        dataset = tf.data.Dataset.range(len(files)).map(reader.read_function(**options), tf.data.AUTOTUNE)
        images = list(dataset.as_numpy_iterator())
    return images


def interlaced_png(pixels):
    """A PNG with Adam7 interlacing, which Pillow reads but does not write."""
    height, width, _ = pixels.shape
    scanlines = b""
    for row, column, row_step, column_step in (
        (0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1),
    ):  # fmt: skip
        for line in pixels[row::row_step, column::column_step]:
            scanlines += b"\0" + line.tobytes() if line.size else b""
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 1])
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(scanlines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4) for name, data in chunks
    )


@pytest.mark.parametrize("epochs", [1, 3])
def test_training_reads_the_pixels_of_read_image_in_every_format(tmp_path, epochs):
    files = []
    for number, (image, name, options) in enumerate(FILES.values()):
        (tmp_path / str(number)).mkdir()
        files.append(tmp_path / str(number) / name)
        image.save(files[-1], **options)
    (tmp_path / "interlaced.png").write_bytes(interlaced_png(np.asarray(picture())))
    files.append(tmp_path / "interlaced.png")
    np.testing.assert_array_equal(read_image(files[-1]), np.asarray(picture()))
    for name, file, pixels in zip([*FILES, "interlaced"], files, training_pixels(files, epochs), strict=True):
        np.testing.assert_array_equal(pixels, read_image(file), err_msg=name)


@pytest.mark.parametrize("epochs", [1, 2])
def test_ordinary_files_have_the_pixels_of_tensorflows_own_decoder(tmp_path, epochs):
    """Networks that were trained before one decoder served all see the same pixels."""
    for name in ("jpeg", "jpeg 4:4:4", "jpeg 4:2:2", "jpeg, grey", "png", "png, grey", "bmp"):
        image, file, options = FILES[name]
        image.save(tmp_path / file, **options)
        contents = (tmp_path / file).read_bytes()
        if name.startswith("jpeg"):
            expected = tf.io.decode_jpeg(contents, channels=3, dct_method="INTEGER_ACCURATE")
        else:
            expected = tf.io.decode_image(contents, channels=3)
        np.testing.assert_array_equal(training_pixels([tmp_path / file], epochs)[0], expected, err_msg=name)


def damaged_files(folder, suffix, count=150):
    """Files in which a few bytes were changed, cut out or put in."""
    generator = np.random.default_rng(0)
    for number in range(count):
        file = folder / f"{number}.{suffix}"
        picture(seed=number).save(file, progressive=number % 2 == 0)
        content = bytearray(file.read_bytes())
        start = generator.integers(2, len(content))
        content[start : start + generator.integers(0, 40)] = generator.bytes(generator.integers(0, 5))
        file.write_bytes(content)
        yield file


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
def test_damaged_files_are_read_alike_or_refused_by_name(tmp_path, suffix):
    expected, refused = {}, {}
    for file in damaged_files(tmp_path, suffix):
        try:
            expected[file] = read_image(file)
        except Unreadable as reason:
            refused[file] = reason
    assert expected and len(refused) > 3
    for epochs in (1, 2):
        for file, pixels in zip(expected, training_pixels(list(expected), epochs), strict=True):
            np.testing.assert_array_equal(pixels, expected[file], err_msg=str(file))
    for file, reason in list(refused.items())[:3]:
        with pytest.raises(UserError) as caught, explain_damaged_images():
            training_pixels([file])
        assert f"{file}: {reason}" in str(caught.value)


@pytest.mark.parametrize("keep_end", [0, 8])
def test_a_png_without_its_end_or_with_a_wrong_checksum_is_read_alike(tmp_path, keep_end):
    """The pixels are complete: `read_image` accepts both files, TensorFlow's decoder refuses both."""
    picture().save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()[:-12]
    if keep_end:
        content = content[:-4] + b"\0\0\0\0" + b"\0\0\0\0IEND\xaeB`\x82"
    (tmp_path / "a.png").write_bytes(content)
    np.testing.assert_array_equal(training_pixels([tmp_path / "a.png"], 2)[0], np.asarray(picture()))


@pytest.mark.parametrize("name", ["jpg, orientation 6", "png, orientation 3", "bmp, palette", "bmp, 1 bit", "webp"])
def test_data_prep_copies_and_encodes_what_training_and_predict_read(tmp_path, name):
    image, file, options = FILES[name]
    for label in ("real", "fake"):
        (tmp_path / "raw" / label).mkdir(parents=True)
        image.save(tmp_path / "raw" / label / file, **options)
    raw = tmp_path / "raw" / "real" / file
    prepare(["folders", str(tmp_path / "raw"), str(tmp_path / "copied")])
    height, width, _ = read_image(raw).shape
    prepare(["folders", str(tmp_path / "raw"), str(tmp_path / "sized"), "--size", str(height)])
    (copied,), (sized,) = ([*(tmp_path / made / "real").iterdir()] for made in ("copied", "sized"))
    np.testing.assert_array_equal(training_pixels([copied])[0], read_image(raw))
    resized = Image.fromarray(read_image(raw)).resize((height, height), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(training_pixels([sized])[0], np.asarray(resized))


@pytest.mark.parametrize("memory_bytes", [0, 1 << 20])
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.png", None, "no such file"),
        ("empty.png", b"", "empty file"),
        ("text.jpg", b"no picture", "not an image"),
        ("half é.jpg", "half", "truncated or corrupt"),
    ],
)
def test_a_refused_image_is_named_with_its_reason(tmp_path, memory_bytes, name, content, reason):
    sound, bad = tmp_path / "sound.jpg", tmp_path / name
    picture(64, 64).save(sound)
    if content is not None:
        half = sound.read_bytes()[: sound.stat().st_size // 2]
        bad.write_bytes(half if content == "half" else content)
    table = pd.DataFrame({"file": [str(sound)] * 5 + [str(bad)], "label": ["fake"] * 6})
    images = Images(table, Preprocessing(16), PixelStore(memory_bytes, 0))
    with pytest.raises(UserError) as caught, explain_damaged_images():
        list(images.evaluation_batches(2))
    assert f"{bad}: {reason}" in str(caught.value) and "data_prep verify" in str(caught.value)


def test_a_file_that_goes_missing_between_two_epochs_is_named(tmp_path):
    picture().save(tmp_path / "a.png")
    reader = ImageReader([str(tmp_path / "a.png")])
    list(tf.data.Dataset.range(1).map(reader.read_function()))
    (tmp_path / "a.png").unlink()
    with pytest.raises(UserError, match="a.png"), explain_damaged_images():
        list(tf.data.Dataset.range(1).map(reader.read_function()))


def test_errors_of_other_operations_are_not_blamed_on_images():
    with pytest.raises(tf.errors.InvalidArgumentError), explain_damaged_images():
        tf.reshape(tf.zeros(3), (2, 2))


@pytest.mark.slow
def test_an_iterator_that_is_dropped_early_does_not_hang(tmp_path):
    """Threads that decode need Python's lock while the iterator that owns them is destroyed."""
    picture(200, 200).save(tmp_path / "a.jpg")
    reader = ImageReader([str(tmp_path / "a.jpg")] * 500)
    for _ in range(10):
        dataset = tf.data.Dataset.range(500).map(reader.read_function(), tf.data.AUTOTUNE).prefetch(50)
        next(iter(dataset))
