"""Pictures a second of common.predict, on a folder of face crops, by the smoke preset's MesoInception-4.

    python -m tests.benchmarks.predict_speed [--images 5000] [--rounds 3]

Two folders are scored, of IMAGES and of a tenth of them; the difference of the times has neither start nor tracing.
"""

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
from tests.benchmarks.startup import RUN, prepare, whole
from tests.benchmarks.table import Row, TableOptions, publish

SIZE = 128  # pixels of a picture


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    images: int = 5000
    rounds: int = 3


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = f"deepfake={prepare(folder, 64)}"
        places = ("--runs", folder / "runs", "--results", folder / "results")
        whole([RUN, "--preset", "smoke", "--data", data, "--models", "mesoinception4", *places])
        (run,) = (folder / "runs" / "mesoinception_svm").iterdir()
        few, many = options.images // 10, options.images
        for number in (few, many):
            write_images(folder / str(number), number)
        seconds = {number: [] for number in (few, many)}
        for _ in range(options.rounds):
            for number in (few, many):
                seconds[number].append(score(run, folder / str(number), number))
    rate = (many - few) / (median(seconds[many]) - median(seconds[few]))
    job = f"common.predict, pictures of {SIZE} px taken whole"
    rows = [Row(job, rate, unit="images/s"), Row(f"{job}, {few:,} of them with start", median(seconds[few]), unit="s")]
    publish(rows, options.table)


def score(run, folder, number):
    """Seconds of the command; it must score every picture."""
    began = time.perf_counter()
    words = [sys.executable, "-m", "common.predict", run, folder, "--faces", "none"]
    done = subprocess.run([*map(str, words)], check=True, capture_output=True, text=True)
    if done.stdout.count("\n") != number + 1:
        sys.exit(f"expected {number} rows, got {done.stdout.count(chr(10)) - 1}")
    return time.perf_counter() - began


def write_images(folder, number):
    folder.mkdir()
    random = np.random.default_rng(number)
    noise = [Image.fromarray(random.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)) for _ in range(16)]
    for place in range(number):
        noise[place % 16].rotate(place // 16).filter(ImageFilter.GaussianBlur(1)).save(folder / f"{place:06d}.jpg")


if __name__ == "__main__":
    run_main(main)
