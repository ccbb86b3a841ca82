"""Which images of each global batch this machine reads, if several machines train one network together."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Shard:
    """One of several machines, each of which reads an equal, contiguous part of every global batch.

    Args:
        rank: of the machine, from 0.
        machines: how many there are.
    """

    rank: int = 0
    machines: int = 1

    @classmethod
    def of(cls, strategy: Any) -> "Shard":
        """Return this machine's shard under a tf.distribute.Strategy; None: all of the data.

        The chief, or the first worker where no task is called so, is number 0.
        """
        resolver = getattr(strategy, "cluster_resolver", None)
        if resolver is None:
            return cls()
        jobs = resolver.cluster_spec().as_dict()
        tasks = [(job, number) for job in ("chief", "worker") for number in range(len(jobs.get(job, ())))]
        return cls(tasks.index((resolver.task_type, resolver.task_id)), len(tasks))

    @property
    def is_chief(self) -> bool:
        """Whether this machine writes what all share."""
        return self.rank == 0

    def size(self, batch_size: int) -> int:
        """Return how many examples of a global batch this machine reads."""
        return batch_size // self.machines

    def positions(self, count: int, batch_size: int) -> np.ndarray:
        """Return the positions in an epoch's order that this machine reads, int (m,); a last, short batch is left out.

        Args:
            count: examples in the epoch.
            batch_size: examples in a global batch, a multiple of the machines.
        """
        full = count // batch_size * batch_size
        parts = np.arange(full).reshape(-1, self.machines, self.size(batch_size))  # (batches, machines, b)
        return parts[:, self.rank].ravel()


ALL = Shard()

_current: ContextVar[Shard] = ContextVar("shard", default=ALL)


def current_shard() -> Shard:
    """Return the shard that training data are read for: all of them, unless `sharded` says otherwise."""
    return _current.get()


@contextmanager
def sharded(shard: Shard) -> Iterator[None]:
    """Read the training data that are opened in this block for one machine."""
    token = _current.set(shard)
    try:
        yield
    finally:
        _current.reset(token)
