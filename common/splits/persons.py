"""Which split each person is assigned to: a search for kept images that meet the shares of splits and classes.

A swap is kept if both of its persons are in one split. So a split with a tenth of the persons of a data set where all
are swapped with all would keep a hundredth of the swaps: persons cannot be cut by the shares of the images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from common.labels import FAKE, REAL, WORDS
from common.splits.components import SplitUnits

MIN_PERSONS = 2  # of a split: one person alone is in no swap
MOST_TRIALS = 20_000  # assignments that are compared; one takes a tenth of a millisecond
LEAST_GAIN = 1e-4  # of a change: a split's size is met to 1 % of itself
DROPPED_WEIGHT = 0.1  # of the share of dropped images, against the deviation
MISSING_CLASS = 10.0  # more than any deviation: every split needs every class


@dataclass(frozen=True)
class SwapGraph:
    """Which persons are shown together, and what is in the splits whatever their assignment.

    Args:
        persons: int (patterns, width): sets of persons who are shown together; smaller sets repeat their first person.
        images: int (patterns, 2): the reals and fakes that show just these persons.
        fixed: int (splits, 2): the reals and fakes that are in a split whatever the persons.
        free: int (2,): reals and fakes without any of these persons that can be in any split.
        shares: float (splits,): the share of the kept images that a split should have.
    """

    persons: np.ndarray
    images: np.ndarray
    fixed: np.ndarray
    free: np.ndarray
    shares: np.ndarray

    @cached_property
    def patterns_of(self) -> list[np.ndarray]:
        """The patterns of each person."""
        count, width = self.persons.shape
        table = pd.DataFrame({"pattern": np.repeat(np.arange(count), width), "person": self.persons.ravel()})
        return [group.unique() for _, group in table.groupby("person")["pattern"]]

    def kept(self, side: np.ndarray, patterns: np.ndarray | slice = slice(None)) -> np.ndarray:
        """Return the kept images of patterns, float (splits, 2), if person p is in split side[p]."""
        sides = side[self.persons[patterns]]  # (patterns, width)
        lowest, images = sides.min(axis=1), self.images[patterns]
        whole = lowest == sides.max(axis=1)
        columns = [np.bincount(lowest[whole], column[whole], len(self.shares)) for column in images.T]
        return np.stack(columns, axis=1)

    def filling(self, kept: np.ndarray) -> np.ndarray:
        """Return the share of the free images of each class that each split needs beside `kept`, float (splits, 2)."""
        needs = [self._needs((kept + self.fixed)[:, column].tolist(), column) for column in (REAL, FAKE)]
        return np.array(needs).T

    def cost(self, kept: np.ndarray) -> float:
        """Return what an assignment costs: how far it is from the shares, and a little for what is dropped.

        The deviation is the sum over the splits of (size / asked size - 1)² + (share of fakes - that of all kept
        images)².
        """
        totals = []  # plain Python: NumPy takes ten times longer for six numbers
        for column, kept_of_class in enumerate((kept + self.fixed).T.tolist()):
            needs, free = self._needs(kept_of_class, column), int(self.free[column])
            totals.append([count + free * need for count, need in zip(kept_of_class, needs, strict=True)])
        everything = sum(map(sum, totals))
        if not everything:  # every image shows persons of two splits: worse than any other assignment
            return DROPPED_WEIGHT + sum((1 / share - 1) ** 2 + 2 + 2 * MISSING_CLASS for share in self.shares.tolist())
        fake_share = sum(totals[FAKE]) / everything
        cost = DROPPED_WEIGHT * (1 - everything / self._images)
        for real, fake, share in zip(*totals, self.shares.tolist(), strict=True):
            cost += ((real + fake) / everything / share - 1) ** 2
            cost += (fake / (real + fake) - fake_share) ** 2 if real + fake else 1
            cost += MISSING_CLASS * ((real < 1 and sum(totals[REAL]) > 0) + (fake < 1 and sum(totals[FAKE]) > 0))
        return cost

    @cached_property
    def _images(self):
        return int(self.images.sum() + self.fixed.sum() + self.free.sum())

    def _needs(self, kept, column):
        """The share of the free images of a class that each split needs beside its kept ones, both lists (splits,)."""
        shares, wanted = self.shares.tolist(), sum(kept) + int(self.free[column])
        lacking = [max(0.0, share * wanted - count) for share, count in zip(shares, kept, strict=True)]
        total = sum(lacking)
        return [amount / total for amount in lacking] if total else shares


def assign_persons(
    rows: pd.DataFrame, units: SplitUnits, split: np.ndarray, order: Sequence[int], shares: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Improve an assignment of persons by moving one or exchanging two, until no such change improves it.

    Args:
        rows: n rows of a manifest with the index 0 ... n - 1.
        units: the units of these rows, persons among them.
        split: int (units,): the split of each unit as drawn by hash, 0 ... len(shares) - 1.
        order: the units in the order in which they are tried. It decides which of many equal results is found.
        shares: of the images, for each split.

    Returns:
        (int (units,): the split of each unit, where all but persons are as they were; float (splits, 2): what share of
        the units of reals alone, and of those of fakes alone, should be in each split).
    """
    person = np.flatnonzero(units.is_person)
    position = np.full(len(units.key), -1)
    position[person] = np.arange(len(person))
    graph = _swap_graph(rows, units, split, position, np.asarray(shares))
    side = _search(graph, split[person], [position[unit] for unit in order if position[unit] >= 0])
    result = split.copy()
    result[person] = side
    return result, graph.filling(graph.kept(side))


