"""FaceNet's Inception-ResNet-v1, which maps a face to 512 numbers of length 1.

Architecture: Szegedy, Ioffe, Vanhoucke, Alemi 2017, "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", doi:10.48550/arXiv.1602.07261, in the form of D. Sandberg's facenet (batch normalisation
without scale, a bottleneck instead of the classifier), which all public FaceNet weights share. The embedding is
Schroff, Kalenichenko, Philbin 2015, doi:10.1109/CVPR.2015.7298682.

As in common.networks.backbones the network takes RGB pixels in [0, 255] and scales them in its own first layer.
"""

from functools import partial

import keras
from keras import layers

from common.errors import UserError
from common.layers import l2_normalize

DIMENSIONS = 512
MINIMUM_SIZE = 75  # pixels; the last reduction would leave nothing of a smaller image

# The branches of a block: (name, filters) of each convolution. A name ends with the kernel's height and width.
BLOCK35 = (
    (("Conv2d_1x1", 32),),
    (("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32)),
    (("Conv2d_0a_1x1", 32), ("Conv2d_0b_3x3", 32), ("Conv2d_0c_3x3", 32)),
)
BLOCK17 = (
    (("Conv2d_1x1", 128),),
    (("Conv2d_0a_1x1", 128), ("Conv2d_0b_1x7", 128), ("Conv2d_0c_7x1", 128)),
)
BLOCK8 = (
    (("Conv2d_1x1", 192),),
    (("Conv2d_0a_1x1", 192), ("Conv2d_0b_1x3", 192), ("Conv2d_0c_3x1", 192)),
)
REDUCTION_A = (
    (("Conv2d_1a_3x3", 384),),
    (("Conv2d_0a_1x1", 192), ("Conv2d_0b_3x3", 192), ("Conv2d_1a_3x3", 256)),
)
REDUCTION_B = (
    (("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 384)),
    (("Conv2d_0a_1x1", 256), ("Conv2d_1a_3x3", 256)),
    (("Conv2d_0a_1x1", 256), ("Conv2d_0b_3x3", 256), ("Conv2d_1a_3x3", 256)),
)


def inception_resnet_v1(image_size: int = 160, synchronized: bool = False) -> keras.Model:
    """Build FaceNet with 23,497,424 random parameters.

    Args:
        image_size: S, height and width in pixels, at least 75. The published weights are for 160.
        synchronized: whether batch normalisation takes its statistics over all replicas, so that several replicas step
            like one device.

    Returns:
        A model from pixels, float32 (B, S, S, 3) in [0, 255], to embeddings, float32 (B, 512), of length 1.

    Raises:
        UserError: for a smaller image.
    """
    if image_size < MINIMUM_SIZE:
        raise UserError(
            f"FaceNet takes images of at least {MINIMUM_SIZE}x{MINIMUM_SIZE}, got {image_size}x{image_size}; choose a "
            "larger size"
        )
    convolve = partial(_convolve, synchronized=synchronized)
    image = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, -1.0, dtype="float32", name="pixels")(image)  # (x - 127.5) / 127.5
    x = convolve(x, "Conv2d_1a_3x3", 32, strides=2, padding="valid")  # (B, 79, 79, 32)
    x = convolve(x, "Conv2d_2a_3x3", 32, padding="valid")
    x = convolve(x, "Conv2d_2b_3x3", 64)
    x = layers.MaxPooling2D(3, 2, name="MaxPool_3a_3x3")(x)  # (B, 38, 38, 64)
    x = convolve(x, "Conv2d_3b_1x1", 80)
    x = convolve(x, "Conv2d_4a_3x3", 192, padding="valid")
    x = convolve(x, "Conv2d_4b_3x3", 256, strides=2, padding="valid")  # (B, 17, 17, 256)
    for number in range(1, 6):
        x = _residual(x, convolve, f"Block35_{number}", BLOCK35, scale=0.17)
    x = _reduce(x, convolve, "Mixed_6a", REDUCTION_A)  # (B, 8, 8, 896)
    for number in range(1, 11):
        x = _residual(x, convolve, f"Block17_{number}", BLOCK17, scale=0.1)
    x = _reduce(x, convolve, "Mixed_7a", REDUCTION_B)  # (B, 3, 3, 1792)
    for number in range(1, 6):
        x = _residual(x, convolve, f"Block8_{number}", BLOCK8, scale=0.2)
    x = _residual(x, convolve, "Block8_6", BLOCK8, scale=1.0, activate=False)
    x = layers.GlobalAveragePooling2D(name="AvgPool")(x)  # (B, 1792)
    x = layers.Dropout(0.2, name="Dropout")(x)
    x = layers.Dense(DIMENSIONS, use_bias=False, name="Bottleneck")(x)
    x = _normalization("Bottleneck", synchronized)(x)
    x = layers.Lambda(l2_normalize, dtype="float32", name="embedding")(x)
    return keras.Model(image, x, name="inception_resnet_v1")


def _residual(x, convolve, name, branches, scale, activate=True):
    """x + scale * up([branches of x]), then ReLU: scaling keeps deep residual networks stable (Szegedy, sec. 3.3)."""
    mixed = layers.Concatenate(name=f"{name}_Concatenate")(_branches(x, convolve, name, branches))
    up = layers.Conv2D(x.shape[-1], 1, name=f"{name}_Conv2d_1x1")(mixed)
    x = layers.Add(name=f"{name}_Add")([x, layers.Rescaling(scale, name=f"{name}_Scale")(up)])
    return layers.ReLU(name=f"{name}_Activation")(x) if activate else x


def _reduce(x, convolve, name, branches):
    """Halve height and width: the last convolution of every branch has stride 2, and so has a parallel max pooling."""
    reduced = _branches(x, convolve, name, branches, strides=2, padding="valid")
    pooled = layers.MaxPooling2D(3, 2, name=f"{name}_Branch_{len(branches)}_MaxPool_1a_3x3")(x)
    return layers.Concatenate(name=name)([*reduced, pooled])


def _branches(x, convolve, name, branches, **last_options):
    """The outputs of the branches. last_options: of the last convolution of each."""
    outputs = []
    for number, convolutions in enumerate(branches):
        y = x
        for place, (convolution, filters) in enumerate(convolutions, start=1):
            options = last_options if place == len(convolutions) else {}
            y = convolve(y, f"{name}_Branch_{number}_{convolution}", filters, **options)
        outputs.append(y)
    return outputs


def _convolve(x, name, filters, strides=1, padding="same", synchronized=False):
    """Convolution without bias, batch normalisation, ReLU."""
    kernel = [int(size) for size in name.rpartition("_")[2].split("x")]
    x = layers.Conv2D(filters, kernel, strides, padding, use_bias=False, name=name)(x)
    return layers.ReLU(name=f"{name}_Activation")(_normalization(name, synchronized)(x))


def _normalization(name, synchronized):
    return layers.BatchNormalization(
        momentum=0.995, epsilon=1e-3, scale=False, synchronized=synchronized, name=f"{name}_BatchNorm"
    )
