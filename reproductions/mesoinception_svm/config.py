"""Every hyperparameter of the paper, its value for each preset, and where it comes from."""

from dataclasses import dataclass
from typing import Annotated, Literal

from common.runs.options import Names, RunOptions
from common.runs.rules import Above, AtLeast, Distinct

PAPER = "mesoinception_svm"
BASE, PROPOSED = "mesoinception4", "mesoinception4_svm"
# The legal NAMEs of --data, and the data_prep layout each usually comes in.
LAYOUTS = {
    "deepfake": "mesonet",
    "face2face": "mesonet",
    "celebdf": "celebdf",
    "dfdc": "dfdc",
    "combined": "folders",
}
# NAME -> (family, share of --synthetic-images): what the embedded data put in place of a data set.
EMBEDDED = {"deepfake": ("swap", 1.0), "face2face": ("resample", 0.2), "celebdf": ("deconv", 0.2)}
PAPER_IMAGES = 19457  # Table 2, total; Table 1 prints 19509

HINGE, FIRST, NEXT_BEST = "meso4_hinge", "mesoinception4_first", "mesoinception4_next_best"
NETWORKS = (BASE, "meso4", HINGE, FIRST, NEXT_BEST)  # what --weights can start
LAST_LEARNING_RATE = 1e-6  # Sec. 4.2, and the decay limit of Sec. 4.3
NEXT_BEST_DECAY_EPOCHS = 5  # Sec. 4.3.1


@dataclass(frozen=True)
class Config(RunOptions):
    """The flags of this paper; the defaults are the paper's."""

    models: Annotated[tuple[Literal[*NETWORKS, PROPOSED], ...], Distinct()] = (BASE, PROPOSED, *NETWORKS[1:])
    """What to train. The SVM is fitted on mesoinception4's features (Sec. 3); meso4_hinge is the network that the
    authors' notebook calls SVM; first is Sec. 4.3, whose decay follows from --planned-epochs; next_best is Sec. 4.3.1,
    with its own batch and the learning rate divided by 10 every 5 epochs."""
    train_on: Names = ()
    """NAMEs to train on, the others are unseen and only tested; none: `combined` if it is given, else all that are
    given, merged. Sec. 4.1.2."""
    split: Annotated[tuple[float, float, float], Above(0)] = (0.7, 0.2, 0.1)
    """Shares of training, validation and test. Sec. 4.1.1, "70:20:10" (Tables 2 and 3 have 72:18:10)."""
    image_size: Annotated[int, AtLeast(1)] = 256
    """Height and width of the input in pixels. Sec. 4.2."""
    resize: Literal["nearest", "bilinear", "area"] = "nearest"
    """How images are resized. Not stated; nearest is the default of the Keras generator in the authors' code."""
    batch_size: Annotated[int, AtLeast(1)] = 32
    """Images in a step, over all devices. Sec. 4.2."""
    learning_rate: Annotated[float, Above(0)] = 1e-3
    """Adam's first learning rate. Sec. 4.2."""
    decay_every: Annotated[int, AtLeast(1)] = 1000
    """Iterations after which the learning rate is divided by 10, down to 1e-6. Sec. 4.2."""
    planned_epochs: Annotated[int, AtLeast(1)] = 30
    """Epochs over which the first model's learning rate would fall to 1e-6; it trains --epochs of them. Sec. 4.3."""
    next_best_batch_size: Annotated[int, AtLeast(1)] = 64
    """Images in a step of the next best model. Sec. 4.3.1."""
    baseline_epochs: Annotated[int | None, AtLeast(0)] = None
    """Most epochs of the Meso-4 networks; none: as --epochs. Sec. 4.2 trains all networks alike."""
    augmentation: Literal["paper", "notebook", "none"] = "paper"
    """paper: blur, rotation, scaling (Sec. 4.1.3); notebook: rotation 15, zoom 0.2, brightness, channel shift, flip
    (authors' code)."""
    hinge_augmentation: Literal["paper", "notebook", "none"] = "notebook"
    """The augmentation of meso4_hinge. Authors' code."""
    fake_share: Annotated[float | None, Above(0)] = None
    """Share of fakes in every training batch, and their weight for the SVM; none: as the data are. Not stated; none."""
    monitor: Literal["val_accuracy", "val_loss", "val_auc"] = "val_accuracy"
    """What decides which epoch is kept, always on validation. Sec. 4.3: best is in terms of accuracy."""
    patience: Annotated[int | None, AtLeast(0)] = None
    """Epochs without improvement before training stops; none: never. Not stated; none."""
    svm_max: Annotated[int, AtLeast(1)] = 20000
    """Most features for an exact RBF SVM; above it, Nystroem's approximation. Not stated; we chose."""
    activation_steps: Annotated[int, AtLeast(1)] = 100
    """Steps of gradient ascent for Figure 9. Not stated; we chose."""
    synthetic_images: Annotated[int, AtLeast(1)] = 700
    """Images per class of the embedded data. We chose."""


PRESETS = {
    "paper": Config(),
    "quick": Config(
        preset="quick",
        models=(BASE, PROPOSED, "meso4"),
        epochs=5,
        baseline_epochs=2,
        augmentation="none",
        hinge_augmentation="none",
        activation_steps=30,
    ),
    "smoke": Config(
        preset="smoke",
        models=(BASE, PROPOSED, "meso4"),
        epochs=2,
        baseline_epochs=1,
        augmentation="none",
        hinge_augmentation="none",
        image_size=64,
        batch_size=8,
        activation_steps=3,
        synthetic_images=40,
    ),
}


def batch_size_of(name: str, config: Config) -> int:
    """Return the batch size of a network: the next best model has its own (Sec. 4.3.1)."""
    return config.next_best_batch_size if name == NEXT_BEST else config.batch_size


def batch_flag_of(name: str) -> str:
    """Return the flag that sets the batch size of a network."""
    return "--next-best-batch-size" if name == NEXT_BEST else "--batch-size"


def epochs_of(name: str, config: Config) -> int:
    """Return the epochs of a network: the Meso-4 ones can have fewer."""
    short = name.startswith("meso4") and config.baseline_epochs is not None
    return min(config.epochs, config.baseline_epochs) if short else config.epochs


def augmentation_of(name: str, config: Config) -> str:
    """Return the augmentation of a network."""
    return config.hinge_augmentation if name == HINGE else config.augmentation
