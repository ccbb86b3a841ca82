"""What hypothesis makes hostile files of: bytes that were cut, flipped and spliced, and tables of unlikely cells."""

import io
import os

import cv2
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from PIL import Image

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))  # of each test; 3800 make 20,520 in all
FUZZ = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True
)
FUZZ_SLOW = settings(FUZZ, max_examples=max(EXAMPLES // 5, 5))

NUMBERS = st.sampled_from(
    ["0", "1", "0.5", "-1", "1e999", "nan", "inf", "-inf", "", "1_0", "0x1", "9" * 30, "1e-320", "100", "7", "0.25"]
)
NAMES = st.sampled_from(
    ["a", "b", "a;b", ";", ";;a", " a ", "a;a", "\u00e9", "e\u0301", "../a", "/a", "C:a", "a/../b", "=1", "-", "'", '"',
     "a,b", "a\nb", "\r", "\0", "<b>", "$x$", "", "\ufeff", "\u202e", "x" * 300, "a\\b", "//", ".", "nan", "\U0001f600"]
)  # fmt: skip
CELLS = st.one_of(NAMES, NUMBERS, st.text(max_size=8), st.sampled_from(["fake", "real", "train", "test", "val"]))


def tables(columns, least=(), most_rows=12):
    """Strategy of CSV files: mostly these columns, with cells of `CELLS`, perhaps damaged afterwards.

    Args:
        columns: {name: strategy of its cells}.
        least: columns that are always there.
        most_rows: of a table.
    """

    @st.composite
    def draw(pick):
        kept = [name for name in columns if name in least or pick(st.integers(0, 19))]
        wild = pick(st.integers(0, 9)) == 0
        rows = pick(st.lists(st.tuples(*(CELLS if wild else columns[name] for name in kept)), max_size=most_rows))
        quote = pick(st.booleans())
        lines = [kept, *rows]
        text = pick(st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])).join(
            ",".join(_quoted(cell) if quote else cell for cell in line) for line in lines
        )
        data = pick(st.sampled_from(["", "", "", "\ufeff"])).encode() + text.encode("utf-8", "surrogatepass") + b"\n"
        return pick(damaged(data)) if pick(st.integers(0, 4)) == 0 else data

    return draw()


@st.composite
def damaged(pick, data):
    """Strategy of files that were cut, flipped, spliced or prolonged."""
    for _ in range(pick(st.integers(1, 4))):
        place = pick(st.integers(0, max(len(data) - 1, 0)))
        match pick(st.integers(0, 4)):
            case 0:
                data = data[:place]
            case 1:
                data = data[:place] + bytes([pick(st.integers(0, 255))]) + data[place + 1 :]
            case 2:
                data = data[:place] + pick(st.binary(max_size=8)) + data[place:]
            case 3:
                data = data[:place] + data[pick(st.integers(0, max(len(data) - 1, 0))) :]
            case 4:
                data = data[:place] + b"\xff\xff\xff\xff" + data[place + 4 :]
    return data


def pictures():
    """Return {suffix: bytes} of small sound pictures."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    kinds = {
        "jpg": (image, "JPEG", {"exif": exif}), "png": (image, "PNG", {}), "webp": (image, "WEBP", {}),
        "bmp": (image, "BMP", {}), "jpeg": (image.convert("CMYK"), "JPEG", {"progressive": True}),
        "PNG": (image.convert("P"), "PNG", {"transparency": 3}),
    }  # fmt: skip
    found = {}
    for suffix, (picture, kind, options) in kinds.items():
        file = io.BytesIO()
        picture.save(file, kind, **options)
        found[suffix] = file.getvalue()
    return found


def clips(folder):
    """Return {suffix: bytes} of small sound videos, written in `folder`."""
    found = {}
    for suffix, code in (("mp4", "mp4v"), ("avi", "MJPG"), ("mkv", "mp4v")):
        path = folder / f"clip.{suffix}"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), 10, (32, 24))
        for seed in range(6):
            writer.write(np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8))
        writer.release()
        found[suffix] = path.read_bytes()
        path.unlink()
    return found


def _quoted(cell):
    return '"' + cell.replace('"', '""') + '"'
