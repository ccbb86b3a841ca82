"""Our input pipeline against Keras's own image_dataset_from_directory, on the same JPEG files, in turns.

    python -m tests.benchmarks.input_pipeline [--images 1000] [--size 256] [--rounds 3]

Prints images a second, medians over the rounds, and the ratio to the rival. `decoded` reads every file in every epoch,
`kept` takes the resized pixels from memory, `augmented` adds the paper's augmentation of MesoInception-4 to that.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from common.cli import parse, run_main
from common.tensorflow_import import import_tensorflow
from tests.benchmarks.table import Row, TableOptions, publish

BATCH = 32


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    images: int = 1000
    size: int = 256
    """Height and width in pixels."""
    rounds: int = 3


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        table = write_images(Path(folder), options)
        ways = contestants(folder, table, options)
        rates = {name: [] for name in ways}
        for _ in range(options.rounds + 1):
            for name, way in ways.items():
                rates[name].append(rate(way()))
    medians = {name: median(measured[1:]) for name, measured in rates.items()}  # the first round warms up
    rival = "image_dataset_from_directory"
    rows = (
        Row(f"feed, JPEG of {options.size} px, {name}", medians[name], rival, medians[rival], "images/s")
        for name in medians
        if name != rival
    )
    publish(rows, options.table)


def contestants(folder, table, options):
    """{name: a function that gives one epoch as a tf.data.Dataset}."""
    import keras

    from common.data.pipeline import Images, Preprocessing
    from reproductions.mesoinception_svm.augmentation import paper

    preprocessing = Preprocessing(options.size, "nearest")
    decoded, kept = Images(table, preprocessing, cache_bytes=0), Images(table, preprocessing)
    epochs = iter(range(10**6))
    size = (options.size, options.size)
    return {
        "image_dataset_from_directory": lambda: keras.utils.image_dataset_from_directory(
            folder, batch_size=BATCH, image_size=size, interpolation="nearest", verbose=False
        ),
        "decoded": lambda: decoded.training_batches(BATCH, 0, next(epochs)),
        "kept": lambda: kept.training_batches(BATCH, 0, next(epochs)),
        "kept and augmented": lambda: kept.training_batches(BATCH, 0, next(epochs), paper),
    }


def rate(dataset):
    """Images a second of one pass, the building of the pipeline not counted."""
    batches = iter(dataset)
    next(batches)
    started, count = time.perf_counter(), 0
    for images, _ in batches:
        count += len(images)
    return count / (time.perf_counter() - started)


def write_images(folder, options):
    """Blurred noise as JPEG files in two class folders; the table that lists them."""
    generator, rows = np.random.default_rng(0), []
    for number in range(options.images):
        label = ("real", "fake")[number % 2]
        pixels = generator.integers(0, 256, (options.size, options.size, 3), dtype=np.uint8)
        file = folder / label / f"{number:05d}.jpg"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(2)).save(file, quality=90)
        rows.append({"file": str(file), "label": label})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    run_main(main)
