"""Every hyperparameter of the paper, its value for each preset, and where it comes from."""

from dataclasses import dataclass, replace
from typing import Literal

from common.runs.options import RunOptions

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

NETWORKS = ("mesoinception4", "meso4", "meso4_hinge", "mesoinception4_next_best")  # what --weights can start

Model = Literal["mesoinception4", "mesoinception4_svm", "meso4", "meso4_hinge", "mesoinception4_next_best"]


@dataclass(frozen=True)
class Config(RunOptions):
    """The flags of this paper; the defaults are the paper's."""

    models: tuple[Model, ...] = (
        "mesoinception4",
        "mesoinception4_svm",
        "meso4",
        "meso4_hinge",
        "mesoinception4_next_best",
    )
    """What to train. The SVM stands on mesoinception4; meso4_hinge is the authors' notebook; next_best is Sec. 4.3.1:
    batch 64 and the learning rate divided by 10 every 5 epochs."""
    train_on: tuple[str, ...] = ()
    """NAMEs to train on, the others are unseen and only tested; none: `combined` if it is given, else all that are
    given, merged as Sec. 4.1.2 says."""
    split: tuple[float, float, float] = (0.7, 0.2, 0.1)
    """Shares of training, validation and test. Sec. 4.1.1, "70:20:10" (Tables 2 and 3 have 72:18:10)."""
    image_size: int = 256
    """Height and width of the input in pixels. Sec. 4.2."""
    resize: Literal["nearest", "bilinear", "area"] = "nearest"
    """How images come to that size. Not stated; nearest is the default of the Keras generator in the authors' code."""
    batch_size: int = 32
    """Images in a step, over all devices. Sec. 4.2."""
    learning_rate: float = 1e-3
    """Adam's first learning rate. Sec. 4.2."""
    decay_every: int = 1000
    """Iterations after which the learning rate is divided by 10, down to 1e-6. Sec. 4.2."""
    baseline_epochs: int | None = None
    """Epochs of the Meso-4 networks; none: as --epochs."""
    augmentation: Literal["paper", "notebook", "none"] = "paper"
    """paper: blur, rotation, scaling (Sec. 4.1.3); notebook: rotation 15, zoom 0.2, brightness, channel shift, flip."""
    fake_share: float | None = None
    """Share of fakes in every training batch, and their weight for the SVM; none: as the data are. Not stated; none."""
    monitor: Literal["val_accuracy", "val_loss", "val_auc"] = "val_accuracy"
    """What decides which epoch is kept, always on validation. Sec. 4.3: best is in terms of accuracy."""
    patience: int | None = None
    """Epochs without improvement before training stops; none: never. Not stated; none."""
    svm_max: int = 20000
    """Most features for an exact RBF SVM; above it, Nystroem's approximation. Not stated; we chose."""
    activation_steps: int = 100
    """Steps of gradient ascent for Figure 9. Not stated; we chose."""
    synthetic_images: int = 700
    """Images per class of the embedded data."""


PRESETS = {
    "paper": Config(),
    "quick": replace(
        Config(),
        preset="quick",
        models=("mesoinception4", "mesoinception4_svm", "meso4"),
        train_on=(),
        epochs=5,
        baseline_epochs=2,
        augmentation="none",
        activation_steps=30,
    ),
    "smoke": replace(
        Config(),
        preset="smoke",
        models=("mesoinception4", "mesoinception4_svm", "meso4"),
        epochs=2,
        baseline_epochs=1,
        augmentation="none",
        image_size=64,
        batch_size=8,
        activation_steps=3,
        synthetic_images=40,
    ),
}
