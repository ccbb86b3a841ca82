"""Every hyperparameter of the paper, its value for each preset, and where it comes from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from common.conditions import RESUBSTITUTION
from common.runs.options import RunOptions
from common.runs.rules import Above, AtLeast, Below, Distinct, Role

PAPER = "dcgan_inception_resnet"
HELD_OUT = "heldout"
PROPOSED, STAND_IN = "inception_resnet_v2", "stand_in"
MODELS = (PROPOSED, STAND_IN)
GENERATOR, DISCRIMINATOR = "generator", "discriminator"
BACKBONE = "inceptionresnetv2"
FEATURE_NETWORK = "inceptionv3"  # its features measure how good the generated images are
CELEB = "celeb"
# The legal NAMEs of --data, and the data_prep layout each usually comes in. The real faces are those of celeb; fakes
# under any NAME come from other generators, and are only tested.
LAYOUTS = {CELEB: "celeba", "stylegan": "stylegan", "pggan": "pggan", "other": "folders"}
# NAME -> (family, share of --synthetic-images): what the embedded data put in place of a data set.
EMBEDDED = {CELEB: ("deconv", 1.0)}
JPEG = 90  # quality of the embedded faces: real images are camera JPEGs, generated ones are not (Sec. III-D)
PAPER_IMAGES = 100_000  # Sec. III-B
# Protocol -> the splits that it measures: what the detector was trained on, or what no network has seen.
PROTOCOLS = {RESUBSTITUTION: ("train", "val"), HELD_OUT: ("test",)}


@dataclass(frozen=True)
class PowerOfTwo:
    """A power of two of at least `least`, itself one: a size that the DCGAN's doublings reach."""

    least: int

    @property
    def expected(self) -> str:
        return f"a power of two of at least {self.least}"

    def allows(self, value: Any) -> bool:
        return self.least <= value and value & (value - 1) == 0


@dataclass(frozen=True)
class Config(RunOptions):
    """The flags of this paper; the defaults are the paper's."""

    models: Annotated[tuple[Literal[*MODELS], ...], Distinct(1)] = (PROPOSED,)
    """Detectors. stand_in, not in the paper, is the discriminator's form with a quarter of the filters: for machines on
    which the proposal's 54 million parameters take too long."""
    image_size: Annotated[int, PowerOfTwo(8)] = 128
    """Height and width of all images in pixels, a power of two. Sec. III-D."""
    real_images: Annotated[int, AtLeast(1)] = PAPER_IMAGES
    """Most real faces that are used, drawn by their hashes: all of CelebA is twice the paper's 100k. Sec. III-B."""
    gan_epochs: Annotated[int, AtLeast(0)] = 60
    """Epochs of the DCGAN; 0 takes the generator of --weights. Sec. IV-A."""
    gan_batch_size: Annotated[int, AtLeast(1)] = 64
    """Images in a step of the DCGAN, over all devices. Sec. III-B."""
    gan_learning_rate: Annotated[float, Above(0)] = 0.002
    """Adam's, for both networks of the DCGAN. Sec. III-B; ten times that of Radford et al. (0.0002)."""
    gan_beta_1: Annotated[float, AtLeast(0), Below(1)] = 0.5
    """Adam's first moment, for both. Not stated; Radford et al., Sec. 4."""
    gan_width: Annotated[float, Above(0)] = 1.0
    """Factor on the filters of both. Not stated; 1 is Radford et al., Figure 1."""
    gan_pooling: bool = True
    """Whether the discriminator ends in global average pooling. Sec. III-A; without it the last maps are flattened."""
    checkpoint_every: Annotated[int, AtLeast(1)] = 10
    """Epochs after which a checkpoint of the DCGAN is kept. Sec. IV-A."""
    detector_images: Annotated[int, AtLeast(1)] = 29_500
    """Images of each class `to train and test` the detector, or fewer if there are fewer real ones. Sec. IV-B."""
    held_out: Annotated[float, Above(0)] = 0.2
    """Further images of each class, as a share of those, that neither the DCGAN nor the detector sees in training:
    the test split of the protocol heldout. Not stated; we chose."""
    validation: Annotated[float, Above(0), Below(1)] = 0.1
    """Share of --detector-images that chooses the epoch instead of training. Not stated; we chose."""
    epochs: Annotated[int, AtLeast(0)] = 20
    """Epochs of the detector; 0 trains nothing. Sec. IV-B."""
    batch_size: Annotated[int, AtLeast(1)] = 32
    """Images in a step of the detector, over all devices. Not stated; we chose."""
    learning_rate: Annotated[float, Above(0)] = 1e-4
    """Adam's, for the detector. Not stated; we chose."""
    match_jpeg: bool = False
    """Encode generated images as JPEG with the quantisation tables of the real files before the detector sees any. Not
    in the paper; we chose."""
    generate: Annotated[int | None, AtLeast(1)] = None
    """Train nothing: write N images of --weights generator=FILE, with a manifest, to --generate-to. We chose."""
    generate_to: Annotated[Path, Role.OUTPUT] = Path("generated")
    """The folder of --generate; it can be given as --data other=DIR."""
    synthetic_images: Annotated[int, AtLeast(1)] = 2000
    """Real images of the embedded data. We chose."""


PRESETS = {
    "paper": Config(),
    "quick": Config(
        preset="quick",
        imagenet_weights="none",
        models=(PROPOSED, STAND_IN),
        image_size=64,
        gan_epochs=50,
        gan_learning_rate=0.0005,
        gan_width=0.25,
        gan_pooling=False,
        detector_images=400,
        held_out=0.5,
        epochs=3,
        synthetic_images=1000,
    ),
    "smoke": Config(
        preset="smoke",
        imagenet_weights="none",
        models=(PROPOSED, STAND_IN),
        image_size=16,
        gan_epochs=3,
        gan_batch_size=8,
        gan_width=0.05,
        checkpoint_every=1,
        detector_images=24,
        held_out=0.5,
        validation=0.25,
        epochs=1,
        batch_size=8,
        synthetic_images=40,
    ),
}
