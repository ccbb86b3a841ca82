"""Folders of a generator's samples, flat or nested: every face is fake."""

from data_prep.layouts import Item
from data_prep.layouts.tree import image_paths, refuse_folder

NO_FACES = ("bedrooms-", "cars-", "cats-", "lsun-", "cifar10-")  # lie beside the faces in NVIDIA's collections


def samples(src, source):
    """The Items of the samples below `src`; UserError if there is a folder real/."""
    paths = [path for path in image_paths(src) if not any(part.startswith(NO_FACES) for part in path.split("/")[:-1])]
    refuse_folder("real", src, paths, source)
    return [Item(path, "fake", source) for path in paths]
