"""A warning if the two classes were prepared differently: a detector can learn the difference alone.

After resizing to one size, a logistic regression separated 79 real pictures from their own thumbnails, AUC 0.999.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from common.data.datasets import DataSet
from common.labels import FAKE, REAL, WORDS

log = logging.getLogger("deepfake")

CHAIN = ("faces", "rescale", "size", "margin", "jpeg")  # flags of data_prep that decide sharpness and compression
LIKE = 1.1  # source sizes within this factor of each other count as alike


class Preparation(NamedTuple):
    """How the images of one class of a data set were made; `source` is their median (height, width), () if unknown."""

    dataset: str
    label: str
    chain: tuple[str, ...]
    source: tuple[int, ...]


def warn_of_differences(datasets: Sequence[DataSet]) -> None:
    """Log a warning for each way in which the classes of a run's data sets were prepared differently."""
    for difference in class_differences(datasets):
        log.warning("THE CLASSES WERE PREPARED DIFFERENTLY, a detector can learn that instead: %s", difference)


def class_differences(datasets: Iterable[DataSet]) -> list[str]:
    """Return how the preparation of real images differs from that of fake ones, in words.

    Compared are the flags of data_prep, and the median sizes of the raw images. Data sets that do not say how they were
    prepared are left out.

    Args:
        datasets: all data sets of a run.

    Returns:
        One text for each difference; empty if there is none.
    """
    known = [preparation for dataset in datasets for preparation in _preparations(dataset)]
    fakes, reals = ([each for each in known if each.label == WORDS[label]] for label in (FAKE, REAL))
    if not fakes or not reals:
        return []
    found = []
    if {each.chain for each in fakes} != {each.chain for each in reals}:
        chains = _in_words((each, " ".join(each.chain) or "no flags") for each in known)
        found.append(f"{chains}; give data_prep the same flags for both classes")
    sizes = [[each.source for each in of_class if each.source] for of_class in (fakes, reals)]
    if all(sizes) and not _alike(*sizes):
        words = _in_words((each, "{1} x {0} px".format(*each.source)) for each in known if each.source)
        found.append(f"raw images of {words}; {_remedy(known)}")
    return found


def _preparations(dataset: DataSet) -> Iterator[Preparation]:
    """Yield how each class of a data set was prepared, if its prep.json has the flags."""
    flags, sizes = dataset.preparation.get("flags"), dataset.preparation.get("source_size", {})
    if flags is None:
        return
    chain = tuple(f"--{flag} {flags[flag]}" for flag in CHAIN if flags.get(flag) not in (None, 0, "none"))
    for label in sorted(set(dataset.images["label"])):
        source = sizes.get(label, {})
        yield Preparation(dataset.name, label, chain, tuple(source[side] for side in ("height", "width") if source))


def _remedy(known):
    rescaled = {flag for each in known for flag in each.chain if flag.startswith("--rescale")}
    if len(rescaled) == 1 and all(rescaled <= set(each.chain) for each in known):
        return f"{rescaled.pop()} brings them to one size, but not by the filter that may have reduced the smaller ones"
    return "take images of one size, or prepare all of them with --rescale and the smallest size"


def _alike(fakes, reals):
    """Whether each size of one class is that of some images of the other."""
    return all(
        any(all(max(a, b) <= LIKE * min(a, b) for a, b in zip(one, other, strict=True)) for other in others)
        for sizes, others in ((fakes, reals), (reals, fakes))
        for one in sizes
    )


def _in_words(pairs):
    return ", ".join(f"{each.dataset} ({each.label}) {words}" for each, words in pairs)
