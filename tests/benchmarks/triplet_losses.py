"""Value and gradient of the mined losses against the classical O(B^3) form, and against pytorch-metric-learning.

    python -m tests.benchmarks.triplet_losses [--batch 1024] [--dimensions 128] [--classes 2] [--rounds 5] [--memory]

All are timed in one run, in turns, the first turn not counted; what counts is the ratio of the medians. The classical
forms stand in keras.ops and are compiled (tf.function), like ours; with 1,024 examples they take about 11 GB.
pytorch-metric-learning runs where it is installed and its list of all triplets fits into half the free memory:
TripletMarginLoss is our BatchAll; its semi-hard miner averages over all triplets in the margin, which is another loss.
--memory: the peak of each, in a process of its own.
"""

import importlib.util
import multiprocessing
import os
import resource
import sys
import time
from dataclasses import dataclass
from statistics import median

import numpy as np

from common.cli import parse, run_main
from common.tensorflow_import import import_tensorflow
from tests.benchmarks.table import Row, TableOptions, publish


@dataclass(frozen=True)
class Options(TableOptions):
    """Flags of the benchmark."""

    batch: int = 1024
    dimensions: int = 128
    classes: int = 2
    rounds: int = 5
    memory: bool = False
    """Measure peak memory in the place of time."""


def main(argv=None):
    options = parse(Options, argv, description=__doc__)
    rival = rival_can_run(draw(options)[0])
    measured = peaks(options, rival) if options.memory else times(options, rival)
    print("losses: " + ", ".join(f"{name} {loss:.6f}" for name, (_, loss) in measured.items()))
    unit, what = ("MiB", "memory of") if options.memory else ("ms", "value and gradient of")
    size = f"batch {options.batch}, {options.dimensions} dimensions, {options.classes} classes"
    rows = []
    for name, (value, _) in measured.items():
        loss, _, rival = name.partition(", ")
        if rival != "ours":
            rows.append(Row(f"{what} {loss}, {size}", measured[f"{loss}, ours"][0], rival, value, unit))
    publish(rows, options.table)


def times(options, rival):
    """{name: (median milliseconds, loss)}, the contestants in turns."""
    runs, measured, results = contestants(*draw(options), rival), {}, {}
    for _ in range(options.rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            results[name] = run()
            measured.setdefault(name, []).append(1000 * (time.perf_counter() - began))
    return {name: (median(each[1:]), results[name]) for name, each in measured.items()}


def peaks(options, rival):
    """{name: (MB above the memory after imports, loss)}, each in a process of its own."""
    measured = {}
    for name in contestants(*draw(options), rival):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            measured[name] = pool.apply(peak, (name, options, rival))
    return measured


def peak(name, options, rival):
    run = contestants(*draw(options), rival)[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, result


def draw(options):
    """Labels (B,) and embeddings (B, N) of length 1, float32."""
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(options.batch, options.dimensions))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return random.integers(0, options.classes, options.batch).astype("float32"), embeddings.astype("float32")


def contestants(labels, embeddings, rival):
    """{name: a function that computes value and gradient once and returns the value}."""
    import_tensorflow()
    from common.losses import BatchAll, SemiHard

    ways = {
        "semi-hard, ours": compiled(SemiHard(), labels, embeddings),
        "semi-hard, classical keras.ops": compiled(classical_semi_hard, labels, embeddings),
        "batch-all, ours": compiled(BatchAll(0.2), labels, embeddings),
        "batch-all, classical keras.ops": compiled(classical_batch_all, labels, embeddings),
    }
    if rival:
        from pytorch_metric_learning.distances import LpDistance
        from pytorch_metric_learning.losses import TripletMarginLoss
        from pytorch_metric_learning.miners import TripletMarginMiner

        plain, squared = (LpDistance(normalize_embeddings=False, power=power) for power in (1, 2))
        miner = TripletMarginMiner(1.0, "semihard", distance=squared)
        ways["semi-hard, pytorch-metric-learning"] = in_torch(
            TripletMarginLoss(1.0, distance=squared), labels, embeddings, miner
        )
        ways["batch-all, pytorch-metric-learning"] = in_torch(
            TripletMarginLoss(0.2, distance=plain), labels, embeddings
        )
    return ways


def rival_can_run(labels):
    """Whether pytorch-metric-learning is there and has the memory for its triplets; says so if not."""
    if not importlib.util.find_spec("pytorch_metric_learning"):
        print("pytorch-metric-learning is not installed: left out", file=sys.stderr)
        return False
    triplets = sum((count - 1) * count * (len(labels) - count) for count in np.unique(labels, return_counts=True)[1])
    needed, free = 52 * triplets, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")  # 52 bytes: measured
    if needed > free / 2:
        print(f"pytorch-metric-learning needs {needed / 1e9:.0f} of {free / 1e9:.0f} GB: left out", file=sys.stderr)
        return False
    return True


def compiled(loss, labels, embeddings):
    import tensorflow as tf

    labels, embeddings = tf.constant(labels), tf.constant(embeddings)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(labels, embeddings)
        return value, tf.convert_to_tensor(tape.gradient(value, embeddings))

    def run():
        value, gradient = step()
        gradient.numpy()
        return float(value)

    return run


def in_torch(loss, labels, embeddings, miner=None):
    import torch

    labels, embeddings = torch.tensor(labels).long(), torch.tensor(embeddings, requires_grad=True)

    def run():
        embeddings.grad = None
        value = loss(embeddings, labels, miner(embeddings, labels) if miner else None)
        value.backward()
        return value.item()

    return run


def squared_distances(embeddings):
    from keras import ops

    squares = ops.sum(ops.square(embeddings), axis=1)
    return ops.relu(squares[:, None] + squares[None] - 2 * ops.matmul(embeddings, ops.transpose(embeddings)))


def classical_semi_hard(labels, embeddings, margin=1.0):
    """TensorFlow Addons' definition over a (B, B, B) mask."""
    from keras import ops

    distances = squared_distances(embeddings)
    negative = labels[:, None] != labels[None]
    positive = ops.logical_not(ops.logical_or(negative, ops.eye(len(labels), dtype="bool")))
    farther = ops.logical_and(negative[:, None], distances[:, None] > distances[:, :, None])  # (B, B, B)
    outside = ops.min(ops.where(farther, distances[:, None], float("inf")), axis=2)
    inside = ops.max(ops.where(negative, distances, 0), axis=1, keepdims=True)
    mined = ops.where(ops.any(farther, axis=2), outside, inside)
    return ops.sum(ops.where(positive, ops.relu(distances - mined + margin), 0)) / ops.sum(
        ops.cast(positive, "float32")
    )


def classical_batch_all(labels, embeddings, margin=0.2):
    """All triplets as a (B, B, B) tensor, the mean over those above 0."""
    from keras import ops

    distances = squared_distances(embeddings)
    distances = ops.where(distances > 0, ops.sqrt(ops.where(distances > 0, distances, 1)), 0)
    negative = labels[:, None] != labels[None]
    positive = ops.logical_not(ops.logical_or(negative, ops.eye(len(labels), dtype="bool")))
    triplet = ops.logical_and(positive[:, :, None], negative[:, None])  # (B, B, B)
    losses = ops.where(triplet, ops.relu(distances[:, :, None] - distances[:, None] + margin), 0)
    return ops.sum(losses) / ops.sum(ops.cast(losses > 0, "float32"))


if __name__ == "__main__":
    run_main(main)
