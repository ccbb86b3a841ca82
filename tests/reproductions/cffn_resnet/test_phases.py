"""The two phases of training: what each trains, its loss and penalty, its learning rate and its end."""

import keras
import numpy as np
import pytest

from common.training.distribution import set_up
from common.training.fit import TrainingPlan
from common.training.supervised import Training
from reproductions.cffn_resnet.phases import (
    CLASSIFIER,
    TRIPLET,
    Phase,
    Schedule,
    WholeNetwork,
    fit_under_schedule,
    triplet_loss,
)

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def count_parameters(network):
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


@pytest.mark.slow
def test_each_phase_trains_what_the_paper_says(short_towers, narrow_networks, batches):
    """Phase 1 moves the encoder and nothing else. Phase 2 moves stem, towers and classifier, and the encoding's matrix
    by its penalty alone: one step of SGD with rate 1 takes off 0.001 of it."""
    networks = narrow_networks()
    shared = {layer.name for layer in networks.encoder.layers}
    head = {layer.name: layer for layer in networks.classifier.layers if layer.weights and layer.name not in shared}
    assert sorted(head) == ["evidence", "final_norm", "logits"]
    before = {name: layer.get_weights() for name, layer in head.items()}
    stem, encoding = networks.classifier.get_layer("stem").kernel, networks.encoder.get_layer("encoding")
    start = stem.numpy(), encoding.kernel.numpy()
    networks.encoder.compile(keras.optimizers.SGD(1.0), triplet_loss(), jit_compile=False)
    networks.encoder.fit(batches(steps=1), verbose=0)
    assert (stem.numpy() != start[0]).any() and (encoding.kernel.numpy() != start[1]).any()
    for name, layer in head.items():
        for old, new in zip(before[name], layer.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    start, bias = (stem.numpy(), encoding.kernel.numpy()), encoding.bias.numpy()
    whole = WholeNetwork(networks)
    weights = {id(weight): weight for network in networks for weight in network.trainable_weights}
    # All but the encoding's bias, which has no gradient.
    assert count_parameters(whole) == sum(int(np.prod(weight.shape)) for weight in weights.values()) - 128
    whole.compile(keras.optimizers.SGD(1.0), CROSS_ENTROPY, jit_compile=False)
    whole.fit(batches(steps=1), verbose=0)
    assert (stem.numpy() != start[0]).any()
    assert all((before[name][0] != layer.get_weights()[0]).any() for name, layer in head.items())
    np.testing.assert_allclose(encoding.kernel.numpy(), start[1] * 0.999, rtol=1e-5)
    np.testing.assert_array_equal(encoding.bias.numpy(), bias)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_penalty_is_half_the_squares_of_two_matrices_in_float32(
    short_towers, narrow_networks, batches, pictures, labels, precision
):
    set_up(precision=precision)
    try:
        networks = narrow_networks()
        whole = WholeNetwork(networks, penalty=0.5)
    finally:
        set_up(precision="auto")
    whole.compile(keras.optimizers.SGD(0.0), CROSS_ENTROPY, jit_compile=False)
    loss = whole.evaluate(batches(steps=1), verbose=0)
    logits = networks.classifier.predict_on_batch(pictures()).astype(float)
    np.testing.assert_array_equal(whole.predict_on_batch(pictures()), logits)
    cross_entropy = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(8), labels]
    matrices = [networks.encoder.get_layer("encoding").kernel, networks.classifier.get_layer("logits").kernel]
    penalty = sum(0.25 * (matrix.numpy().astype(float) ** 2).sum() for matrix in matrices)
    assert loss == pytest.approx(cross_entropy.mean() + penalty, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("phase", [TRIPLET, CLASSIFIER])
def test_two_replicas_train_like_one(short_towers, narrow_networks, batches, phase):
    def train(strategy):
        """Return the losses and the weights of three steps. Another form of batch normalisation rounds otherwise."""
        with strategy.scope():
            networks = narrow_networks(synchronized=True)
            network = networks.encoder if phase == TRIPLET else WholeNetwork(networks, penalty=0.1)
            loss = triplet_loss() if phase == TRIPLET else CROSS_ENTROPY
            network.compile(keras.optimizers.SGD(0.05), loss, jit_compile=False)
        history = network.fit(batches(steps=3), verbose=0, shuffle=False).history
        return history["loss"], network.get_weights()

    losses, weights = zip(*(train(set_up(name)) for name in ("mirrored", "none")), strict=True)
    np.testing.assert_allclose(*losses, rtol=1e-5)  # float32 sums of three steps
    for two, one in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, rtol=0, atol=5e-6)


def test_the_triplet_losses_equal_plain_loops(labels):
    """Eq. (1) over all triplets, and the hardest ones of the author's code."""
    blur = np.linspace(0, 0.8, 8)[:, None]  # some triplets are beyond the margin, others are not
    encodings = blur * np.random.default_rng(0).dirichlet(np.full(128, 0.05), 8) + (1 - blur) * np.eye(128)[labels]
    encodings = encodings.astype(np.float32)
    squares = ((encodings[:, None] - encodings[None]) ** 2).sum(axis=-1).astype(float)
    losses, hard_losses = [], []
    for anchor in range(8):
        positives = [place for place in range(8) if labels[place] == labels[anchor] and place != anchor]
        negatives = [place for place in range(8) if labels[place] != labels[anchor]]
        distances = squares[anchor]
        losses += [
            max(distances[positive] - distances[negative] + 0.8, 0) for positive in positives for negative in negatives
        ]
        hardest = max(distances[positives]) ** 0.5 - min(distances[negatives]) ** 0.5
        hard_losses.append(max(hardest + 0.8, 0))
    assert 0 < np.count_nonzero(losses) < len(losses)
    assert float(triplet_loss()(labels, encodings)) == pytest.approx(np.mean(losses), rel=1e-5)
    hard = float(triplet_loss("hard", squared=False)(labels, encodings))
    assert hard == pytest.approx(np.mean(hard_losses), rel=1e-5)


