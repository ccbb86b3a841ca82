"""Every hyperparameter of the paper, its value for each preset, and where it comes from."""

from dataclasses import dataclass, replace
from typing import Literal

from common.runs.options import RunOptions

PAPER = "cffn_resnet"
PROPOSED = "cffn"
TRAINED = "dfdc"
# The legal NAMEs of --data, and the data_prep layout each usually comes in; dfdc is trained on, the others are unseen.
LAYOUTS = {TRAINED: "dfdc", "celebdf": "celebdf", "faceforensics": "faceforensics", "other": "folders"}
# NAME -> (family, share of --synthetic-images): what the embedded data put in place of a data set.
EMBEDDED = {TRAINED: ("swap", 1.0), "other": ("deconv", 0.15)}
PAPER_IMAGES = 100_000  # Sec. 3: approximately so many to train on, around 5,000 to validate on
PAPER_SIZE, PAPER_BATCH = 224, 128  # Sec. 3 and 5.1
# Model -> what it changes in the Config: the ablations, and the earlier models of Sec. 5.2. What that section leaves
# open of them, batches of 32 and a third of the epochs, is our choice.
FIRST = {"training_share": 0.1, "batch_size": 32, "schedule": False, "penalty": None}
MODELS = {
    PROPOSED: {},
    "cffn_no_triplet": {"phase_1": "classifier"},
    "cffn_phase_2": {"triplet_epochs": 0},
    "cffn_hard": {"mining": "hard"},
    "cffn_unsquared": {"squared": False},
    "cffn_hard_unsquared": {"mining": "hard", "squared": False},
    "cffn_3x3": {"kernels": (3,)},
    "cffn_relu": {"activation": "relu"},
    "story_first": FIRST | {"added_units": False, "triplet_epochs": 1, "epochs_divided_by": 3},
    "story_units": FIRST,
    "story_schedule": {"training_share": 0.1, "penalty": None},
}

Model = Literal[
    "cffn", "cffn_no_triplet", "cffn_phase_2", "cffn_hard", "cffn_unsquared", "cffn_hard_unsquared", "cffn_3x3",
    "cffn_relu", "story_first", "story_units", "story_schedule",
]  # fmt: skip


@dataclass(frozen=True)
class Config(RunOptions):
    """The flags of this paper; the defaults are the paper's."""

    models: tuple[Model, ...] = (PROPOSED, "cffn_no_triplet")
    """What to train. cffn is the proposal. Ablations: cffn_no_triplet has phase 1's epochs and rate under
    cross-entropy, cffn_phase_2 leaves phase 1 out; hard, unsquared: the triplets; 3x3: one tower; relu. story_first,
    story_units, story_schedule: the earlier models of Sec. 5.2, on a tenth of the training images."""
    epochs: int = 15
    """Epochs of phase 2, the whole network under cross-entropy. Sec. 5.1."""
    triplet_epochs: int = 5
    """Epochs of phase 1, the encoder under the triplet loss. Sec. 5.1."""
    phase_1: Literal["triplet", "classifier"] = "triplet"
    """classifier: phase 1's epochs and learning rate under the loss of phase 2, to see what the triplet loss adds."""
    mining: Literal["all", "hard"] = "all"
    """Triplets of a batch: all, Sec. 4; hard, the farthest positive and the nearest negative, author's code."""
    squared: bool = True
    """Whether distances are squared. Eq. (1): yes; author's code: no."""
    margin: float = 0.8
    """Of the triplet loss. Sec. 5.1."""
    penalty: float | None = 0.001
    """Factor of the L2 penalty in phase 2, Sec. 5.1, on the two matrices of the author's code; None: no penalty."""
    batch_size: int = PAPER_BATCH
    """Images in a step, over all devices; triplets are mined among them. Sec. 5.1."""
    fake_share: float | None = None
    """Share of fakes in every training batch; None: as the data are. Sec. 3 has 80 % fakes over all."""
    learning_rate: float = 1e-4
    """Adam's, in phase 1. Sec. 5.1."""
    classifier_learning_rate: float = 1e-5
    """Adam's, from phase 2 on. Author's code."""
    last_learning_rate: float = 1e-6
    """Adam's at the end of phase 2. Sec. 5.1."""
    last_after: int = 16
    """Epochs of both phases after which the last rate is taken. Sec. 5.1."""
    last_accuracy: float = 0.89
    """Validation accuracy at which the last rate is taken. Sec. 5.1."""
    stop_accuracy: float = 0.94
    """Validation accuracy at which training ends. Sec. 5.1."""
    stop_after: int = 15
    """Epochs of both phases before which it does not. Author's code."""
    schedule: bool = True
    """Whether the learning rate falls; without, phase 1's is kept, as before the change of Sec. 5.2."""
    monitor: Literal["val_accuracy", "val_loss", "val_auc"] = "val_accuracy"
    """What decides which epoch of phase 2 is kept, always on validation; of phase 1 it is how well distances tell the
    classes apart there. Not stated; the quantity by which the paper schedules and stops."""
    image_size: int = PAPER_SIZE
    """Height and width of the input in pixels, at least 35. Sec. 3; the author's code trains at 64."""
    width: float = 1.0
    """Factor on the filters of stem and towers. 1 in Figure 2."""
    kernels: tuple[int, ...] = (3, 5)
    """Kernel size of each tower. Sec. 5.1."""
    activation: Literal["swish", "relu"] = "swish"
    """Sec. 5.1, eq. (2)."""
    initializer: Literal["he", "code"] = "he"
    """First weights: He's, not stated, we chose; code, a normal distribution with deviation 1, cut at 2."""
    added_units: bool = True
    """Whether the towers have the 6 units of 256 channels that Sec. 5.1 adds."""
    augmentation: bool = True
    """Mirroring, brightness, contrast, saturation at random. Sec. 3; the ranges are those of the author's code."""
    training_share: float = 1.0
    """Share of the training images to use. Sec. 5.2: the first models had a tenth."""
    epochs_divided_by: int = 1
    """A divisor of the epochs of phase 2. Sec. 5.2: the first model had fewer; how many is not stated."""
    split: tuple[float, float, float] = (0.9, 0.05, 0.05)
    """Shares of training, validation and test. Sec. 3: 95:5, without a test split."""
    saliency_images: int = 4
    """Test images of each class in the figure of the classifier's evidence. We chose."""
    synthetic_images: int = 480
    """Images per class of the embedded data, clips of --synthetic-frames."""
    synthetic_frames: int = 2
    """Images of an embedded clip."""


PRESETS = {
    "paper": Config(),
    "quick": replace(
        Config(),
        preset="quick",
        epochs=12,
        triplet_epochs=2,
        batch_size=16,
        classifier_learning_rate=1e-3,
        last_learning_rate=1e-4,
        last_after=11,
        image_size=112,
        width=0.25,
        split=(0.6, 0.15, 0.25),
    ),
    "smoke": replace(
        Config(),
        preset="smoke",
        models=(PROPOSED,),
        epochs=2,
        triplet_epochs=1,
        batch_size=8,
        learning_rate=1e-3,
        classifier_learning_rate=1e-3,
        image_size=40,
        width=0.0625,
        kernels=(3,),
        added_units=False,
        split=(0.5, 0.25, 0.25),
        saliency_images=2,
        synthetic_images=28,
    ),
}


def settings(config, model):
    """The Config that a model is trained with: the run's, with what the model changes in it."""
    changes = MODELS[model]
    if "batch_size" in changes:  # the run's own may be smaller, for a small machine
        changes = changes | {"batch_size": min(changes["batch_size"], config.batch_size)}
    return replace(config, **changes)
