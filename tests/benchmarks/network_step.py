"""Training steps of the papers' networks: ours, and the same networks in PyTorch, in turns in one run.

    python -m tests.benchmarks.network_step [--networks mesoinception4 cffn ...] [--precision float32 mixed_bfloat16]
        [--batch 32] [--image-size 0] [--width 1] [--steps 1] [--rounds 7] [--threads 0] [--plain] [--compiled]

A step is the network's loss without weight penalties, its gradient and Adam, batch normalisation in training, dropout
off, pixels on the device. Both start from the same weights, and the losses of the first turn are printed: they agree
to 1e-3, as far as PyTorch's batch statistics do, which it adds up in float32.
Ours runs under KERAS_BACKEND; PyTorch on the GPU if it sees one, channels_last, with cuDNN's benchmark, bfloat16 by its
autocast. Products of float32 may be TF32 on a GPU, in both. A turn is --steps steps without waiting between them; the
first is not counted, and what counts is the ratio of the medians.
--plain measures Keras's own layers in place of ours too; --compiled torch.compile, which needs a C++ compiler and
minutes. --threads: of both libraries; on a machine with other work use 1, because PyTorch's threads wait for one
another. Without PyTorch (pip install -e '.[bench]') only ours is measured.
"""

import importlib.util
import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from common.cli import parse, run_main
from tests.benchmarks.table import Row, TableOptions, in_turns, publish

RATE = 1e-4
SIZES = {  # pixels in the papers
    "mesoinception4": 256,
    "meso4": 256,
    "cffn": 224,
    "siamese": 128,
    "resnet50": 128,
    "xception": 160,
    "inceptionresnetv2": 128,
}


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    networks: tuple[Literal[tuple(SIZES)], ...] = tuple(SIZES)
    precision: tuple[Literal["float32", "mixed_bfloat16"], ...] = ("float32",)
    batch: int = 32
    """Images, or triplets of the siamese network."""
    image_size: int = 0
    """Pixels; 0: the paper's."""
    width: float = 1.0
    """A factor on the filters of cffn and siamese."""
    steps: int = 1
    """Steps of a turn."""
    rounds: int = 7
    threads: int = 0
    """Threads of each library; 0: their own default."""
    plain: bool = False
    """Measure Keras's own layers too."""
    compiled: bool = False
    """Measure torch.compile too."""


@dataclass(frozen=True)
class Job:
    """What a network learns, in both libraries.

    Args:
        network: functional, of images (B, S, S, 3).
        loss: of Keras.
        torch_loss: the same in torch.nn.functional, or `hinge_of_triplets`.
        images: float32 (B, S, S, 3), or (B, 3, S, S, 3) for triplets.
        labels: (B,) or (B, 1).
    """

    network: Any
    loss: Any
    torch_loss: str
    images: np.ndarray
    labels: np.ndarray


def main(argv=None):
    options = parse(Options, argv, prog="python -m tests.benchmarks.network_step", description=__doc__)
    with_torch = bool(importlib.util.find_spec("torch"))
    if with_torch:
        import torch._dynamo  # brings Triton, which crashes the process if TensorFlow was there first

        if options.threads:
            torch.set_num_threads(options.threads)
        torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    from common.tensorflow_import import import_tensorflow

    os.environ |= {f"TF_NUM_{kind}OP_THREADS": str(options.threads) for kind in ("INTRA", "INTER") if options.threads}
    import_tensorflow()
    for name in options.networks:
        for precision in options.precision:
            publish(measured_rows(name, precision, options, with_torch), options.table)


def measured_rows(name, precision, options, with_torch):
    """The rows of one network in one precision."""
    size = options.image_size or SIZES[name]
    measured = in_turns(contestants(name, size, precision, options, with_torch), options.rounds)
    print("losses of the first turn: " + ", ".join(f"{way} {loss:.5f}" for way, (_, loss) in measured.items()))
    width = f", width {options.width:g}" if options.width != 1 else ""
    job = f"training step of {name}, {size} px{width}, batch {options.batch}, {precision}{accelerator()}"
    ours = measured.pop("ours")[0] / options.steps
    rows = [Row(job, ours, way, milliseconds / options.steps) for way, (milliseconds, _) in measured.items()]
    return rows or [Row(job, ours)]


def accelerator():
    """The words for another backend than TensorFlow, and its device."""
    import keras

    if keras.config.backend() != "jax":
        return ""
    import jax

    return f", JAX on {jax.devices()[0].device_kind}"


