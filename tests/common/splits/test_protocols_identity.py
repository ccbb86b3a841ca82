"""Protocol `identity`: no person on two sides; what is dropped, and when."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.data.manifest import COLUMNS
from common.errors import UserError
from common.splits.leaks import check_splits
from common.splits.protocols import allowed_protocols, choose_protocols, split_images

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


def swap_graph(persons, videos=2, frames=1, pairs_of=itertools.permutations, loners=30):
    """Persons with some real videos each, swapped as `pairs_of` pairs them, and reals without a person."""
    names = [f"id{number}" for number in range(persons)]
    rows = [row for name in names for v in range(videos) for row in real(f"{name}_{v}", name, frames)]
    rows += [row for target, source in pairs_of(names, 2) for row in swap(target, source, frames=frames)]
    return manifest(rows + [row for number in range(loners) for row in real(f"loner{number}", frames=frames)])


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


@st.composite
def tangled_manifests(draw):
    """Singles of each class, eight persons swapped with each other, and rows that share names and bytes with all."""
    rows = swap_graph(8, loners=20).to_dict("records")
    rows += [{"label": "fake", "source": "gan"} for _ in range(20)]
    rows = [row | {"dataset": "a", "near": ""} for row in rows]
    video = st.sampled_from(["", "", "id1_0", "id2_id3_0", "v1", "v2", "loner3"])
    person = st.sampled_from(["", "", "id0", "id5", "new"])
    tangled = st.fixed_dictionaries(
        {
            "label": st.sampled_from(["real", "fake"]),
            "dataset": st.sampled_from(["a", "b"]),
            "video": video,
            "original": st.one_of(video, st.just("v1; id4_1")),
            "identity": st.one_of(person, st.sampled_from(["id6; id7", "new;id3", "id2;newer"])),
            "sha256": st.sampled_from(["", "", "x", "y"]),
            "near": st.sampled_from(["", "", "", "n"]),
        }
    )
    return manifest(rows + draw(st.lists(tangled, min_size=1, max_size=20)))


@st.composite
def swap_graphs(draw):
    """Six to fourteen persons with one to three real videos each, any swaps of them, and reals without a person."""
    count = draw(st.integers(6, 14))
    names = [f"p{number}" for number in range(count)]
    videos = draw(st.lists(st.integers(1, 3), min_size=count, max_size=count))
    rows = [row for name, n in zip(names, videos, strict=True) for v in range(n) for row in real(f"{name}_{v}", name)]
    pairs = list(itertools.permutations(names, 2))
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=count, max_size=len(pairs), unique=True))
    rows += [row for target, source in chosen for row in swap(target, source, frames=draw(st.integers(1, 2)))]
    return manifest(rows + [row for n in range(draw(st.integers(0, 12))) for row in real(f"loner{n}")])


@settings(max_examples=25, deadline=None)
@given(images=tangled_manifests(), seed=st.integers(0, 99))
def test_nobody_and_nothing_is_on_two_sides_and_the_check_agrees(images, seed):
    splits = split_images(images, "identity", seed)
    kept = splits != ""
    assert set(splits[kept]) == set(SPLITS)
    assert leaks(images, splits) == set()
    check_splits(images[kept], splits[kept], "identity")


@settings(max_examples=40, deadline=None)
@given(images=tangled_manifests(), data=st.data())
def test_the_check_refuses_exactly_what_the_oracle_finds(images, data):
    protocol, kinds = data.draw(
        st.sampled_from([("frame", ()), ("video", ("video",)), ("identity", ("video", "identity"))])
    )
    splits = split_images(images, protocol, 0)
    images, splits = images[splits != ""], splits[splits != ""]
    for place in data.draw(st.lists(st.integers(0, len(splits) - 1), max_size=2)):
        splits.iloc[place] = "train"
    if leaks(images, splits, kinds):
        with pytest.raises(UserError, match="forbids"):
            check_splits(images, splits, protocol)
    else:
        check_splits(images, splits, protocol)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(images=swap_graphs())
def test_every_default_protocol_splits_without_error_and_without_leaks_at_every_seed(images):
    seeds = range(6)
    for protocol in choose_protocols(images, (), seeds):
        for seed in seeds:
            splits = split_images(images, protocol, seed)
            kept = splits != ""
            check_splits(images[kept], splits[kept], protocol)


def test_identity_is_a_default_only_if_every_seed_can_draw_it():
    """A ring of ten swaps: with some seeds a side gets two persons who are not swapped with each other."""

    def ring(names, _):
        return zip(names, [*names[1:], names[0]], strict=True)

    images = swap_graph(10, pairs_of=ring, loners=6)
    split_images(images, "identity", 0)
    with pytest.raises(UserError, match="protocol 'identity', seed 4: too few groups"):
        split_images(images, "identity", 4)
    assert allowed_protocols(images, [0]) == ["frame", "video", "identity"]
    assert allowed_protocols(images, [0, 4]) == ["frame", "video"]


@settings(max_examples=25, deadline=None)
@given(images=swap_graphs(), seed=st.integers(0, 9))
def test_exactly_the_swaps_between_two_sides_are_dropped(images, seed):
    """Every person has a real video, whose split is the person's side."""
    try:
        splits = split_images(images, "identity", seed)
    except UserError:
        assume(False)
    reals = (images["label"] == "real") & (images["identity"] != "")
    side = dict(zip(images["identity"][reals], splits[reals], strict=True))
    assert "" not in side.values()
    for row, split in zip(images.to_dict("records"), splits, strict=True):
        sides = {side[person] for person in row["identity"].split(";") if person}
        if len(sides) > 1:
            assert split == "", row
        elif sides:
            assert {split} == sides, row
        else:
            assert split in SPLITS, row


