import cv2
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.data.datasets import read_data
from common.data.order import epoch_order
from common.data.pipeline import KEEPING, Images, Preprocessing
from common.data.pixel_store import PixelStore
from common.errors import UserError


@pytest.fixture
def table(prepared):
    return read_data((f"d={prepared}",), {"d": "folders"})[0].images


def in_one_array(batches):
    return np.concatenate([np.asarray(batch[0] if isinstance(batch, tuple) else batch) for batch in batches])


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
@pytest.mark.parametrize("shape", [(342, 342), (100, 61)])
def test_nearest_equals_opencvs_and_jpeg_equals_pillows(tmp_path, suffix, shape):
    pixels = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8), (5, 5), 0)
    file = tmp_path / f"image.{suffix}"
    Image.fromarray(pixels).save(file)
    images = Images(pd.DataFrame({"file": [str(file)], "label": ["fake"]}), Preprocessing(64, "nearest"))
    decoded = np.asarray(Image.open(file).convert("RGB"))
    expected = cv2.resize(decoded, (64, 64), interpolation=cv2.INTER_NEAREST) / 255
    np.testing.assert_allclose(in_one_array(images.evaluation_batches(1))[0], expected, atol=1e-6)


@pytest.mark.parametrize("method", KEEPING)
def test_an_image_that_has_the_size_keeps_its_pixels_in_every_way(method):
    pixels = np.random.default_rng(0).integers(0, 256, (37, 37, 3), dtype=np.uint8)
    preprocessing = Preprocessing(37, method)
    np.testing.assert_array_equal(preprocessing.resize_image(pixels), pixels)
    dynamic = tf.function(preprocessing._resize, input_signature=[tf.TensorSpec((None, None, 3), tf.uint8)])
    np.testing.assert_array_equal(dynamic(pixels), pixels, err_msg="what the operation itself gives")


def test_scale_and_offset_reach_the_stated_range():
    pixels = np.array([0, 127.5, 255], np.float32)
    preprocessing = Preprocessing(2, scale=1 / 127.5, offset=-1.0)
    np.testing.assert_allclose(preprocessing.scale_pixels(pixels), [-1, 0, 1], atol=1e-6)


def test_cached_and_reread_images_are_equal(table):
    preprocessing = Preprocessing(48, "bilinear")
    cached, reread = Images(table, preprocessing), Images(table, preprocessing, PixelStore(0, 0))
    for epoch in (0, 1, 2):
        left, right = (in_one_array(images.training_batches(8, 3, epoch)) for images in (cached, reread))
        np.testing.assert_array_equal(left, right)


def test_evaluation_keeps_the_tables_order_and_fills_the_last_batch(table):
    images = Images(table.iloc[:10], Preprocessing(16))
    batches = in_one_array(images.evaluation_batches(4))
    assert batches.shape == (12, 16, 16, 3)
    for place in (0, 4, 9):
        one = Images(table.iloc[[place]], Preprocessing(16))
        np.testing.assert_array_equal(in_one_array(one.evaluation_batches(1))[0], batches[place])
    np.testing.assert_array_equal(batches[10:], batches[[9, 9]])


def test_an_epoch_depends_on_seed_and_number_alone(table):
    def flip(images, seeds):
        pairs = tf.cast(images, tf.float32), seeds
        flip_one = tf.image.stateless_random_flip_left_right
        return tf.map_fn(lambda pair: flip_one(*pair), pairs, fn_output_signature=tf.float32)

    images = Images(table, Preprocessing(16))

    def epoch(seed, number):
        return in_one_array(images.training_batches(8, seed, number, augment=flip))

    np.testing.assert_array_equal(epoch(1, 2), epoch(1, 2))
    assert not np.array_equal(epoch(1, 2), epoch(1, 3))
    assert not np.array_equal(epoch(1, 2), epoch(2, 2))


def test_labels_come_with_their_images_one_column_wide(table):
    images = Images(table, Preprocessing(16, "nearest"))
    in_order = in_one_array(images.evaluation_batches(1))
    pixels = {image.tobytes(): label for image, label in zip(in_order, images.labels, strict=True)}
    for batch, labels in images.training_batches(8, 0, 0):
        assert labels.shape == (8, 1)
        for image, label in zip(batch.numpy(), labels.numpy()[:, 0], strict=True):
            assert pixels[image.tobytes()] == label


def test_too_few_images_for_a_batch_are_refused(table):
    with pytest.raises(UserError, match="batch of 128 training images, got 80"):
        Images(table, Preprocessing(16)).training_batches(128, 0, 0)


@given(st.integers(0, 3), st.integers(1, 60), st.integers(1, 60), st.integers(2, 16), st.floats(0.01, 0.99))
@settings(deadline=None)
def test_every_batch_has_the_stated_share_of_fakes(seed, fakes, reals, batch, share):
    labels = np.array([1] * fakes + [0] * reals)
    in_batch = round(share * batch)
    if not 0 < in_batch < batch:
        with pytest.raises(UserError):
            epoch_order(labels, batch, seed, 0, share)
        return
    order = epoch_order(labels, batch, seed, 0, share).reshape(-1, batch)
    assert (labels[order].sum(axis=1) == in_batch).all()
    for members, count in ((range(fakes), in_batch), (range(fakes, fakes + reals), batch - in_batch)):
        times = np.bincount(order.ravel(), minlength=len(labels))[list(members)]
        assert times.max() - times.min() <= 1, "images of one class are drawn equally often"
        assert times.sum() == count * len(order)


@given(st.integers(0, 5), st.integers(0, 5), st.integers(1, 50))
def test_without_a_share_an_epoch_is_a_permutation(seed, epoch, n):
    order = epoch_order(np.zeros(n, int), 4, seed, epoch)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
