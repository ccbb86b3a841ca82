"""Features of files that are made here: their sizes, encoder and pixels are known."""

import numpy as np
import pytest
from PIL import Image

from common.data.file_features import COLUMNS, TABLE_COLUMNS, file_features, jpeg_quality


@pytest.fixture
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8))


def test_a_jpeg_and_a_png_of_one_picture(tmp_path, picture):
    picture.save(tmp_path / "a.jpg", quality=85)
    picture.save(tmp_path / "a.png")
    table = file_features([tmp_path / "a.jpg", tmp_path / "a.png", tmp_path / "a.jpg"])
    assert tuple(table) == COLUMNS and len(table) == 3
    assert table["width"].tolist() == [160] * 3 and table["height"].tolist() == [90] * 3
    assert table["bytes"].tolist() == [(tmp_path / name).stat().st_size for name in ("a.jpg", "a.png", "a.jpg")]
    assert table["jpeg_quality"][0] == 85 and np.isnan(table["jpeg_quality"][1])
    luminance = Image.open(tmp_path / "a.jpg").quantization[0]
    assert table.loc[0, list(TABLE_COLUMNS[:64])].tolist() == luminance
    assert (table.loc[1, list(TABLE_COLUMNS)] == 0).all()
    assert table["brightness"][1] == pytest.approx(np.asarray(picture.convert("L")).mean() / 255, abs=1e-3)


@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 90, 95])
def test_the_quality_of_libjpeg_is_found(tmp_path, picture, quality):
    picture.save(tmp_path / "a.jpg", quality=quality)
    assert jpeg_quality(Image.open(tmp_path / "a.jpg").quantization[0]) == quality


def test_a_flat_picture_is_dark_and_blurred(tmp_path, picture):
    Image.new("RGB", (300, 300), (51, 51, 51)).save(tmp_path / "flat.png")
    picture.save(tmp_path / "noise.png")
    flat, noise = file_features([tmp_path / "flat.png", tmp_path / "noise.png"]).itertuples()
    assert flat.brightness == pytest.approx(0.2) and flat.sharpness < 1e-9 < noise.sharpness


def test_a_large_jpeg_is_measured_on_a_thumbnail_with_its_own_size(tmp_path):
    Image.new("RGB", (1200, 900), (128, 128, 128)).save(tmp_path / "large.jpg")
    (row,) = file_features([tmp_path / "large.jpg"]).itertuples()
    assert (row.width, row.height) == (1200, 900) and row.brightness == pytest.approx(0.5, abs=0.01)


def test_a_file_that_cannot_be_read_has_no_features(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    assert file_features([tmp_path / "broken.png", tmp_path / "none.jpg"]).isna().all(axis=None)
