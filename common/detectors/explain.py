"""Grad-CAM: which regions of a face speak for a detector's verdict.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
doi:10.1109/ICCV.2017.74. The maps A_k are those of the last layer with spatial axes, also in nested networks. The score
y is the log-odds of fake, the network's last step without its sigmoid or softmax. Its sign is flipped for a face called
real, so that heat always speaks for the verdict. With a classifier on features f, y is the classifier's decision: by
the chain rule its gradient is that of (direction . f), with the direction dy/df at this face. It is what would make
this decision surer here, and can point backwards for features outside the range that the classifier was fitted on.
"""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf
from keras import layers

from common.detectors import tensor_classifiers
from common.detectors.store import Detector, in_float32
from common.errors import UserError
from common.evaluation.figures import new_figure, save_figure
from common.labels import FAKE, REAL, WORDS
from common.library_internals import run_layer_by_layer

AXIS_CHANGING = (layers.Reshape, layers.Permute, layers.Flatten)  # after them, axes are not spatial
COLOURS = {FAKE: "Reds", REAL: "Blues"}
CAPTION_WIDTH = 110  # characters in a line below the picture


@dataclass(frozen=True)
class Explanation:
    """What speaks for a verdict.

    Args:
        heat: float (S, S) in [0, 1], 1 at the strongest place; 0 everywhere if no place speaks for the verdict, e.g. if
            the absence of something does.
        layer: the layer that it comes from.
        shape: (height, width) of that layer's maps.
        verdict: FAKE or REAL.
    """

    heat: np.ndarray
    layer: str
    shape: tuple[int, int]
    verdict: int


