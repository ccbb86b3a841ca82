"""Training on several machines: the epoch loop that Keras lacks, and what the machines tell each other.

Every machine runs the whole program. Training steps and the messages here are collective: all machines take part in
all of them, in one order. The chief (rank 0) decides what depends on a clock or on rounding: when a checkpoint is due,
and what validation has measured.
"""

import functools
import io
import json
import re
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from common.data.sharding import Shard
from common.errors import UserError
from common.training.checkpoints import Checkpoints, full_epochs

MOST_STEPS = 100  # between two questions whether a checkpoint is due
LOST = (
    tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError, tf.errors.InternalError,
)  # fmt: skip


class EpochLoop:
    """The steps of an epoch, as `keras.Model.fit` would take them.

    Keras 3.15's `fit` fails under MultiWorkerMirroredStrategy: it builds the model from PerReplica values, and reduces
    logs over an axis that they lack (keras issue 20585). Its train step and callbacks are used as they are.

    Args:
        model: compiled, with an optimizer that is built.
    """

    def __init__(self, model: keras.Model):
        self.model, self.strategy = model, model.distribute_strategy
        self._has_variables = False

        @tf.function(reduce_retracing=True)
        def step(batch):
            self.strategy.run(model.train_step, (batch,))
            return model.get_metrics_result()  # sums over all machines

        self._step = step

    def train(self, data: tf.data.Dataset, epoch: int, callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, Any]:
        """Train one epoch and return its logs.

        Args:
            data: this machine's part of each batch.
            epoch: from 0.
            callbacks: Keras's.
        """
        own = self.strategy.num_replicas_in_sync // Shard.of(self.strategy).machines
        if own > 1:  # a batch for each of this machine's devices
            data = data.rebatch(int(data.element_spec[0].shape[0]) // own, drop_remainder=True)
        if not self._has_variables:
            self._create_variables(data)
        distributed = self.strategy.distribute_datasets_from_function(lambda _: data)
        called = keras.callbacks.CallbackList(callbacks, model=self.model, epochs=epoch + 1, verbose=0)
        called.on_train_begin()
        self.model.reset_metrics()
        called.on_epoch_begin(epoch)
        for number, batch in enumerate(distributed):
            called.on_train_batch_begin(number)
            called.on_train_batch_end(number, self._step(batch))
        logs = {name: float(value) for name, value in sorted(self.model.get_metrics_result().items())}
        called.on_epoch_end(epoch, logs)
        called.on_train_end(logs)
        return logs

    def _create_variables(self, data):
        """Create those of loss and metrics outside of the step, where the machines agree on them."""
        images, labels = next(iter(data))
        with self.strategy.scope():
            outputs = self.model(images, training=False)
            self.model.compute_loss(images, labels, outputs)
            self.model.compute_metrics(images, labels, outputs)
        self._has_variables = True


class SharedCheckpoints(Checkpoints):
    """Checkpoints that the chief writes. To resume, the others get them from it, into folders of their own."""

    def __init__(self, strategy: tf.distribute.Strategy, *arguments: Any):
        super().__init__(*arguments)
        self.strategy, self.is_chief = strategy, Shard.of(strategy).is_chief
        self._skipped = self._until_question = 0
        self._asked = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the chief's minutes are over, which it is not asked before every step."""
        if self._skipped < self._until_question:
            self._skipped += 1
            return False
        due, self._until_question = agree(self.strategy, lambda: (super(SharedCheckpoints, self).is_due, self._pause()))
        self._skipped = 0
        return due

    def save(self, *arguments: Any, **named: Any) -> None:
        if self.is_chief:
            super().save(*arguments, **named)

    def restore(self) -> dict[str, Any] | None:
        facts = super().restore() if self.is_chief else None
        newest = self._paths()[-1:] if facts else []
        others = [path for path in self.folder.iterdir() if path.is_file()] if facts else []  # of callbacks
        copy_from_chief(self.strategy, self.folder, [*newest, *others])
        return facts if self.is_chief else super().restore()

    def load_weights(self, epochs: int) -> None:
        kept = [path for number, path in full_epochs(self.folder).items() if number == epochs]
        copy_from_chief(self.strategy, self.folder, kept)
        super().load_weights(epochs)

    def _pause(self):
        """Return how many steps to take before the next question: half of those that fit into the time until then."""
        now = time.monotonic()
        step, self._asked = (now - self._asked) / (self._skipped + 1), now
        left = 60 * self.minutes - (now - self._last)
        return max(0, min(MOST_STEPS, int(left / 2 / max(step, 1e-6))))


@contextmanager
def lost_machines(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Turn TensorFlow's errors about a machine that was lost into one line.

    Raises:
        UserError: saying how to go on.
    """
    try:
        yield
    except LOST as error:
        if Shard.of(strategy).machines == 1:
            raise
        reason = re.sub(r"{{.*?}} ?", "", str(error.message)).strip().splitlines()[0][:200]
        raise UserError(
            "a machine of the training was lost, or ended with an error: start the same command on every machine "
            f"again, and the run resumes from its last checkpoint ({reason})"
        ) from error


def agree(strategy: tf.distribute.Strategy, decide: Callable[[], Any]) -> Any:
    """Return what the chief decides, on every machine.

    Args:
        strategy: of the run; on one machine its own decision is returned.
        decide: called by the chief alone; returns JSON's types.
    """
    shard = Shard.of(strategy)
    if shard.machines == 1:
        return decide()
    return json.loads(_broadcast(strategy, json.dumps(decide()).encode() if shard.is_chief else b""))


def copy_from_chief(strategy: tf.distribute.Strategy, folder: Path, paths: Sequence[Path]) -> None:
    """Give every machine the chief's files.

    Args:
        strategy: of the run.
        folder: where the files are, on each machine.
        paths: files and folders in it, on the chief.
    """
    stream = io.BytesIO()
    if Shard.of(strategy).is_chief:
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for path in paths:
                archive.add(path, path.name)
    data = _broadcast(strategy, stream.getvalue())
    if not Shard.of(strategy).is_chief:
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            archive.extractall(folder, filter="data")


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Return when every machine has called this: a process that ends takes TensorFlow's others with it."""
    agree(strategy, lambda: None)


def _broadcast(strategy, data):
    """Return the chief's bytes on every machine; the others give none. A sum with zeros keeps each bit."""
    with lost_machines(strategy):
        size = np.frombuffer(len(data).to_bytes(8, "little"), np.int32)
        count = int.from_bytes(_sum(strategy, size).tobytes(), "little")
        words = np.zeros(-(-count // 4), np.int32)
        words.view(np.uint8)[: len(data)] = np.frombuffer(data, np.uint8)
        return _sum(strategy, words).tobytes()[:count] if count else b""


def _sum(strategy, words):
    """Return the sum of int32 arrays (n,) over all machines."""
    return strategy.experimental_local_results(_summation(strategy)(words))[0].numpy()


@functools.cache
def _summation(strategy):
    own_devices = strategy.num_replicas_in_sync // Shard.of(strategy).machines

    def on_replica(words):
        context = tf.distribute.get_replica_context()
        is_first = tf.cast(context.replica_id_in_sync_group % own_devices == 0, words.dtype)  # each machine counts once
        return context.all_reduce(tf.distribute.ReduceOp.SUM, words * is_first)

    return tf.function(
        lambda words: strategy.run(on_replica, (words,)), input_signature=[tf.TensorSpec([None], tf.int32)]
    )
