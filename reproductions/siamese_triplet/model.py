"""The siamese networks, the control and the transfer baselines, and the k-NN classifier on the embeddings.

Paper: Kanwal, Tehsin, Saif, "Exposing AI Generated Deepfake Images Using Siamese Network with Triplet Loss", Computing
and Informatics 41, 2022, sections 4 and 5.

All networks take RGB pixels in [0, 255], float32 (B, 128, 128, 3), and bring their own preprocessing. An embedding is
100 numbers of length 1, the layer `embedding`; a sigmoid's output is P(fake).
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers
from sklearn.neighbors import KNeighborsClassifier

from common.data.image_reader import explain_damaged_images
from common.errors import UserError
from common.layers import l2_normalize
from common.networks.backbones import backbone

EMBEDDING = "embedding"
DIMENSIONS = 100  # Figure 3
BLOCKS = ((32, 32), (64, 64), (128,))  # filters of the convolutions before each pooling, Sec. 4.1
LEAST = 24  # the smallest image of which the last convolution leaves a pixel
FROZEN = ("vgg16", "vgg19")  # Sec. 5.4.1: the initial layers frozen, the dense layers trained


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of the training pixels by channel, in [0, 255], for the Z-score of eq. (1)."""

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


@explain_damaged_images()
def channel_statistics(batches, count):
    """The Statistics of the first `count` images of `batches`, any dtype (B, H, W, 3), pixels in [0, 255].

    One pass in float64 with flat memory; whole pixels are summed exactly. Feed it the training split and no other.
    """
    total, squares, pixels = np.zeros(3), np.zeros(3), 0
    for batch in batches:
        images = np.asarray(batch, np.float64)[:count]
        count -= len(images)
        total += images.sum(axis=(0, 1, 2))
        squares += np.square(images).sum(axis=(0, 1, 2))
        pixels += images[..., 0].size
        if count == 0:
            break
    mean = total / pixels
    deviation = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    return Statistics(tuple(mean.tolist()), tuple(deviation.tolist()))


def stored_statistics(network: keras.Model) -> Statistics:
    """Return the Statistics of a stored network: constants of its Z-score, which its weights do not hold.

    Raises:
        ValueError: if the network has no Z-score.
    """
    config = network.get_layer("z_score").get_config()
    mean, variance = (np.ravel(config[name]).astype(float) for name in ("mean", "variance"))
    return Statistics(tuple(mean.tolist()), tuple(np.sqrt(variance).tolist()))


def siamese(statistics, image_size=128, width=1.0):
    """The stream of Figure 3, "12-layer": pixels (B, S, S, 3) -> embeddings (B, 100); 9,470,724 parameters at 128 px.

    width: a factor on the filters of every convolution; the paper's is 1.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Flatten()(_convolutions(image, statistics, width))  # (B, 27 * 27 * 128)
    return keras.Model(image, _embedding(x), name="siamese")


def siamese_resnet50(image_size=128, weights="none", synchronized=False):
    """The second variation, Sec. 5.3: ResNet50 as the shared stream, pixels (B, S, S, 3) -> embeddings (B, 100).

    Between the two stands ResNet50's own global average pooling: the paper does not say, flattening would add 3.1 M
    parameters at 128 px. Pixels are scaled as ResNet50's weights expect it, not by eq. (1).
    weights, synchronized: as for common.networks.backbones.backbone.
    """
    base = backbone("resnet50", (image_size, image_size, 3), weights, synchronized)
    x = layers.GlobalAveragePooling2D()(base.output)  # (B, 2048)
    return keras.Model(base.input, _embedding(x), name="siamese_resnet50")


def triplet_network(network):
    """A network of embeddings on triplets, one stream with the weights of `network` itself.

    (B, 3, S, S, 3) pixels -> (B, 3, 100) embeddings, both in the order anchor, positive, negative. The three go through
    the stream as one batch of 3 B, so batch normalisation takes its statistics over all of them.
    """
    shape = network.input_shape[1:]
    triplets = keras.Input((3, *shape), name="triplets")
    images = keras.ops.reshape(triplets, (-1, *shape))  # (3 B, S, S, 3)
    embeddings = keras.ops.reshape(network(images), (-1, 3, DIMENSIONS))
    return keras.Model(triplets, embeddings, name=f"{network.name}_triplets")


def control(statistics, image_size=128, width=1.0):
    """The siamese network trained by cross-entropy: (B, S, S, 3) -> P(fake) (B, 1), not in the paper.

    The same layers up to the 100 units; one sigmoid unit instead of the L2 normalisation, 101 parameters more.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Flatten()(_convolutions(image, statistics, width))
    return keras.Model(image, _score(_dense(x)), name="control")


def transfer(name, image_size=128, weights="none", synchronized=False, units=4096):
    """A transfer baseline, Sec. 5.4.1: pixels (B, S, S, 3) -> P(fake) (B, 1).

    VGG16, VGG19: "13 [16] convolutional and 3 dense layers", the dense ones as in VGG (Simonyan and Zisserman 2015,
    doi:10.48550/arXiv.1409.1556: 4096, 4096, each with dropout 0.5) and one sigmoid unit; the convolutions are frozen
    if they start from ImageNet weights. ResNet50, InceptionV3, Xception: their own global average pooling and one
    sigmoid unit, all layers trained. units: the width of VGG's dense layers.
    weights, synchronized: as for common.networks.backbones.backbone.
    """
    base = backbone(name, (image_size, image_size, 3), weights, synchronized)
    if name not in FROZEN:
        return keras.Model(base.input, _score(layers.GlobalAveragePooling2D()(base.output)), name=name)
    base.trainable = weights == "none"  # random convolutions are no features to stand on
    x = layers.Flatten()(base.output)  # (B, 4 * 4 * 512)
    for _ in range(2):
        x = layers.Dropout(0.5)(layers.Dense(units, activation="relu")(x))
    return keras.Model(base.input, _score(x), name=name)


def fit_neighbours(embeddings, labels, neighbours=5):
    """k nearest neighbours, weighted by inverse distance so that scores have few ties; predict_proba is (n, 2)."""
    classifier = KNeighborsClassifier(neighbours, weights="distance", algorithm="brute")
    return classifier.fit(embeddings, labels)


def _convolutions(image, statistics, width):
    """Five convolutions, 3x3 without padding: the only ones that give Figure 3's 128-126-124-62-60-58-29-27."""
    size = image.shape[1]
    if size < LEAST:
        raise UserError(f"the siamese network takes images of at least {LEAST}x{LEAST}, got {size}x{size}")
    variance = [deviation**2 for deviation in statistics.deviation]
    x = layers.Normalization(mean=list(statistics.mean), variance=variance, dtype="float32", name="z_score")(image)
    for place, block in enumerate(BLOCKS):
        if place:
            x = layers.MaxPooling2D(2)(x)  # (B, 62 | 29, same, filters)
        for filters in block:
            filters = max(1, round(filters * width))
            x = layers.Conv2D(filters, 3, activation="relu", kernel_initializer="glorot_normal")(x)
    return x  # (B, 27, 27, 128)


def _dense(x):
    return layers.Dense(DIMENSIONS, kernel_initializer="glorot_normal")(x)


def _embedding(x):
    return layers.Lambda(l2_normalize, dtype="float32", name=EMBEDDING)(_dense(x))  # (B, 100)


def _score(x):
    return layers.Dense(1, activation="sigmoid", dtype="float32", name="score")(x)
