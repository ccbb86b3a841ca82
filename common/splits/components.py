"""What must stay on one side of a split: from a manifest to units, the things that are dealt to train, val and test."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

CROWD = 6  # persons; fewer cannot put two of them, and so a swap, on each of three sides
SHARE_OF_A_CROWD = 1 / 3  # of a class of its data set; a group that holds more cannot be dealt to three sides


@dataclass(frozen=True)
class Units:
    """Which rows hold to which units. A row that holds to several can be used only if all of them are on one side."""

    row: np.ndarray  # (m,) int, the memberships: this row ...
    unit: np.ndarray  # (m,) int, ... holds to this unit; no pair stands twice
    key: pd.Series  # (units,) str, the smallest of a unit's names, which outlives added images; without any, content
    content: pd.Series  # (units,) str, the smallest sha256 or path of its rows
    person: np.ndarray  # (units,) bool, one person of a crowd rather than a whole group


def single_units(rows, by_name):
    """Units for rows (with the index 0 .. n-1) that hang together by bytes, or by `near` where there is that column.

    `by_name` also by video and by original, within a data set. Each row holds to one unit.
    """
    return _whole(rows, _groups(rows, _links(rows, by_name)), _names(rows) if by_name else rows["video"][:0])


def identity_units(rows):
    """Units under which no person comes to stand on two sides: what a chain of swaps, videos or bytes connects.

    Where a chain has at least CROWD persons and more than SHARE_OF_A_CROWD of a class of its data set (Celeb-DF, where
    nearly everybody is swapped with everybody), its persons are the units instead, and a swap holds to each of its own.
    A row without an identity goes with its video, its original and its copies.
    """
    persons, links = _persons(rows), _links(rows, by_name=True)
    group = _groups(rows, pd.concat([links, "person " + persons]))
    whole = _whole(rows, group, pd.concat([_names(rows), _plain(persons)]))
    crowd = _crowds(rows, group, persons)[group]
    return _dealt_by_person(rows, whole, crowd, persons, links) if crowd.any() else whole


def _dealt_by_person(rows, whole, crowd, persons, links):
    """The Units where rows of a crowd, bool (n,), hold to persons, and those of them that have none to their block."""
    block = _groups(rows, _not_implied(links, persons))
    code, people = pd.factorize(persons)
    holders = pd.DataFrame({"block": block[persons.index], "person": code}).drop_duplicates()
    rest = pd.DataFrame({"row": rows.index, "block": block})[crowd].merge(holders, how="left", on="block")
    named, group = rest["person"].notna(), whole.unit[~crowd]
    row = np.concatenate([np.flatnonzero(~crowd), rest["row"][~named], rest["row"][named]])

    first_block, first_person = len(whole.key), len(whole.key) + len(rows)  # one numbering for the three kinds
    number = [group, first_block + rest["block"][~named], first_person + rest["person"][named].astype(int)]
    unit, number = pd.factorize(np.concatenate(number))
    person, kept = number >= first_person, number < first_block
    content = _smallest(_content(rows).to_numpy()[row], unit)
    key = content.copy()
    key[person] = _plain(people.to_series()).to_numpy()[number[person] - first_person]
    key[kept] = whole.key[number[kept]].to_numpy()
    return Units(row, unit, key, content, person)


def _whole(rows, group, names):
    content = _smallest(_content(rows).to_numpy(), group)
    key = _smallest(names.to_numpy(), group[names.index]).reindex(content.index).fillna(content)
    return Units(np.arange(len(rows)), group, key, content, np.zeros(len(content), bool))


def _groups(rows, links):
    """The connected group of each row, int (n,), numbered in the order of the rows; equal links join rows."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count, size = len(rows), len(rows) + len(links)
    node = count + pd.factorize(links)[0]
    graph = coo_matrix((np.ones(len(links), bool), (links.index, node)), shape=(size, size))
    return pd.factorize(connected_components(graph, directed=False)[1][:count])[0]


def _links(rows, by_name):
    """What joins rows, a word each: sha256 and near across data sets, names within one. The index is the row."""
    names = _scoped(rows, _names(rows)) if by_name else rows["video"][:0]
    near = rows["near"].astype(str) if "near" in rows else rows["path"][:0]
    digests = rows["sha256"]
    return pd.concat(["sha256 " + digests[digests != ""], "near " + near[near != ""], "name " + names])


def _names(rows):
    """Every video and original of the rows; the index is the row."""
    return pd.concat([rows["video"][rows["video"] != ""], _parts(rows["original"])])


def _persons(rows):
    """Every person of the rows, with its data set, once a row; the index is the row."""
    persons = _scoped(rows, _parts(rows["identity"])).rename_axis("row").reset_index(name="person")
    return persons.drop_duplicates().set_index("row")["person"]


def _parts(cells):
    parts = cells[cells != ""].str.split(";").explode().str.strip()
    return parts[parts != ""]


def _scoped(rows, names):
    return rows["dataset"].loc[names.index] + "\n" + names if "dataset" in rows else "\n" + names


def _plain(names):
    """Scoped names without their data set: how a set is called must not change its splits."""
    return names.str.rpartition("\n")[2]


def _crowds(rows, group, persons):
    """Which groups are crowds, bool (groups,)."""
    kind = rows.groupby(["dataset", "label"] if "dataset" in rows else "label").ngroup()
    held = pd.crosstab(group, kind, normalize="columns").max(axis=1)
    count = persons.groupby(group[persons.index]).nunique().reindex(held.index, fill_value=0)
    return ((held > SHARE_OF_A_CROWD) & (count >= CROWD)).to_numpy()


def _not_implied(links, persons):
    """The links whose rows have no person in common; where they have, keeping that person on one side suffices."""
    pairs = pd.DataFrame({"row": links.index, "link": pd.factorize(links)[0]})
    distinct = pairs.drop_duplicates()
    people = pd.DataFrame({"row": persons.index, "person": pd.factorize(persons)[0]})
    shared = distinct.merge(people, on="row").groupby(["link", "person"]).size().groupby("link").max()
    implied = shared.reindex(pairs["link"], fill_value=0).to_numpy() == np.bincount(distinct["link"])[pairs["link"]]
    return links[~implied]


def _content(rows):
    return rows["sha256"].where(rows["sha256"] != "", rows["path"])


def _smallest(words, group):
    words = pd.Series(words, index=group).sort_values()
    return words[~words.index.duplicated()].sort_index()
