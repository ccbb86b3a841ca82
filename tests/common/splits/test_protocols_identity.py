"""Protocol `identity`: no person on two sides, what is dropped, and when it is allowed."""

import itertools

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.errors import UserError
from common.splits.leaks import check_splits
from common.splits.protocols import choose_protocols, split_images
from tests.common.splits.manifests import SPLITS, leaks, manifest, real, swap, swap_graph


@st.composite
def tangled_manifests(draw):
    """Singles of each class, eight persons swapped with each other, and rows that share names and bytes with all."""
    rows = swap_graph(8, loners=60, unnamed=0).to_dict("records")
    rows += [{"label": "fake", "source": "gan", "video": f"gan{n}", "identity": f"gan{n}"} for n in range(60)]
    rows = [row | {"dataset": "a", "near": ""} for row in rows]
    video = st.sampled_from(["", "", "id1_0", "id2_id3_0", "v1", "v2", "loner3"])
    person = st.sampled_from(["", "id0", "id5", "new"])
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
    images = manifest(rows + draw(st.lists(tangled, min_size=1, max_size=20)))
    unnamed = (images["identity"] == "") | (images[["video", "original"]] == "").all(axis=1)
    assume(unnamed.sum() <= 0.05 * len(images))
    return images


@st.composite
def swap_graphs(draw):
    """Six to fourteen persons with one to three real videos each, any swaps of them, and reals of others."""
    count = draw(st.integers(6, 14))
    names = [f"p{number}" for number in range(count)]
    videos = draw(st.lists(st.integers(1, 3), min_size=count, max_size=count))
    rows = [row for name, n in zip(names, videos, strict=True) for v in range(n) for row in real(f"{name}_{v}", name)]
    pairs = list(itertools.permutations(names, 2))
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=count, max_size=len(pairs), unique=True))
    rows += [row for target, source in chosen for row in swap(target, source, frames=draw(st.integers(1, 2)))]
    return manifest(rows + [row for n in range(draw(st.integers(0, 12))) for row in real(f"loner{n}", f"loner{n}")])


@settings(max_examples=6, deadline=None)
@given(images=tangled_manifests(), seed=st.integers(0, 99))
def test_nobody_and_nothing_is_on_two_sides_and_the_check_agrees(images, seed):
    splits = split_images(images, "identity", seed)
    kept = splits != ""
    assert set(splits[kept]) == set(SPLITS)
    assert leaks(images, splits) == set()
    check_splits(images[kept], splits[kept], "identity")


@settings(max_examples=10, deadline=None)
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
@settings(max_examples=12, deadline=None)
@given(images=swap_graphs())
def test_every_default_protocol_splits_without_error_and_without_leaks_at_every_seed(images):
    seeds = range(6)
    for protocol in choose_protocols(images, (), seeds):
        for seed in seeds:
            splits = split_images(images, protocol, seed)
            kept = splits != ""
            check_splits(images[kept], splits[kept], protocol)


def test_a_ring_of_swaps_is_split_at_every_seed():
    """Ten persons, each swapped with the next: by hash alone a split could get two who are not swapped."""

    def ring(names, _):
        return zip(names, [*names[1:], names[0]], strict=True)

    images = swap_graph(10, pairs_of=ring, loners=6, unnamed=0)
    assert choose_protocols(images, (), range(8)) == ["frame", "video", "identity"]


@settings(max_examples=8, deadline=None)
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


@settings(max_examples=5, deadline=None)
@given(images=swap_graphs(), seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_and_the_name_of_the_set_do_not_matter(images, seed, order):
    try:
        expected = split_images(images, "identity", seed)
    except UserError:
        assume(False)
    shuffled = images.iloc[order.sample(range(len(images)), len(images))]
    assert split_images(shuffled, "identity", seed).reindex(expected.index).equals(expected)
    assert split_images(images.assign(dataset="a"), "identity", seed).equals(expected)


def test_pairs_stay_whole_beside_a_large_component():
    """FaceForensics++ has no large component: each of its persons is swapped with one other."""
    rows = [row for n in range(50) for side in "ab" for row in real(f"{side}{n}_0", f"{side}{n}")]
    rows += [row for n in range(50) for pair in ("ab", "ba") for row in swap(f"{pair[0]}{n}", f"{pair[1]}{n}")]
    images = pd.concat(
        [manifest(rows).assign(dataset="pairs"), swap_graph(20).assign(dataset="celebdf")], ignore_index=True
    )
    splits = split_images(images, "identity")
    assert (splits[images["dataset"] == "pairs"] != "").all()
    assert 0 < (splits == "").sum() < 300


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
    images = pd.concat([swap_graph(8, unnamed=0), manifest(families(40, 2))], ignore_index=True)
    images["path"] = images.index.astype(str) + ".png"
    member = images["identity"].str.match(r"id\d$")
    for seed in range(6):
        splits = split_images(images, "identity", seed)[member]
        persons = images["identity"][member].groupby(splits).nunique()
        assert persons.sum() == 8 and persons[SPLITS].min() >= 2


def test_a_row_without_a_person_is_grouped_by_video_and_original():
    """A DFDC original with its fakes, whose persons are not named, beside many that are."""
    rows = [row for o in range(3) for row in real(f"o{o}", frames=2)]
    rows += [{"label": "fake", "video": f"f{o}{k}", "original": f"o{o}"} for o in range(3) for k in range(3)]
    rows += families(80, 2)
    images = manifest(rows)
    for seed in range(4):
        splits = split_images(images, "identity", seed)
        scene = images["original"].where(images["original"] != "", images["video"])
        assert splits[:15].groupby(scene).nunique().max() == 1 and (splits != "").all()


def test_identity_is_a_default_if_it_differs_from_video_and_can_be_drawn():
    alone = manifest([row for n in range(30) for row in [*real(f"v{n}", f"p{n}"), *swap(f"q{n}", f"s{n}")]])
    assert choose_protocols(alone) == ["frame", "video"]
    assert choose_protocols(alone.assign(video="", original="")) == ["frame"]
    assert "identity" in choose_protocols(swap_graph(20))
    few = swap_graph(3, videos=6, loners=12, unnamed=0)
    assert choose_protocols(few) == ["frame", "video"]
    with pytest.raises(UserError, match="'identity' is not possible with these data, seed 0: too few groups"):
        choose_protocols(few, ("identity",))
    with pytest.raises(UserError, match="'identity' is not possible with these data, only frame, video"):
        choose_protocols(alone, ("identity",))
    with pytest.raises(UserError, match="too few groups of images .* got 13 with real images and 1 with fake"):
        split_images(few, "identity")
    with pytest.raises(UserError, match="'identity' is not possible"):
        split_images(few.assign(identity=""), "identity")


def test_if_no_order_gives_every_side_a_swap_the_error_counts_the_dropped_images():
    """Every swap shows one person, who is on one side: the other two sides have no fake."""

    def star(names, _):
        return ((names[0], other) for other in names[1:])

    images = swap_graph(8, pairs_of=star, unnamed=0)
    with pytest.raises(UserError, match="and [2-7] images of swaps between the sides are dropped; add data"):
        split_images(images, "identity")


@pytest.mark.slow
def test_two_hundred_thousand_rows_are_split_and_checked():
    """59 persons, all swapped with all: a quadratic step would not finish."""
    images = swap_graph(59, videos=7, frames=52)
    assert len(images) == (59 * 7 + 59 * 58 + 2) * 52
    splits = split_images(images, "identity")
    check_splits(images[splits != ""], splits[splits != ""], "identity")
    assert 0.3 < (splits != "").mean() < 0.7
