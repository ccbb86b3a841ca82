"""Figures 3 and 4 of the paper: the way of the images to the network with their numbers, and the augmentation."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.decoding import read_image
from common.evaluation.figures import new_figure, save_figure
from common.labels import FAKE, WORDS
from reproductions.mesoinception_svm.augmentation import paper_examples
from reproductions.mesoinception_svm.config import Config
from reproductions.mesoinception_svm.method import preprocessing

BOX = {"boxstyle": "round,pad=0.5", "facecolor": "#eef3f8", "edgecolor": "#1b6ca8", "linewidth": 1}


def pipeline_figure(images: pd.DataFrame, trained: Sequence[str], config: Config, path: Path) -> Path:
    """Draw Figure 3: data sets, merged, split, augmented, as batches of the network, each stage with its images.

    Args:
        images: all images of a split, with the columns dataset, label and split.
        trained: the names of the data sets that are trained on.
        config: the run's config.
        path: of the PNG.
    """
    used = images[images["dataset"].isin(trained)]
    parts = {name: used[used["split"] == name] for name in ("train", "val", "test")}
    augmentation = {"none": "not augmented", "paper": "blur, rotation, scaling"}.get(
        config.augmentation, f"augmentation {config.augmentation}"
    )
    columns = [
        [f"{name}\n{_count(used[used['dataset'] == name])}" for name in trained],
        [f"merged\n{_count(used)}"],
        [f"{name}\n{_count(part)}" for name, part in parts.items()],
        [augmentation, "as they are"],
        [f"{config.image_size} x {config.image_size} x 3 in [0, 1]\nbatches of {config.batch_size}"],
    ]
    titles = ("data sets", "combined set", "split", "augmentation", "network")
    figure, axes = new_figure(width=11, height=3.6, title="Figure 3: the preprocessing pipeline of this run")
    axis = axes[0, 0]
    axis.set(xlim=(-0.5, 4.5), ylim=(0, 1.1))
    axis.axis("off")
    places = [_places(len(texts)) for texts in columns]
    places[3] = [places[2][0], (places[2][1] + places[2][2]) / 2]
    for x, (title, texts) in enumerate(zip(titles, columns, strict=True)):
        axis.text(x, 1.05, title, ha="center", va="center", fontsize=9, fontweight="bold")
        for y, text in zip(places[x], texts, strict=True):
            axis.text(x, y, text, ha="center", va="center", fontsize=8, bbox=BOX)
    pairs = [[(start, end) for start in places[x] for end in places[x + 1]] for x in range(4)]
    pairs[2] = [(places[2][0], places[3][0]), *((place, places[3][1]) for place in places[2][1:])]
    for x, joined in enumerate(pairs):
        for start, end in joined:
            arrow = {"arrowstyle": "->", "color": "#4d5359", "shrinkA": 42, "shrinkB": 42}
            axis.annotate("", (x + 1, end), (x, start), arrowprops=arrow)
    return save_figure(figure, path)


def augmentation_figure(image: Path, config: Config, path: Path) -> Path:
    """Draw Figure 4: one face under each augmentation of Sec. 4.1.3.

    Args:
        image: the file of a face.
        config: the run's config.
        path: of the PNG.
    """
    pixels = preprocessing(config).resize_image(read_image(image)).numpy()
    examples = paper_examples(pixels)
    title = f"Figure 4: the augmentation of Sec. 4.1.3; this run trains with --augmentation {config.augmentation}"
    figure, axes = new_figure(1, len(examples), 1.35, 1.6, title)
    for axis, (name, example) in zip(axes.flat, examples.items(), strict=True):
        axis.imshow(np.clip(np.round(example), 0, 255).astype(np.uint8))
        axis.set_title(name, fontsize=8)
        axis.axis("off")
    return save_figure(figure, path)


def _count(images):
    fakes = int((images["label"] == WORDS[FAKE]).sum())
    return f"{fakes:,} fake + {len(images) - fakes:,} real"


def _places(number):
    return [1 - (place + 0.75) / (number + 0.5) for place in range(number)] if number > 1 else [0.5]
