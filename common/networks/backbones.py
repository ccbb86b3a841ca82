"""The ImageNet networks of keras.applications that the papers start from, without their classifier.

Every backbone takes RGB pixels in [0, 255], float32 (B, H, W, 3), however its authors preprocessed pixels: that
preprocessing is its first layers, so it is saved with the network. In a data pipeline that is
Preprocessing(size, scale=1.0).
"""

from dataclasses import dataclass
from typing import Literal

import keras

from common.errors import UserError
from common.networks.weights import find_weights

BGR_MEANS = (103.939, 116.779, 123.68)  # of ImageNet's training pixels, by keras.applications


@dataclass(frozen=True)
class Backbone:
    """A network of keras.applications.

    Args:
        function: the name of its function in keras.applications.
        pixels: what its published weights expect: `caffe` is BGR minus the mean of each channel, `tf` is [-1, 1].
        minimum_size: the smallest legal height and width in pixels.
    """

    function: str
    pixels: Literal["caffe", "tf"]
    minimum_size: int


BACKBONES = {
    "vgg16": Backbone("VGG16", "caffe", 32),
    "vgg19": Backbone("VGG19", "caffe", 32),
    "resnet50": Backbone("ResNet50", "caffe", 32),
    "inceptionv3": Backbone("InceptionV3", "tf", 75),
    "xception": Backbone("Xception", "tf", 71),
    "inceptionresnetv2": Backbone("InceptionResNetV2", "tf", 75),
}


def backbone(
    name: str, input_shape: tuple[int, int, int], weights: str = "none", synchronized: bool = False
) -> keras.Model:
    """Build a network up to its last feature map.

    Args:
        name: a name of BACKBONES.
        input_shape: (H, W, 3) in pixels.
        weights: `imagenet`, `none` or a folder, as for `find_weights`.
        synchronized: whether batch normalisation takes its statistics over all replicas, so that several replicas step
            like one device.

    Returns:
        A model from pixels, float32 (B, H, W, 3) in [0, 255], to features (B, h, w, channels).

    Raises:
        UserError: if the image is smaller than the network allows, and as for `find_weights`.
    """
    network = BACKBONES[name]
    height, width, channels = input_shape
    if channels != 3 or min(height, width) < network.minimum_size:
        expected = f"{network.minimum_size}x{network.minimum_size}x3"
        raise UserError(
            f"{name} takes images of at least {expected}, got {height}x{width}x{channels}; choose a larger size"
        )
    file = find_weights(name, weights)
    image = keras.Input(input_shape, name="image")
    model = getattr(keras.applications, network.function)(
        include_top=False,
        weights=file and str(file),
        input_tensor=_preprocess(image, network.pixels),
        input_shape=input_shape,
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = synchronized  # keras.applications has no argument for it; it is read at every call
    return keras.Model(image, model.output, name=name)


def _preprocess(image, pixels):
    """RGB in [0, 255] to what the published weights expect. Stock layers in float32: they load in any process."""
    if pixels == "tf":
        return keras.layers.Rescaling(1 / 127.5, -1.0, dtype="float32", name="pixels")(image)
    bgr = keras.ops.flip(image, axis=-1)
    return keras.layers.Rescaling(1.0, [-mean for mean in BGR_MEANS], dtype="float32", name="pixels")(bgr)
