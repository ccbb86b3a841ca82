"""Every hyperparameter of the paper, its value for each preset, and where it comes from."""

from dataclasses import dataclass
from typing import Annotated, Literal

from common.runs.options import RunOptions
from common.runs.rules import Above, AtLeast, Below, Distinct, Role

PAPER = "facenet_embeddings"
BASE, PROPOSED = "base_network", "random_forest"  # of Table II's two classifiers the one with the higher AUC
BACKBONE = "xception"  # what --weights calls the network of phase I
FACENET, STAND_IN, XCEPTION_EMBEDDER = "facenet", "spectrum", "xception"
# The legal NAMEs of --data, and the data_prep layout each usually comes in. All that are given are trained on together,
# except that the trials that the paper runs on Celeb-DF alone use only `celebdf` if it is given.
FIRST, SECOND = "celebdf", "celebdf_v2"
LAYOUTS = {FIRST: "celebdf", SECOND: "celebdf"}
SCOPE = "celebdf"  # v2 extends v1: equal names of videos and persons mean the same one in both
PROTOCOLS_WITH_FOLDS = ("frame", "video", "identity")
# The notebook's other classifiers on the base network's output, then what the base network is measured against.
OTHERS = ("logistic_regression", "k_neighbours", "perceptron", "decision_tree")
ON_EMBEDDINGS, ON_UNTRAINED = "sgd_on_embeddings", "sgd_on_untrained"
PAPER_FRAMES, PAPER_FAKES = 27_102 + 3_012, 16_375  # training and others; of 655 fake and 550 real videos [code]
TSNE_IMAGES = 512  # Figure 8 [code]


@dataclass(frozen=True)
class Trial:
    """A training of phase I.

    Args:
        learning_rate: of Nadam.
        epochs: the number of epochs.
        frames: the most frames of training and validation together; None: all.
        both: whether it uses Celeb-DF and Celeb-DF-v2, not Celeb-DF alone.
    """

    learning_rate: float
    epochs: int
    frames: int | None = None
    both: bool = False


XCEPTION = {
    "trial1": Trial(0.1, 10, 10_000),  # Table I; Table III gives the 10k frames, for trial 2
    "trial2": Trial(0.05, 10, 10_000),  # Table I, and Table III, row 1
    "trial3": Trial(0.01, 10, 10_000),  # Table I
    "xception_30k": Trial(0.05, 30, 30_000, both=True),  # Table III, row 3
}
LSTM = "lstm"
TRIALS = XCEPTION | {LSTM: Trial(0.01, 30)}  # Table III, row 2


