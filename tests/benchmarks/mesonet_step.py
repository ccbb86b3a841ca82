"""One training step of MesoNet's networks: ours, the same network of plain Keras layers, and PyTorch's.

    python -m tests.benchmarks.mesonet_step [--model mesoinception4] [--image-size 256] [--batch 32] [--rounds 7]
        [--threads 0]

A step is the squared error, its gradient and Adam, batch normalisation in training, float32, the images in memory. All
are timed in one run, in turns, the first turn not counted; what counts is the ratio of the medians. They start from the
same weights, dropout is off, and the first losses are printed: they agree. PyTorch runs channels_last; without PyTorch
installed (pip install -e '.[bench]') the others are measured. TF_ENABLE_ONEDNN_OPTS=0 or 1 before the command turns
TensorFlow's oneDNN kernels off or on; the default depends on the processor, and --deterministic turns them off.
--threads: of both libraries; on a machine with other work use 1, because PyTorch's threads wait for one another.
"""

import importlib.util
import os
from dataclasses import dataclass
from typing import Literal

import numpy as np

from common.cli import parse, run_main
from tests.benchmarks.table import Row, TableOptions, in_turns, publish

RATE = 1e-3


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    model: Literal["mesoinception4", "meso4"] = "mesoinception4"
    image_size: int = 256
    batch: int = 32
    rounds: int = 7
    threads: int = 0
    """Threads of each library; 0: their own default."""


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    with_torch = bool(importlib.util.find_spec("torch"))
    if with_torch:
        import torch._dynamo  # brings Triton, which crashes the process if TensorFlow was there first

        if options.threads:
            torch.set_num_threads(options.threads)
    from common.tensorflow_import import import_tensorflow

    os.environ |= {f"TF_NUM_{kind}OP_THREADS": str(options.threads) for kind in ("INTRA", "INTER") if options.threads}
    import_tensorflow()
    from common.networks import mesonet

    network = getattr(mesonet, options.model)(options.image_size)
    ways = {"ours": in_keras(network, options), "plain Keras": in_keras(plain_keras(network), options)}
    if with_torch:
        ways["PyTorch, channels_last"] = in_torch(network, options)
    measured = in_turns(ways, options.rounds)
    print("first losses: " + ", ".join(f"{name} {loss:.5f}" for name, (_, loss) in measured.items()))
    job = f"training step of {options.model}, {options.image_size} px, batch {options.batch}, float32"
    ours = measured.pop("ours")[0]
    publish((Row(job, ours, name, milliseconds) for name, (milliseconds, _) in measured.items()), options.table)


def batch(options):
    """(images (B, S, S, 3) in [0, 1], labels (B, 1))."""
    generator = np.random.default_rng(0)
    images = generator.uniform(size=(options.batch, options.image_size, options.image_size, 3))
    return images.astype(np.float32), generator.integers(0, 2, (options.batch, 1)).astype(np.float32)


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


def in_keras(network, options):
    """A function that takes one step and returns its loss."""
    import keras
    import tensorflow as tf

    weights = network.get_weights()
    network = keras.models.clone_model(network, clone_function=without_dropout)
    network.set_weights(weights)
    network.compile(keras.optimizers.Adam(RATE), loss=keras.losses.MeanSquaredError())
    images, labels = map(tf.constant, batch(options))
    return lambda: float(network.train_on_batch(images, labels))


def without_dropout(layer):
    """A layer's copy, that of a Dropout with rate 0."""
    config = layer.get_config()
    return type(layer).from_config(config | {"rate": 0.0} if "rate" in config else config)


def in_torch(network, options):
    """A function that takes one step of the network in PyTorch and returns its loss."""
    import torch

    module = torch_network(network).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(module.parameters(), RATE, eps=1e-7)
    images, labels = map(torch.tensor, batch(options))
    images = images.permute(0, 3, 1, 2)  # a view: channels_last

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(module(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_network(network):
    """A functional Keras model of these layers as a torch.nn.Module with the same weights, images (B, 3, S, S)."""
    import torch

    parts = {layer.name: torch_part(layer) for layer in network.layers[1:]}

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = torch.nn.ModuleDict(parts)

        def forward(self, images):
            maps = {id(network.layers[0].output): images}
            for layer in network.layers[1:]:
                inputs = layer.input if isinstance(layer.input, list) else [layer.input]
                maps[id(layer.output)] = self.parts[layer.name](*[maps[id(each)] for each in inputs])
            return maps[id(network.output)]

    return Network()


def torch_part(layer):
    """The torch.nn.Module of one Keras layer."""
    import keras
    import torch
    from torch import nn

    class Function(nn.Module):
        def __init__(self, function):
            super().__init__()
            self.forward = function

    def activated(module, activation):
        kinds = {"relu": [nn.ReLU()], "sigmoid": [nn.Sigmoid()], "linear": []}
        return nn.Sequential(module, *kinds[keras.activations.serialize(activation)])

    weights = [torch.tensor(array) for array in layer.get_weights()]
    match layer:
        case keras.layers.Conv2D():
            kernel = weights[0].permute(3, 2, 0, 1)
            module = nn.Conv2d(*kernel.shape[1::-1], layer.kernel_size, padding="same", dilation=layer.dilation_rate)
            module.load_state_dict({"weight": kernel, "bias": weights[1]})
            return activated(module, layer.activation)
        case keras.layers.Dense():
            module = nn.Linear(*weights[0].shape)
            module.load_state_dict({"weight": weights[0].T, "bias": weights[1]})
            return activated(module, layer.activation)
        case keras.layers.BatchNormalization():
            return nn.BatchNorm2d(len(weights[0]), eps=layer.epsilon, momentum=1 - layer.momentum)  # scale 1, offset 0
        case keras.layers.MaxPooling2D():
            return nn.MaxPool2d(layer.pool_size)
        case keras.layers.LeakyReLU():
            return nn.LeakyReLU(layer.negative_slope)
        case keras.layers.Concatenate():
            return Function(lambda *maps: torch.cat(maps, dim=1))
        case keras.layers.Flatten():
            return Function(lambda maps: maps.permute(0, 2, 3, 1).flatten(1))
        case keras.layers.Dropout():
            return nn.Identity()
    raise TypeError(f"expected a layer of MesoNet, got {type(layer).__name__}")


if __name__ == "__main__":
    run_main(main)
