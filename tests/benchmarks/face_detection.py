"""Our MTCNN against the package mtcnn, one by one, and facenet-pytorch in batches, on the same frames.

    python -m tests.benchmarks.face_detection PICTURES_OR_VIDEOS ... [--frames 8] [--rounds 3]

Batches of up to 8 frames of one shape, each detector in turn on each batch. Prints milliseconds a frame and how many
times faster we are, medians over batches and rounds, and how our faces compare with mtcnn's: a face is the same if the
boxes overlap by half (intersection over union). facenet-pytorch is left out where it is not installed.
"""

import itertools
import os
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import tyro

from common.cli import parse, run_main
from common.data.decoding import VIDEO_SUFFIXES, read_image
from common.data.media import find_media
from common.data.videos import Sampling, read_clip
from common.faces.detection import Face, make_detector
from tests.benchmarks.table import Row, TableOptions, publish

BATCH = 8


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    paths: tyro.conf.Positional[tuple[Path, ...]]
    """Pictures, videos, and folders of them."""
    frames: int = 8
    """Frames of a video, evenly spaced."""
    rounds: int = 3


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    batches = read_batches(options)
    ways = contestants()
    for batch in {batch[0].shape: batch for batch in batches}.values():
        milliseconds_each(ways, batch)  # warms up
    by_shape = defaultdict(list)
    for _, batch in itertools.product(range(options.rounds), batches):
        height, width, _ = batch[0].shape
        by_shape[f"{width}x{height}"].append(milliseconds_each(ways, batch))
    for shape, times in [*by_shape.items(), ("all", sum(by_shape.values(), []))]:
        print(f"{shape}: {len(times) // options.rounds} batches, {options.rounds} rounds")
        ours, rivals = median(each["ours"] for each in times), [name for name in ways if name != "ours"]
        rows = (Row(f"MTCNN, a frame, {shape}", ours, name, median(each[name] for each in times)) for name in rivals)
        publish(rows, options.table)
    compare(ways["ours"], batches)


def contestants():
    """{name: a function of a list of frames}."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # or PyTorch's idle threads keep the cores from the others
    ways = {}
    try:
        from facenet_pytorch import MTCNN as FacenetMTCNN  # first: PyTorch crashes if TensorFlow is loaded before it
    except ImportError as error:
        print(f"without facenet-pytorch: {error}")
    else:
        ways["facenet-pytorch, in batches"] = FacenetMTCNN(keep_all=True, device="cpu").detect
    ways["ours"] = make_detector("mtcnn").detect_batch
    ways["mtcnn, one by one"] = package_detector()
    return ways


def package_detector():
    from mtcnn import MTCNN

    package = MTCNN()
    return lambda batch: [package.detect_faces(frame) for frame in batch]


def read_batches(options):
    """Lists of up to 8 frames of one shape, each uint8 RGB (height, width, 3)."""
    frames = defaultdict(list)
    for file in find_media(options.paths).files:
        if file.suffix.lower() in VIDEO_SUFFIXES:
            images = [frame for _, frame in read_clip(file, Sampling(count=options.frames), list)]
        else:
            images = [read_image(file)]
        for image in images:
            frames[image.shape].append(image)
    return [group[start : start + BATCH] for group in frames.values() for start in range(0, len(group), BATCH)]


def milliseconds_each(ways, batch):
    """{name: milliseconds a frame}."""
    times = {}
    for name, way in ways.items():
        started = time.perf_counter()
        way(batch)
        times[name] = 1000 * (time.perf_counter() - started) / len(batch)
    return times


def compare(detect_batch, batches):
    """Print how our faces compare with those of mtcnn's own detect_faces."""
    package, best, every, sizes, lost, extra = package_detector(), [], [], [], 0, 0
    for batch in batches:
        for found, rows in zip(detect_batch(batch), package(batch), strict=True):
            rows = sorted(rows, key=lambda row: -row["confidence"])
            expected = [Face(*row["box"], row["confidence"]) for row in rows]
            overlaps = np.array([[overlap(face, other) for other in expected] for face in found])
            overlaps = overlaps.reshape(len(found), len(expected))
            same = overlaps.max(axis=0, initial=0)
            lost += int((same < 0.5).sum())
            extra += int((overlaps.max(axis=1, initial=0) < 0.5).sum())
            every += same.tolist()
            best += [overlaps[0, 0] if found else 0.0] if expected else []
            sizes += [min(face.width, face.height) for face in expected]
    if not every:
        print("mtcnn finds no face")
        return
    print(f"mtcnn finds {len(every)} faces of {min(sizes)} to {max(sizes)} pixels in {sum(map(len, batches))} frames")
    print(f"  we lose {lost} of them and find {extra} others")
    print(f"  intersection over union: mean {np.mean(every):.4f}, least {min(every):.4f}")
    print(f"  of the surest face: mean {np.mean(best):.4f}, least {min(best):.4f}, {len(best)} frames")


def overlap(first, second):
    """Intersection over union."""
    width = min(first.x + first.width, second.x + second.width) - max(first.x, second.x)
    height = min(first.y + first.height, second.y + second.height) - max(first.y, second.y)
    common = max(width, 0) * max(height, 0)
    return common / (first.width * first.height + second.width * second.height - common)


if __name__ == "__main__":
    run_main(main)
