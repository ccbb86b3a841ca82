"""The CFFN's networks against the paper's figures, and the parts its two phases of training need."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from common.errors import UserError
from common.training.distribution import set_up
from common.training.fit import Plan
from reproductions.cffn_resnet import model
from reproductions.cffn_resnet.model import STAGES, networks
from reproductions.cffn_resnet.phases import CLASSIFIER, TRIPLET, Schedule, WholeNetwork, fit_phase, triplet_loss

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
LABELS = np.array([0, 1, 1, 1, 1, 0, 1, 1])


def pictures(count=8, size=64, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def batches(epoch=0, steps=2, size=64):
    images = pictures(8 * steps, size, seed=epoch)
    return tf.data.Dataset.from_tensor_slices((images, np.tile(LABELS, steps))).batch(8)


def narrow(**options):
    """Networks with 4 to 16 filters and the same first weights at every call."""
    keras.utils.set_random_seed(2)
    return networks(**{"image_size": 64, "width": 1 / 16, "kernels": (3,)} | options)


@pytest.fixture
def short(monkeypatch):
    """Towers with one unit a stage: a quarter of the layers to trace."""
    monkeypatch.setattr(model, "STAGES", tuple((channels, 1) for channels, _ in STAGES))


def learnt(*models):
    weights = {id(weight): weight for each in models for weight in each.trainable_weights}
    return sum(int(np.prod(weight.shape)) for weight in weights.values())


@pytest.mark.parametrize(
    ("size", "sides", "expected"), [(224, (55, 27, 13, 6), 36_284_680), (64, (15, 7, 3, 1), 33_990_920)]
)
def test_the_network_is_figures_1_and_2_stage_by_stage(size, sides, expected):
    """A 7x7 stem with stride 4 and no padding leaves floor((S - 7) / 4) + 1 pixels, each 2x2 pooling half of them.

    Inputs times outputs of a tower's convolutions: 2*64^2 | 64^2 + 64*96 | 6*96^2 + 96^2 + 96*128 | 4*128^2 + 128^2 +
    128*256 | 12*256^2 = 996,352, 9 weights each in one tower and 25 in the other: 33,875,968. Biases: 5,056 a tower.
    Batch normalisation: scale and shift of the 4,864 channels that a tower's convolutions read, 9,728 a tower. Stem
    49*3*64 + 64 = 9,472. Encoding: (512 * side^2 + 1) * 128. Head: 2*512 + 9*512*2 + 2 + 6 = 10,248.
    """
    encoder, classifier = networks(size)
    towers = 33_875_968 + 2 * 5_056 + 2 * 9_728
    assert expected == towers + 9_472 + (512 * sides[-1] ** 2 + 1) * 128 + 10_248
    assert learnt(encoder, classifier) == expected
    assert learnt(classifier) == expected - (512 * sides[-1] ** 2 + 1) * 128
    shape = {layer.name: layer.output.shape[1:] for layer in (*encoder.layers, *classifier.layers)}
    assert shape["scaled"] == (size, size, 3) and shape["stem"] == (sides[0], sides[0], 64)
    units = [64, 96, 96, 96, 96, 128, 128, 128, 256, 256, 256, 256, 256, 256, 256]
    places = [0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3]
    for kernel in (3, 5):
        for number, (channels, place) in enumerate(zip(units, places, strict=True), 1):
            assert shape[f"tower{kernel}_unit{number}"] == (sides[place], sides[place], channels)
        assert f"tower{kernel}_unit16" not in shape
    assert shape["towers"] == (sides[-1], sides[-1], 512) and shape["flat"] == (512 * sides[-1] ** 2,)
    assert shape[model.EVIDENCE] == (sides[-1], sides[-1], 2) and shape["means"] == shape["logits"] == (2,)
    assert encoder.output_shape == (None, 128) and classifier.output_shape == (None, 2)


def by_hand(image, weights, kernel, activate):
    """One tower and both heads in plain loops, inference: image (S, S, 3) -> (encoding (128,), logits (2,))."""

    def convolve(x, name, stride=1, same=True):
        filters, bias = weights[name]
        k = len(filters)
        x = np.pad(x, ((k // 2, k // 2), (k // 2, k // 2), (0, 0))) if same else x
        side = (len(x) - k) // stride + 1
        out = np.zeros((side, side, len(bias))) + bias
        for i in range(side):
            for j in range(side):
                patch = x[i * stride : i * stride + k, j * stride : j * stride + k]
                out[i, j] += np.einsum("abc,abco->o", patch, filters)
        return out

    def activated(x, name):
        scale, shift, mean, variance = weights[f"{name}_norm"]
        return activate((x - mean) / np.sqrt(variance + 1e-3) * scale + shift)

    x = convolve(image / 255, "stem", stride=4, same=False)
    number = 0
    for stage, (_, units) in enumerate(STAGES):
        for unit in range(units):
            number += 1
            name = f"tower{kernel}_unit{number}"
            if unit == units - 1 and stage < 3:
                half = len(x) // 2
                x = x[: 2 * half, : 2 * half].reshape(half, 2, half, 2, -1).mean(axis=(1, 3))
            y = convolve(activated(x, f"{name}_first"), f"{name}_first")
            y = convolve(activated(y, f"{name}_second"), f"{name}_second")
            more = y.shape[-1] - x.shape[-1]
            x = y + np.pad(x, ((0, 0), (0, 0), (more // 2, more - more // 2)))
    encoding = np.exp(x.ravel() @ weights["encoding"][0] + weights["encoding"][1])
    means = convolve(activated(x, "final"), model.EVIDENCE).mean(axis=(0, 1))
    return encoding / encoding.sum(), means @ weights["logits"][0] + weights["logits"][1]


@pytest.mark.parametrize(("kernel", "activation", "size"), [(3, "swish", 64), (5, "relu", 83)])
def test_a_tower_and_both_heads_by_hand(kernel, activation, size):
    """With random scales, shifts, averages and biases, so that nothing is hidden by ones and zeros. 83 px: 20 - 10 - 5
    - 2, odd sides are cut by the pooling. Widths of 3, 5, 6, 13 channels make the zeros around a skip uneven."""
    encoder, classifier = narrow(image_size=size, kernels=(kernel,), activation=activation, width=0.05)
    generator = np.random.default_rng(0)
    weights = {}
    for layer in {layer.name: layer for each in (encoder, classifier) for layer in each.layers}.values():
        if layer.weights:
            layer.set_weights([w + generator.uniform(0, 0.3, w.shape) * (w.ndim == 1) for w in layer.get_weights()])
            weights[layer.name] = layer.get_weights()
    activate = {"swish": lambda x: x / (1 + np.exp(-x)), "relu": lambda x: np.maximum(x, 0)}[activation]
    images = pictures(2, size)
    encodings, logits = encoder.predict_on_batch(images), classifier.predict_on_batch(images)
    scores = model.fake_score(classifier).predict_on_batch(images)
    for image, encoding, pair, score in zip(images, encodings, logits, scores, strict=True):
        expected_encoding, expected = by_hand(image.astype(float), weights, kernel, activate)
        np.testing.assert_allclose(encoding, expected_encoding, rtol=2e-3, atol=1e-5)
        np.testing.assert_allclose(pair, expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(score, np.exp(expected[1]) / np.exp(expected).sum(), atol=1e-4)


def test_the_towers_read_one_stem_and_stand_side_by_side(short):
    both = narrow(kernels=(3, 5)).classifier
    for kernel in (3, 5):
        alone = narrow(kernels=(kernel,)).classifier
        for layer in both.layers:
            if layer.name == "stem" or layer.name.startswith(f"tower{kernel}"):
                alone.get_layer(layer.name).set_weights(layer.get_weights())
        tower = keras.Model(alone.input, alone.get_layer(f"tower{kernel}_unit4").output).predict_on_batch(pictures())
        joined = keras.Model(both.input, both.get_layer("towers").output).predict_on_batch(pictures())
        half = slice(0, 16) if kernel == 3 else slice(16, 32)
        np.testing.assert_allclose(joined[..., half], tower, rtol=1e-4, atol=1e-5)


def test_a_width_narrows_stem_and_towers_and_a_small_image_is_refused():
    encoder, classifier = narrow(width=0.25)
    names = ["stem", "tower3_unit1", "tower3_unit2", "tower3_unit6", "tower3_unit9", "evidence"]
    assert [classifier.get_layer(name).output.shape[-1] for name in names] == [16, 16, 24, 32, 64, 2]
    assert encoder.output_shape == (None, 128)
    assert narrow(image_size=35).encoder.get_layer("flat").output.shape == (None, 16)
    with pytest.raises(UserError, match="at least 35x35, got 34x34"):
        narrow(image_size=34)


def test_initial_weights_are_hes_or_the_codes():
    """He: deviation sqrt(2 / inputs). The code's: a normal distribution cut at 2 has the deviation 0.8796."""
    he, code = (narrow(width=0.5, initializer=name).classifier for name in ("he", "code"))
    kernels = [[layer.kernel.numpy() for layer in each.layers if "_unit" in layer.name and layer.weights[2:] == []
                and isinstance(layer, keras.layers.Conv2D)] for each in (he, code)]  # fmt: skip
    for first, second in zip(*kernels, strict=True):
        assert first.std() == pytest.approx(np.sqrt(2 / np.prod(first.shape[:3])), rel=0.1)
        assert second.std() == pytest.approx(0.8796, rel=0.05) and np.abs(second).max() <= 2
    for name in ("stem", "tower3_unit9_second", "evidence", "logits"):
        assert not he.get_layer(name).bias.numpy().any()
        assert code.get_layer(name).bias.numpy().any()
    assert np.abs(code.get_layer("logits").kernel.numpy()).max() <= 2


