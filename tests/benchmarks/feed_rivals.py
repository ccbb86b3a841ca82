"""The feeds of Keras and PyTorch that tests.benchmarks.feed measures ours against."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORKERS = 2


def import_torchvision() -> bool:
    """Import PyTorch's side before TensorFlow: it brings Triton, which crashes the process if TensorFlow was there
    first. Return whether it is installed."""
    if not importlib.util.find_spec("torchvision"):
        return False
    import torchvision.transforms.v2  # noqa: F401

    return True


def rivals_of(folder: Path, size: int, batch: int, augmentation: str) -> dict[str, Callable[[], Any]]:
    """Return {rival: a function that opens an epoch of batches}.

    Args:
        folder: of the class folders.
        size: height and width to resize to.
        batch: images in a batch.
        augmentation: a key of the dictionaries below; empty: none.
    """
    rivals = {"image_dataset_from_directory" + " and Random layers" * bool(augmentation): _keras}
    if import_torchvision():
        rivals[f"PyTorch DataLoader, {WORKERS} workers"] = _torch
    return {name: opener(folder, size, batch, augmentation) for name, opener in rivals.items()}


def _keras(folder, size, batch, augmentation):
    import keras
    import tensorflow as tf

    layers = keras.Sequential(_keras_layers(augmentation)) if augmentation else None

    def epoch():
        data = keras.utils.image_dataset_from_directory(
            folder, batch_size=batch, image_size=(size, size), interpolation="bilinear", verbose=False
        )
        if layers:
            data = data.map(lambda images, labels: (layers(images, training=True), labels), tf.data.AUTOTUNE)
        return data.prefetch(tf.data.AUTOTUNE)

    return epoch


def _keras_layers(augmentation):
    """The layers of Keras that are nearest to a paper's augmentation; it has no choice of one of several."""
    from keras import layers

    pixels: dict[str, Any] = {"value_range": (0, 255)}
    edges: dict[str, Any] = {"fill_mode": "reflect"}
    turn, zoom, mirror = layers.RandomRotation(15 / 360, **edges), layers.RandomZoom(0.2, **edges), "horizontal"
    return {
        "affine": lambda: [turn, zoom, layers.RandomFlip(mirror), layers.RandomTranslation(0.1, 0.1, **edges)],
        "colour": lambda: [
            layers.RandomFlip(mirror), layers.RandomBrightness(0.05, **pixels), layers.RandomContrast(0.05, **pixels),
            layers.RandomSaturation((0.475, 0.525), **pixels),
        ],
        "one of": lambda: [
            layers.RandomGaussianBlur(factor=0.25, kernel_size=9, **pixels),
            layers.RandomRotation(0.5, **edges), layers.RandomZoom(0.5, **edges),
        ],
        "notebook": lambda: [turn, zoom, layers.RandomFlip(mirror), layers.RandomBrightness(0.2, **pixels)],
    }[augmentation]()  # fmt: skip


def _torch(folder, size, batch, augmentation):
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    steps = [v2.Resize((size, size)), *_torch_transforms(augmentation), v2.PILToTensor(), v2.ToDtype(_float(), True)]
    data = ImageFolder(str(folder), v2.Compose(steps))
    return lambda: DataLoader(data, batch, shuffle=True, num_workers=WORKERS, drop_last=True)


def _float():
    import torch

    return torch.float32


def _torch_transforms(augmentation):
    """The transforms of torchvision that are nearest to a paper's augmentation."""
    from torchvision.transforms import InterpolationMode, v2

    smooth: dict[str, Any] = {"interpolation": InterpolationMode.BILINEAR}
    mirror, blur = v2.RandomHorizontalFlip(), [v2.GaussianBlur(size) for size in (3, 9, 15)]
    return {
        "": lambda: [],
        "affine": lambda: [v2.RandomAffine(15, translate=(0.1, 0.1), scale=(0.8, 1.2), **smooth), mirror],
        "colour": lambda: [mirror, v2.ColorJitter(0.05, 0.05, 0.05)],
        "one of": lambda: [
            v2.RandomChoice([
                v2.Identity(), v2.RandomChoice(blur), v2.RandomRotation(180, **smooth),
                v2.RandomAffine(0, scale=(0.5, 1.5), **smooth),
            ])
        ],
        "notebook": lambda: [
            v2.RandomAffine(15, scale=(0.8, 1.2), **smooth), mirror, v2.ColorJitter(0.2),
        ],
    }[augmentation]()  # fmt: skip