class Explainer:
    """Explains the scores of one detector.

    Args:
        detector: its network is set to float32, in place: load one for the explainer alone.

    Raises:
        UserError: if its classifier has no gradient, or its network has no layer with spatial axes.
    """

    def __init__(self, detector: Detector):
        self.description = detector.description
        self._network = in_float32(detector.network)
        self._classifier = detector.classifier
        self._margins = detector.classifier and tensor_classifiers.margins(detector.classifier)
        if self._classifier is not None and self._margins is None:
            raise UserError(
                f"{self.description.name} cannot be explained: {_class_name(self._classifier)} decides by steps and "
                "has no gradient to follow; choose another --model, or drop --explain"
            )
        self._decision = None if self._classifier is not None else _last_layer(self._network)
        self.trace(np.zeros((1, *self._network.input_shape[1:]), np.float32))

    def explain(self, image: np.ndarray, verdict: int) -> Explanation:
        """Return Grad-CAM for one image.

        Args:
            image: float32 (S, S, 3), as the network takes it.
            verdict: FAKE or REAL.
        """
        maps, gradients, layer = self.trace(image[None])
        strength = grad_cam(maps, gradients if verdict == FAKE else -gradients)
        heat = cv2.resize(strength, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        strongest = heat.max()
        return Explanation(heat / strongest if strongest > 0 else heat, layer, maps.shape[:2], verdict)

    def caption(self, explanation: Explanation) -> str:
        """Return what the map of an Explanation is, in one sentence."""
        height, width = explanation.shape
        source = f"Grad-CAM at layer {explanation.layer}, {height} x {width} places"
        if self._classifier is None:
            return f"{source}."
        return f"{source}, along the direction of the features in which {_class_name(self._classifier)} decides."

    def trace(self, batch):
        """Return (maps (h, w, k), their log-odds' gradients (h, w, k), layer's name) of an image (1, S, S, 3)."""
        image = tf.convert_to_tensor(batch)
        with tf.GradientTape() as tape:
            tape.watch(image)
            tracer = _MapTracer(image, self._decision)
            outputs = tracer.run(self._network, image)
            margin = outputs if self._margins is None else self._margins(tf.cast(outputs, tf.float64))
        if tracer.maps is None:
            raise UserError(f"{self.description.name} cannot be explained: none of its layers has spatial axes")
        return tracer.maps[0].numpy(), tape.gradient(margin, tracer.maps)[0].numpy(), tracer.layer


def grad_cam(maps: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Return ReLU(sum_k alpha_k A_k), with alpha_k the spatial mean of dy / dA_k (eqs. 1 and 2).

    Args:
        maps: A, float (h, w, k).
        gradients: dy / dA, float (h, w, k).

    Returns:
        float (h, w).
    """
    return np.maximum(maps @ gradients.mean(axis=(0, 1)), 0)


class _MapTracer:
    """Runs a network layer by layer, and keeps the output of the last layer that has spatial axes.

    Of two towers that run side by side to the end, only the last one's is kept.
    """

    def __init__(self, image, decision):
        self.maps, self.layer = None, None
        self._decision = decision
        self._spatial = [image]  # tensors whose axes 1 and 2 are spatial

    def run(self, network, inputs):
        return run_layer_by_layer(network, inputs, self._step)

    def _step(self, operation):
        def call(*values, **options):
            if isinstance(operation, keras.Model):
                return self.run(operation, values[0])
            output = operation(*values, **options) if operation is not self._decision else log_odds(operation, *values)
            self._keep(operation, keras.tree.flatten(values), output)
            return output

        return call

    def _keep(self, operation, inputs, output):
        spatial = any(value is known for value in inputs for known in self._spatial)
        if not spatial or isinstance(operation, AXIS_CHANGING) or len(output.shape) != 4:
            return
        self._spatial.append(output)
        if isinstance(operation, keras.Layer) and min(output.shape[1:3]) > 1:  # not a bare logarithm or padding
            self.maps, self.layer = output, operation.name


def log_odds(layer: keras.Layer, values: tf.Tensor) -> tf.Tensor:
    """Return the output of a network's last layer before its sigmoid or softmax, as log-odds of each class.

    The gradient of a probability close to 1 is 0; that of its log-odds is not.

    Args:
        layer: the last layer; any other kind gives its own output.
        values: its input.
    """
    if isinstance(layer, layers.Softmax):
        return _difference_of_logits(values)
    activation = getattr(layer, "activation", None)
    if activation not in (keras.activations.sigmoid, keras.activations.softmax):
        return layer(values)
    layer.activation = keras.activations.linear
    try:
        output = layer(values)
    finally:
        layer.activation = activation
    return output if activation is keras.activations.sigmoid else _difference_of_logits(output)


def _difference_of_logits(logits):
    """Return the log-odds of each of two classes: z - (the other's z), (n, 2)."""
    return 2 * logits - tf.reduce_sum(logits, axis=-1, keepdims=True)


def draw(path: Path, pixels: np.ndarray, explanation: Explanation, title: str, caption: str) -> Path:
    """Write a PNG of the face that the network saw, and of the heat on it.

    Args:
        path: the file.
        pixels: uint8 (S, S, 3).
        explanation: of that face.
        title: the text above both.
        caption: the text below both.
    """
    figure, axes = new_figure(1, 2, 4.2, 4.1, title)
    face, overlay = axes[0]
    face.imshow(pixels)
    face.set_title(f"the network's input, {pixels.shape[1]} x {pixels.shape[0]} px", fontsize=9)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    overlay.imshow(grey, cmap="gray", vmin=-120, vmax=255)  # lightened: heat is dark
    colours, word = COLOURS[explanation.verdict], WORDS[explanation.verdict]
    heat = overlay.imshow(explanation.heat, cmap=colours, vmin=0, vmax=1, alpha=0.85 * explanation.heat)
    found = explanation.heat.max() > 0
    overlay.set_title(f"darker = speaks more for {word}" if found else f"no region speaks for {word}", fontsize=9)
    for axis in (face, overlay):
        axis.axis("off")
    bar = figure.colorbar(heat, ax=overlay, shrink=0.75)
    bar.set_label(f"evidence for {word}, strongest place = 1", fontsize=8)
    if bar.solids is not None:
        bar.solids.set_alpha(1)
    bar.ax.tick_params(labelsize=8)
    figure.supxlabel("\n".join(textwrap.wrap(caption, CAPTION_WIDTH)), fontsize=8)
    return save_figure(figure, path)


def _last_layer(network):
    last = network.layers[-1]
    return _last_layer(last) if isinstance(last, keras.Model) else last


def _class_name(classifier):
    return type(classifier[-1] if hasattr(classifier, "steps") else classifier).__name__
