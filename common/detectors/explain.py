"""Grad-CAM: which places of a face speak for the class that a detector calls it.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
doi:10.1109/ICCV.2017.74. The maps A_k are those of the last layer that still has places, in nested networks too. The
score y is the log-odds of fake, the network's last step without its sigmoid or softmax; its sign is turned round for a
face called real, so that heat always speaks for the verdict. With a classifier on features f, y is the classifier's
decision: by the chain rule its gradient is that of (direction . f), the direction being dy/df at this face. It is what
would make this decision surer here, and may lead back where features lie beyond all that the classifier was fitted on.
"""

import textwrap
from dataclasses import dataclass

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers

from common.detectors import tensor_classifiers
from common.detectors.store import in_float32
from common.errors import UserError
from common.evaluation.figures import new_figure, save_figure
from common.labels import FAKE, REAL, WORDS

SHUFFLING = (layers.Reshape, layers.Permute, layers.Flatten)  # after them, axes are no places of the image
COLOURS = {FAKE: "Reds", REAL: "Blues"}
CAPTION = 110  # characters in a line under the picture


@dataclass(frozen=True)
class Explanation:
    """heat: float (S, S) in [0, 1], 1 at the strongest place; 0 everywhere if no place speaks for `called`, as where it
    is the lack of something that does; layer: the layer that it comes from, with `places` = (height, width); called:
    FAKE or REAL."""

    heat: np.ndarray
    layer: str
    places: tuple
    called: int


class Explainer:
    """Explains the scores of one detector. The detector's network is set to float32: give it one of its own.

    UserError if its classifier has no gradient, or if its network has no layer with places.
    """

    def __init__(self, detector):
        self.description = detector.description
        self._network = in_float32(detector.network)
        self._classifier = detector.classifier
        self._margins = detector.classifier and tensor_classifiers.margins(detector.classifier)
        if self._classifier is not None and self._margins is None:
            raise UserError(
                f"{self.description.name} cannot be explained: {_class_name(self._classifier)} decides by steps and "
                "has no gradient to follow; choose another --model, or leave --explain away"
            )
        self._decision = None if self._classifier is not None else _last_layer(self._network)
        self._trace(np.zeros((1, *self._network.input_shape[1:]), np.float32))

    def explain(self, image, called):
        """Grad-CAM for one image, float32 (S, S, 3) as the network takes it, called FAKE or REAL: Explanation."""
        maps, gradients, layer = self._trace(image[None])
        strength = grad_cam(maps, gradients if called == FAKE else -gradients)
        heat = cv2.resize(strength, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        strongest = heat.max()
        return Explanation(heat / strongest if strongest > 0 else heat, layer, maps.shape[:2], called)

    def said(self, explanation):
        """What the map of an Explanation is, in one sentence."""
        height, width = explanation.places
        where = f"Grad-CAM at layer {explanation.layer}, {height} x {width} places"
        if self._classifier is None:
            return f"{where}."
        return f"{where}, along the direction of the features in which {_class_name(self._classifier)} decides."

    def _trace(self, batch):
        """One image (1, S, S, 3) -> (maps (h, w, k), gradients of the log-odds by them (h, w, k), layer's name)."""
        image = tf.convert_to_tensor(batch)
        with tf.GradientTape() as tape:
            tape.watch(image)
            walk = _Walk(image, self._decision)
            outputs = walk.through(self._network, image)
            margin = outputs if self._margins is None else self._margins(tf.cast(outputs, tf.float64))
        if walk.maps is None:
            raise UserError(f"{self.description.name} cannot be explained: none of its layers has places")
        return walk.maps[0].numpy(), tape.gradient(margin, walk.maps)[0].numpy(), walk.layer


def grad_cam(maps, gradients):
    """ReLU(sum_k alpha_k A_k), alpha_k the mean over places of dy / dA_k (eqs. 1 and 2): (h, w, k) twice -> (h, w)."""
    return np.maximum(maps @ gradients.mean(axis=(0, 1)), 0)


class _Walk:
    """Goes through a network layer by layer, and keeps the output of the last one whose output has places.

    Networks without places left but side by side (two towers to the end): the last tower alone is kept.
    """

    def __init__(self, image, decision):
        self.maps, self.layer = None, None
        self._decision = decision
        self._placed = [image]  # tensors whose axes 1 and 2 are places of the image

    def through(self, network, inputs):
        # Keras has no public way to see inside a nested network; a method of its own walks through any functional one.
        return network._run_through_graph(inputs, operation_fn=self._step)

    def _step(self, operation):
        def call(*values, **options):
            if isinstance(operation, keras.Model):
                return self.through(operation, values[0])
            output = operation(*values, **options) if operation is not self._decision else log_odds(operation, *values)
            self._keep(operation, keras.tree.flatten(values), output)
            return output

        return call

    def _keep(self, operation, inputs, output):
        placed = any(value is known for value in inputs for known in self._placed)
        if not placed or isinstance(operation, SHUFFLING) or len(output.shape) != 4:
            return
        self._placed.append(output)
        if isinstance(operation, keras.Layer) and min(output.shape[1:3]) > 1:  # no bare logarithm or padding
            self.maps, self.layer = output, operation.name


def log_odds(layer, values):
    """The output of a network's last layer before its sigmoid or softmax, as log-odds of each class; of any other layer
    its output. Where a probability is all but 1 its own gradient is 0."""
    if isinstance(layer, layers.Softmax):
        return _against_the_other(values)
    activation = getattr(layer, "activation", None)
    if activation not in (keras.activations.sigmoid, keras.activations.softmax):
        return layer(values)
    layer.activation = keras.activations.linear
    try:
        output = layer(values)
    finally:
        layer.activation = activation
    return output if activation is keras.activations.sigmoid else _against_the_other(output)


def _against_the_other(logits):
    """Log-odds of each of two classes: z - (the other's z), (n, 2)."""
    return 2 * logits - tf.reduce_sum(logits, axis=-1, keepdims=True)


def draw(path, pixels, explanation, title, said):
    """Write an overlay as PNG: the face that the network saw, and the heat on it. Returns the path.

    pixels: uint8 (S, S, 3); title: above both; said: under both.
    """
    figure, axes = new_figure(1, 2, 4.2, 4.1, title)
    seen, heated = axes[0]
    seen.imshow(pixels)
    seen.set_title(f"the network's input, {pixels.shape[1]} x {pixels.shape[0]} px", fontsize=9)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    heated.imshow(grey, cmap="gray", vmin=-120, vmax=255)  # lightened: heat is dark
    colours, word = COLOURS[explanation.called], WORDS[explanation.called]
    heat = heated.imshow(explanation.heat, cmap=colours, vmin=0, vmax=1, alpha=0.85 * explanation.heat)
    some = explanation.heat.max() > 0
    heated.set_title(
        f"darker = speaks more for {word}" if some else f"nothing that is there speaks for {word}", fontsize=9
    )
    for axis in (seen, heated):
        axis.axis("off")
    bar = figure.colorbar(heat, ax=heated, shrink=0.75)
    bar.set_label(f"evidence for {word}, strongest place = 1", fontsize=8)
    bar.solids.set_alpha(1)
    bar.ax.tick_params(labelsize=8)
    figure.supxlabel("\n".join(textwrap.wrap(said, CAPTION)), fontsize=8)
    return save_figure(figure, path)


def _last_layer(network):
    last = network.layers[-1]
    return _last_layer(last) if isinstance(last, keras.Model) else last


def _class_name(classifier):
    return type(classifier[-1] if hasattr(classifier, "steps") else classifier).__name__
