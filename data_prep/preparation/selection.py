"""Which videos of a raw folder are prepared: --videos-per-class and --fakes-per-real."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.errors import UserError
from common.labels import FAKE, REAL, WORDS
from data_prep.layouts.item import Item


@dataclass(frozen=True)
class Selection:
    """How many videos to take; fields as in PrepareOptions."""

    videos_per_class: int | None = None
    fakes_per_real: float | None = None

    def check(self, items: Sequence[Item] | None = None) -> None:
        """Check the values.

        Args:
            items: those of the raw folder, if they are known.

        Raises:
            UserError: if a value is out of range, or the raw folder does not have what it is about.
        """
        if self.videos_per_class is not None and self.videos_per_class < 1:
            raise UserError(f"--videos-per-class: expected at least 1, got {self.videos_per_class}")
        if self.fakes_per_real is not None and not 0 < self.fakes_per_real < float("inf"):
            raise UserError(f"--fakes-per-real: expected a number above 0, got {self.fakes_per_real:g}")
        if items is None:
            return
        usable = [item for item in items if not item.problem]
        if self.videos_per_class is not None and not any(item.video for item in usable):
            raise UserError("--videos-per-class is about videos, and SRC has none: leave it out")
        if self.fakes_per_real is not None and {item.label for item in usable} != set(WORDS):
            raise UserError("--fakes-per-real needs real and fake videos in SRC, it has one class: leave it out")

    def choose(self, items: Sequence[Item]) -> list[Item]:
        """Return the Items of the chosen videos, and those with a problem.

        Videos are drawn by the SHA-256 of their names, so the choice depends neither on the number of workers nor on
        the order of the files. An image without a video counts as a video of its own.

        Args:
            items: all Items of the raw folder.
        """
        videos = {label: _by_hash(item for item in items if item.label == label) for label in WORDS}
        reals = videos[WORDS[REAL]][: self.videos_per_class]
        fakes = videos[WORDS[FAKE]]
        if self.fakes_per_real is None:
            fakes = fakes[: self.videos_per_class]
        else:
            fakes = fakes[: round(self.fakes_per_real * len(reals))]
        chosen = {*reals, *fakes}
        return [item for item in items if item.problem or (item.label, _name(item)) in chosen]


def count_videos(items: Iterable[Item]) -> int:
    """Return the number of usable videos; an image without a video counts as one."""
    return len({(item.label, _name(item)) for item in items if not item.problem})


def _by_hash(items):
    """Return the distinct (label, name) of the usable videos, in the order of their hashes."""
    names = {(item.label, _name(item)) for item in items if not item.problem}
    return sorted(names, key=lambda key: hashlib.sha256(key[1].encode()).hexdigest())


def _name(item):
    return item.video or item.path
