"""MesoNet's face set (Afchar et al. 2018, 10.1109/WIFS.2018.8630761): train_test/{df,real} and validation/{df,real}.

The folders are found anywhere below SRC; the archive unpacks as `train:test/` or `train_test/`, by the system. Without
them, folders df/ and real/ are read, without splits. `forged` may replace df. The validation images of the set are
`test`, as in its paper. Sources: Deepfakes for df (made with the program of that name), forged for forged unless
--source names the method, e.g. Face2Face, and internet for real, which were collected there. The file names do not
identify videos.
"""

import re
from pathlib import Path

from data_prep.layouts.item import Item
from data_prep.layouts.tree import image_paths, refuse_class_folder

SPLITS = {"traintest": "train", "train": "train", "validation": "test", "val": "test", "test": "test"}  # letters alone
CLASSES = {"df": ("fake", "Deepfakes"), "forged": ("fake", "forged"), "real": ("real", "internet")}


def find(src: Path) -> list[Item]:
    """Return the images in folders of a class; other images are left out."""
    items, paths = [], image_paths(src)
    refuse_class_folder("fake", src, paths, "mesonet")
    for path in paths:
        folders = path.lower().split("/")[:-1]
        classes = [folder for folder in folders if folder in CLASSES]
        if classes:
            label, source = CLASSES[classes[-1]]
            splits = [SPLITS[name] for folder in folders if (name := re.sub("[^a-z]", "", folder)) in SPLITS]
            items.append(Item(path, label, source, split=splits[-1] if splits else ""))
    official = [item for item in items if item.split]
    return official or items  # beside the official folders are other pictures