def test_the_learning_rate_falls_as_in_the_paper():
    rate = Schedule().rate
    assert [rate(TRIPLET, trained) for trained in (0, 4, 20)] == [1e-4] * 3
    assert [rate(CLASSIFIER, trained) for trained in (5, 8, 15)] == [1e-5] * 3
    assert [rate(CLASSIFIER, trained) for trained in (0, 4)] == [1e-4] * 2, "if phase 2 replaces phase 1"
    assert rate(CLASSIFIER, 16) == rate(CLASSIFIER, 19) == 1e-6
    assert rate(CLASSIFIER, 7, [0.8, 0.8899]) == 1e-5
    assert rate(CLASSIFIER, 8, [0.8, 0.89, 0.5]) == 1e-6, "once reached, it stays low"


def test_training_ends_at_94_per_cent_from_epoch_15_on():
    is_over = Schedule().is_over
    assert not is_over(CLASSIFIER, 14, [0.99]) and is_over(CLASSIFIER, 15, [0.94])
    assert not is_over(CLASSIFIER, 15, [0.95, 0.9399]) and not is_over(CLASSIFIER, 15)
    assert not is_over(TRIPLET, 15, [0.99])


def tiny_network():
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    network.compile(keras.optimizers.Adam(1.0), CROSS_ENTROPY, jit_compile=False)
    return network


@pytest.fixture
def training(tmp_path):
    return Training(set_up("none"), tmp_path / "state")


@pytest.fixture
def one_step(batches):
    return lambda epoch: batches(epoch, steps=1)


def constant(**values):
    return lambda network: values


@pytest.mark.slow
def test_a_killed_phase_resumes_with_its_learning_rate_and_its_end(one_step, training):
    """Epochs 14 to 17 of both phases: 1e-5 until 0.89 is reached, and the end at 0.94. After a kill, the second process
    trains the rest and has the same weights."""
    accuracies = [0.8, 0.9, 0.93, 0.94, 1.0]
    phase = Phase(CLASSIFIER, TrainingPlan(5, "val_accuracy"), Schedule(), epochs_before=13)

    def run(name, killed_in=None):
        network, validated = tiny_network(), []

        def validate(network):
            validated.append(int(network.optimizer.iterations.numpy()))  # an epoch has one step
            if validated[-1] == killed_in:
                raise KeyboardInterrupt
            return {"val_accuracy": accuracies[validated[-1] - 1]}

        history, _ = fit_under_schedule(phase, network, one_step, validate, training.part(name))
        return history, network.get_weights(), validated

    history, expected, _ = run("whole")
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(history["learning_rate"], [1e-5, 1e-5, 1e-6, 1e-6])
    with pytest.raises(KeyboardInterrupt):
        run("killed", killed_in=3)
    history, weights, validated = run("killed")
    assert validated == [3, 4]
    np.testing.assert_allclose(history["learning_rate"], [1e-5, 1e-5, 1e-6, 1e-6])
    for left, right in zip(expected, weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)
    assert run("killed")[2] == [], "a phase that is over trains nothing"


def test_the_optimizer_uses_the_learning_rate_of_the_phase(one_step, training):
    """Adam's first step moves every weight by the learning rate, whatever it was compiled with."""
    network = tiny_network()
    before = network.get_weights()[0]
    phase = Phase(TRIPLET, TrainingPlan(1, "val_loss"), Schedule())
    history, notes = fit_under_schedule(phase, network, one_step, constant(val_loss=0.5), training)
    np.testing.assert_allclose(history["learning_rate"], [1e-4])
    np.testing.assert_allclose(np.abs(network.get_weights()[0] - before), 1e-4, rtol=1e-2)
    assert notes == ["epoch 1 of 1 by val_loss"]


def test_the_patience_of_a_plan_ends_a_phase_too(one_step, training):
    phase = Phase(TRIPLET, TrainingPlan(9, "val_loss", patience=2), Schedule())
    history, _ = fit_under_schedule(phase, tiny_network(), one_step, constant(val_loss=0.5), training)
    assert len(history) == 3


@pytest.mark.slow
def test_a_phase_keeps_the_state_of_the_whole_network(short_towers, narrow_networks, one_step, training):
    """The state of phase 2 has the encoding's matrix: a second process that starts from other weights gets it back."""
    phase = Phase(CLASSIFIER, TrainingPlan(1, "val_accuracy"), Schedule(), epochs_before=5)

    def train(networks):
        whole = WholeNetwork(networks)
        whole.compile(keras.optimizers.SGD(1.0), CROSS_ENTROPY, jit_compile=False)
        fit_under_schedule(phase, whole, one_step, constant(val_accuracy=0.5), training)
        return whole

    first, second = narrow_networks(), narrow_networks()
    second.encoder.get_layer("encoding").set_weights([np.zeros((16, 128)), np.zeros(128)])
    for left, right in zip(train(first).get_weights(), train(second).get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    kernels = [networks.encoder.get_layer("encoding").kernel.numpy() for networks in (first, second)]
    np.testing.assert_array_equal(*kernels)
    assert kernels[1].any()
