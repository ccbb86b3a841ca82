"""Every hyperparameter of the paper, its value for each preset, and where it comes from."""

from dataclasses import dataclass, replace
from typing import Literal

from common.runs.options import RunOptions

PAPER = "facenet_embeddings"
BASE, PROPOSED = "base_network", "random_forest"  # of Table II's two classifiers the one with the higher AUC
FACENET, STAND_IN = "facenet", "spectrum"
# The legal NAMEs of --data, and the data_prep layout each usually comes in. All that are given are trained on together;
# the trials that the paper runs on Celeb-DF alone take `celebdf` where it is given.
FIRST, SECOND = "celebdf", "celebdf_v2"
LAYOUTS = {FIRST: "celebdf", SECOND: "celebdf"}
FOLDED = ("frame", "video")  # the protocols that --folds can draw
# The notebook's other classifiers on the base network's output, then what the base network is measured against.
OTHERS = ("logistic_regression", "k_neighbours", "perceptron", "decision_tree")
ON_EMBEDDINGS, ON_UNTRAINED = "sgd_on_embeddings", "sgd_on_untrained"
PAPER_FRAMES = 27_102 + 3_012  # training and others [code]
TSNE_IMAGES = 512  # Figure 8 [code]


@dataclass(frozen=True)
class Trial:
    """A training of phase I. frames: most of them, in training and validation together; both: on Celeb-DF and v2."""

    learning_rate: float
    epochs: int
    frames: int | None = None
    both: bool = False


XCEPTION = {
    "trial1": Trial(0.1, 10, 10_000),  # Table I; that it is on 10k frames is said in Table III, of trial 2
    "trial2": Trial(0.05, 10, 10_000),  # Table I, and Table III, row 1
    "trial3": Trial(0.01, 10, 10_000),  # Table I
    "xception_30k": Trial(0.05, 30, 30_000, both=True),  # Table III, row 3
}
LSTM = "lstm"
TRIALS = XCEPTION | {LSTM: Trial(0.01, 30)}  # Table III, row 2


@dataclass(frozen=True)
class Config(RunOptions):
    """The flags of this paper; the defaults are the paper's."""

    phase1: tuple[Literal["trial1", "trial2", "trial3", "xception_30k", "lstm"], ...] = tuple(TRIALS)
    """Trainings of phase I: Xception with the settings of Table I (trial 2 is Table III's too), on 30,000 frames, and
    the LSTM on the frames of a video (Table III). None of them: --phase1 without a word after it."""
    phase1_protocols: Literal["first", "all"] = "all"
    """Train phase I under every protocol, or under the first of the run alone."""
    phase1_epochs: int | None = None
    """Epochs of the trainings of phase I; none: Tables I and III, 10 or 30."""
    phase1_frames: int | None = None
    """Most frames of each training of phase I; none: Table III, 10,000 or 30,000."""
    phase1_batch_size: int = 64
    """Frames in a step of phase I, or videos in one of the LSTM, over all devices. Tables I and III."""
    phase1_size: int = 160
    """Height and width of Xception's input in pixels. Not stated; the size of phase II's faces."""
    augment: bool = True
    """Rotate, zoom, mirror and shift the training frames of phase I. Sec. VIII."""
    lstm_units: int = 256
    """Width of the LSTM. Not stated; we chose."""
    embedder: Literal["auto", "facenet", "spectrum", "random_facenet"] = "auto"
    """What turns a face into 512 numbers: facenet, or a stand-in that needs no weights: spectrum, the strengths of
    8 x 8 cosine waves in parts of the face, or FaceNet's network with random weights. auto: facenet, and where its
    weights cannot be had, spectrum; the preset paper stops instead."""
    facenet_weights: str = "download"
    """download, none, or FaceNet's weight file (20180402-114759-weights.h5 of keras-facenet)."""
    image_size: int = 160
    """Height and width of the faces of phase II in pixels. Authors' code."""
    embedding_batch: int = 64
    """Faces that are embedded at a time; changes no number."""
    epochs: int = 100
    """Epochs of the base network. Sec. VIII."""
    batch_size: int = 32
    """Embeddings in a step of the base network, over all devices. Sec. VIII."""
    learning_rate: float = 3e-4
    """Adam's, for the base network. Sec. VIII."""
    margin: float = 1.0
    """Of the semi-hard triplet loss. Authors' code."""
    dropouts: Literal[2, 3] = 3
    """After how many of the three hidden layers a dropout of 0.1 stands. Authors' code; Sec. VIII says two."""
    keep: Literal["best", "last"] = "best"
    """The epoch of the base network that is kept: the one that by the nearer class centroid sets the validation
    images' classes furthest apart, or the last. Not stated; we chose."""
    split: tuple[float, float, float] = (0.9, 0.0332, 0.0668)
    """Shares of training, validation and test. Authors' code: 27,102 frames, and of 3,012 others 1,000 for
    validation."""
    folds: int | None = None
    """Cross-validation in the place of --split, under the protocols frame and video: of so many parts each is the test
    once and the validation once, and the predictions are pooled. For data with few videos."""
    synthetic_videos: int = 60
    """Videos per class of the embedded data."""
    synthetic_frames: int = 8
    """Frames of each of them."""


PRESETS = {
    "paper": Config(),
    "quick": replace(
        Config(),
        preset="quick",
        phase1=("trial3", LSTM),
        phase1_protocols="first",
        phase1_epochs=4,
        phase1_batch_size=32,
        phase1_size=80,
        split=(0.6, 0.15, 0.25),
    ),
    "smoke": replace(
        Config(),
        preset="smoke",
        phase1=("trial3", LSTM),
        phase1_protocols="first",
        phase1_epochs=1,
        phase1_frames=8,
        phase1_batch_size=4,
        phase1_size=71,
        epochs=2,
        batch_size=8,
        split=(0.5, 0.25, 0.25),
        synthetic_videos=6,
        synthetic_frames=3,
    ),
}
