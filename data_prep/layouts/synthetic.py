"""Our own drawn faces: the tree that data_prep.drawing.trees draws, with a metadata.csv in the manifest's columns."""

from pathlib import Path

from common.data.text_tables import read_text_table
from common.errors import UserError
from data_prep.layouts.item import Item

COLUMNS = ["path", "label", "source", "video", "identity", "original", "frame"]


def find(src: Path) -> list[Item]:
    """Return the rows of metadata.csv."""
    rows = read_text_table(src / "metadata.csv")
    if missing := [name for name in COLUMNS if name not in rows]:
        raise UserError(f"{src / 'metadata.csv'}: missing columns: {', '.join(missing)}; delete {src} and run again")
    return [Item(**row) for row in rows[COLUMNS].to_dict("records")]
