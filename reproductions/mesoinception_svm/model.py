"""Meso-4, MesoInception-4, their hinge variant and the RBF SVM that the paper puts on their features.

Networks: Afchar, Nozick, Yamagishi, Echizen, "MesoNet: a compact facial video forgery detection network", WIFS 2018,
doi:10.1109/WIFS.2018.8630761, sections III-A and III-B. SVM: the reproduced paper, section 3.

All networks take float32 (B, 256, 256, 3) in [0, 1] and end in one unit; a sigmoid's output is P(fake). The layer
`features` is the 16 fully connected units after their LeakyReLU.
"""

import h5py
import keras
import numpy as np
from keras import layers
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from common.layers import FusedBatchNormalization

FEATURES = "features"
MESO4 = ((8, 3), (8, 5), (16, 5), (16, 5))  # filters, kernel
MODULES = ((1, 4, 4, 2), (2, 4, 4, 2))  # filters of the branches 1x1, 3x3, 3x3 dilated 2, 3x3 dilated 3


def meso4(image_size=256, synchronized=False):
    """Meso-4: four convolutions, 28,073 parameters at 256 px."""
    image = keras.Input((image_size, image_size, 3), name="image")
    x = image
    for (filters, kernel), pool in zip(MESO4, (2, 2, 2, 4), strict=True):
        x = _convolution(x, filters, kernel, pool, synchronized)  # (B, 128 | 64 | 32 | 8, same, filters)
    return _head(image, x, layers.Dense(1, activation="sigmoid", dtype="float32", name="score"), "meso4")


def mesoinception4(image_size=256, synchronized=False):
    """MesoInception-4: two inception modules, two convolutions, 28,725 parameters at 256 px."""
    image = keras.Input((image_size, image_size, 3), name="image")
    x = image
    for branches in MODULES:
        x = inception_module(x, *branches)
        x = FusedBatchNormalization(synchronized=synchronized)(x)
        x = layers.MaxPooling2D(2, padding="same")(x)  # (B, 128 | 64, same, 11 | 12)
    x = _convolution(x, 16, 5, 2, synchronized)  # (B, 32, 32, 16)
    x = _convolution(x, 16, 5, 4, synchronized)  # (B, 8, 8, 16)
    return _head(image, x, layers.Dense(1, activation="sigmoid", dtype="float32", name="score"), "mesoinception4")


def meso4_hinge(image_size=256, synchronized=False):
    """The authors' notebook: Meso-4 with one linear unit under an L2 penalty of 0.01, trained with the hinge loss.

    The output is a margin: positive means fake. Keras's hinge loss turns labels 0 / 1 into -1 / 1 itself.
    """
    base = meso4(image_size, synchronized)
    x = layers.Dropout(0.5)(base.get_layer(FEATURES).output)
    margin = layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.01), dtype="float32", name="margin")(x)
    return keras.Model(base.input, margin, name="meso4_hinge")


def feature_network(network):
    """The part of a network up to its 16 features: (B, S, S, 3) -> (B, 16)."""
    return keras.Model(network.input, network.get_layer(FEATURES).output, name=f"{network.name}_{FEATURES}")


def fit_svm(features, labels, max_exact, seed, fake_share=None):
    """Fit the RBF SVM (C = 1, gamma = 'scale') on standardised features (n, 16) and labels (n,), fake = 1.

    fake_share: the weight of all fakes together, as of the network's batches; None: every image weighs the same.
    An exact SVC costs between n^2 and n^3: above `max_exact` features the kernel is approximated by Nystroem's
    method with 1,000 components and a linear SVM on top, in time linear in n. Returns (pipeline, what was fitted).
    """
    weights = None
    if fake_share is not None:
        share = np.mean(labels)
        weights = {1: fake_share / share, 0: (1 - fake_share) / (1 - share)}
    if len(features) <= max_exact:
        svm = SVC(kernel="rbf", C=1.0, gamma="scale", class_weight=weights, cache_size=1000)
        return make_pipeline(StandardScaler(), svm).fit(features, labels), f"exact SVC on {len(features)} features"
    gamma = 1 / (features.shape[1] * np.var(StandardScaler().fit_transform(features)))  # SVC's 'scale'
    kernel = Nystroem(kernel="rbf", gamma=gamma, n_components=min(1000, len(features)), random_state=seed)
    svm = make_pipeline(StandardScaler(), kernel, LinearSVC(C=1.0, class_weight=weights, random_state=seed))
    words = f"Nystroem (1,000 components) + linear SVM on {len(features)} features, more than --svm-max {max_exact}"
    return svm.fit(features, labels), words


def load_legacy_weights(network, file):
    """Load MesoNet's 2018 weights (.h5), whose output is P(real), so that the network's output is P(fake).

    sigmoid(-z) = 1 - sigmoid(z): the sign of the last layer is the one place where their labels meet ours. A file of
    Keras 3 (.weights.h5) is ours, points at fake already and is left as it is.
    """
    network.load_weights(file)
    with h5py.File(file) as opened:
        if "layer_names" not in opened.attrs:
            return
    network.layers[-1].set_weights([-weights for weights in network.layers[-1].get_weights()])


def _convolution(x, filters, kernel, pool, synchronized):
    x = layers.Conv2D(filters, kernel, padding="same", activation="relu")(x)
    x = FusedBatchNormalization(synchronized=synchronized)(x)
    return layers.MaxPooling2D(pool, padding="same")(x)


def inception_module(x, a, b, c, d):
    """Four branches side by side: 1x1, and 3x3 with dilation 1, 2 and 3 behind a 1x1; every convolution with ReLU."""
    towers = [layers.Conv2D(a, 1, padding="same", activation="relu")(x)]
    for filters, dilation in ((b, 1), (c, 2), (d, 3)):
        tower = layers.Conv2D(filters, 1, padding="same", activation="relu")(x)
        tower = layers.Conv2D(filters, 3, dilation_rate=dilation, padding="same", activation="relu")(tower)
        towers.append(tower)
    return layers.Concatenate()(towers)  # (B, H, W, a + b + c + d)


def _head(image, x, output, name):
    x = layers.Dropout(0.5)(layers.Flatten()(x))  # (B, 1024)
    x = layers.Dense(16)(x)
    x = layers.LeakyReLU(negative_slope=0.1, dtype="float32", name=FEATURES)(x)  # (B, 16)
    return keras.Model(image, output(layers.Dropout(0.5)(x)), name=name)