@dataclass(frozen=True)
class Config(RunOptions):
    """The flags of this paper; the defaults are the paper's."""

    phase1: Annotated[tuple[Literal[*TRIALS], ...], Distinct()] = tuple(TRIALS)
    """Trainings of phase I: Xception with the settings of Table I (trial 2 is in Table III too), Xception on 30,000
    frames, and the LSTM on the frames of a video (Table III). For none of them give --phase1 without a value."""
    phase1_protocols: Literal["first", "all"] = "all"
    """Train phase I under every protocol, or only under the first of the run. Not in the paper; we chose."""
    phase1_epochs: Annotated[int | None, AtLeast(0)] = None
    """Epochs of the trainings of phase I; none: Tables I and III, 10 or 30."""
    phase1_frames: Annotated[int | None, AtLeast(1)] = None
    """Most frames of each training of phase I; none: Table III, 10,000 or 30,000."""
    phase1_batch_size: Annotated[int, AtLeast(1)] = 64
    """Frames in a step of phase I, or videos in a step of the LSTM, over all devices. Tables I and III."""
    phase1_size: Annotated[int, AtLeast(71)] = 160
    """Height and width of Xception's input in pixels. Not stated; the size of phase II's faces."""
    phase1_validation: Annotated[float | None, Above(0), Below(1)] = 0.15
    """Share of phase I's frames, without the test frames, that validate. Sec. VIII; none: as in --split."""
    augment: bool = True
    """Rotate, zoom, mirror and shift the training frames of phase I. Sec. VIII."""
    lstm_units: Annotated[int, AtLeast(1)] = 256
    """Width of the LSTM. Not stated; we chose."""
    embedder: Literal["auto", "facenet", "xception", "spectrum", "random_facenet"] = "auto"
    """What turns a face into 512 numbers. Sec. VIII: facenet. Sec. X, first experiment: xception, the best Xception of
    the run's phase I without its last layer; its rows are all in the table extra. We added two stand-ins that need no
    weights: spectrum, the strengths of 8 x 8 cosine waves in parts of the face, and FaceNet's network with random
    weights. auto: facenet, and spectrum under --facenet-weights none."""
    facenet_weights: Annotated[str, Role.WEIGHTS] = "download"
    """download, none, or FaceNet's weight file. Authors' code: 20180402-114759-weights.h5 of keras-facenet."""
    image_size: Annotated[int, AtLeast(75)] = 160
    """Height and width of the faces of phase II in pixels. Authors' code."""
    embedding_batch: Annotated[int, AtLeast(1)] = 64
    """Faces in a step of the embedder; changes no result. We chose."""
    epochs: Annotated[int, AtLeast(0)] = 100
    """Epochs of the base network. Sec. VIII."""
    batch_size: Annotated[int, AtLeast(1)] = 32
    """Embeddings in a step of the base network, over all devices. Sec. VIII."""
    learning_rate: Annotated[float, Above(0)] = 3e-4
    """Adam's, for the base network. Sec. VIII."""
    margin: Annotated[float, AtLeast(0)] = 1.0
    """Of the semi-hard triplet loss. Authors' code."""
    dropouts: Literal[2, 3] = 3
    """How many of the three hidden layers, from the first on, have a dropout of 0.1. Authors' code; Sec. VIII: two."""
    keep: Literal["best", "last"] = "last"
    """The epoch of the base network that is kept. Authors' code: last. best: by the nearer class centroid, the classes
    of the validation images are furthest apart; quick and smoke use it."""
    split: Annotated[tuple[float, float, float], Above(0)] = (0.9, 0.0332, 0.0668)
    """Shares of training, validation and test. Authors' code: 27,102 frames train; of 3,012 others 1,000 validate."""
    table2_videos: Annotated[int, AtLeast(0)] = 12
    """Whole videos of each class that the protocol frame keeps for Table II; none of their frames is trained on. At
    most a quarter of a class. Authors' code: 12 and 12, from another list. With 0, frame has no rows of Table II."""
    folds: Annotated[int | None, AtLeast(3)] = None
    """Cross-validation with this many folds instead of --split, under the protocols frame, video and identity (which
    leaves persons out). Each part is the test split once and the validation split once, and the predictions are pooled.
    For data with few videos or persons. Not in the paper; none."""
    synthetic_videos: Annotated[int, AtLeast(2)] = 60
    """Videos per class of the embedded data. We chose."""
    synthetic_frames: Annotated[int, AtLeast(1)] = 8
    """Frames of each of them. We chose."""


PRESETS = {
    "paper": Config(),
    "quick": Config(
        preset="quick",
        imagenet_weights="none",
        facenet_weights="none",
        phase1_validation=None,
        keep="best",
        phase1=("trial3", LSTM),
        phase1_protocols="first",
        phase1_epochs=4,
        phase1_batch_size=32,
        phase1_size=80,
        split=(0.6, 0.15, 0.25),
    ),
    "smoke": Config(
        preset="smoke",
        imagenet_weights="none",
        facenet_weights="none",
        phase1_validation=None,
        keep="best",
        phase1=("trial3", LSTM),
        phase1_protocols="first",
        phase1_epochs=1,
        phase1_frames=8,
        phase1_batch_size=4,
        phase1_size=71,
        epochs=2,
        batch_size=8,
        split=(0.5, 0.25, 0.25),
        table2_videos=1,
        synthetic_videos=6,
        synthetic_frames=3,
    ),
}
