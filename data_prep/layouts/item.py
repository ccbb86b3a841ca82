"""What a layout finds: one raw image or video with its labels."""

from dataclasses import dataclass

MISSING = "missing"  # how the problem of a file begins that a list names and that is not on the disk


@dataclass(frozen=True, slots=True)
class Item:
    """One raw image or video; the fields that are not described here are columns of the manifest.

    Args:
        path: relative to the raw folder, with `/`.
        video: the clip, named by its path without suffix or by the folder of its frames.
        problem: why the file cannot be used, if the layout knows that without opening it.
    """

    path: str
    label: str
    source: str
    video: str = ""
    identity: str = ""
    original: str = ""
    frame: str = ""
    split: str = ""
    problem: str = ""