def test_outputs_are_float32_under_mixed_precision(short):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        encoder, classifier = narrow()
        scores = model.fake_score(classifier)
    finally:
        keras.config.set_dtype_policy("float32")
    assert classifier.get_layer("tower3_unit1_first").compute_dtype == "bfloat16"
    assert {each.predict_on_batch(pictures(2)).dtype for each in (encoder, classifier, scores)} == {np.dtype("float32")}
    np.testing.assert_allclose(encoder.predict_on_batch(pictures(2)).sum(axis=1), 1, atol=1e-6)


def test_networks_load_in_a_fresh_process_in_safe_mode(short, tmp_path):
    encoder, classifier = narrow()
    saved = {"encoder": encoder, "classifier": model.fake_score(classifier)}
    np.save(tmp_path / "images.npy", pictures(2))
    for name, network in saved.items():
        network.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", network.predict_on_batch(pictures(2)))
    code = f"""
import common.layers, keras, numpy as np, sys
for name in {list(saved)}:
    network = keras.models.load_model(f"{tmp_path}/{{name}}.keras", compile=False, safe_mode=True)
    output = network.predict_on_batch(np.load("{tmp_path}/images.npy"))
    np.testing.assert_allclose(output, np.load(f"{tmp_path}/{{name}}.npy"), rtol=1e-4, atol=1e-5)
assert "reproductions" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_phases_train_what_the_paper_says(short):
    """Phase 1 moves the encoder and nothing else; phase 2 stem, towers and classifier, and the encoding's matrix by
    its penalty alone: one step of SGD with rate 1 takes off 0.001 of it."""
    both = narrow()
    head = {layer.name for layer in both.classifier.layers} - {layer.name for layer in both.encoder.layers}
    head = {layer.name: layer for layer in both.classifier.layers if layer.name in head and layer.weights}
    assert sorted(head) == ["evidence", "final_norm", "logits"]
    before = {name: layer.get_weights() for name, layer in head.items()}
    stem, matrix = both.classifier.get_layer("stem").kernel, both.encoder.get_layer("encoding").kernel
    start = stem.numpy(), matrix.numpy()
    both.encoder.compile(keras.optimizers.SGD(1.0), triplet_loss(), jit_compile=False)
    both.encoder.fit(batches(steps=1), verbose=0)
    assert (stem.numpy() != start[0]).any() and (matrix.numpy() != start[1]).any()
    for name, layer in head.items():
        for old, new in zip(before[name], layer.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
    start, bias = (stem.numpy(), matrix.numpy()), both.encoder.get_layer("encoding").bias.numpy()
    whole = WholeNetwork(both)
    assert learnt(whole) == learnt(*both) - 128  # all but the encoding's bias, which gets no gradient
    whole.compile(keras.optimizers.SGD(1.0), CROSS_ENTROPY, jit_compile=False)
    whole.fit(batches(steps=1), verbose=0)
    assert (stem.numpy() != start[0]).any()
    assert all(
        (old != layer.get_weights()[0]).any()
        for old, layer in zip([b[0] for b in before.values()], head.values(), strict=True)
    )
    np.testing.assert_allclose(matrix.numpy(), start[1] * 0.999, rtol=1e-5)
    np.testing.assert_array_equal(both.encoder.get_layer("encoding").bias.numpy(), bias)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_penalty_is_half_the_squares_of_two_matrices_in_float32(short, precision):
    set_up(precision=precision)
    try:
        both = narrow()
        whole = WholeNetwork(both, penalty=0.5)
    finally:
        set_up(precision="auto")
    whole.compile(keras.optimizers.SGD(0.0), CROSS_ENTROPY, jit_compile=False)
    loss = whole.evaluate(batches(steps=1), verbose=0)
    logits = both.classifier.predict_on_batch(pictures(8)).astype(float)
    np.testing.assert_array_equal(whole.predict_on_batch(pictures(8)), logits)
    cross_entropy = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(8), LABELS]
    matrices = both.encoder.get_layer("encoding").kernel.numpy(), both.classifier.get_layer("logits").kernel.numpy()
    penalty = sum(0.25 * (matrix.astype(float) ** 2).sum() for matrix in matrices)
    assert loss == pytest.approx(cross_entropy.mean() + penalty, rel=1e-5)


def trained(strategy, phase):
    """The loss and the weights after three steps of one phase."""
    with strategy.scope():
        both = narrow(synchronized=strategy.num_replicas_in_sync > 1)
        trained = both.encoder if phase == TRIPLET else WholeNetwork(both, penalty=0.1)
        trained.compile(
            keras.optimizers.SGD(0.05), triplet_loss() if phase == TRIPLET else CROSS_ENTROPY, jit_compile=False
        )
    history = trained.fit(batches(steps=3), verbose=0, shuffle=False).history
    return history["loss"], trained.get_weights()


@pytest.mark.parametrize("phase", [TRIPLET, CLASSIFIER])
def test_two_replicas_train_as_one(short, phase):
    losses, weights = zip(*(trained(set_up(name), phase) for name in ("mirrored", "none")), strict=True)
    np.testing.assert_allclose(*losses, rtol=1e-4)
    for two, one in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, atol=2e-5)


def test_the_triplet_losses_are_the_papers_and_the_codes():
    """Eq. (1) over all triplets, and the code's hardest ones, in plain loops."""
    blur = np.linspace(0, 0.8, 8)[:, None]  # so that some triplets are beyond the margin and others are not
    encodings = blur * np.random.default_rng(0).dirichlet(np.full(128, 0.05), 8) + (1 - blur) * np.eye(128)[LABELS]
    encodings = encodings.astype(np.float32)
    squares = ((encodings[:, None] - encodings[None]) ** 2).sum(axis=-1).astype(float)
    every, hard = [], []
    for a in range(8):
        positives = [p for p in range(8) if LABELS[p] == LABELS[a] and p != a]
        negatives = [n for n in range(8) if LABELS[n] != LABELS[a]]
        every += [max(squares[a, p] - squares[a, n] + 0.8, 0) for p in positives for n in negatives]
        hardest = max(squares[a, p] for p in positives) ** 0.5 - min(squares[a, n] for n in negatives) ** 0.5
        hard.append(max(hardest + 0.8, 0))
    assert 0 < np.count_nonzero(every) < len(every)
    assert float(triplet_loss()(LABELS, encodings)) == pytest.approx(np.mean(every), rel=1e-5)
    assert float(triplet_loss("hard", squared=False)(LABELS, encodings)) == pytest.approx(np.mean(hard), rel=1e-5)


