"""Observed against predicted probabilities: smoothed curves and groups of cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from skmisc.loess import loess

from evaluation.arrays import Bools, Floats, Integers, checked
from evaluation.decisions.proportions import clopper_pearson

LOESS_SPAN, LOWESS_SPAN = 0.75, 2 / 3
NAMES = {"loess": "loess span .75", "lowess": "lowess span 2/3"}
FEW_DISTINCT = 10
"""With fewer distinct probabilities a curve is only as good as its few points."""


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """A smoothed curve on a grid, and groups of cases with similar predictions.

    `predicted` rises from the lowest to the highest prediction; `observed` is the smoothed share of positives there,
    NaN where the flag says why. It is not clipped and may leave [0, 1] a little.
    """

    predicted: Floats
    observed: Floats
    groups: tuple[Group, ...]
    smoother: str
    flag: str = ""


class Group(NamedTuple):
    """Cases with similar predictions: mean prediction, share of positives with its Clopper-Pearson interval."""

    predicted: float
    observed: float
    low: float
    high: float
    n: int
    n_positive: int


class Smoothed(NamedTuple):
    """Smoothed shares of positives at the cases and on a grid."""

    at_cases: Floats
    at_grid: Floats
    flag: str


def calibration_curve(
    labels: ArrayLike, logits: ArrayLike, smoother: str = "loess", points: int = 101, groups: int = 10
) -> CalibrationCurve:
    """Smoothed curve and groups at the quantiles of the predictions, for plotting.

    `labels` holds 1 and 0, `logits` log odds. Cases with equal predictions stay in one group, so ties give fewer
    groups. Raises ValueError for unequal lengths, NaN, a third label, a single class or an unknown smoother.
    """
    is_positive, values = checked(labels, logits)
    if points < 2 or groups < 1:
        raise ValueError(f"a curve needs at least 2 points and 1 group, got {points} and {groups}")
    probabilities = expit(values)
    grid = np.linspace(probabilities.min(), probabilities.max(), points)
    found = smoothed(is_positive, probabilities, smoother, grid)
    return CalibrationCurve(
        grid, found.at_grid, grouped(is_positive, probabilities, groups), NAMES[smoother], found.flag
    )


def smoothed(is_positive: Bools, probabilities: Floats, smoother: str, grid: Floats | None = None) -> Smoothed:
    """Local regression of the label on the prediction; NaN and a flag where it does not exist.

    `loess`: R's `stats::loess(span = .75, degree = 2)` (Cleveland, Grosse & Shyu 1992), as in Austin & Steyerberg
    (2019). `lowess`: R's `lowess(iter = 0)` (Cleveland 1979), as in `rms::val.prob`.
    """
    if smoother not in NAMES:
        raise ValueError(f"unknown smoother {smoother!r}; known: {', '.join(NAMES)}")
    ties = _Ties.of(is_positive, probabilities)
    wanted = np.empty(0) if grid is None else grid
    if ties.distinct.size == 1:
        return _without_curve(probabilities, wanted, "constant score")
    if smoother == "lowess":
        return Smoothed(*_lowess(ties, probabilities, wanted), ties.flag())
    curve = None if ties.share >= LOESS_SPAN else _loess(is_positive, probabilities, wanted)
    if curve is None:
        return _without_curve(probabilities, wanted, f"{ties.flag() or 'too few cases'}: no loess")
    return Smoothed(*curve, ties.flag())


class _Ties(NamedTuple):
    """Distinct predictions, the place of each case among them, and each one's cases and share of positives."""

    distinct: Floats
    places: Integers
    cases: Integers
    shares: Floats

    @classmethod
    def of(cls, is_positive: Bools, probabilities: Floats) -> _Ties:
        distinct, places, cases = np.unique(probabilities, return_inverse=True, return_counts=True)
        return cls(distinct, places, cases, np.bincount(places, weights=is_positive) / cases)

    @property
    def share(self) -> float:
        """Share of the cases in the largest tie."""
        return float(self.cases.max() / self.cases.sum())

    def flag(self) -> str:
        if self.distinct.size < FEW_DISTINCT:
            return f"{self.distinct.size} distinct probabilities"
        return f"{self.share:.0%} of the cases share one probability" if self.share >= 0.5 else ""


def _loess(is_positive: Bools, probabilities: Floats, grid: Floats) -> tuple[Floats, Floats] | None:
    model = loess(probabilities, is_positive.astype(np.float64), span=LOESS_SPAN, degree=2)
    try:
        model.fit()
        at_cases = np.array(model.outputs.fitted_values)
        return at_cases, np.array(model.predict(grid).values) if grid.size else grid
    except ValueError:  # a neighborhood without width, or with fewer than three distinct values
        return None


def _lowess(ties: _Ties, probabilities: Floats, grid: Floats) -> tuple[Floats, Floats]:
    """R's lowess. Tied cases enter with their mean label, which leaves every fit as it is.

    statsmodels returns the label itself where a neighborhood is one tie; with the mean, that is R's answer.
    """
    # statsmodels takes seconds to import, and loess does without it.
    from statsmodels.nonparametric.smoothers_lowess import lowess

    means, delta = ties.shares[ties.places], 0.01 * np.ptp(probabilities)
    with np.errstate(invalid="ignore"):
        fitted = lowess(means, probabilities, frac=LOWESS_SPAN, it=0, delta=delta, return_sorted=False)
    first = np.unique(ties.places, return_index=True)[1]
    return fitted, np.interp(grid, ties.distinct, fitted[first])


def _without_curve(probabilities: Floats, grid: Floats, flag: str) -> Smoothed:
    return Smoothed(np.full(probabilities.shape, np.nan), np.full(grid.shape, np.nan), flag)


def grouped(is_positive: Bools, probabilities: Floats, groups: int = 10) -> tuple[Group, ...]:
    """Groups between quantiles, each with its upper bound, as R's `cut` at `quantile`."""
    bounds = np.unique(np.quantile(probabilities, np.arange(1, groups) / groups))
    codes = np.unique(np.searchsorted(bounds, probabilities, side="left"), return_inverse=True)[1]
    sizes = np.bincount(codes)
    positives, sums = np.bincount(codes, weights=is_positive), np.bincount(codes, weights=probabilities)
    return tuple(
        Group(float(total / n), *clopper_pearson(int(k), int(n)), int(n), int(k))
        for total, k, n in zip(sums, positives, sizes, strict=True)
    )
