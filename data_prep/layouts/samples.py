"""Folders of a generator's samples, flat or nested: every face is fake."""

from pathlib import Path

from data_prep.layouts.item import Item
from data_prep.layouts.tree import image_paths, refuse_class_folder

OTHER_SUBJECTS = ("bedrooms-", "cars-", "cats-", "lsun-", "cifar10-")  # folders beside the faces on NVIDIA's drives


def find_samples(src: Path, source: str) -> list[Item]:
    """Return the samples below `src` as fakes.

    Args:
        src: the raw folder.
        source: the generator, for the column `source`.

    Raises:
        UserError: if there is a folder real/ with images.
    """
    paths = [
        path for path in image_paths(src) if not any(part.startswith(OTHER_SUBJECTS) for part in path.split("/")[:-1])
    ]
    refuse_class_folder("real", src, paths, source)
    return [Item(path, "fake", source) for path in paths]
