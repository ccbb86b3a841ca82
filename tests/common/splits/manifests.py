"""Manifests of persons who are swapped with each other, and an oracle of leaks: what the tests of identity share."""

import itertools

import pandas as pd

from common.data.manifest import COLUMNS

SPLITS = ["train", "val", "test"]


def manifest(rows):
    """A manifest from dicts; missing cells are empty, but each row has its own path and bytes."""
    table = pd.DataFrame(rows, columns=list(dict.fromkeys([*COLUMNS, *rows[0], *rows[-1]]))).astype(object).fillna("")
    table["path"] = [path or f"{number}.png" for number, path in enumerate(table["path"])]
    own = "bytes of " + table["path"]
    return table.assign(sha256=table["sha256"].where(table["sha256"] != "", own))


def real(video, person="", frames=1, **more):
    row = {"label": "real", "source": "real", "video": video, "identity": person, **more}
    return [row | {"path": f"{video}/{frame}"} for frame in range(frames)]


def swap(target, source, number=0, frames=1, **more):
    """A swap into a target's video of that number, as Celeb-DF names it: the target's identity first."""
    video = f"{target}_{source}_{number}"
    row = {"label": "fake", "source": "swap", "video": video, "identity": f"{target};{source}", **more}
    return [row | {"original": f"{target}_{number}", "path": f"{video}/{frame}"} for frame in range(frames)]


def swap_graph(persons, videos=2, frames=1, pairs_of=itertools.permutations, loners=0, unnamed=2):
    """Persons with some real videos each, swapped as `pairs_of` pairs them, and reals of others who are in no swap: of
    loners, who are named, and of persons who are not.
    """
    names = [f"id{number}" for number in range(persons)]
    rows = [row for name in names for v in range(videos) for row in real(f"{name}_{v}", name, frames)]
    rows += [row for target, source in pairs_of(names, 2) for row in swap(target, source, frames=frames)]
    rows += [row for n in range(loners) for row in real(f"loner{n}", f"loner{n}", frames)]
    return manifest(rows + [row for n in range(unnamed) for row in real(f"unnamed{n}", "", frames)])


def names_of(row, kinds):
    """Everything of a row that may not be on two sides."""
    scope = row.get("dataset", "")
    found = {("sha256", row["sha256"])} | ({("near", row["near"])} if row.get("near", "") != "" else set())
    if "video" in kinds:
        found |= {("video", scope, name.strip()) for name in [row["video"], *row["original"].split(";")] if name}
    if "identity" in kinds:
        found |= {("person", scope, name.strip()) for name in row["identity"].split(";") if name}
    return found


def leaks(images, splits, kinds=("video", "identity")):
    """The oracle: the names that are on more than one side."""
    sides = {}
    for row, split in zip(images.to_dict("records"), splits, strict=True):
        for name in names_of(row, kinds) if split else ():
            sides.setdefault(name, set()).add(split)
    return {name for name, splits_of_name in sides.items() if len(splits_of_name) > 1}
