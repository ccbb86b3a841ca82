"""Every hyperparameter of the paper, its value for each preset, and where it comes from."""

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from common.runs.options import RunOptions
from common.runs.rules import Above, AtLeast, AtMost, Below, Distinct

PAPER = "cffn_resnet"
PROPOSED = "cffn"
TRAINED = "dfdc"  # the NAME of --data that is trained on; the others are unseen
# The legal NAMEs of --data, and the data_prep layout each usually comes in.
LAYOUTS = {TRAINED: "dfdc", "celebdf": "celebdf", "faceforensics": "faceforensics", "other": "folders"}
# NAME -> (family, share of --synthetic-images): what the embedded data put in place of a data set.
EMBEDDED = {TRAINED: ("swap", 1.0), "other": ("deconv", 0.15)}
PAPER_IMAGES = 100_000  # Sec. 3: about 100,000 images to train on, around 5,000 to validate on
PAPER_FAKE_SHARE = 0.8  # Sec. 5.3: the intended 80-20 split
PAPER_SIZE, PAPER_BATCH = 224, 128  # Sec. 3 and 5.1
SMALLEST_SIZE = 35  # the smallest image of which the stem and three poolings leave a pixel
SCORED_TRAINING_IMAGES = 5000  # most training images for the training accuracy; the paper's is of one batch

# Model -> what it changes in the Config: the ablations, and the earlier models of Sec. 5.2. Of those, batches of 32 and
# a third of the epochs are not stated; we chose.
EARLY_MODELS: dict[str, Any] = {"training_share": 0.1, "batch_size": 32, "schedule": False, "penalty": None}
MODELS: dict[str, dict[str, Any]] = {
    PROPOSED: {},
    "cffn_no_triplet": {"phase_1": "classifier"},
    "cffn_phase_2": {"triplet_epochs": 0},
    "cffn_hard": {"mining": "hard"},
    "cffn_unsquared": {"squared": False},
    "cffn_hard_unsquared": {"mining": "hard", "squared": False},
    "cffn_3x3": {"kernels": (3,)},
    "cffn_relu": {"activation": "relu"},
    "story_first": EARLY_MODELS | {"added_units": False, "triplet_epochs": 1, "epochs_divided_by": 3},
    "story_units": EARLY_MODELS,
    "story_schedule": {"training_share": 0.1, "penalty": None},
}


