"""Every hyperparameter of the paper, its value for each preset, and where it comes from."""

from dataclasses import dataclass
from typing import Annotated, Literal

from common.runs.options import RunOptions
from common.runs.rules import Above, AtLeast, Below, Distinct

PAPER = "siamese_triplet"
PROPOSED = "siamese"
# The legal NAMEs of --data, and the data_prep layout each usually comes in.
LAYOUTS = {"ffhq": "ffhq", "stylegan": "stylegan", "pggan": "pggan", "celeba": "celeba"}
TRAINED, UNSEEN, SECOND_REAL = ("ffhq", "stylegan"), "pggan", "celeba"
# NAME -> (family, share of --synthetic-images): what the embedded data put in place of a data set. The first holds the
# real images too.
EMBEDDED = {"stylegan": ("swap", 1.0), "pggan": ("deconv", 0.3)}
# Table 1, images by class of the trained data; Case II tests on 40,000 of PGGAN.
COUNTS = {
    "case1": {"real": {"train": 30_000, "test": 10_000}, "fake": {"train": 30_000, "test": 10_000}},
    "case2": {"real": {"train": 40_000}, "fake": {"train": 40_000}},
}
# Not in the paper: real images against which our form of Case II tests, as many as Case I has, if they are left.
FURTHER = {"case1": {}, "case2": {"real": {"test": 10_000}}}
UNSEEN_IMAGES = 40_000  # Table 1, Case II
# Model -> its loss (Sec. 5.5.1); the proposed one is Loss3.
SIAMESE = {"siamese": "loss3", "siamese_loss1": "loss1", "siamese_loss2": "loss2", "siamese_resnet50": "loss3"}
TRANSFER = ("vgg16", "vgg19", "resnet50", "inceptionv3", "xception")
CONTROL = "control"
# Model -> its name in Tables 2 and 3.
NAMES = {
    "vgg16": "VGG16",
    "vgg19": "VGG19",
    "resnet50": "ResNet50",
    "inceptionv3": "InceptionV3",
    "xception": "Xception",
    "siamese": "Proposed Model",
}
SECOND_CASE = "-case2"  # what the name of a model trained for Case II ends with


@dataclass(frozen=True)
class Config(RunOptions):
    """The flags of this paper; the defaults are the paper's."""

    models: Annotated[tuple[Literal[*SIAMESE, *TRANSFER, CONTROL], ...], Distinct()] = (*SIAMESE, *TRANSFER)
    """What to train. siamese is the proposal (Loss3); siamese_resnet50 the second variation of Sec. 5.3; control, not
    in the paper, is the siamese stream under cross-entropy."""
    cases: Annotated[tuple[Literal["case1", "case2"], ...], Distinct(1)] = ("case1", "case2")
    """Sec. 5.1. Each case trains its own models; without case2 those of case1 score the unseen generator."""
    epochs: Annotated[int, AtLeast(0)] = 30
    """Epochs of the siamese networks, each image once the anchor in one. Not stated; we chose."""
    baseline_epochs: Annotated[int, AtLeast(1)] = 35
    """Most epochs of the transfer baselines. Sec. 5.4.1: they converge in less than 35."""
    patience: Annotated[int | None, AtLeast(0)] = 5
    """Epochs without a better validation loss before a baseline stops. Sec. 5.4.1 stops early by validation loss; the
    number is not stated; we chose."""
    image_size: Annotated[int, AtLeast(1)] = 128
    """Height and width of the input in pixels. Sec. 4, Algorithm 1."""
    baseline_size: Annotated[int | None, AtLeast(1)] = None
    """The same for the transfer baselines; none: as --image-size. Sec. 5.4.1: 128."""
    batch_size: Annotated[int, AtLeast(1)] = 32
    """Triplets, or images of a baseline, in a step, over all devices. Sec. 5.5.1."""
    learning_rate: Annotated[float, Above(0)] = 1e-3
    """Adam's, for the siamese networks but siamese_resnet50. Not stated; Adam's own default."""
    resnet_learning_rate: Annotated[float, Above(0)] = 1e-4
    """Adam's, for siamese_resnet50. Not stated; that of the transfer baselines, one of which has the same backbone."""
    beta_1: Annotated[float, AtLeast(0), Below(1)] = 0.9
    """Adam's first moment, for the siamese networks. Sec. 4.1 prints 0.999 for both betas; we chose Adam's own, since
    0.999 averages gradients over 1,000 steps, which a moment that begins at 0 follows too slowly."""
    baseline_learning_rate: Annotated[float, Above(0)] = 1e-4
    """Adam's, for the transfer baselines. Not stated; we chose what does not undo ImageNet's weights."""
    margin: Annotated[float, AtLeast(0)] = 0.4
    """Of Loss2. Sec. 5.5.1, eq. 14."""
    width: Annotated[float, Above(0)] = 1.0
    """Factor on the filters of the siamese stream. 1 in Figure 3."""
    dense_units: Annotated[int, AtLeast(1)] = 4096
    """Width of the two dense layers of VGG. VGG's own; Sec. 5.4.1 says `3 dense layers`."""
    classifier: Literal["centroid", "knn"] = "centroid"
    """How an embedding becomes a class: the nearer class centroid of the training embeddings, or the 5 nearest of them.
    Not stated; we chose."""
    validation: Annotated[float, Above(0)] = 0.1
    """Share of the training images held out to choose the epoch. Not stated; we chose."""
    split: Annotated[tuple[float, float, float], Above(0)] = (0.675, 0.075, 0.25)
    """Shares of training, validation and test under protocols other than `paper`; those of Table 1, Case I."""
    tsne_images: Annotated[int, AtLeast(1)] = 900
    """Most images in the scatter of Figure 7. Not stated; we chose."""
    synthetic_images: Annotated[int, AtLeast(1)] = 500
    """Images per class of the embedded data. We chose."""


PRESETS = {
    "paper": Config(),
    "quick": Config(
        preset="quick",
        imagenet_weights="none",
        models=("siamese", "siamese_loss1", "siamese_loss2", "control", "resnet50"),
        cases=("case1",),
        epochs=5,
        baseline_epochs=8,
        baseline_size=64,
        width=0.375,
        tsne_images=450,
    ),
    "smoke": Config(
        preset="smoke",
        imagenet_weights="none",
        models=("siamese", "siamese_loss1", "siamese_loss2", "resnet50"),
        cases=("case1",),
        epochs=1,
        baseline_epochs=1,
        image_size=40,
        width=0.25,
        batch_size=8,
        tsne_images=60,
        synthetic_images=40,
    ),
}
