"""Case I and Case II of Sec. 5.1: which images each is trained and tested on."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from common.conditions import PARTIAL_DATA
from common.runs.options import RunOptions
from reproductions.siamese_triplet.config import COUNTS, SECOND_REAL, UNSEEN, UNSEEN_IMAGES, Config
from reproductions.siamese_triplet.split_counts import split_counts
from reproductions.splitting import Split, default_protocols, draw_split

PAPER_PROTOCOL = "paper"  # the numbers of Table 1, image by image


def choose_images(images: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    """Return the images that a run uses: of the unseen generator fakes alone, as many as Table 1 has; of CelebA reals.

    Args:
        images: all images, with the columns dataset, label and sha256.
        roles: {NAME of --data: name of the data set}.
    """
    unseen, second = (images["dataset"] == roles.get(role) for role in (UNSEEN, SECOND_REAL))
    images = images[~(unseen & (images["label"] == "real")) & ~(second & (images["label"] == "fake"))]
    surplus = images[images["dataset"] == roles.get(UNSEEN)].sort_values("sha256").index[UNSEEN_IMAGES:]
    return images.drop(surplus).reset_index(drop=True)


def choose_protocols(images: pd.DataFrame, config: RunOptions) -> list[str]:
    """Return `paper` and what else the data allow, except `frame`, which is the same image by image."""
    others = tuple(protocol for protocol in config.protocol if protocol != PAPER_PROTOCOL)
    first = [PAPER_PROTOCOL] if not config.protocol or PAPER_PROTOCOL in config.protocol else []
    if config.protocol and not others:
        return first
    chosen = default_protocols(images, replace(config, protocol=others))
    return first + [protocol for protocol in chosen if others or protocol != "frame"]


def split_cases(images: pd.DataFrame, trained: tuple[str, ...], config: Config, protocol: str, seed: int) -> Split:
    """Split the images of each case.

    Case I is always there; Case II is a part of its own under `paper` alone, since only the numbers of Table 1 set the
    two apart.

    Args:
        images: of `choose_images`.
        trained: the names of the data sets that are trained on.
        config: the run's config.
        protocol: `paper`, or one of common.splits.protocols.
        seed: of the split.

    Returns:
        A Split whose parts are the cases.
    """
    if protocol != PAPER_PROTOCOL:
        split = draw_split(images, trained, config, protocol, seed)
        return replace(split, parts={"case1": split.images})
    parts, remarks = {}, []
    for case in dict.fromkeys(("case1", *config.cases)):

        def draw(images, protocol, seed, fractions, case=case):
            return split_counts(images, COUNTS[case], seed, by="label", val_share=config.validation)

        split = draw_split(images, trained, config, protocol, seed, draw)
        parts[case] = split.images
        remarks += split.remarks
    return Split(protocol, seed, parts, list(dict.fromkeys(remarks)))


def partial_data(splits: list[Split], trained: tuple[str, ...]) -> list[str]:
    """Return the note that a case has fewer images than Table 1, as a list that is empty if all have enough."""
    for split in splits:
        for case, images in split.parts.items():
            published = sum(sum(numbers.values()) for numbers in COUNTS[case].values())
            if split.protocol == PAPER_PROTOCOL and images["dataset"].isin(trained).sum() < published:
                return [PARTIAL_DATA]
    return []
