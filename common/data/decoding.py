"""The decoder of every image file: header first, limits before decoding, and a reason for each refusal."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

FORMATS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png", ".bmp": "bmp", ".webp": "webp"}
IMAGE_SUFFIXES = tuple(FORMATS)
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
UNSUPPORTED_SUFFIXES = (  # of images and videos that are named and skipped
    *(".gif", ".apng", ".tif", ".tiff", ".avif", ".heic", ".heif", ".hif", ".jfif", ".jpe", ".jp2", ".j2k", ".jpf"),
    *(".jpx", ".jxl", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".exr", ".hdr", ".ico", ".svg", ".psd"),
    *(".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".orf", ".rw2", ".rwl", ".pef", ".srw"),
    *(".3fr", ".x3f", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".ogm", ".mts", ".m2ts", ".ts", ".vob"),
    *(".mxf", ".rm", ".rmvb", ".divx", ".qt", ".mpe", ".mpv", ".m2v", ".h264", ".h265", ".hevc", ".mjpg", ".mjpeg"),
    *(".y4m", ".dv"),
)
MAX_PIXELS = 1 << 26  # 67 million: 200 MB as RGB; images of the largest face data sets have 1 million

# Pillow's readers are called directly: Image.open would try every format it knows, and has limits of its own.
_READERS = {"jpeg": JpegImageFile, "png": PngImageFile, "bmp": BmpImageFile, "webp": WebPImageFile}
_SIGNATURES = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"BM": "bmp",
    b"GIF8": "gif",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"%PDF": "pdf",
}
_warnings_lock = threading.Lock()


class Unreadable(Exception):
    """A file that cannot be used. The message is the reason, without the file's name; details follow after a colon."""


def read_image(path: str | Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Return the pixels of an image file; training, data_prep and predict all read images as this function does.

    EXIF orientation is applied. Grey is repeated, 16 bits keep the upper eight, palettes and CMYK are converted, alpha
    is dropped.

    Args:
        path: the file.
        max_pixels: largest width * height; the header is checked before anything is decoded.

    Returns:
        uint8 RGB (height, width, 3), upright.

    Raises:
        Unreadable: if the file is missing or empty, of another format than jpeg, png, bmp and webp, has the suffix of
            another format than its content, too many pixels, several frames, or truncated or corrupt data. Bytes after
            the end of the picture are tolerated.
    """
    path = Path(path)
    try:
        with open_bytes(path) as file, _open(_format_of(file, path.suffix.lower()), file) as picture:
            _check_header(picture, max_pixels)
            picture.load()
            return np.asarray(_upright(_to_rgb(picture), _orientation(picture)))
    except Unreadable:
        raise
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error, zlib.error, ...
        raise Unreadable(f"truncated or corrupt: {' '.join(str(error).split()) or type(error).__name__}") from error


def open_bytes(path: Path) -> BinaryIO:
    """Open an image or a video.

    Args:
        path: the file.

    Returns:
        The open file, for reading.

    Raises:
        Unreadable: if it is missing, a folder, or may not be read.
    """
    try:
        return open(path, "rb")
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except IsADirectoryError:
        raise Unreadable("a folder, not a file") from None
    except PermissionError:
        raise Unreadable("no permission to read it") from None


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence Pillow's warnings about broken metadata; the lock is needed because catch_warnings is not thread-safe."""
    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _open(kind, file):
    with _without_warnings():
        return _READERS[kind](file)


def _format_of(file, suffix):
    start = file.read(16)
    file.seek(0)
    if not start:
        raise Unreadable("empty file")
    kind = next((name for signature, name in _SIGNATURES.items() if start.startswith(signature)), None)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        kind = "webp"
    if kind is None:
        raise Unreadable("not an image: its content is none of jpeg, png, bmp, webp")
    if kind not in _READERS:
        raise Unreadable(f"unsupported format: {kind}, expected jpeg, png, bmp or webp")
    named = FORMATS.get(suffix, kind)
    if named != kind:
        raise Unreadable(f"mislabelled: {named} by its name, {kind} by its content")
    return kind


def _check_header(picture, max_pixels):
    if picture.width < 1 or picture.height < 1:
        raise Unreadable("no pixels")
    if picture.width * picture.height > max_pixels:
        raise Unreadable(f"too large: {picture.width}x{picture.height} pixels, at most {max_pixels} are read")
    frames = getattr(picture, "n_frames", 1)
    if frames != 1:
        raise Unreadable(f"animated: {frames} frames, expected one")


def _to_rgb(picture):
    if picture.mode == "RGB":  # convert() would copy it
        return picture
    if picture.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion clips at 255
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode == "P" and "transparency" in picture.info:  # the direct way to RGB warns
        return picture.convert("RGBA").convert("RGB")
    return picture.convert("RGB")


def _orientation(picture):
    """The EXIF orientation 1..8; 1 if there is none or the EXIF block is broken, as in most viewers."""
    if "exif" not in picture.info:
        return 1
    try:
        with _without_warnings():
            return picture.getexif().get(0x0112, 1)
    except Exception:  # a broken EXIF block raises anything; the pixels are sound
        return 1


def _upright(picture, orientation):
    transposition = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation)
    return picture if transposition is None else picture.transpose(transposition)
