"""The networks of both phases and the classifiers on the embeddings.

Paper: Ayyappan, Singh, Datta, "Deep Fake Detection using Metric Learning", sections VIII to X. What comes from the
authors' notebook is marked [code].

Phase I takes RGB pixels in [0, 255], float32 (B, S, S, 3), or a video's frames as embeddings; its outputs are the
probabilities (B, 2) of [real, fake]. Phase II takes the 512 numbers of inception_resnet_v1 for a face.
"""

from collections.abc import Sequence
from typing import Any

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


def xception(image_size: int = 160, weights: str = "none", synchronized: bool = False) -> keras.Model:
    """Return the network of phase I on single frames, to be trained by cross-entropy.

    In the order of Sec. VIII: Xception, "a maxpooling layer" (over the whole map: the paper gives no window), 512
    neurons (ReLU: not stated), "two dropout layers with 0.4 and 0.5 values respectively", one after the other, softmax.
    All layers are trained: the paper freezes layers in phase II only.

    Args:
        image_size: height and width of the images in pixels, at least 71.
        weights: what Xception starts from, as for common.networks.backbones.backbone.
        synchronized: whether batch normalisation takes its statistics over all replicas.

    Returns:
        Pixels (B, S, S, 3) in [0, 255] -> probabilities (B, 2).
    """
    base = backbone("xception", (image_size, image_size, 3), weights, synchronized)
    x = layers.GlobalMaxPooling2D()(base.output)  # (B, 2048)
    x = layers.Dense(FRAME_DIMENSIONS, activation="relu", name=FRAME_EMBEDDING)(x)  # (B, 512)
    x = layers.Dropout(0.5)(layers.Dropout(0.4)(x))
    return keras.Model(base.input, _probabilities(x), name="xception")


def frame_embedder(network: keras.Model) -> keras.Model:
    """Return an `xception` with "the last layer removed" (Sec. IX): pixels -> embeddings (B, 512) >= 0.

    They share their weights.
    """
    return keras.Model(network.input, network.get_layer(FRAME_EMBEDDING).output, name="xception_frames")


def padded(videos: Sequence[np.ndarray]) -> np.ndarray:
    """Return videos as one batch, short ones filled up with PADDING.

    Args:
        videos: each float (T_i, D) with T_i >= 1 frames.

    Returns:
        float32 (B, max T_i, D).
    """
    return keras.utils.pad_sequences(videos, dtype=np.float32, padding="post", value=PADDING)


def xception_lstm(dimensions: int = FRAME_DIMENSIONS, units: int = 256) -> keras.Model:
    """Return the network of phase I on videos (Sec. IX).

    Args:
        dimensions: of a frame's embedding.
        units: width of the LSTM, which the paper does not state.

    Returns:
        Frame embeddings (B, T, dimensions), as `padded` returns them -> probabilities (B, 2). T can differ from batch
        to batch; padding changes no output.
    """
    frames = keras.Input((None, dimensions), name="frames")
    x = layers.LSTM(units)(layers.Masking(PADDING)(frames))  # (B, units)
    return keras.Model(frames, _probabilities(x), name="xception_lstm")


def base_network(dimensions: int = DIMENSIONS, dropouts: int = 3) -> keras.Model:
    """Return the network of phase II, trained by semi-hard triplets; 238,272 parameters for 512 dimensions.

    Args:
        dimensions: of a face's embedding.
        dropouts: how many of the three hidden layers, from the first on, have a dropout of 0.1: three in the code,
            "two" in Sec. VIII.

    Returns:
        Embeddings (B, dimensions) -> (B, 64), without an activation and of any length [code].
    """
    face = keras.Input((dimensions,), name="face_embedding")
    x = face
    for place, units in enumerate((256, 256, 128)):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_uniform")(x)
        x = layers.Dropout(0.1)(x) if place < dropouts else x
    return keras.Model(face, layers.Dense(64, dtype="float32", name="embedding")(x), name="base_network")


def classifiers(seed: int) -> dict[str, Any]:
    """Return the notebook's unfitted scikit-learn classifiers by name; Table II has the first two [code].

    Before the triplet training the notebook's SGD has the hinge loss, after it log loss, which alone has probabilities:
    here both have log loss. The notebook sets no seeds.

    Args:
        seed: of those that draw random numbers.
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
