"""Our own drawn faces: the tree that data_prep.drawing.trees draws, with a metadata.csv of the manifest's columns."""

import pandas as pd

from data_prep.layouts import Item

COLUMNS = ["path", "label", "source", "video", "identity", "original", "frame"]


def find(src):
    rows = pd.read_csv(src / "metadata.csv", dtype=str, keep_default_na=False)
    return [Item(**row) for row in rows[COLUMNS].to_dict("records")]
