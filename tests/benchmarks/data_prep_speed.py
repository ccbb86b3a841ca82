"""Pictures a second of data_prep, copied and resized, against a plain loop of Pillow in one process.

    python -m tests.benchmarks.data_prep_speed [--images 4000] [--size 256] [--rounds 3]

data_prep checks, hashes and lists every picture; the loop reads and writes them, and nothing else. What counts is the
ratio for one core: data_prep runs with one worker, its start included.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image, ImageFilter

from common.cli import parse, run_main
from tests.benchmarks.table import Row, TableOptions, publish


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    images: int = 4000
    size: int = 256
    """Height and width of the pictures in pixels; they are resized to half."""
    rounds: int = 3


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_images(folder / "raw", options)
        ways = {
            ("copied", "ours"): lambda: prepare(folder),
            ("copied", "Pillow"): lambda: plain_loop(folder, None),
            ("resized", "ours"): lambda: prepare(folder, "--size", str(options.size // 2)),
            ("resized", "Pillow"): lambda: plain_loop(folder, options.size // 2),
        }
        rates = {way: [] for way in ways}
        for _ in range(options.rounds):
            for way, run in ways.items():
                began = time.perf_counter()
                run()
                rates[way].append(options.images / (time.perf_counter() - began))
                shutil.rmtree(folder / "out")
    rows = (
        Row(f"data_prep, {options.images:,} JPEG of {options.size} px {kind}, one worker",
            median(rates[kind, "ours"]), "a loop of Pillow", median(rates[kind, "Pillow"]), "images/s")
        for kind in ("copied", "resized")
    )  # fmt: skip
    publish(rows, options.table)


def prepare(folder, *flags):
    words = ["-m", "data_prep", "folders", folder / "raw", folder / "out", "--workers", "1", *flags]
    subprocess.run([sys.executable, *map(str, words)], check=True, capture_output=True)


def plain_loop(folder, size):
    """Write every picture again, decoded first as data_prep does: as it was, or resized, as JPEG."""
    for file in sorted((folder / "raw").rglob("*.jpg")):
        target = folder / "out" / file.relative_to(folder / "raw")
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(file) as picture:
            pixels = picture.convert("RGB")
            if size is None:
                shutil.copyfile(file, target)
            else:
                pixels.resize((size, size), Image.Resampling.BILINEAR).save(target.with_suffix(".png"))


def write_images(folder, options):
    random = np.random.default_rng(0)
    noise = [
        Image.fromarray(random.integers(0, 256, (options.size, options.size, 3), dtype=np.uint8))
        for _ in range(16)
    ]  # fmt: skip
    for label in ("real", "fake"):
        (folder / label).mkdir(parents=True)
    for number in range(options.images):
        picture = noise[number % 16].rotate(number // 16 % 360).filter(ImageFilter.GaussianBlur(1))
        picture.save(folder / ("real", "fake")[number % 2] / f"{number:06d}.jpg", quality=90)


if __name__ == "__main__":
    run_main(main)
