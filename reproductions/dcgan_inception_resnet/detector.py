"""The detector of the fakes: Inception-ResNet-v2, global average pooling and two outputs (Sec. III-C, Figure 3).

All layers are trained: 54,279,266 of 54,339,810 parameters; the other 60,544 are batch normalisation's averages.
"""

import keras
from keras import layers

from common.networks.backbones import BACKBONES, backbone
from reproductions.dcgan_inception_resnet.config import BACKBONE, PROPOSED, STAND_IN
from reproductions.dcgan_inception_resnet.gan import discriminator

PAPER_SIZE = 128  # pixels, Figure 3
FEATURES = "features"  # the layer of pooled features
OUTPUT = "real_fake"  # the last layer


def inception_resnet_v2(image_size: int = 128, weights: str = "none", synchronized: bool = False) -> keras.Model:
    """Return the paper's detector, for training with sparse categorical cross-entropy on labels (B, 1), fake = 1.

    Softmax with categorical cross-entropy is the model of the paper's two outputs with binary cross-entropy. Images too
    small for Keras's network (below 75 px) are scaled up to the paper's 128.

    Args:
        image_size: height and width in pixels.
        weights: what the backbone starts from: `imagenet`, `none` or a folder.
        synchronized: whether batch normalisation takes its statistics over all replicas.

    Returns:
        A network: pixels (B, S, S, 3) in [0, 255] -> probabilities (B, 2) of [real, fake].
    """
    image = keras.Input((image_size, image_size, 3), name="pixels")
    size = image_size if image_size >= BACKBONES[BACKBONE].minimum_size else PAPER_SIZE
    enlarged = layers.Resizing(size, size, dtype="float32")(image) if size != image_size else image
    maps = backbone(BACKBONE, (size, size, 3), weights, synchronized)(enlarged)  # (B, 2, 2, 1536)
    features = layers.GlobalAveragePooling2D(name=FEATURES)(maps)  # (B, 1536)
    return keras.Model(image, _probabilities(features), name=PROPOSED)


def stand_in(image_size: int = 64, synchronized: bool = False) -> keras.Model:
    """Return a small detector that is not in the paper: the DCGAN's discriminator with a quarter of its filters.

    Args:
        image_size: height and width in pixels, a power of two.
        synchronized: whether batch normalisation takes its statistics over all replicas.

    Returns:
        A network with the input and output of `inception_resnet_v2`.
    """
    image = keras.Input((image_size, image_size, 3), name="pixels")
    scaled = layers.Rescaling(1 / 127.5, -1.0, dtype="float32")(image)
    convolutions = discriminator(image_size, 0.25, synchronized)
    pooled = keras.Model(convolutions.input, convolutions.layers[-2].output, name="convolutions")(scaled)  # (B, 256)
    features = layers.Activation("linear", name=FEATURES)(pooled)
    return keras.Model(image, _probabilities(features), name=STAND_IN)


def feature_network(network: keras.Model) -> keras.Model:
    """Return a detector with the features before its last layer (B, d) as output; the two share their weights."""
    return keras.Model(network.input, network.get_layer(FEATURES).output)


def _probabilities(features):
    return layers.Dense(2, activation="softmax", dtype="float32", name=OUTPUT)(features)