def _swap_graph(rows, units, split, position, shares):
    label = (rows["label"] == WORDS[FAKE]).to_numpy().astype(int)
    members = pd.DataFrame({"row": units.row, "unit": units.unit, "label": label[units.row]})
    shown = units.is_person[units.unit]
    others = members[~shown]
    is_free = (others.groupby("unit")["label"].transform("nunique") == 1).to_numpy()
    fixed = np.zeros((len(shares), 2), int)
    np.add.at(fixed, (split[others["unit"][~is_free]], others["label"][~is_free]), 1)
    free = np.bincount(others["label"][is_free], minlength=2)

    together = members[shown].assign(person=position[units.unit[shown]]).sort_values(["row", "person"])
    together["hash"] = pd.util.hash_array(together["person"].to_numpy() + 1)  # the hash of 0 is 0
    pattern = pd.Series(pd.factorize(together.groupby("row")["hash"].sum())[0], sorted(set(together["row"])))
    images = np.zeros((pattern.max() + 1, 2), int)
    np.add.at(images, (pattern, label[pattern.index]), 1)
    first = pattern.drop_duplicates()
    listed = together[together["row"].isin(first.index)]
    column = listed.groupby("row").cumcount()
    line = first[listed["row"]].to_numpy()
    persons = np.full((len(first), column.max() + 1), -1)
    persons[line, column] = listed["person"]
    return SwapGraph(np.where(persons < 0, persons[:, :1], persons), images, fixed, free, shares)


def _search(graph, side, order):
    """int (persons,): an assignment that no change improves by LEAST_GAIN, or the best of MOST_TRIALS."""
    kept, trials, improved = graph.kept(side), 0, True
    cost = graph.cost(kept)
    while improved:
        improved = False
        for changed in _changes(side, order, len(graph.shares)):
            trials += 1
            if trials > MOST_TRIALS:
                return side
            patterns = _union([graph.patterns_of[person] for person in changed])
            candidate = side.copy()
            candidate[list(changed)] = list(changed.values())
            new = kept - graph.kept(side, patterns) + graph.kept(candidate, patterns)
            if (found := graph.cost(new)) < cost - LEAST_GAIN:
                kept, cost, improved = new, found, True
                side[:] = candidate
    return side


def _union(patterns):
    return patterns[0] if len(patterns) == 1 else np.unique(np.concatenate(patterns))


def _changes(side: np.ndarray, order: Sequence[int], splits: int) -> Iterator[dict[int, int]]:
    """Yield {person: new split}: every move of one, every exchange of two, of `side` as it is at that moment."""
    for person in order:
        for other in range(splits):
            if other != side[person] and (side == side[person]).sum() > MIN_PERSONS:
                yield {person: other}
    for number, person in enumerate(order):
        for other in order[:number]:
            if side[person] != side[other]:
                yield {person: side[other], other: side[person]}
