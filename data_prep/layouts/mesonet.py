"""MesoNet's face set (Afchar et al. 2018, 10.1109/WIFS.2018.8630761): train_test/{df,real} and validation/{df,real}.

A folder that holds df/ and real/ itself is read too, without splits. `forged` may stand for df. The set's own
validation pictures serve as its test set, as in its paper. Sources: Deepfakes for df (the set's forgeries are made with
the program of that name), forged for forged, unless --source names the method, such as Face2Face; internet for real,
whose pictures were collected there. The names of the files tell no video.
"""

from data_prep.layouts import Item
from data_prep.layouts.tree import image_paths, refuse_folder

SPLITS = {"train_test": "train", "validation": "test"}
CLASSES = {"df": ("fake", "Deepfakes"), "forged": ("fake", "forged"), "real": ("real", "internet")}


def find(src):
    items, paths = [], image_paths(src)
    refuse_folder("fake", src, paths, "mesonet")
    for path in paths:
        first, *rest = path.lower().split("/")[:-1] or [""]
        split = SPLITS.get(first, "")
        word = rest[0] if split and rest else first
        if word in CLASSES:
            label, source = CLASSES[word]
            items.append(Item(path, label, source, split=split))
    return items
