"""MesoNet's face set (Afchar et al. 2018, 10.1109/WIFS.2018.8630761): train_test/{df,real} and validation/{df,real}.

A folder that holds df/ and real/ itself is read too, without splits. `forged` may replace df. The validation images of
the set are `test`, as in its paper. Sources: Deepfakes for df (made with the program of that name), forged for forged
unless --source names the method, e.g. Face2Face, and internet for real, which were collected there. The file names do
not identify videos.
"""

from pathlib import Path

from data_prep.layouts.item import Item
from data_prep.layouts.tree import image_paths, refuse_class_folder

SPLITS = {"train_test": "train", "validation": "test"}
CLASSES = {"df": ("fake", "Deepfakes"), "forged": ("fake", "forged"), "real": ("real", "internet")}


def find(src: Path) -> list[Item]:
    """Return the images in folders of a class; other images are left out."""
    items, paths = [], image_paths(src)
    refuse_class_folder("fake", src, paths, "mesonet")
    for path in paths:
        first, *rest = path.lower().split("/")[:-1] or [""]
        split = SPLITS.get(first, "")
        folder = rest[0] if split and rest else first
        if folder in CLASSES:
            label, source = CLASSES[folder]
            items.append(Item(path, label, source, split=split))
    return items
