"""Two replicas take the training step of one: the small networks of the papers under their losses, without dropout.

The others: cffn_resnet/test_phases, siamese_triplet/test_model, dcgan_inception_resnet/test_gan, all mined losses in
common/losses/test_losses_distributed, backbones' batch normalisation in common/networks/test_backbones.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.library_internals import all_layers
from common.losses import SemiHard
from common.networks import mesonet
from common.training.distribution import set_up
from reproductions.facenet_embeddings import model as facenet
from reproductions.mesoinception_svm import model as meso

BATCH = 8
GENERATOR = np.random.default_rng(0)
LABELS = np.tile([0.0, 1.0], BATCH // 2).astype(np.float32)[:, None]  # both classes on each replica


def values(*shape):
    return GENERATOR.normal(size=(BATCH, *shape)).astype(np.float32)


CASES = {  # of batch normalisation, Keras's form: the fused one, for one device, rounds the variance to about 1e-4
    "mesoinception4, squared error": (lambda: mesonet.mesoinception4(32, synchronized=True), "mse", values(32, 32, 3)),
    "meso4_hinge, hinge and penalty": (lambda: meso.meso4_hinge(32, synchronized=True), "hinge", values(32, 32, 3)),
    "LSTM, cross-entropy": (lambda: facenet.xception_lstm(16, 8), "sparse_categorical_crossentropy", values(5, 16)),
    "base network, semi-hard triplets": (lambda: facenet.base_network(16), SemiHard(1.0), values(16)),
}


def train(strategy, build, loss, inputs):
    """Return the weights before and after a step, and the logged loss."""
    keras.utils.set_random_seed(5)
    with strategy.scope():
        network = build()
        for layer in all_layers(network):
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0  # its masks differ by nature
        network.compile(keras.optimizers.SGD(0.02), loss, jit_compile=False)
    before = network.get_weights()
    batch = tf.data.Dataset.from_tensor_slices((inputs, LABELS)).batch(BATCH, drop_remainder=True)
    history = network.fit(batch, verbose=0, shuffle=False).history
    return before, network.get_weights(), history["loss"][0]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_replicas_step_like_one(case):
    two = set_up("mirrored")
    assert two.num_replicas_in_sync == 2
    before, one_weights, one_loss = train(set_up("none"), *CASES[case])
    _, two_weights, two_loss = train(two, *CASES[case])
    assert two_loss == pytest.approx(one_loss, rel=1e-6) and one_loss > 0
    assert max(np.abs(new - old).max() for new, old in zip(one_weights, before, strict=True)) > 2e-4
    for one, other in zip(one_weights, two_weights, strict=True):
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-6 * max(1, np.abs(one).max()))
