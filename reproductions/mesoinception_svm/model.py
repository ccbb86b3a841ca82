"""The hinge variant of Meso-4, and the RBF SVM that the paper puts on the features of MesoInception-4.

Networks: common.networks.mesonet. SVM: the reproduced paper, section 3.
"""

import keras
import numpy as np
from keras import layers
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from common.networks.mesonet import FEATURES, meso4


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
