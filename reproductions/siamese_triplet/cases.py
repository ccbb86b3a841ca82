"""Case I and Case II of Sec. 5.1: which images each is trained and tested on."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from common.conditions import PARTIAL_DATA
from common.errors import UserError
from reproductions.siamese_triplet.config import COUNTS, FURTHER, SECOND_REAL, UNSEEN, UNSEEN_IMAGES, Config
from reproductions.siamese_triplet.split_counts import ENOUGH, split_counts
from reproductions.splitting import Split, default_protocols, draw_split

PAPER_PROTOCOL = "paper"  # the numbers of Table 1, image by image


def choose_images(images: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    """Return the images that a run uses.

    The unseen generator contributes only fakes, at most as many as in Table 1. CelebA contributes only real images, as
    many as the fakes that they are tested against, so that the test set is balanced.

    Args:
        images: all images, with the columns dataset, label and sha256.
        roles: {NAME of --data: name of the data set}.
    """
    unseen, second = (images["dataset"] == roles.get(role) for role in (UNSEEN, SECOND_REAL))
    images = images[~(unseen & (images["label"] == "real")) & ~(second & (images["label"] == "fake"))]
    fakes = min(UNSEEN_IMAGES, int((images["dataset"] == roles.get(UNSEEN)).sum()))
    for role, most in ((UNSEEN, fakes), (SECOND_REAL, fakes or COUNTS["case1"]["fake"]["test"])):
        ordered = images[images["dataset"] == roles.get(role)].sort_values(["sha256", "path"])
        images = images.drop(ordered.index[most:])
    return images.reset_index(drop=True)


def choose_protocols(images: pd.DataFrame, config: Config) -> list[str]:
    """Return `paper` and what else the data allow, except `frame`, which is the same image by image.

    Raises:
        UserError: if another protocol is requested for Case II alone, whose numbers of images are those of `paper`.
    """
    if "case1" not in config.cases:
        if set(config.protocol) - {PAPER_PROTOCOL}:
            raise UserError(f"--cases case2 is split by the numbers of Table 1: expected --protocol {PAPER_PROTOCOL}")
        return [PAPER_PROTOCOL]
    others = tuple(protocol for protocol in config.protocol if protocol != PAPER_PROTOCOL)
    first = [PAPER_PROTOCOL] if not config.protocol or PAPER_PROTOCOL in config.protocol else []
    if config.protocol and not others:
        return first
    chosen = default_protocols(images, replace(config, protocol=others))
    return first + [protocol for protocol in chosen if others or protocol != "frame"]


def split_cases(images: pd.DataFrame, trained: tuple[str, ...], config: Config, protocol: str, seed: int) -> Split:
    """Split the images of each of --cases.

    Case II is a part of its own under `paper` alone, since only the numbers of Table 1 set the two apart.

    Args:
        images: of `choose_images`.
        trained: the names of the data sets that are trained on.
        config: the run's config.
        protocol: `paper`, or one of common.splits.protocols.
        seed: of the split.

    Returns:
        A Split whose parts are the cases. Its notes are {case: what a reader of that case's numbers must know}.
    """
    if protocol != PAPER_PROTOCOL:
        split = draw_split(images, trained, config, protocol, seed)
        return replace(split, parts={"case1": split.images})
    parts, notes = {}, {}
    for case in sorted(config.cases):

        def draw(images, protocol, seed, fractions, case=case):
            return split_counts(
                images, COUNTS[case], seed, by="label", val_share=config.validation, further=FURTHER[case]
            )

        split = draw_split(images, trained, config, protocol, seed, draw)
        parts[case] = split.images
        notes[case] = [*split.remarks, *partial_data(split.images[split.images["dataset"].isin(trained)], case)]
    return Split(protocol, seed, parts, notes=notes)


def partial_data(images: pd.DataFrame, case: str) -> list[str]:
    """Return the note that a case has fewer images than Table 1, as a list that is empty if it has enough.

    Args:
        images: of the data that are trained on, with the columns label and split.
        case: case1 or case2.
    """
    drawn = images["split"].replace("val", "train").groupby(images["label"]).value_counts()
    enough = all(
        drawn.get((label, split), 0) >= ENOUGH * number
        for label, numbers in COUNTS[case].items()
        for split, number in numbers.items()
    )
    return [] if enough else [PARTIAL_DATA]
