"""The detector of the fakes: Inception-ResNet-v2, global average pooling and two outputs (section III-C, Figure 3).

Every layer is trained: 54,279,266 of 54,339,810 parameters, the other 60,544 being batch normalisation's averages.
"""

import keras
from keras import layers

from common.networks.backbones import NETWORKS, backbone
from reproductions.dcgan_inception_resnet.config import BACKBONE
from reproductions.dcgan_inception_resnet.gan import discriminator

PAPER_SIZE = 128  # pixels, Figure 3
FEATURES = "features"  # the layer of pooled features


def detector(image_size=128, weights="none", synchronized=False):
    """Pixels (B, S, S, 3) in [0, 255] -> probabilities (B, 2) of [real, fake], to be trained by cross-entropy.

    Softmax with categorical cross-entropy is the model of the paper's two outputs with binary cross-entropy; labels
    (B, 1) with fake = 1 need the sparse form. Images too small for Keras's network (under 75 px) are up-sampled to the
    paper's 128. weights, synchronized: as for common.networks.backbones.backbone.
    """
    image = keras.Input((image_size, image_size, 3), name="pixels")
    size = image_size if image_size >= NETWORKS[BACKBONE].least else PAPER_SIZE
    enlarged = layers.Resizing(size, size, dtype="float32")(image) if size != image_size else image
    maps = backbone(BACKBONE, (size, size, 3), weights, synchronized)(enlarged)  # (B, 2, 2, 1536)
    features = layers.GlobalAveragePooling2D(name=FEATURES)(maps)
    return keras.Model(image, _probabilities(features), name="inception_resnet_v2")


def stand_in(image_size=64, synchronized=False):
    """A small detector that the paper has not, of the same input and output: the DCGAN's discriminator with a quarter
    of its filters."""
    image = keras.Input((image_size, image_size, 3), name="pixels")
    scaled = layers.Rescaling(1 / 127.5, -1.0, dtype="float32")(image)
    convolutions = discriminator(image_size, 0.25, synchronized)
    pooled = keras.Model(convolutions.input, convolutions.layers[-2].output, name="convolutions")(scaled)  # (B, 256)
    features = layers.Activation("linear", name=FEATURES)(pooled)
    return keras.Model(image, _probabilities(features), name="stand_in")


def feature_network(network):
    """The same network, its weights shared, with the features before the last layer (B, d) as its output."""
    return keras.Model(network.input, network.get_layer(FEATURES).output)


def _probabilities(features):
    return layers.Dense(2, activation="softmax", dtype="float32", name="real_fake")(features)
