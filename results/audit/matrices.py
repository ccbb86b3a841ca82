"""Statements about confusion matrices, and sets of matrices that satisfy them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from results.audit.forms import metric_text, value
from results.audit.printed import Printed

MAX_N = 1000  # images of a test set whose size is not printed


@dataclass(frozen=True)
class Statement:
    """A metric of forms.METRICS and the number that is printed for it. `name`: how a finding calls the metric."""

    metric: str
    printed: Printed
    name: str = ""
    ties: bool = False
    """Only for an AUC: pairs of images with equal scores count half."""

    def __str__(self):
        return f"{self.label} {self.printed.text}"

    @property
    def label(self) -> str:
        """How a finding calls the metric."""
        return self.name or metric_text(self.metric)


@dataclass(frozen=True)
class Sizes:
    """What is known about the class sizes; None is unknown. If nothing is known, all totals up to max_n are tried."""

    fakes: int | None = None
    reals: int | None = None
    n: int | None = None
    max_n: int = MAX_N

    @property
    def known(self) -> bool:
        """Whether both class sizes are known."""
        return self.fakes is not None and self.reals is not None

    def pairs(self, shares: tuple[float, float] = (0.0, 1.0)) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the class sizes to try.

        Args:
            shares: the smallest and the largest share of fakes to try, if a class size is unknown.

        Yields:
            float64 arrays (fakes, reals) of equal length. Unknown sizes are at least 1.
        """
        if self.fakes is not None and self.reals is not None:
            yield np.array([float(self.fakes)]), np.array([float(self.reals)])
        elif self.fakes is not None or self.reals is not None:
            other = np.arange(1.0, self.max_n + 1)
            given = np.full_like(other, self.reals if self.fakes is None else self.fakes)
            fakes, reals = (other, given) if self.fakes is None else (given, other)
            keep = (fakes + 1 >= shares[0] * (fakes + reals)) & (fakes - 1 <= shares[1] * (fakes + reals))
            yield fakes[keep], reals[keep]
        else:
            for n in [self.n] if self.n is not None else range(2, self.max_n + 1):
                fakes = np.arange(max(1.0, np.floor(shares[0] * n)), min(n - 1.0, np.ceil(shares[1] * n)) + 1)
                yield fakes, n - fakes


@dataclass(frozen=True)
class Solutions:
    """Confusion matrices: rows (fakes, reals, tp), each with an interval low..high of fp; int64 arrays (rows,)."""

    fakes: np.ndarray
    reals: np.ndarray
    tp: np.ndarray
    low: np.ndarray
    high: np.ndarray
    more: bool = False
    """The search was stopped early: there may be more matrices, even if none was found."""

    @property
    def columns(self) -> tuple[np.ndarray, ...]:
        """The arrays fakes, reals, tp, low, high."""
        return self.fakes, self.reals, self.tp, self.low, self.high

    @property
    def count(self) -> int:
        """The number of matrices."""
        return int((self.high - self.low + 1).sum())

    @property
    def totals(self) -> np.ndarray:
        """The different numbers of images, int64, ascending."""
        return np.unique(self.fakes + self.reals)

    def of_total(self, n: int) -> "Solutions":
        """The matrices of n images."""
        keep = self.fakes + self.reals == n
        return Solutions(*(column[keep] for column in self.columns))

    def range(self, metric: str) -> tuple[float, float]:
        """The smallest and the largest value of a metric over all matrices; NaN if it is undefined for all.

        Every metric is monotone in fp, so the ends of the intervals are sufficient.
        """
        ends = np.array([value(metric, self.fakes, self.reals, self.tp, fp) for fp in (self.low, self.high)])
        ends = ends[~np.isnan(ends)]
        return (float(ends.min()), float(ends.max())) if len(ends) else (np.nan, np.nan)

    def first_matrix(self) -> dict[str, int]:
        """The first matrix as {tp, fp, fn, tn}."""
        fakes, reals, tp, fp = (int(column[0]) for column in self.columns[:4])
        return {"tp": tp, "fp": fp, "fn": fakes - tp, "tn": reals - fp}
