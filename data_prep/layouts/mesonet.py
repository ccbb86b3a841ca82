"""MesoNet's face set (Afchar et al. 2018, 10.1109/WIFS.2018.8630761): train_test/{df,real} and validation/{df,real}.

The folders are found anywhere below SRC; the archive unpacks as `train:test/`, `train_test/` or `train%3Atest/`, by the
system. Without them, folders df/ and real/ are read, without splits. `deepfake` or `forged` may replace df. The
validation images of the set are `test`, as in its paper. Sources: Deepfakes for df (made with the program of that
name), forged for forged unless --source names the method, e.g. Face2Face, and internet for real, which were collected
there. The file names do not identify videos.
"""

import re
from pathlib import Path

from data_prep.layouts.item import Item
from data_prep.layouts.tree import image_paths, refuse_class_folder

SPLITS = {"train": re.compile(r"train(ing|set)?(test)?"), "test": re.compile(r"val(id(ation)?)?|test(ing|set)?")}
CLASSES = {
    **dict.fromkeys(("df", "deepfake", "deepfakes"), ("fake", "Deepfakes")),
    **{"forged": ("fake", "forged"), "real": ("real", "internet")},
}


def find(src: Path) -> list[Item]:
    """Return the images in folders of a class; other images are left out."""
    items, paths = [], image_paths(src)
    refuse_class_folder("fake", src, paths, "mesonet")
    for path in paths:
        folders = path.lower().split("/")[:-1]
        classes = [folder for folder in folders if folder in CLASSES]
        if classes:
            label, source = CLASSES[classes[-1]]
            splits = [split for folder in folders if (split := _split(folder))]
            items.append(Item(path, label, source, split=splits[-1] if splits else ""))
    official = [item for item in items if item.split]
    return official or items  # beside the official folders are other pictures


def _split(folder):
    """The split that a folder in lower case names by its letters, or ''; some tools write `:` as `%3a`."""
    letters = re.sub(r"%3a|[^a-z]", "", folder)
    return next((split for split, name in SPLITS.items() if name.fullmatch(letters)), "")