@settings(max_examples=8, deadline=None)
@given(images=swap_graphs(), seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_and_the_name_of_the_set_do_not_matter(images, seed, order):
    try:
        expected = split_images(images, "identity", seed)
    except UserError:
        assume(False)
    shuffled = images.iloc[order.sample(range(len(images)), len(images))]
    assert split_images(shuffled, "identity", seed).reindex(expected.index).equals(expected)
    assert split_images(images.assign(dataset="a"), "identity", seed).equals(expected)


def test_persons_are_split_by_the_fractions_and_differently_for_each_seed():
    images = swap_graph(60, videos=3)
    first, second = (split_images(images, "identity", seed) for seed in (0, 1))
    reals = (images["label"] == "real") & (images["identity"] != "")
    shares = first[reals].value_counts(normalize=True)
    np.testing.assert_allclose(shares[SPLITS], [0.7, 0.2, 0.1], atol=0.02)
    assert 0.2 < (first[reals] != second[reals]).mean() < 0.8


def test_a_complete_swap_graph_keeps_the_swaps_within_the_sides():
    """20 persons with equally many images are split 14, 4, 2: of 20 * 19 swaps 14 * 13 + 4 * 3 + 2 are kept."""
    images = swap_graph(20)
    counts = pd.crosstab(images["label"], split_images(images, "identity", 3))
    assert counts.loc["fake", [*SPLITS, ""]].tolist() == [14 * 13, 4 * 3, 2, 184]
    assert counts.loc["real", [*SPLITS, ""]].tolist() == [14 * 2 + 21, 4 * 2 + 6, 2 * 2 + 3, 0]


@pytest.mark.parametrize("clusters", [1, 2])
@pytest.mark.parametrize("persons", [13, 59])
def test_celebdf(persons, clusters):
    """Both versions' numbers of persons, all swapped with all, or men with men and women with women."""

    def alike(names, _):
        return ((a, b) for a, b in itertools.permutations(names, 2) if (int(a[2:]) - int(b[2:])) % clusters == 0)

    images = swap_graph(persons, videos=10, pairs_of=alike, loners=250)
    assert allowed_protocols(images) == ["frame", "video", "identity"]
    for seed in range(4):
        splits = split_images(images, "identity", seed)
        assert leaks(images, splits) == set()
        counts = pd.crosstab(images["label"], splits)
        assert (counts[SPLITS] > 0).all(axis=None)
        assert counts.loc["real", SPLITS].sum() == persons * 10 + 250


def test_pairs_stay_whole_beside_a_large_component():
    """FaceForensics++ has no large component: each of its persons is swapped with one other."""
    rows = [row for n in range(50) for side in "ab" for row in real(f"{side}{n}_0", f"{side}{n}")]
    rows += [row for n in range(50) for pair in ("ab", "ba") for row in swap(f"{pair[0]}{n}", f"{pair[1]}{n}")]
    images = pd.concat(
        [manifest(rows).assign(dataset="pairs"), swap_graph(20).assign(dataset="celebdf")], ignore_index=True
    )
    splits = split_images(images, "identity")
    assert (splits[images["dataset"] == "pairs"] != "").all()
    assert (splits == "").sum() == 184


def families(count, persons):
    """Families whose persons are swapped among themselves."""
    names = [[f"f{family}p{person}" for person in range(persons)] for family in range(count)]
    rows = [row for family in names for name in family for row in real(f"{name}_0", name)]
    return rows + [row for family in names for pair in itertools.permutations(family, 2) for row in swap(*pair)]


def test_families_of_a_small_share_stay_whole():
    images = manifest(families(20, 6))
    assert (split_images(images, "identity") != "").all()


def test_one_name_in_two_data_sets_is_two_persons():
    """Two pairs in each: as one data set they are two groups, too few for three splits."""
    images = manifest(families(2, 2))
    images = pd.concat([images.assign(dataset=name, sha256=images["sha256"] + name) for name in "ab"])
    assert set(split_images(images, "identity")) == set(SPLITS)
    with pytest.raises(UserError, match="got 2 with real"):
        split_images(images.assign(dataset="a"), "identity")


def test_each_side_gets_two_persons_of_a_large_component_whatever_else_is_in_the_data():
    images = pd.concat([swap_graph(8, loners=0), manifest(families(40, 2))], ignore_index=True)
    images["path"] = images.index.astype(str) + ".png"
    member = images["identity"].str.match(r"id\d$")
    for seed in range(10):
        splits = split_images(images, "identity", seed)[member]
        persons = images["identity"][member].groupby(splits).nunique()
        assert persons.to_dict() == {"train": 4, "val": 2, "test": 2}


def test_without_identities_rows_are_grouped_by_video_and_original():
    """A DFDC original with its fakes, beside a few persons: identity and video draw the same groups."""
    rows = [row for o in range(40) for row in real(f"o{o}", frames=2)]
    rows += [{"label": "fake", "video": f"f{o}{k}", "original": f"o{o}"} for o in range(40) for k in range(3)]
    rows += [row for name in "ab" for v in range(2) for row in real(f"{name}{v}", name)]
    images = manifest(rows)
    splits = split_images(images, "identity")
    scene = images["original"].where(images["original"] != "", images["video"])
    assert splits[:200].groupby(scene).nunique().max() == 1
    assert splits[200:].groupby(images["identity"]).nunique().max() == 1
    assert (splits != "").all()


def test_identity_is_a_default_if_it_differs_from_video_and_can_be_drawn():
    alone = manifest([row for n in range(30) for row in [*real(f"v{n}", f"p{n}"), *swap(f"q{n}", f"s{n}")]])
    assert allowed_protocols(alone) == ["frame", "video"]
    assert allowed_protocols(alone.assign(video="", original="")) == ["frame"]
    assert "identity" in allowed_protocols(swap_graph(20))
    few = swap_graph(3)
    assert allowed_protocols(few) == ["frame", "video"]
    with pytest.raises(UserError, match="'identity' is not possible with these data, seed 0: too few groups"):
        choose_protocols(few, ("identity",))
    with pytest.raises(UserError, match="'identity' is not possible with these data, only frame, video"):
        choose_protocols(alone, ("identity",))
    with pytest.raises(UserError, match="too few groups of images .* got 31 with real images and 1 with fake"):
        split_images(few, "identity")
    with pytest.raises(UserError, match="'identity' is not possible"):
        split_images(few.assign(identity=""), "identity")


def test_if_no_order_gives_every_side_a_swap_the_error_counts_the_dropped_images():
    """Every swap shows one person, who is on one side: the other two sides have no fake."""

    def star(names, _):
        return ((names[0], other) for other in names[1:])

    images = swap_graph(8, pairs_of=star)
    with pytest.raises(UserError, match="and [2-7] images of swaps between the sides are dropped; add data"):
        split_images(images, "identity")


@pytest.mark.slow
def test_two_hundred_thousand_rows_are_split_and_checked():
    """59 persons, all swapped with all: a quadratic step would not finish."""
    images = swap_graph(59, videos=7, frames=52)
    assert len(images) == (59 * 7 + 59 * 58 + 30) * 52
    splits = split_images(images, "identity")
    check_splits(images[splits != ""], splits[splits != ""], "identity")
    assert 0.4 < (splits != "").mean() < 0.7
