"""What can be known of an image file without looking at what it shows: size, compression, brightness, sharpness.

JPEG files are decoded at a fraction of their size, so that a thousand files take about a second.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from common.progress import show_progress

THUMBNAIL = 128  # pixels of the shorter side, at least, unless the image has fewer
TABLES = ("luminance", "chrominance")
ENTRIES = 64  # of a JPEG quantisation table
TABLE_COLUMNS = tuple(f"{table}_{entry}" for table in TABLES for entry in range(ENTRIES))
COLUMNS = ("bytes", "width", "height", "jpeg_quality", "brightness", "sharpness", *TABLE_COLUMNS)
STANDARD_LUMINANCE = (  # ITU-T T.81, Table K.1, which libjpeg scales by the quality
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
    *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)


def file_features(files: Sequence[str | Path]) -> pd.DataFrame:
    """Read the features of image files.

    Args:
        files: n paths of images; several may be the same.

    Returns:
        n rows with the columns COLUMNS, float64: bytes; width and height in pixels; jpeg_quality from 1 to 100, as
        libjpeg counts it, NaN if the file is no JPEG; brightness, the mean grey level, 0 to 1; sharpness, the variance
        of the Laplacian of the thumbnail; and the quantisation tables, 0 if the file is no JPEG. A row of a file that
        cannot be read is NaN.
    """
    names = [str(file) for file in files]
    distinct = list(dict.fromkeys(names))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(show_progress(pool.map(_features, distinct), "features of the files", len(distinct), "file"))
    table = pd.DataFrame(rows, index=distinct, columns=list(COLUMNS), dtype=np.float64)
    return table.loc[names].reset_index(drop=True)


def jpeg_quality(luminance: Sequence[int]) -> float:
    """Return the quality from 1 to 100 at which libjpeg makes a table of about the same mean.

    Args:
        luminance: the 64 entries of a quantisation table, in any order.
    """
    return float(np.argmin(np.abs(_means_by_quality() - np.mean(luminance))) + 1)


@lru_cache(maxsize=1)
def _means_by_quality():
    """The mean entry of libjpeg's luminance table at the qualities 1 to 100, float64 (100,)."""
    quality = np.arange(1, 101)
    percent = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    tables = (np.outer(percent, STANDARD_LUMINANCE) + 50) // 100
    return np.clip(tables, 1, 255).mean(axis=1)


def _features(file):
    try:
        with Image.open(file) as picture:
            width, height = picture.size
            tables = getattr(picture, "quantization", {})
            grey = _thumbnail(picture)
    except Exception:  # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error, zlib.error, ...
        return [np.nan] * len(COLUMNS)
    quality = jpeg_quality(tables[0]) if tables else np.nan
    entries = [entry for number in range(len(TABLES)) for entry in tables.get(number, [0] * ENTRIES)]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    sharpness = float(laplacian.var()) if laplacian.size else 0.0
    return [os.path.getsize(file), width, height, quality, float(grey.mean()), sharpness, *entries]


def _thumbnail(picture):
    """Grey levels from 0 to 1, float32 (h, w)."""
    picture.draft("L", (THUMBNAIL, THUMBNAIL))  # of a JPEG: a half, a quarter or an eighth
    grey = picture.convert("L")
    factor = min(grey.size) // THUMBNAIL
    return np.asarray(grey.reduce(factor) if factor > 1 else grey, np.float32) / 255
