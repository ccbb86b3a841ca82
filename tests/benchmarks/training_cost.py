"""The arithmetic of each paper's full training, and the GPU hours that follow from it.

    python -m tests.benchmarks.training_cost [--teraflops 5]

Counted by TensorFlow's profiler in the networks themselves, at the paper's sizes: operations of a forward pass, a
multiplication and an addition being two, times the images of an epoch, the epochs of the preset paper, and 3 for a
training step (the gradient costs about twice the forward pass), or 1 where the convolutions are frozen. No GPU is
measured: --teraflops is what one is taken to sustain; 5 is about a quarter of an A100's peak in float32.
"""

from dataclasses import dataclass

from common.cli import parse, run_main

TRAINING, FORWARD = 3, 1


@dataclass(frozen=True)
class Options:
    """Flags of the estimate."""

    teraflops: float = 5.0
    """Operations that the GPU sustains, in 10^12 a second."""


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    from common.tensorflow_import import import_tensorflow

    import_tensorflow()
    hours_of = {}
    for paper, network, gigaflops, images, epochs, passes in trainings():
        hours = gigaflops * images * epochs * passes / (options.teraflops * 1000) / 3600
        hours_of[paper] = hours_of.get(paper, 0) + hours
        counted = f"{gigaflops:8.3f} GFLOP  {images:7,} images  {epochs:3} epochs  x {passes}  {hours:6.1f} h"
        print(f"{paper:24}{network:28}{counted}", flush=True)
    for paper, hours in hours_of.items():
        print(f"{paper:24}{hours:.1f} GPU hours, estimated")


def trainings():
    """(paper, network, GFLOP of a forward pass, images of an epoch, epochs, passes) of every training of preset paper,
    one protocol and one seed."""
    import keras

    from common.networks import mesonet as meso
    from reproductions.cffn_resnet.config import Config as CffnConfig
    from reproductions.cffn_resnet.model import build_networks
    from reproductions.dcgan_inception_resnet import gan
    from reproductions.facenet_embeddings.config import XCEPTION
    from reproductions.siamese_triplet import config as siamese_config
    from reproductions.siamese_triplet import model as siamese

    paper = "siamese_triplet"
    plan = siamese_config.PRESETS["paper"]
    plain = siamese.Statistics((0.0,) * 3, (1.0,) * 3)
    for case, images in (("case 1", 60_000), ("case 2", 80_000)):
        learnt = round(images * (1 - plan.validation))
        for name in siamese_config.SIAMESE:
            network = siamese.siamese_resnet50() if name == "siamese_resnet50" else siamese.siamese(plain)
            yield paper, f"{name}, {case}", operations(network), 3 * learnt, plan.epochs, TRAINING  # of a triplet each
        for name in siamese_config.TRANSFER:
            passes = FORWARD if name in siamese.FROZEN else TRAINING
            network = siamese.transfer(name)
            yield paper, f"{name}, {case}", operations(network), learnt, plan.baseline_epochs, passes

    paper = "dcgan_inception_resnet"  # a step has the generator once and the discriminator twice
    step = operations(gan.generator()) + 2 * operations(gan.discriminator())
    yield paper, "DCGAN", step, 100_000 - round(0.2 * 29_500), 60, TRAINING
    detector = keras.applications.InceptionResNetV2(include_top=False, weights=None, input_shape=(128, 128, 3))
    yield paper, "Inception-ResNet-v2", operations(detector), round(0.9 * 59_000), 20, TRAINING

    paper = "facenet_embeddings"
    xception = operations(keras.applications.Xception(include_top=False, weights=None, input_shape=(160, 160, 3)))
    for name, trial in XCEPTION.items():
        yield paper, name, xception, trial.frames, trial.epochs, TRAINING

    both = build_networks(CffnConfig())
    for name in ("cffn", "cffn_no_triplet"):
        yield "cffn_resnet", name, operations(both.classifier), 100_000, 20, TRAINING

    for name in ("mesoinception4", "meso4", "meso4_hinge", "mesoinception4_first", "mesoinception4_next_best"):
        network = (meso.meso4 if name.startswith("meso4") else meso.mesoinception4)()
        yield "mesoinception_svm", name, operations(network), 14_010, 10, TRAINING


def operations(network):
    """Floating-point operations of one forward pass of one image, in 10^9."""
    import tensorflow as tf
    from tensorflow.compat.v1.profiler import ProfileOptionBuilder, profile
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = tf.TensorSpec((1, *network.input_shape[1:]))
    function = tf.function(lambda image: network(image, training=False)).get_concrete_function(signature)
    options = ProfileOptionBuilder(ProfileOptionBuilder.float_operation()).with_empty_output().build()
    return profile(convert_variables_to_constants_v2(function).graph, options=options).total_float_ops / 1e9


if __name__ == "__main__":
    run_main(main)
