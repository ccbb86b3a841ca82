import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from common.data.decoding import Unreadable, read_image

FIXTURE_IS_FINE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def noise(height=24, width=32, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def png_header(width, height):
    """A PNG whose header states width x height pixels and which has none."""
    start = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + start + struct.pack(">I", zlib.crc32(start))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 100) + b"IDAT" + b"\x00" * 50


def refusal(path, **limits):
    """The reason why the file is refused."""
    with pytest.raises(Unreadable) as refused:
        read_image(path, **limits)
    return str(refused.value)


@pytest.mark.parametrize("suffix", ["png", "bmp"])
def test_lossless_formats_give_the_pixels_that_were_saved(tmp_path, suffix):
    Image.fromarray(noise()).save(tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), noise())


@pytest.mark.parametrize(("suffix", "kind"), [("jpg", "jpeg"), ("JPEG", "jpeg"), ("webp", "webp")])
def test_lossy_formats_give_pillows_pixels(tmp_path, suffix, kind):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise()).save(path, format=kind)
    np.testing.assert_array_equal(read_image(path), np.asarray(Image.open(path).convert("RGB")))


def test_a_file_without_a_known_suffix_is_read_by_its_content(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "upload", format="png")
    np.testing.assert_array_equal(read_image(tmp_path / "upload"), noise())


def test_grey_is_repeated(tmp_path):
    Image.fromarray(noise(channels=1)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.stack([noise(channels=1)] * 3, axis=-1))


def test_sixteen_bits_keep_the_upper_eight(tmp_path):
    Image.fromarray(np.array([[0, 255, 256, 65535]], dtype=np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 0, 1, 255]


def test_one_bit_is_black_and_white(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_dropped_and_not_blended(tmp_path, mode):
    picture = Image.fromarray(noise()).convert("L" if mode == "LA" else "RGB")
    transparent = picture.copy()
    transparent.putalpha(Image.fromarray(noise(channels=1)))
    assert transparent.mode == mode
    transparent.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(picture.convert("RGB")))


def test_a_palette_with_transparency_is_read_without_a_warning(tmp_path):
    picture = Image.fromarray(noise()).quantize(16)
    picture.save(tmp_path / "a.png", transparency=bytes(range(16)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(picture.convert("RGB")))


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "red.jpg")
    pixel = read_image(tmp_path / "red.jpg")[8, 8].astype(int)
    assert abs(pixel - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    picture, exif = Image.fromarray(noise()), Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / "a.png", exif=exif)
    picture.save(tmp_path / "a.jpg", exif=exif, quality=95)
    turned = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(turned, np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png"))))
    assert read_image(tmp_path / "a.jpg").shape == turned.shape


def test_a_broken_exif_block_is_ignored_without_a_warning(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.jpg", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff\x12\x01")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_image(tmp_path / "a.jpg").shape == (24, 32, 3)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jpg", b"", "empty file"),
        ("a.png", b"this is a text file", "not an image"),
        ("a.jpg", b"GIF89a" + b"\x00" * 40, "unsupported format: gif"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "truncated or corrupt"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "truncated or corrupt"),
        ("a.webp", b"RIFF\x00\x00\x00\x00WEBPVP8 ", "truncated or corrupt"),
    ],
)
def test_files_that_are_no_images_are_refused_with_a_reason(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    assert refusal(tmp_path / name).startswith(reason)


def test_missing_files_and_folders_are_refused(tmp_path):
    assert refusal(tmp_path / "a.png") == "no such file"
    assert refusal(tmp_path) == "a folder, not a file"


def test_a_suffix_of_another_format_is_refused(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "a.png", format="jpeg")
    assert refusal(tmp_path / "a.png") == "mislabelled: png by its name, jpeg by its content"


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_animations_are_refused(tmp_path, suffix):
    frames = [Image.fromarray(noise() // divisor) for divisor in (1, 2, 3)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    assert refusal(tmp_path / f"a.{suffix}").startswith("animated: 3 frames")


@pytest.mark.parametrize("side", [12_000, 20_000])  # Pillow itself warns at the first and raises at the second
def test_too_many_pixels_are_refused_by_the_header_alone_without_a_warning(tmp_path, side):
    """The file has no pixels: if they were read, the reason would be `truncated`."""
    (tmp_path / "a.png").write_bytes(png_header(side, side))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refusal(tmp_path / "a.png").startswith(f"too large: {side}x{side}")


def test_the_pixel_limit_is_inclusive(tmp_path):
    Image.fromarray(noise(10, 10)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png", max_pixels=100).shape == (10, 10, 3)
    assert refusal(tmp_path / "a.png", max_pixels=99).startswith("too large")


@pytest.mark.parametrize("kind", ["jpeg", "png", "bmp", "webp"])
@FIXTURE_IS_FINE
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused_or_has_every_pixel(tmp_path, kind, share):
    path = tmp_path / f"a.{kind}"
    Image.fromarray(noise(64, 64)).save(path)
    pixels, content = read_image(path), path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    try:
        np.testing.assert_array_equal(read_image(path), pixels)
        assert share > 0.95
    except Unreadable:
        pass


@pytest.mark.parametrize("kind", ["jpeg", "png", "bmp", "webp"])
def test_half_a_file_is_refused_and_trailing_garbage_is_tolerated(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    Image.fromarray(noise(64, 64)).save(path)
    pixels, content = read_image(path), path.read_bytes()
    path.write_bytes(content + b"trailing garbage" * 10)
    np.testing.assert_array_equal(read_image(path), pixels)
    path.write_bytes(content[: len(content) // 2])
    assert refusal(path).startswith("truncated or corrupt")


@pytest.mark.parametrize("start", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"RIFF\x99\x00\x00\x00WEBP"])
@FIXTURE_IS_FINE
@given(content=st.binary(max_size=400))
def test_any_content_raises_unreadable(tmp_path, start, content):
    (tmp_path / "a").write_bytes(start + content)
    with pytest.raises(Unreadable):
        read_image(tmp_path / "a")


def test_threads_read_alike_and_the_warning_filters_are_unchanged(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(40):
        Image.fromarray(noise(40, 20 + number)).save(tmp_path / f"{number}.jpg", exif=exif)
    (tmp_path / "13.jpg").write_bytes((tmp_path / "13.jpg").read_bytes()[:300])
    filters = list(warnings.filters)

    def read(number):
        try:
            return read_image(tmp_path / f"{number}.jpg").shape
        except Unreadable:
            return "bad"

    with ThreadPoolExecutor(16) as pool:
        shapes = list(pool.map(read, list(range(40)) * 5))
    assert shapes == [("bad" if number == 13 else (20 + number, 40, 3)) for number in range(40)] * 5
    assert warnings.filters == filters
