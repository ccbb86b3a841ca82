"""Rules of a flag, written at its field: Annotated[float, Above(0)], Annotated[Path, Role.OUTPUT]."""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Protocol


class Role(Enum):
    """What a flag is for, if it is not a hyperparameter. Only hyperparameters can depart from a preset."""

    OUTPUT = "where results go and how they are shown; changes nothing that a run computes"
    SUBJECT = "what a preset is applied to: data, seeds, protocols, devices"
    WEIGHTS = "where pre-trained weights come from; only `none` departs from a preset"


class Rule(Protocol):
    """What a legal value of a field is."""

    expected: str

    def allows(self, value: Any) -> bool:
        """Return whether `value`, never None, is legal."""


@dataclass(frozen=True)
class Bound:
    """A finite number on one side of `bound`; of a tuple, each of its numbers."""

    bound: float
    words: ClassVar[str]
    compare: ClassVar[Callable[[float, float], bool]]

    @property
    def expected(self) -> str:
        return f"a number {self.words} {self.bound:g}"

    def allows(self, value: Any) -> bool:
        numbers = value if isinstance(value, tuple) else (value,)
        return all(math.isfinite(number) and type(self).compare(number, self.bound) for number in numbers)


class AtLeast(Bound):
    """A number of at least `bound`."""

    words, compare = "of at least", operator.ge


class Above(Bound):
    """A number above `bound`."""

    words, compare = "above", operator.gt


class Below(Bound):
    """A number below `bound`."""

    words, compare = "below", operator.lt


class AtMost(Bound):
    """A number of at most `bound`."""

    words, compare = "of at most", operator.le


@dataclass(frozen=True)
class Distinct:
    """Several values without a repetition; with `least`, at least that many."""

    least: int = 0

    @property
    def expected(self) -> str:
        return "each value once" + (f", at least {self.least} of them" if self.least else "")

    def allows(self, value: Any) -> bool:
        return self.least <= len(value) == len(set(value))
