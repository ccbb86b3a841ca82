"""Which rows of a manifest must stay on one side of a split: from rows to units, which are assigned to the splits."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from common.splits.names import comparable_names, scope_of, separate_names

MIN_PERSONS_TO_ASSIGN = 6  # with fewer, not each of three splits can get two persons, and so a swap
MAX_COMPONENT_SHARE = 1 / 3  # of a class of its data set; a larger component cannot be assigned to three splits


@dataclass(frozen=True)
class SplitUnits:
    """The memberships of rows in units, m pairs. A row with several units is used only if all are in one split."""

    row: np.ndarray
    """int (m,): the row of a membership."""
    unit: np.ndarray
    """int (m,): the unit that this row belongs to; no pair (row, unit) is listed twice."""
    key: pd.Series
    """str (units,): the smallest of a unit's names, which does not change when images are added; content if it has no
    name."""
    content: pd.Series
    """str (units,): the smallest sha256 (or path, if there is no sha256) of a unit's rows."""
    is_person: np.ndarray
    """bool (units,): whether the unit is one person of a large component instead of a whole component."""


def component_units(rows: pd.DataFrame, by_name: bool) -> SplitUnits:
    """Connect rows that share bytes or, if there is a column `near`, are near-duplicates; each component is a unit.

    Args:
        rows: n rows of a manifest with the index 0 ... n - 1, optionally with columns `dataset`, `scope` and `near`.
        by_name: also connect the rows of a data set, or of a scope, that share a video or an original.

    Returns:
        SplitUnits in which each row belongs to exactly one unit.
    """
    names = _names(rows) if by_name else rows["video"][:0]
    return _units_from_components(rows, _components(rows, _links(rows, by_name)), names)


def identity_units(rows: pd.DataFrame) -> SplitUnits:
    """Return units that keep every person on one side: components of rows connected by swaps, videos or bytes.

    A component with at least MIN_PERSONS_TO_ASSIGN persons and more than MAX_COMPONENT_SHARE of a class of its data set
    (Celeb-DF, where nearly everybody is swapped with everybody) is taken apart: its persons are the units, and a swap
    belongs to each of its persons. A row without an identity belongs to the units of its video, original and copies.

    Args:
        rows: n rows of a manifest with the index 0 ... n - 1, optionally with columns `dataset`, `scope` and `near`.

    Returns:
        SplitUnits.
    """
    persons, links = _persons(rows), _links(rows, by_name=True)
    component = _components(rows, pd.concat([links, "person " + persons]))
    units = _units_from_components(rows, component, pd.concat([_names(rows), separate_names(rows["identity"])]))
    is_large = _large_components(rows, component, persons)[component]
    return _units_by_person(rows, units, is_large, persons, links) if is_large.any() else units


def _units_by_person(rows, units, is_large, persons, links):
    """SplitUnits in which the rows of large components, bool (n,), belong to persons, or to a block without persons.

    A block is what stays connected without the persons; a row without an identity gets the persons of its block.
    """
    block = _components(rows, _links_not_covered_by_persons(links, persons))
    code, names = pd.factorize(persons)
    spelling = _smallest_spelling(rows)
    persons_of_block = pd.DataFrame({"block": block[persons.index], "person": code}).drop_duplicates()
    members = pd.DataFrame({"row": rows.index, "block": block})[is_large].merge(
        persons_of_block, how="left", on="block"
    )
    has_person, component = members["person"].notna(), units.unit[~is_large]
    row = np.concatenate([np.flatnonzero(~is_large), members["row"][~has_person], members["row"][has_person]])

    first_block, first_person = len(units.key), len(units.key) + len(rows)  # one numbering for the three kinds
    number = np.concatenate(
        [
            component,
            first_block + members["block"][~has_person],
            first_person + members["person"][has_person].astype(int),
        ]
    )
    unit, number = pd.factorize(number)
    is_person, is_component = number >= first_person, number < first_block
    content = _smallest(_content(rows).to_numpy()[row], unit)
    key = content.copy()
    key[is_person] = spelling[names].to_numpy()[number[is_person] - first_person]
    key[is_component] = units.key[number[is_component]].to_numpy()
    return SplitUnits(row, unit, key, content, is_person)


def _units_from_components(rows, component, names):
    content = _smallest(_content(rows).to_numpy(), component)
    key = _smallest(names.to_numpy(), component[names.index]).reindex(content.index).fillna(content)
    return SplitUnits(np.arange(len(rows)), component, key, content, np.zeros(len(content), bool))


def _components(rows, links):
    """The connected component of each row, int (n,), numbered in the order of the rows; equal links connect rows."""
    count, size = len(rows), len(rows) + len(links)
    node = count + pd.factorize(links)[0]
    graph = coo_matrix((np.ones(len(links), bool), (links.index, node)), shape=(size, size))
    return pd.factorize(connected_components(graph, directed=False)[1][:count])[0]


def _links(rows, by_name):
    """What connects rows, as words: sha256 and near across data sets, names within one. The index is the row."""
    names = _scoped(rows, _names(rows)) if by_name else rows["video"][:0]
    near = rows["near"].astype(str) if "near" in rows else rows["path"][:0]
    digests = rows["sha256"]
    return pd.concat(["sha256 " + digests[digests != ""], "near " + near[near != ""], "name " + names])


def _names(rows):
    """Every video and original of the rows, as it is spelled; the index is the row."""
    return pd.concat([rows["video"][rows["video"] != ""], separate_names(rows["original"])])


def _persons(rows):
    """Every person of the rows with its scope, listed once for each row; the index is the row."""
    persons = _scoped(rows, separate_names(rows["identity"])).rename_axis("row").reset_index(name="person")
    return persons.drop_duplicates().set_index("row")["person"]


def _smallest_spelling(rows):
    """A person's name as it is spelled, without its scope: the name that a user gives to a data set must not change its
    splits. The index is the person with its scope.
    """
    names = separate_names(rows["identity"])
    return names.groupby(_scoped(rows, names).to_numpy()).min()


def _scoped(rows, names):
    """Comparable names preceded by their scope: equal names of one scope mean one video or person. It is the data set,
    or the column `scope` if data sets share videos and persons.
    """
    return scope_of(rows).loc[names.index] + "\n" + comparable_names(names)


def _large_components(rows, component, persons):
    """Which components have to be taken apart, bool (components,)."""
    kind = rows.groupby(["dataset", "label"] if "dataset" in rows else "label").ngroup()
    share = pd.crosstab(component, kind, normalize="columns").max(axis=1)
    count = persons.groupby(component[persons.index]).nunique().reindex(share.index, fill_value=0)
    return ((share > MAX_COMPONENT_SHARE) & (count >= MIN_PERSONS_TO_ASSIGN)).to_numpy()


def _links_not_covered_by_persons(links, persons):
    """The links whose rows have no person in common. If they have one, it suffices to keep that person on one side."""
    pairs = pd.DataFrame({"row": links.index, "link": pd.factorize(links)[0]})
    distinct = pairs.drop_duplicates()
    codes = pd.DataFrame({"row": persons.index, "person": pd.factorize(persons)[0]})
    shared = distinct.merge(codes, on="row").groupby(["link", "person"]).size().groupby("link").max()
    covered = shared.reindex(pairs["link"], fill_value=0).to_numpy() == np.bincount(distinct["link"])[pairs["link"]]
    return links[~covered]


def _content(rows):
    return rows["sha256"].where(rows["sha256"] != "", rows["path"])


def _smallest(words, unit):
    """The smallest word of each unit; the index is the unit."""
    words = pd.Series(words, index=unit).sort_values()
    return words[~words.index.duplicated()].sort_index()
