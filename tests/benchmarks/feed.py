"""The feed of each paper against Keras's and PyTorch's, on the same JPEG files, in turns.

    python -m tests.benchmarks.feed [--images 512] [--rounds 2]
    python -m tests.benchmarks.feed --memory 1000 100000

Rates are images a second of one core: divided by the processor time that all threads and workers take, so that other
work on the machine changes the ratios little. `first epoch` decodes the files and keeps their pixels; a paper's row is
a later epoch, under the preset paper, with its augmentation. The rivals decode in every epoch, as they do by default,
and augment by the nearest layers and transforms that they have. Measured, too, is the share of time that a training of
15 ms a step at batch 128 waits on this machine, and how many cores would keep it busy. With --memory: the peak memory
of two epochs of --peak-of images of 32 px, all of them kept in the file.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

from common.cli import parse, run_main
from common.tensorflow_import import import_tensorflow
from tests.benchmarks.feed_rivals import import_torchvision, rivals_of
from tests.benchmarks.table import Row, TableOptions, publish

BATCH, STEP_BATCH, STEP_SECONDS, STEPS = 32, 128, 0.015, 40
SIZE = 256  # of the files
MEMORY_SIZE = 32
FIRST = "first epoch"


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    images: int = 512
    rounds: int = 2
    memory: tuple[int, ...] = ()
    """Numbers of images whose peak memory is compared, the smallest first; the speed is not measured then."""
    peak_of: int | None = None
    """One number of images, of which the peak memory in MiB is printed and nothing else."""


@dataclass(frozen=True)
class Feed:
    """A paper's training images.

    Args:
        size: of the network's input, in the preset paper.
        resize: the method.
        scale: of pixels.
        augmentation: the rivals' name of it; empty: none.
        augment: ours; None: none.
        group: images that come together.
    """

    size: int
    resize: str = "bilinear"
    scale: float = 1.0
    augmentation: str = ""
    augment: Callable | None = None
    group: int = 1

    def batches(self, images, epoch, batch=BATCH):
        """One epoch of ours, as a dataset."""
        if self.group == 1:
            return images.training_batches(batch, 0, epoch, self.augment)
        groups = np.random.default_rng(epoch).integers(0, len(images), (len(images) // self.group, self.group))
        return images.grouped_batches(groups, batch // self.group)


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    if options.peak_of:
        import_tensorflow()
        print(peak_memory(options.peak_of))
        return
    if options.memory:
        publish(memory_rows(options.memory), options.table)
        return
    import_torchvision()
    import_tensorflow()
    with tempfile.TemporaryDirectory() as folder:
        table = write_images(Path(folder), options.images)
        publish(speed_rows(Path(folder), table, options.rounds), options.table)
        publish(waiting_rows(table), options.table)


def feeds() -> dict[str, Feed]:
    """{what is fed: how the paper does it}."""
    from reproductions.cffn_resnet import config as cffn
    from reproductions.cffn_resnet.method import augment as cffn_augment
    from reproductions.dcgan_inception_resnet import config as dcgan
    from reproductions.facenet_embeddings import config as facenet
    from reproductions.facenet_embeddings.augmentation import augment as facenet_augment
    from reproductions.mesoinception_svm import augmentation as meso
    from reproductions.siamese_triplet import config as siamese

    return {
        "siamese_triplet, triplets": Feed(siamese.PRESETS["paper"].image_size, group=3),
        "dcgan_inception_resnet": Feed(dcgan.PRESETS["paper"].image_size, scale=1 / 127.5),
        "facenet_embeddings, augmented": Feed(
            facenet.PRESETS["paper"].phase1_size, augmentation="affine", augment=facenet_augment
        ),
        "cffn_resnet, augmented": Feed(cffn.PRESETS["paper"].image_size, augmentation="colour", augment=cffn_augment),
        "mesoinception_svm": Feed(SIZE, "nearest", 1 / 255),
        "mesoinception_svm, augmented as the paper": Feed(SIZE, "nearest", 1 / 255, "one of", meso.paper),
        "mesoinception_svm, augmented as the notebook": Feed(SIZE, "nearest", 1 / 255, "notebook", meso.notebook),
    }


def speed_rows(folder: Path, table: pd.DataFrame, rounds: int) -> Iterator[Row]:
    """Yield the rows of each feed against each rival, measured in turns."""
    for name, feed in {FIRST: Feed(SIZE, "nearest", 1 / 255), **feeds()}.items():
        ways = {
            "ours": our_epochs(table, feed, name == FIRST),
            **rivals_of(folder, feed.size, BATCH, feed.augmentation),
        }
        measured: dict[str, list[float]] = {each: [] for each in ways}
        for _ in range(rounds + 1):
            for each, way in ways.items():
                measured[each].append(rate_of_core(way, name == FIRST))
        rates = {each: median(rates[1:]) for each, rates in measured.items()}  # the first round warms up
        for rival in list(rates)[1:]:
            yield Row(f"feed of one core, {name}, {feed.size} px", rates["ours"], rival, rates[rival], "images/s")


def our_epochs(table: pd.DataFrame, feed: Feed, first: bool):
    """A function that opens the next epoch; of a run of its own, if each is to be the first."""
    from common.data.pipeline import Images, Preprocessing
    from common.data.pixel_store import PixelStore

    def images():
        return Images(table, Preprocessing(feed.size, feed.resize, feed.scale), PixelStore.of_machine())

    kept, epochs = images(), iter(range(1000))
    return lambda: feed.batches(images() if first else kept, next(epochs))


def rate_of_core(way, with_start: bool) -> float:
    """Images a second of processor time, of one epoch; with its opening and its first batch, or without."""
    started, count = processor_seconds(), 0
    batches = iter(way())
    if not with_start:
        next(batches)
        started = processor_seconds()
    for images, *_ in batches:
        count += int(np.prod(images.shape[:-3]))
    del batches, images  # workers end, and their time is known
    return count / (processor_seconds() - started)


def processor_seconds() -> float:
    """Seconds of processor time of this process, and of those that it has started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def waiting_rows(table: pd.DataFrame) -> Iterator[Row]:
    """Yield for each feed how long a training waits for data, and how many cores its data take."""
    from common.data.pipeline import Images, Preprocessing

    table = pd.concat([table] * -(-STEPS * STEP_BATCH // len(table)), ignore_index=True)
    for name, feed in feeds().items():
        images = Images(table, Preprocessing(feed.size, feed.resize, feed.scale))
        batches = iter(feed.batches(images, 0, STEP_BATCH))
        next(batches)
        began, used, steps = time.perf_counter(), processor_seconds(), 0
        for _ in batches:
            time.sleep(STEP_SECONDS)
            steps += 1
        seconds, used = time.perf_counter() - began, processor_seconds() - used
        job = f"batch {STEP_BATCH // feed.group * feed.group} of {name}, {feed.size} px"
        yield Row(f"waiting of a step of 15 ms, {job}", 100 * (1 - steps * STEP_SECONDS / seconds), unit="%")
        yield Row(f"cores that keep a step of 15 ms busy, {job}", used / steps / STEP_SECONDS, unit="cores")


def memory_rows(counts: tuple[int, ...]) -> Iterator[Row]:
    """Yield the peak memory of each number of images against that of the smallest, each in a process of its own."""
    peaks = {}
    for count in counts:
        words = [sys.executable, "-m", "tests.benchmarks.feed", "--peak-of", str(count)]
        peaks[count] = float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    smallest = min(peaks)
    for count, peak in peaks.items():
        if count != smallest:
            job = f"peak memory of feeding {count:,} images of {MEMORY_SIZE} px"
            yield Row(job, peak, f"{smallest:,} images", peaks[smallest], "MiB")


def peak_memory(count: int) -> float:
    """MiB at most, while an epoch of `count` images is decoded into the file and read from it, twice."""
    from common.data.pipeline import Images, Preprocessing
    from common.data.pixel_store import PixelStore

    with tempfile.TemporaryDirectory() as folder:
        table = write_images(Path(folder), 100, MEMORY_SIZE)
        names = [f"{folder}/{number}.jpg" for number in range(count)]
        for number, name in enumerate(names):
            os.link(table["file"][number % 100], name)
        table = pd.DataFrame({"file": names, "label": "fake"})
        images = Images(table, Preprocessing(MEMORY_SIZE), PixelStore(0, None, Path(folder) / "cache"))
        for epoch in range(2):
            for _ in images.training_batches(BATCH, 0, epoch):
                pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_images(folder: Path, count: int, size: int = SIZE) -> pd.DataFrame:
    """Write blurred noise as JPEG files in two class folders; return the table that lists them."""
    generator, rows = np.random.default_rng(0), []
    for number in range(count):
        label = ("real", "fake")[number % 2]
        pixels = generator.integers(0, 256, (size, size, 3), dtype=np.uint8)
        file = folder / label / f"{number:05d}.jpg"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(2)).save(file, quality=90)
        rows.append({"file": str(file), "label": label})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    run_main(main)
