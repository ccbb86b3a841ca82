"""One training step of the CFFN's second phase, ours against the same network in plain PyTorch.

    python -m tests.benchmarks.cffn_step [--image-size 112] [--width 0.25] [--batch 32] [--rounds 5] [--threads 0]
        [--precision float32 mixed_bfloat16] [--compiled]

A step is the cross-entropy with the weight penalty, its gradient and Adam, batch normalisation in training. All are
timed in one run, in turns, the first turn not counted; what counts is the ratio of the medians. Both networks start
from the same weights: parameters are counted and the first losses printed. PyTorch runs channels_last (faster than its
contiguous format wherever we tried) and bfloat16 under its autocast; --compiled adds torch.compile, which needs a C++
compiler and minutes. --threads: of both libraries; on a machine with other work use 1, because PyTorch's threads wait
for one another and lose far more than TensorFlow's. Without PyTorch installed nothing is measured.
"""

import importlib.util
import os
import sys
from dataclasses import dataclass
from typing import Literal

import numpy as np

from common.cli import parse, run_main
from tests.benchmarks.table import Row, TableOptions, in_turns, publish

RATE, PENALTY = 1e-5, 0.001


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    image_size: int = 112
    width: float = 0.25
    batch: int = 32
    rounds: int = 5
    threads: int = 0
    """Threads of each library; 0: their own default."""
    precision: tuple[Literal["float32", "mixed_bfloat16"], ...] = ("float32", "mixed_bfloat16")
    compiled: bool = False
    """Measure torch.compile too."""


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    if not importlib.util.find_spec("torch"):
        print("skipped: PyTorch is not installed (pip install -e '.[bench]')", file=sys.stderr)
        return
    import torch
    import torch._dynamo  # brings Triton, which crashes the process if TensorFlow was there first

    if options.threads:
        torch.set_num_threads(options.threads)
    from common.tensorflow_import import import_tensorflow

    os.environ |= {f"TF_NUM_{kind}OP_THREADS": str(options.threads) for kind in ("INTRA", "INTER") if options.threads}
    import_tensorflow()
    for precision in options.precision:
        measured = in_turns(contestants(options, precision), options.rounds)
        print("first losses: " + ", ".join(f"{name} {loss:.5f}" for name, (_, loss) in measured.items()))
        size = f"{options.image_size} px, width {options.width:g}, batch {options.batch}, {precision}"
        ours = measured.pop("ours")[0]
        rows = (
            Row(f"training step of the CFFN's second phase, {size}", ours, name, milliseconds)
            for name, (milliseconds, _) in measured.items()
        )
        publish(rows, options.table)


def contestants(options, precision):
    """{name: a function that takes one step and returns its loss}."""
    import keras

    from common.training.distribution import set_up
    from reproductions.cffn_resnet.config import Config
    from reproductions.cffn_resnet.model import build_networks

    generator = np.random.default_rng(0)
    images = generator.uniform(0, 255, (options.batch, options.image_size, options.image_size, 3)).astype("float32")
    labels = generator.integers(0, 2, options.batch)
    set_up(precision=precision)
    both = build_networks(Config(image_size=options.image_size, width=options.width))
    weights = {layer.name: layer.get_weights() for each in both for layer in each.layers if layer.weights}
    keras.config.set_dtype_policy("float32")
    ways = {"ours": in_keras(both, images, labels)}
    ways["PyTorch"] = in_torch(weights, options, precision, images, labels)
    if options.compiled:
        ways["PyTorch, torch.compile"] = in_torch(weights, options, precision, images, labels, compiled=True)
    return ways


def in_keras(both, images, labels):
    import keras
    import tensorflow as tf

    from reproductions.cffn_resnet.phases import WholeNetwork

    whole = WholeNetwork(both, PENALTY)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    whole.compile(keras.optimizers.Adam(RATE), loss)
    images, labels = tf.constant(images), tf.constant(labels)
    return lambda: float(whole.train_on_batch(images, labels))


def in_torch(weights, options, precision, images, labels, compiled=False):
    import torch

    network = torch_network(options.image_size, options.width)
    learnt = sum(weight.numel() for weight in network.parameters())
    ours = sum(array.size for arrays in weights.values() for array in arrays[:2])  # scale and shift of a normalisation
    if learnt != ours:
        raise SystemExit(f"the networks differ: {ours} learnt parameters in ours, {learnt} in PyTorch's")
    copy_weights(weights, network)
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), RATE, eps=1e-7)
    forward = torch.compile(network) if compiled else network
    images = torch.tensor(images).permute(0, 3, 1, 2)  # a view: channels_last
    labels = torch.tensor(labels)
    matrices = network["encoding"].weight, network["logits"].weight

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "mixed_bfloat16"):
            logits = forward(images)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss = loss + PENALTY / 2 * sum(matrix.square().sum() for matrix in matrices)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def torch_network(image_size, width):
    """The two-tower network as a ModuleDict under our layers' names, with a forward to the logits."""
    import torch
    from torch import nn
    from torch.nn import functional

    from reproductions.cffn_resnet.model import DIMENSIONS, EVIDENCE, STAGES, STEM

    def scaled(channels):
        return max(1, round(channels * width))

    def norm(channels):
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # Keras's 1e-3 and 0.99

    channels = [scaled(count) for count, units in STAGES for _ in range(units)]
    units = list(zip(channels, channels[1:] + channels[-1:], strict=True))
    side = (image_size - 7) // 4 + 1

    class Network(nn.ModuleDict):
        def forward(self, images):
            x = self["stem"](images / 255)
            x = torch.cat([self.tower(x, kernel) for kernel in (3, 5)], dim=1)
            maps = self[EVIDENCE](functional.silu(self["final_norm"](x)))
            return self["logits"](maps.mean(dim=(2, 3)))

        def tower(self, x, kernel):
            for number, (before, after) in enumerate(units, 1):
                name = f"tower{kernel}_unit{number}"
                x = functional.avg_pool2d(x, 2) if after != before else x
                y = self[f"{name}_first"](functional.silu(self[f"{name}_first_norm"](x)))
                y = self[f"{name}_second"](functional.silu(self[f"{name}_second_norm"](y)))
                left = (after - before) // 2
                x = y + (functional.pad(x, (0, 0, 0, 0, left, after - before - left)) if after != before else x)
            return x

    network = Network({"stem": nn.Conv2d(3, scaled(STEM), 7, stride=4)})
    for kernel in (3, 5):
        for number, (before, after) in enumerate(units, 1):
            name = f"tower{kernel}_unit{number}"
            side = side // 2 if kernel == 3 and after != before else side
            for part, outputs in (("first", before), ("second", after)):
                network[f"{name}_{part}_norm"] = norm(before)
                network[f"{name}_{part}"] = nn.Conv2d(before, outputs, kernel, padding="same")
    joined = 2 * channels[-1]
    network["encoding"] = nn.Linear(joined * side**2, DIMENSIONS)
    network["final_norm"] = norm(joined)
    network[EVIDENCE] = nn.Conv2d(joined, 2, 3, padding="same")
    network["logits"] = nn.Linear(2, 2)
    return network


def copy_weights(weights, network):
    """Keras's arrays by layer name into PyTorch's: kernels are (h, w, in, out) there and (out, in, h, w) here."""
    import torch

    for name, (weight, bias, *_) in weights.items():
        order = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[weight.ndim]
        with torch.no_grad():
            network[name].weight.copy_(torch.tensor(weight.transpose(order)))
            network[name].bias.copy_(torch.tensor(bias))


if __name__ == "__main__":
    run_main(main)
