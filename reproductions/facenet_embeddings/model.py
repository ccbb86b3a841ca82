"""The networks of both phases and the classifiers on the embeddings.

Paper: Ayyappan, Singh, Datta, "Deep Fake Detection using Metric Learning", sections VIII to X. What comes from the
authors' notebook is marked [code].

Phase I takes RGB pixels in [0, 255], float32 (B, S, S, 3), or a video's frames as embeddings; its outputs are the
probabilities (B, 2) of [real, fake]. Phase II takes the 512 numbers of inception_resnet_v1 for a face.
"""

import keras
import numpy as np
from keras import layers
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from common.networks.backbones import backbone
from reproductions.facenet_embeddings.inception_resnet_v1 import DIMENSIONS

FRAME_EMBEDDING = "frame_embedding"
FRAME_DIMENSIONS = 512  # Sec. VIII: "512 neurons"
PADDING = -1.0  # a frame embedding comes out of a ReLU and is never negative


def xception(image_size=160, weights="none", synchronized=False):
    """Phase I on single frames: pixels (B, S, S, 3) -> probabilities (B, 2), to be trained by cross-entropy.

    In the order of Sec. VIII: Xception, "a maxpooling layer" (over the whole map: the paper gives no window), 512
    neurons (ReLU: not stated), "two dropout layers with 0.4 and 0.5 values respectively", one right after the other,
    softmax. All layers are trained: that any are frozen is said of phase II alone.
    weights, synchronized: as for common.networks.backbones.backbone.
    """
    base = backbone("xception", (image_size, image_size, 3), weights, synchronized)
    x = layers.GlobalMaxPooling2D()(base.output)  # (B, 2048)
    x = layers.Dense(FRAME_DIMENSIONS, activation="relu", name=FRAME_EMBEDDING)(x)
    x = layers.Dropout(0.5)(layers.Dropout(0.4)(x))
    return keras.Model(base.input, _probabilities(x), name="xception")


def frame_embedder(network):
    """An `xception` with "the last layer removed" (Sec. IX), its weights shared: pixels -> embeddings (B, 512) >= 0."""
    return keras.Model(network.input, network.get_layer(FRAME_EMBEDDING).output, name="xception_frames")


def padded(videos):
    """Videos of T_i >= 1 frames, each float (T_i, D), as one batch float32 (B, max T_i, D), short ones filled up with
    PADDING."""
    return keras.utils.pad_sequences(videos, dtype=np.float32, padding="post", value=PADDING)


def xception_lstm(dimensions=FRAME_DIMENSIONS, units=256):
    """Phase I on videos, Sec. IX: frame embeddings (B, T, dimensions), as `padded` gives them -> probabilities (B, 2).

    T may differ from batch to batch; padding changes no output. The paper states no units.
    """
    frames = keras.Input((None, dimensions), name="frames")
    x = layers.LSTM(units)(layers.Masking(PADDING)(frames))  # (B, units)
    return keras.Model(frames, _probabilities(x), name="xception_lstm")


def base_network(dimensions=DIMENSIONS, dropouts=3):
    """Phase II, trained by semi-hard triplets: embeddings (B, dimensions) -> (B, 64); 238,272 parameters for 512.

    dropouts: after how many of the three hidden layers, from the first on, stands a dropout of 0.1: three in the code,
    "two" in Sec. VIII. The output has no activation and any length [code].
    """
    face = keras.Input((dimensions,), name="face_embedding")
    x = face
    for place, units in enumerate((256, 256, 128)):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_uniform")(x)
        x = layers.Dropout(0.1)(x) if place < dropouts else x
    return keras.Model(face, layers.Dense(64, dtype="float32", name="embedding")(x), name="base_network")


def classifiers(seed):
    """The untrained scikit-learn classifiers of the notebook by name; Table II has the first two [code].

    Before the triplet training the notebook's SGD has the hinge loss, after it log loss, which alone has probabilities:
    here both are the latter. The notebook sets no seeds.
    """
    return {
        "sgd": SGDClassifier(loss="log_loss", max_iter=50, tol=None, random_state=seed),
        "random_forest": RandomForestClassifier(100, random_state=seed),
        "logistic_regression": LogisticRegression(random_state=seed),
        "k_neighbours": KNeighborsClassifier(10),
        "perceptron": Perceptron(max_iter=15, random_state=seed),
        "decision_tree": DecisionTreeClassifier(random_state=seed),
    }


def _probabilities(x):
    return layers.Dense(2, activation="softmax", dtype="float32", name="real_fake")(x)
