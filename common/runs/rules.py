"""Rules of a flag, written at its field: Annotated[float, Above(0)], Annotated[Path, Role.OUTPUT]."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol


class Role(Enum):
    """What a flag is for, where it is not a hyperparameter. Only hyperparameters can depart from a preset."""

    OUTPUT = "where results go and how they are shown; changes nothing that a run computes"
    SUBJECT = "what a preset is applied to: data, seeds, protocols, devices"
    WEIGHTS = "where pre-trained weights come from; only `none` departs from a preset"


class Rule(Protocol):
    """What a legal value of a field is."""

    expected: str

    def allows(self, value: Any) -> bool:
        """Return whether `value`, never None, is legal."""


@dataclass(frozen=True)
class AtLeast:
    """A number of at least `least`; of a tuple, each of its numbers."""

    least: float

    @property
    def expected(self) -> str:
        return f"a number of at least {self.least:g}"

    def allows(self, value: Any) -> bool:
        return all(self.least <= number < math.inf for number in _numbers(value))


@dataclass(frozen=True)
class Above:
    """A number above `bound`; of a tuple, each of its numbers."""

    bound: float

    @property
    def expected(self) -> str:
        return f"a number above {self.bound:g}"

    def allows(self, value: Any) -> bool:
        return all(self.bound < number < math.inf for number in _numbers(value))


@dataclass(frozen=True)
class Below:
    """A number below `bound`; of a tuple, each of its numbers."""

    bound: float

    @property
    def expected(self) -> str:
        return f"a number below {self.bound:g}"

    def allows(self, value: Any) -> bool:
        return all(number < self.bound for number in _numbers(value))


@dataclass(frozen=True)
class AtMost:
    """A number of at most `most`; of a tuple, each of its numbers."""

    most: float

    @property
    def expected(self) -> str:
        return f"a number of at most {self.most:g}"

    def allows(self, value: Any) -> bool:
        return all(number <= self.most for number in _numbers(value))


@dataclass(frozen=True)
class Distinct:
    """Several values without a repetition; with `least`, at least that many."""

    least: int = 0

    @property
    def expected(self) -> str:
        return "each value once" + (f", at least {self.least} of them" if self.least else "")

    def allows(self, value: Any) -> bool:
        return self.least <= len(value) == len(set(value))


def _numbers(value: Any) -> Iterable[float]:
    return value if isinstance(value, tuple) else (value,)
