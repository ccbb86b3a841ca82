"""Several machines together read the batches that one machine reads."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from common.data.augmentation import uniform
from common.data.datasets import open_dataset
from common.data.pipeline import Images, Preprocessing, batches_of_arrays
from common.data.sharding import Shard, current_shard, sharded


class Strategy:
    """What a strategy says about its machines."""

    def __init__(self, jobs, task_type, task_id):
        spec = tf.train.ClusterSpec(jobs)
        self.cluster_resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(spec, "", task_type, task_id)


def joined(open_batches, machines):
    """The global batches: those of all machines side by side."""
    parts = []
    for rank in range(machines):
        with sharded(Shard(rank, machines)):
            data = open_batches()
        parts.append([[np.asarray(part) for part in batch] for batch in data])
    assert len({len(part) for part in parts}) == 1
    return [[np.concatenate(parts) for parts in zip(*batches, strict=True)] for batches in zip(*parts, strict=True)]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 60))
def test_the_parts_of_all_machines_are_the_full_batches_in_their_order(machines, own, count):
    size = machines * own
    order = np.arange(count // size * size).reshape(-1, size)
    parts = [Shard(rank, machines).positions(count, size).reshape(-1, own) for rank in range(machines)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), order)
    assert Shard(0, machines).size(size) == own


def test_ranks_begin_with_the_chief():
    jobs = {"worker": ["b:1", "c:1"], "chief": ["a:1"]}
    shards = [Shard.of(Strategy(jobs, *task)) for task in (("chief", 0), ("worker", 0), ("worker", 1))]
    assert shards == [Shard(0, 3), Shard(1, 3), Shard(2, 3)]
    assert [shard.is_chief for shard in shards] == [True, False, False]
    assert Shard.of(Strategy({"worker": ["a:1", "b:1"]}, "worker", 0)).is_chief
    assert Shard.of(tf.distribute.get_strategy()) == Shard.of(None) == Shard(0, 1)


def test_outside_of_the_block_all_data_are_read():
    with pytest.raises(ZeroDivisionError), sharded(Shard(1, 2)):
        assert current_shard() == Shard(1, 2)
        1 / 0  # noqa: B018
    assert current_shard() == Shard(0, 1)


def test_two_machines_read_the_images_of_one_with_the_same_augmentation(prepared):
    images = Images(open_dataset("dfdc", prepared).images, Preprocessing(16))

    def augment(images, seeds):
        return tf.cast(images, tf.float32) + uniform(seeds, 1, 0.0, 99.0)[:, :, None, None]

    def open_batches():
        return images.training_batches(12, 3, 1, augment, fake_share=0.25)

    expected = [[np.asarray(part) for part in batch] for batch in open_batches()]
    assert len(expected) == 13  # each has 3 of the 40 fakes
    for one, two in zip(expected, joined(open_batches, 2), strict=True):
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])


def test_two_machines_read_the_groups_and_arrays_of_one(prepared):
    images = Images(open_dataset("dfdc", prepared).images, Preprocessing(16))
    groups = np.random.default_rng(0).integers(0, len(images), (11, 3))
    values, labels = np.arange(22.0).reshape(11, 2), np.arange(11) % 2
    for open_batches in (
        lambda: images.grouped_batches(groups, 4),
        lambda: batches_of_arrays(values, labels, np.arange(11)[::-1], 4),
    ):
        expected, found = list(open_batches()), joined(open_batches, 2)
        assert len(expected) == len(found) == 2
        for one, two in zip(expected, found, strict=True):
            np.testing.assert_array_equal(one[0], two[0])
            np.testing.assert_array_equal(one[1], two[1])