def test_the_learning_rate_falls_as_the_paper_says():
    rate = Schedule().rate
    assert [rate(TRIPLET, trained) for trained in (0, 4, 20)] == [1e-4] * 3
    assert [rate(CLASSIFIER, trained) for trained in (5, 8, 15)] == [1e-5] * 3
    assert [rate(CLASSIFIER, trained) for trained in (0, 4)] == [1e-4] * 2, "where phase 2 stands in for phase 1"
    assert rate(CLASSIFIER, 16) == rate(CLASSIFIER, 19) == 1e-6
    assert rate(CLASSIFIER, 7, [0.8, 0.8899]) == 1e-5
    assert rate(CLASSIFIER, 8, [0.8, 0.89, 0.5]) == 1e-6, "once reached, it stays low"


def test_training_stops_at_94_per_cent_from_epoch_15_on():
    is_over = Schedule().is_over
    assert not is_over(CLASSIFIER, 14, [0.99]) and is_over(CLASSIFIER, 15, [0.94])
    assert not is_over(CLASSIFIER, 15, [0.95, 0.9399]) and not is_over(CLASSIFIER, 15)
    assert not is_over(TRIPLET, 15, [0.99])


def tiny():
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    network.compile(keras.optimizers.Adam(1.0), CROSS_ENTROPY, jit_compile=False)
    return network


