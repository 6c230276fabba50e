"""Decision curves: what acting at a threshold of risk is worth. Positive is risk >= threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from evaluation.arrays import Floats, checked
from evaluation.resampling import Resamples

METHOD = "net benefit, positive = risk >= threshold"


@dataclass(frozen=True, eq=False)
class DecisionCurve:
    """Net benefit of a model, of treating all and of treating none, per threshold.

    Unit: true positives per case, at the prevalence of these cases. `standardized` is a share of the prevalence, the
    largest net benefit there is.
    """

    thresholds: Floats
    net_benefit: Floats
    treat_all: Floats
    treat_none: Floats
    standardized: Floats
    n_positive: int
    n_negative: int
    method: str = METHOD
    flag: str = ""


@dataclass(frozen=True, eq=False)
class NetBenefitDifference:
    """First minus second net benefit per threshold, with 95 % percentile intervals, not adjusted for their number."""

    thresholds: Floats
    first: Floats
    second: Floats
    difference: Floats
    low: Floats
    high: Floats
    draws: int
    n_positive: int
    n_negative: int
    method: str
    flag: str = ""


def net_benefit(labels: ArrayLike, risks: ArrayLike, thresholds: ArrayLike) -> DecisionCurve:
    """TP / n - FP / n * t / (1 - t) at every threshold t (Vickers & Elkin 2006), in O(n log n).

    `labels` holds 1 and 0, `risks` probabilities, `thresholds` rise within [0, 1). Raises ValueError for anything else,
    and for unequal lengths, NaN, a third label or a single class.
    """
    is_positive, values = checked(labels, risks)
    grid = _rising(thresholds)
    _check_probabilities(values)
    odds, n, positives = grid / (1 - grid), values.size, int(np.count_nonzero(is_positive))
    prevalence = positives / n
    benefit = (_reaching(values[is_positive], grid) - _reaching(values[~is_positive], grid) * odds) / n
    return DecisionCurve(
        thresholds=grid,
        net_benefit=benefit,
        treat_all=prevalence - (1 - prevalence) * odds,
        treat_none=np.zeros(grid.size),
        standardized=benefit / prevalence,
        n_positive=positives,
        n_negative=n - positives,
        flag="constant risk" if values.min() == values.max() else "",
    )


def net_benefit_difference(
    labels: ArrayLike, first: ArrayLike, second: ArrayLike, thresholds: ArrayLike, resamples: Resamples
) -> NetBenefitDifference:
    """Difference of the net benefits of two risks of the same cases, bootstrapped on common resamples.

    The cases are in the order of the resamples. Where both risks call the same cases in every draw, the interval has
    no width; the flag counts such thresholds. Raises ValueError as `net_benefit` does.
    """
    one, other = net_benefit(labels, first, thresholds), net_benefit(labels, second, thresholds)
    draws = resampled_net_benefit(labels, np.column_stack([first, second]), thresholds, resamples)
    low, high = np.quantile(draws[:, 0] - draws[:, 1], [0.025, 0.975], axis=0)
    same = int(np.count_nonzero(low == high))
    return NetBenefitDifference(
        thresholds=one.thresholds,
        first=one.net_benefit,
        second=other.net_benefit,
        difference=one.net_benefit - other.net_benefit,
        low=low,
        high=high,
        draws=draws.shape[0],
        n_positive=one.n_positive,
        n_negative=one.n_negative,
        method=f"percentile {resamples.method}",
        flag=f"no variation at {same} of {low.size} thresholds" if same else "",
    )


def resampled_net_benefit(labels: ArrayLike, risks: ArrayLike, thresholds: ArrayLike, resamples: Resamples) -> Floats:
    """Net benefit of k risks in every draw: (cases, k) -> (draws, k, thresholds).

    Each draw is counted once per risk and range between thresholds, by one sparse product for all risks; sums from the
    highest range down give every threshold. Raises ValueError as `net_benefit` does, and for resamples of other cases.
    """
    table = np.asarray(risks, dtype=np.float64)
    if table.ndim != 2 or not table.shape[1]:
        raise ValueError(f"risks must be a table of cases and cells, got the shape {table.shape}")
    is_positive = checked(labels, table[:, 0])[0]
    for column in table.T[1:]:
        checked(labels, column)
    grid = _rising(thresholds)
    _check_probabilities(table)
    # A negative counts -odds at a threshold, so both classes are counted apart.
    ranges = [_ranges(table, grid, members) for members in (is_positive, ~is_positive)]
    parts = [_benefits(ranges, counts, grid, table.shape) for counts in resamples.chunks()]
    return np.concatenate(parts)


def _ranges(table: Floats, grid: Floats, members: NDArray[np.bool_]) -> csr_array:
    """Ones where a case of the class lies in a range of a risk: (risk * range, cases)."""
    cases = np.flatnonzero(members)
    level = np.searchsorted(grid, table[cases], side="right") + np.arange(table.shape[1]) * (grid.size + 1)
    places = (level.ravel(), np.repeat(cases, table.shape[1]))
    shape = (table.shape[1] * (grid.size + 1), table.shape[0])
    return csr_array((np.ones(level.size, dtype=np.float32), places), shape=shape)


def _benefits(
    ranges: list[csr_array], counts: NDArray[np.floating], grid: Floats, shape: tuple[int, int]
) -> NDArray[np.float64]:
    if counts.shape[1] != shape[0]:
        raise ValueError(f"the resamples are of {counts.shape[1]} cases, the risks of {shape[0]}")
    positive, negative = (_reached(part @ counts.T, shape[1], grid.size) for part in ranges)
    benefit = positive - negative * (grid / (1 - grid))[:, None]
    return np.moveaxis(benefit / counts.sum(axis=1, dtype=np.float64), -1, 0)


def _reached(drawn: NDArray[np.floating], risks: int, thresholds: int) -> NDArray[np.float64]:
    """Draws at or above each threshold, from the draws in each range below, between and above them."""
    by_range = drawn.reshape(risks, thresholds + 1, -1)[:, :0:-1]
    return np.cumsum(by_range, axis=1, dtype=np.float64)[:, ::-1]


def _reaching(values: Floats, grid: Floats) -> NDArray[np.int64]:
    return values.size - np.searchsorted(np.sort(values), grid, side="left")


def _rising(thresholds: ArrayLike) -> Floats:
    grid = np.asarray(thresholds, dtype=np.float64)
    if grid.ndim != 1 or not grid.size:
        raise ValueError(f"thresholds must be a vector of at least one number, got the shape {grid.shape}")
    if not (np.all((grid >= 0) & (grid < 1)) and np.all(np.diff(grid) > 0)):
        raise ValueError(f"thresholds must rise and lie in [0, 1), got {grid.tolist()}")
    return grid


def _check_probabilities(values: Floats) -> None:
    outside = (values < 0) | (values > 1)
    if outside.any():
        raise ValueError(f"risks must lie in [0, 1], found {values[outside][0]}")
