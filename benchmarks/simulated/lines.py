"""One line of a simulation: a rate, its Monte Carlo error, and the band in which it should lie."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from evaluation.arrays import Bools


class Band(NamedTuple):
    """Where a rate should lie, ends included."""

    low: float
    high: float


TYPE_ONE, COVERAGE = Band(0.04, 0.06), Band(0.935, 0.965)
CONSERVATIVE_TEST, CONSERVATIVE_INTERVAL = Band(0.0, 0.06), Band(0.935, 1.0)
"""For methods that err on the safe side by construction."""


@dataclass(frozen=True)
class Effort:
    """Which share of the repetitions is run; a hundredth shows only gross errors."""

    share: float = 1.0

    def of(self, full: int) -> int:
        """Repetitions to run, at least 8."""
        return max(8, int(full * self.share))


@dataclass(frozen=True)
class Line:
    """A rejection or coverage rate; without a band it stands beside, to compare with."""

    method: str
    setting: str
    rate: float
    repetitions: int
    band: Band | None

    @property
    def error(self) -> float:
        """Monte Carlo standard error."""
        return sqrt(self.rate * (1 - self.rate) / self.repetitions)

    @property
    def verdict(self) -> str:
        """Where the rate lies; unclear is less than 2 Monte Carlo standard errors outside of the band."""
        if self.band is None:
            return "beside"
        return "held" if not self.outside else "unclear" if self.outside < 2 else "MISSED"

    @property
    def outside(self) -> float:
        """Distance from the band, in Monte Carlo standard errors at its nearest end."""
        if self.band is None or self.band.low <= self.rate <= self.band.high:
            return 0.0
        end = min(self.band, key=lambda value: abs(self.rate - value))
        return abs(self.rate - end) / sqrt(end * (1 - end) / self.repetitions)

    @property
    def percent(self) -> str:
        """The rate and its error."""
        return f"{100 * self.rate:.2f} ± {100 * self.error:.2f}"

    def cells(self) -> tuple[str, ...]:
        """As texts, in percent."""
        band = "" if self.band is None else f"{100 * self.band.low:g} to {100 * self.band.high:g}"
        return self.method, self.setting, self.percent, band, self.verdict, f"{self.repetitions:,}"


HEADINGS = ("method", "setting", "%, ± Monte Carlo se", "band %", "verdict", "repetitions")


def line(method: str, setting: str, events: ArrayLike, band: Band | None) -> Line:
    """A line from one true or false per repetition."""
    happened = np.asarray(events, dtype=bool)
    return Line(method, setting, float(happened.mean()), happened.size, band)


def covers(low: ArrayLike, high: ArrayLike, truth: ArrayLike) -> Bools:
    """Whether each interval holds the truth; an interval that is NaN does not."""
    return np.asarray((np.asarray(low) <= truth) & (truth <= np.asarray(high)))