@dataclass(frozen=True)
class Config(RunOptions):
    """The flags of this paper; the defaults are the paper's."""

    models: Annotated[tuple[Literal[*MODELS], ...], Distinct(1)] = (PROPOSED, "cffn_no_triplet")
    """What to train. cffn is the proposal. Ablations: cffn_no_triplet gives phase 1's epochs and learning rate to
    cross-entropy; cffn_phase_2 leaves phase 1 out; hard and unsquared change the triplets; 3x3 has one tower; relu.
    story_first, story_units, story_schedule: the earlier models of Sec. 5.2, on a tenth of the training images."""
    epochs: Annotated[int, AtLeast(0)] = 15
    """Epochs of phase 2, the whole network under cross-entropy. Sec. 5.1."""
    triplet_epochs: Annotated[int, AtLeast(0)] = 5
    """Epochs of phase 1, the encoder under the triplet loss. Sec. 5.1."""
    phase_1: Literal["triplet", "classifier"] = "triplet"
    """triplet: Sec. 5.1. classifier: phase 1's epochs and learning rate under the loss of phase 2, to see what the
    triplet loss adds; we chose."""
    mining: Literal["all", "hard"] = "all"
    """Triplets of a batch: all, Sec. 4; hard, the farthest positive and the nearest negative, author's code."""
    squared: bool = True
    """Whether distances are squared. Eq. (1): yes; author's code: no."""
    margin: Annotated[float, AtLeast(0)] = 0.8
    """Margin of the triplet loss. Sec. 5.1."""
    penalty: Annotated[float | None, AtLeast(0)] = 0.001
    """Factor of the L2 penalty in phase 2, Sec. 5.1, on the two matrices of the author's code; None: no penalty."""
    batch_size: Annotated[int, AtLeast(1)] = PAPER_BATCH
    """Images in a step, over all devices; triplets are mined among them. Sec. 5.1."""
    fake_share: Annotated[float | None, Above(0), Below(1)] = None
    """Share of fakes in every training batch; None: as the data are. Sec. 3 has 80 % fakes over all."""
    learning_rate: Annotated[float, Above(0)] = 1e-4
    """Adam's learning rate in phase 1. Sec. 5.1."""
    classifier_learning_rate: Annotated[float, Above(0)] = 1e-5
    """Adam's learning rate from phase 2 on. Author's code."""
    last_learning_rate: Annotated[float, Above(0)] = 1e-6
    """Adam's learning rate at the end of phase 2. Sec. 5.1."""
    last_after: Annotated[int, AtLeast(0)] = 16
    """Epochs of both phases after which the last rate is used. Sec. 5.1."""
    last_accuracy: Annotated[float, AtLeast(0)] = 0.89
    """Validation accuracy from which the last rate is used. Sec. 5.1."""
    stop_accuracy: Annotated[float, AtLeast(0)] = 0.94
    """Validation accuracy at which training ends. Sec. 5.1."""
    stop_after: Annotated[int, AtLeast(0)] = 15
    """Epochs of both phases before which training does not end early. Author's code."""
    schedule: bool = True
    """Whether the learning rate falls; without, phase 1's is kept, as before the change of Sec. 5.2."""
    monitor: Literal["val_accuracy", "val_loss", "val_auc"] = "val_accuracy"
    """What decides which epoch of phase 2 is kept, always on validation. Phase 1 keeps the epoch whose distances tell
    the classes apart best. Not stated; the quantity by which the paper schedules and stops."""
    image_size: Annotated[int, AtLeast(SMALLEST_SIZE)] = PAPER_SIZE
    """Height and width of the input in pixels. Sec. 3; the author's code trains at 64."""
    width: Annotated[float, Above(0)] = 1.0
    """Factor on the filters of stem and towers. 1 in Figure 2."""
    kernels: Annotated[tuple[int, ...], Distinct(1), AtLeast(1)] = (3, 5)
    """Kernel size of each tower. Sec. 5.1."""
    activation: Literal["swish", "relu"] = "swish"
    """Activation of the towers and the classifier's head. Sec. 5.1, eq. (2)."""
    initializer: Literal["he", "code"] = "he"
    """Initial weights. he: not stated; we chose. code: a normal distribution with standard deviation 1, cut at 2,
    author's code."""
    added_units: bool = True
    """Whether the towers have the 6 units of 256 channels that Sec. 5.1 adds."""
    augmentation: bool = True
    """Random mirroring, brightness, contrast and saturation. Sec. 3; the ranges are those of the author's code."""
    training_share: Annotated[float, Above(0), AtMost(1)] = 1.0
    """Share of the training images to use. Sec. 5.2: the first models had a tenth."""
    epochs_divided_by: Annotated[int, AtLeast(1)] = 1
    """A divisor of the epochs of phase 2. Sec. 5.2: the first model had fewer; how many is not stated."""
    split: Annotated[tuple[float, float, float], Above(0)] = (0.9, 0.05, 0.05)
    """Shares of training, validation and test. Sec. 3: 95:5, without a test split."""
    saliency_images: Annotated[int, AtLeast(1)] = 4
    """Test images of each class in the figure of the classifier's evidence. We chose."""
    synthetic_images: Annotated[int, AtLeast(1)] = 480
    """Images per class of the embedded data, in clips of --synthetic-frames. We chose."""
    synthetic_frames: Annotated[int, AtLeast(1)] = 2
    """Images of an embedded clip. We chose."""


PRESETS = {
    "paper": Config(),
    "quick": Config(
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
    "smoke": Config(
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


def config_of(model: str, config: Config) -> Config:
    """Return the Config that a model is trained with: the run's, with what the model changes in it."""
    changes = MODELS[model]
    if "batch_size" in changes:  # the run's own may be smaller, for a small machine
        changes = changes | {"batch_size": min(changes["batch_size"], config.batch_size)}
    return replace(config, **changes)
