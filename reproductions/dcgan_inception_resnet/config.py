"""Every hyperparameter of the paper, its value for each preset, and where it comes from."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from common.runs.options import RunOptions

PAPER = "dcgan_inception_resnet"
PROPOSED, STAND_IN = "inception_resnet_v2", "stand_in"
GENERATOR, DISCRIMINATOR = "generator", "discriminator"
BACKBONE = "inceptionresnetv2"
JUDGE = "inceptionv3"  # whose features tell how good the generated images are
CELEB = "celeb"
# The legal NAMEs of --data, and the data_prep layout each usually comes in. The real faces are those of celeb; fakes
# under any NAME come from other generators, and are only tested.
LAYOUTS = {CELEB: "celeba", "stylegan": "stylegan", "pggan": "pggan", "other": "folders"}
# NAME -> (family, share of --synthetic-images): what the embedded data put in place of a data set.
EMBEDDED = {CELEB: ("deconv", 1.0)}
JPEG = 90  # quality of the embedded faces: real images are camera JPEGs, generated ones are not (Sec. III-D)
PAPER_IMAGES = 100_000  # Sec. III-B
# Protocol -> the splits that it measures: what the detector was trained on, or what no network has seen.
PROTOCOLS = {"paper": ("train", "val"), "heldout": ("test",)}


@dataclass(frozen=True)
class Config(RunOptions):
    """The flags of this paper; the defaults are the paper's."""

    models: tuple[Literal["inception_resnet_v2", "stand_in"], ...] = (PROPOSED,)
    """Detectors. stand_in, which the paper has not, is the discriminator's form with a quarter of the filters: for
    machines on which the proposal's 54 million parameters take too long."""
    image_size: int = 128
    """Height and width of all images in pixels, a power of two. Sec. III-D."""
    gan_epochs: int = 60
    """Epochs of the DCGAN. Sec. IV-A."""
    gan_batch_size: int = 64
    """Images in a step of the DCGAN, over all devices. Sec. III-B."""
    gan_learning_rate: float = 0.002
    """Adam's, for both networks of the DCGAN. Sec. III-B; ten times that of Radford et al. (0.0002)."""
    gan_beta_1: float = 0.5
    """Adam's first moment, for both. Not stated; Radford et al., Sec. 4."""
    gan_width: float = 1.0
    """Factor on the filters of both. Not stated; 1 is Radford et al., figure 1."""
    gan_pooling: bool = True
    """Whether the discriminator ends in global average pooling. Sec. III-A; without it the last maps are flattened."""
    checkpoint_every: int = 10
    """Epochs after which a checkpoint of the DCGAN is kept. Sec. IV-A."""
    detector_images: int = 29_500
    """Images of each class `to train and test` the detector, Sec. IV-B; fewer where there are not so many real ones."""
    held_out: float = 0.2
    """Further images of each class, as a share of those, that neither the DCGAN nor the detector sees in training:
    the test split of the protocol heldout. Not stated; we chose."""
    validation: float = 0.1
    """Share of --detector-images that chooses the epoch instead of training. Not stated; we chose."""
    epochs: int = 20
    """Epochs of the detector. Sec. IV-B."""
    batch_size: int = 32
    """Images in a step of the detector, over all devices. Not stated; we chose."""
    learning_rate: float = 1e-4
    """Adam's, for the detector. Not stated; we chose."""
    match_jpeg: bool = False
    """Encode generated images as JPEG with the quantisation tables of the real files before the detector sees any."""
    generate: int | None = None
    """Train nothing: write so many images of --weights generator=FILE, with a manifest, to --generate-to."""
    generate_to: Path = Path("generated")
    """The folder of --generate; it can be given as --data other=DIR."""
    synthetic_images: int = 2000
    """Real images of the embedded data."""


PRESETS = {
    "paper": Config(),
    "quick": replace(
        Config(),
        preset="quick",
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
    "smoke": replace(
        Config(),
        preset="smoke",
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
