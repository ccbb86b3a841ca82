"""Our own drawn faces: the tree that data_prep.drawing.trees draws, with a metadata.csv in the manifest's columns."""

from pathlib import Path

import pandas as pd

from data_prep.layouts.item import Item

COLUMNS = ["path", "label", "source", "video", "identity", "original", "frame"]


def find(src: Path) -> list[Item]:
    """Return the rows of metadata.csv."""
    rows = pd.read_csv(src / "metadata.csv", dtype=str, keep_default_na=False)
    return [Item(**row) for row in rows[COLUMNS].to_dict("records")]