def one_step(epoch):
    return batches(epoch, steps=1)


def test_a_killed_phase_goes_on_with_its_rate_and_its_end(tmp_path):
    """Epochs 14 to 17 of both phases: 1e-5 until 0.89 is reached, and the end at 0.94. Killed in between, the second
    process trains what is left, with the same weights."""
    accuracies = [0.8, 0.9, 0.93, 0.94, 1.0]

    def run(folder, killed_in=None):
        network, validated = tiny(), []

        def validate(network):
            validated.append(int(network.optimizer.iterations.numpy()))  # one a step, one step an epoch
            if validated[-1] == killed_in:
                raise KeyboardInterrupt
            return {"val_accuracy": accuracies[validated[-1] - 1]}

        plan = Plan(5, "val_accuracy")
        history = fit_phase(CLASSIFIER, Schedule(), 13, network, one_step, validate, plan, tmp_path / folder)
        return history, network.get_weights(), validated

    history, expected, _ = run("whole")
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(history["learning_rate"], [1e-5, 1e-5, 1e-6, 1e-6])
    with pytest.raises(KeyboardInterrupt):
        run("cut", killed_in=3)
    history, weights, validated = run("cut")
    assert validated == [3, 4]
    np.testing.assert_allclose(history["learning_rate"], [1e-5, 1e-5, 1e-6, 1e-6])
    for left, right in zip(expected, weights, strict=True):
        np.testing.assert_allclose(left, right, atol=1e-6)
    assert run("cut")[2] == [], "a phase that is over trains nothing"


