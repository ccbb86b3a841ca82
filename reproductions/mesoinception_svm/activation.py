"""Figure 9: the images that the hidden neurons of MesoInception-4 answer to most."""

import numpy as np
from keras import ops

from common.evaluation.figures import new_figure, save_figure
from common.gradients import compiled_gradient
from common.networks.mesonet import FEATURES
from reproductions.mesoinception_svm.model import feature_network

LAMBDA, P = 10.0, 6  # Sec. 4.4
STEP = 0.02  # how far a pixel moves in one step, root mean square


def maximise_activation(network, steps, seed=0):
    """Maximise E(x) = f_ij(x) - lambda ||x||_p (Sec. 4.4), lambda 10, p 6, for every unit j of the layer `features`.

    Gradient ascent from a random image (grey, standard deviation 0.02), all 16 units at once, one image each. The
    network is piecewise linear, so E has no maximum over all x: an image stays in [0, 1], where pictures live. Returns
    (images (16, S, S, 3), E before each step (steps, 16)).
    """
    features = feature_network(network)
    shape = (features.output_shape[-1], *network.input_shape[1:])
    images = np.random.default_rng(seed).normal(0.5, 0.02, shape).astype("float32")

    def total_energy(images):
        activation = ops.diagonal(ops.cast(features(images, training=False), "float32"))  # unit j of image j
        norm = ops.sum(ops.abs(images) ** P, axis=(1, 2, 3)) ** (1 / P)
        energy = activation - LAMBDA * norm  # (16,)
        return ops.sum(energy), energy

    gradient, energies = compiled_gradient(total_energy), []
    for _ in range(steps):
        slope, energy = (np.asarray(values) for values in gradient(images))
        length = np.sqrt(np.mean(slope**2, axis=(1, 2, 3), keepdims=True))
        images = np.clip(images + STEP * slope / (length + 1e-12), 0.0, 1.0)
        energies.append(energy)
    return images, np.array(energies)


def activation_figure(network, path, steps, seed=0):
    """Draw Figure 9: units ordered by their weight for the decision, those for real first, those for fake last."""
    images, _ = maximise_activation(network, steps, seed)
    weights = network.layers[-1].get_weights()[0][:, 0]
    order = np.argsort(weights)
    figure, axes = new_figure(2, 8, 1.5, 1.75, f"Maximum activation of the layer `{FEATURES}` after {steps} steps")
    for axis, unit in zip(axes.flat, order, strict=True):
        image = images[unit]
        low, high = np.percentile(image, (1, 99))
        axis.imshow(np.clip((image - low) / max(high - low, 1e-6), 0, 1))
        axis.set_title(f"unit {unit}: {'fake' if weights[unit] > 0 else 'real'} {abs(weights[unit]):.2f}", fontsize=7)
        axis.axis("off")
    return save_figure(figure, path)