def contestants(name, size, precision, options, with_torch):
    """{name: a function that takes --steps steps and returns their mean loss}."""
    import keras

    from common.training.distribution import set_up

    keras.utils.clear_session()
    set_up(precision=precision)
    job = job_of(name, size, options)
    for layer in job.network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    ways = {"PyTorch, channels_last": in_torch(job, precision, options)} if with_torch else {}
    if with_torch and options.compiled:
        ways["PyTorch, torch.compile"] = in_torch(job, precision, options, compiled=True)
    if options.plain:
        ways["plain Keras"] = in_keras(job, plain_keras(job.network), options)
    return {"ours": in_keras(job, job.network, options)} | ways


def job_of(name, size, options):
    """The Job of a network, on random pixels."""
    import keras

    from common.losses import TripletHinge
    from common.networks import mesonet
    from common.networks.backbones import backbone
    from reproductions.cffn_resnet.config import Config
    from reproductions.cffn_resnet.model import build_networks
    from reproductions.siamese_triplet.model import Statistics, siamese

    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, (options.batch, 1)).astype("float32")
    shape = (options.batch, 3, size, size, 3) if name == "siamese" else (options.batch, size, size, 3)
    images = generator.uniform(0, 1 if "meso" in name else 255, shape).astype("float32")
    match name:
        case "mesoinception4" | "meso4":
            network = getattr(mesonet, name)(size)
            return Job(network, keras.losses.MeanSquaredError(), "mse_loss", images, labels)
        case "cffn":
            network = build_networks(Config(image_size=size, width=options.width)).classifier
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            return Job(network, loss, "cross_entropy", images, labels[:, 0].astype("int64"))
        case "siamese":
            network = siamese(Statistics((127.0,) * 3, (70.0,) * 3), size, options.width)
            return Job(network, TripletHinge(), "hinge_of_triplets", images, labels[:, 0])
    base = backbone(name, (size, size, 3))
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    network = keras.Model(base.input, keras.layers.Dense(1, dtype="float32")(x))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return Job(network, loss, "binary_cross_entropy_with_logits", images, labels)


def hinge_of_triplets(embeddings, _, margin=0.4):
    anchor, positive, negative = embeddings.unflatten(0, (-1, 3)).unbind(1)
    distances = [(anchor - other).square().sum(1) for other in (positive, negative)]
    return (distances[0] - distances[1] + margin).relu().mean()


def plain_keras(network):
    """The same network with Keras's own layers in place of ours."""
    import keras

    from common.layers import FusedBatchNormalization, NarrowConv2D

    kinds = {NarrowConv2D: keras.layers.Conv2D, FusedBatchNormalization: keras.layers.BatchNormalization}
    plain = keras.models.clone_model(
        network, clone_function=lambda layer: kinds.get(type(layer), type(layer)).from_config(layer.get_config())
    )
    plain.set_weights(network.get_weights())
    return plain


def in_keras(job, network, options):
    """The steps by Keras's own fit, as the papers train."""
    import keras
    import tensorflow as tf

    from reproductions.siamese_triplet.model import triplet_network

    network = triplet_network(network) if job.images.ndim == 5 else network
    network.compile(keras.optimizers.Adam(RATE), loss=job.loss)
    if keras.config.backend() == "tensorflow":
        images, labels = tf.constant(job.images), tf.constant(job.labels)
        return lambda: np.mean([float(network.train_on_batch(images, labels)) for _ in range(options.steps)])
    images, labels = keras.ops.convert_to_tensor(job.images), keras.ops.convert_to_tensor(job.labels)

    def steps():
        batches = ((images, labels) for _ in range(options.steps))  # on the device
        return network.fit(batches, shuffle=False, steps_per_epoch=options.steps, verbose=0).history["loss"][0]

    return steps


def in_torch(job, precision, options, compiled=False):
    """The same steps in PyTorch's usual loop."""
    import torch
    from torch.nn import functional

    from tests.benchmarks.torch_layers import torch_network

    of_outputs = (
        hinge_of_triplets if job.torch_loss == hinge_of_triplets.__name__ else getattr(functional, job.torch_loss)
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = torch_network(job.network).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam([weight for weight in network.parameters() if weight.requires_grad], RATE, eps=1e-7)
    forward = torch.compile(network) if compiled else network
    images, labels = (torch.tensor(each, device=device) for each in (job.images, job.labels))
    images = images.flatten(0, -4).permute(0, 3, 1, 2)  # a view: channels_last

    def steps():
        total = torch.zeros((), device=device)
        for _ in range(options.steps):
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=precision == "mixed_bfloat16"):
                outputs = forward(images)
            loss = of_outputs(outputs.float(), labels)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return total.item() / options.steps

    return steps


if __name__ == "__main__":
    run_main(main)