def test_the_optimizer_takes_the_rate_of_the_phase(tmp_path):
    """Adam's first step moves every weight by the rate, whatever it was compiled with."""
    network = tiny()
    before = network.get_weights()[0]
    history = fit_phase(
        TRIPLET, Schedule(), 0, network, one_step, lambda _: {"val_loss": 0.5}, Plan(1, "val_loss"), tmp_path
    )
    np.testing.assert_allclose(history["learning_rate"], [1e-4])
    np.testing.assert_allclose(np.abs(network.get_weights()[0] - before), 1e-4, rtol=1e-2)


def test_a_plans_patience_ends_a_phase_too(tmp_path):
    plan = Plan(9, "val_loss", patience=2)
    history = fit_phase(TRIPLET, Schedule(), 0, tiny(), one_step, lambda _: {"val_loss": 0.5}, plan, tmp_path)
    assert len(history) == 3


def test_a_phase_keeps_the_state_of_the_whole_network(short, tmp_path):
    """What phase 2 writes holds the encoding's matrix: a second process that starts from other weights gets it back."""
    first = narrow()
    whole = WholeNetwork(first)
    whole.compile(keras.optimizers.SGD(1.0), CROSS_ENTROPY, jit_compile=False)
    arguments = one_step, lambda _: {"val_accuracy": 0.5}, Plan(1, "val_accuracy"), tmp_path
    fit_phase(CLASSIFIER, Schedule(), 5, whole, *arguments)
    second = narrow()
    second.encoder.get_layer("encoding").set_weights([np.zeros((16, 128)), np.zeros(128)])
    resumed = WholeNetwork(second)
    resumed.compile(keras.optimizers.SGD(1.0), CROSS_ENTROPY, jit_compile=False)
    fit_phase(CLASSIFIER, Schedule(), 5, resumed, *arguments)
    for left, right in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    kernels = [each.encoder.get_layer("encoding").kernel.numpy() for each in (first, second)]
    np.testing.assert_array_equal(*kernels)
    assert kernels[1].any()
