"""The base of losses that compare two distances: the positive is to be closer than the negative, by a margin."""

import math
from numbers import Real
from typing import Any, Literal

import keras
from keras import ops

from common.losses.distances import DISTANCES, Distance

Margin = float | Literal["soft"]


class MarginLoss(keras.losses.Loss):
    """Base class of the losses with a margin and a distance.

    Args:
        margin: at least 0, in the unit of the distance; or "soft": log(1 + exp(excess)) instead of
            max(excess + margin, 0), where excess = d(a, p) - d(a, n).
        distance: "squared", "euclidean" or "cosine", as `common.losses.distances` defines them.
        options: `name`, `reduction` and `dtype` of keras.losses.Loss.

    Raises:
        ValueError: for another margin or distance.
    """

    def __init__(self, margin: Margin, distance: Distance, **options: Any):
        super().__init__(**options)
        if margin != "soft" and not (isinstance(margin, Real) and 0 <= margin < math.inf):
            raise ValueError(f'expected a number of at least 0, or "soft", as margin; received {margin!r}')
        if distance not in DISTANCES:
            raise ValueError(f"expected one of {', '.join(DISTANCES)} as distance; received {distance!r}")
        self.margin: Margin = "soft" if margin == "soft" else float(margin)
        self.distance = distance

    def penalty(self, excess: keras.KerasTensor) -> keras.KerasTensor:
        """Return the loss of triplets with the excess d(a, p) - d(a, n), of the same shape. It never overflows."""
        return ops.softplus(excess) if self.margin == "soft" else ops.relu(excess + self.margin)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the loss."""
        return super().get_config() | {"margin": self.margin, "distance": self.distance}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MarginLoss":
        """Return the loss that `get_config` described; models saved before `distance` existed have `squared`."""
        config = dict(config)
        if "squared" in config:
            config["distance"] = "squared" if config.pop("squared") else "euclidean"
        return cls(**config)


def at_least_float32(embeddings: keras.KerasTensor) -> keras.KerasTensor:
    """Return float16, bfloat16 and whole numbers as float32; float32 and float64 as they are."""
    return ops.cast(embeddings, keras.backend.result_type(embeddings.dtype, "float32"))
