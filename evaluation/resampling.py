"""The stratified bootstrap: whole patients are drawn within their class, the same draws for every cell."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import nan
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.arrays import Bools, Floats, Integers, checked
from evaluation.normal import two_sided

Counts = NDArray[np.float32]
"""How often each case was drawn; such counts and their sums are exact in float32 up to 16.7 million."""

CHUNK = 2_000_000
"""Counts held at once: 8 MB, whatever the number of draws."""
_POSITIVE, _BOTH = 1, 3
FEWEST = 10
"""Patients with images of both classes below which they are drawn together with those who have positive ones only."""
CASES, PATIENTS = "bootstrap of cases, stratified by class", "bootstrap of patients, stratified by class"


@dataclass(frozen=True, eq=False)
class Resamples:
    """Draws with replacement, as counts; two results on the same resamples are paired draw by draw.

    Patients are drawn within strata: only positive cases, only negative ones, or both (if there are ten, else with the
    first). With one case per patient the numbers of positives and negatives are the same in every draw.
    """

    units: Integers
    """The patient of each case, 0 … count - 1."""
    strata: tuple[Integers, ...]
    """Patients of each stratum."""
    draws: int
    seed: int
    method: str

    @classmethod
    def of(cls, labels: ArrayLike, patients: ArrayLike | None = None, draws: int = 2000, seed: int = 0) -> Self:
        """Resamples of cases with these labels (1 or 0); `patients`: any ids, one per case."""
        is_positive = np.asarray(labels) == 1
        names = np.arange(is_positive.size) if patients is None else np.asarray(patients)
        if names.shape != is_positive.shape or is_positive.ndim != 1:
            raise ValueError(f"labels and patients must be equally long, got {is_positive.shape} and {names.shape}")
        if draws < 1:
            raise ValueError(f"draws must be at least 1, got {draws}")
        count, units = np.unique(names, return_inverse=True)
        kind = _has(units[is_positive], count.size) + 2 * _has(units[~is_positive], count.size)
        if 0 < np.count_nonzero(kind == _BOTH) < FEWEST:
            # A stratum of one patient would be drawn once in every draw, and show no variance at all.
            kind[kind == _BOTH] = _POSITIVE
        strata = tuple(np.flatnonzero(kind == which) for which in (_POSITIVE, 2, _BOTH) if (kind == which).any())
        return cls(units, strata, draws, seed, CASES if count.size == names.size else PATIENTS)

    def chunks(self) -> Iterator[Counts]:
        """Counts of shape (part of the draws, cases), column by column in memory; the same on every call."""
        random = np.random.default_rng(self.seed)
        count = sum(stratum.size for stratum in self.strata)
        at_once = max(1, CHUNK // max(1, self.units.size))
        for start in range(0, self.draws, at_once):
            drawn = np.zeros((count, min(at_once, self.draws - start)), dtype=np.float32)
            for stratum in self.strata:
                drawn[stratum] = _drawn(random, stratum.size, drawn.shape[1])
            yield (drawn if count == self.units.size and _in_order(self.units) else drawn[self.units]).T


@dataclass(frozen=True)
class Resampled:
    """An estimate with its bootstrap standard error, 95 % percentile interval and two-sided p-values.

    `p` counts draws on the far side of zero (percentile), `p_normal` uses the standard error. Draws in which the
    estimate is undefined are left out, their number stands in the flag.
    """

    estimate: float
    se: float
    low: float
    high: float
    p: float
    p_normal: float
    draws: int
    method: str
    flag: str = ""


def resampled_auc(labels: ArrayLike, scores: ArrayLike, resamples: Resamples) -> Floats:
    """The AUC in every draw, ties counted one half, in O(n) per draw after one sort."""
    is_positive, values = checked(labels, scores)
    kernel = AucKernel.of(is_positive, values)
    return np.concatenate([kernel.auc(counts) for counts in resamples.chunks()])


@dataclass(frozen=True, eq=False)
class AucKernel:
    """A score prepared for many weighted AUCs of the same cases."""

    positives: Integers
    negatives: Integers
    """Places of the negatives, by rising score."""
    below: Integers
    """Of each positive, how many negatives score lower."""
    reached: Integers
    """Of each positive, how many negatives score lower or the same."""

    @classmethod
    def of(cls, is_positive: Bools, values: Floats) -> Self:
        """Sort once; positives by rising score too, so that memory is read in order."""
        positives, negatives = np.flatnonzero(is_positive), np.flatnonzero(~is_positive)
        positives = positives[np.argsort(values[positives])]
        negatives = negatives[np.argsort(values[negatives])]
        below = np.searchsorted(values[negatives], values[positives], side="left")
        reached = np.searchsorted(values[negatives], values[positives], side="right")
        return cls(positives, negatives, below, reached)

    def auc(self, counts: Counts) -> Floats:
        """The AUC of each row of counts; NaN where a class was not drawn."""
        by_case = counts.T
        negatives = np.zeros((self.negatives.size + 1, counts.shape[0]), dtype=np.float32)
        np.cumsum(by_case[self.negatives], axis=0, out=negatives[1:])
        passed = negatives[self.below]
        if not np.array_equal(self.below, self.reached):
            passed = (passed + negatives[self.reached]) * np.float32(0.5)
        positives = by_case[self.positives]
        wins = np.einsum("ij,ij->j", positives, passed, dtype=np.float64)
        pairs = positives.sum(axis=0, dtype=np.float64) * negatives[-1]
        found: Floats = np.full(wins.shape, nan)
        np.divide(wins, pairs, out=found, where=pairs > 0)
        return found


def summarize(estimate: float, draws: Floats, method: str) -> Resampled:
    """Percentile interval and p-values of an estimate from its values in the draws."""
    known = draws[np.isfinite(draws)]
    lost = draws.size - known.size
    flag = f"undefined in {lost} of {draws.size} draws" if lost else ""
    if known.size < 2 or np.isnan(estimate):
        return Resampled(estimate, nan, nan, nan, nan, nan, draws.size, method, flag)
    low, high = np.quantile(known, [0.025, 0.975])
    se = float(np.std(known, ddof=1))
    return Resampled(
        estimate, se, float(low), float(high), far_side(known), _normal_p(estimate, se), draws.size, method, flag
    )


def far_side(draws: Floats) -> float:
    """Two-sided percentile p: twice the smaller share of draws at or beyond zero (Davison & Hinkley 1997)."""
    return float(far_sides(draws[np.newaxis])[0])


def far_sides(draws: Floats) -> Floats:
    """The same of several estimates, (estimates, draws) -> (estimates)."""
    beyond = np.minimum(np.count_nonzero(draws <= 0, axis=1), np.count_nonzero(draws >= 0, axis=1))
    return np.asarray(np.minimum(1.0, 2 * (beyond + 1) / (draws.shape[1] + 1)), dtype=np.float64)


def bootstrap(metric: Callable[[Counts], Floats], resamples: Resamples) -> Resampled:
    """Any metric, or difference of metrics, written as a function of counts (draws, cases) -> values (draws)."""
    once = np.ones((1, resamples.units.size), dtype=np.float32)
    draws = np.concatenate([metric(counts) for counts in resamples.chunks()])
    return summarize(float(metric(once)[0]), draws, resamples.method)


def auc_difference_bootstrap(labels: ArrayLike, first: ArrayLike, second: ArrayLike, resamples: Resamples) -> Resampled:
    """Difference of the AUCs of two scores of the same cases, first minus second, on common draws."""
    one, other = (AucKernel.of(*checked(labels, scores)) for scores in (first, second))
    return bootstrap(lambda counts: one.auc(counts) - other.auc(counts), resamples)


def cores() -> int:
    """How many threads can compute at the same time here, at most four: each holds some ten megabytes."""
    known = getattr(os, "sched_getaffinity", None)  # Linux only: what a container or a scheduler left us
    return min(4, len(known(0)) if known else os.cpu_count() or 1)


def _normal_p(estimate: float, se: float) -> float:
    return two_sided(estimate / se) if se else float(estimate == 0)


def _drawn(random: np.random.Generator, size: int, draws: int) -> Counts:
    """How often each of `size` units is drawn, (units, draws)."""
    picked = random.integers(0, size, (draws, size), dtype=np.int32)
    counts = np.empty((draws, size), dtype=np.float32)
    for draw in range(draws):  # one count at a time stays in the cache: six times faster than all at once
        counts[draw] = np.bincount(picked[draw], minlength=size)
    return counts.T


def _has(units: Integers, count: int) -> Integers:
    return (np.bincount(units, minlength=count) > 0).astype(np.int64)


def _in_order(units: Integers) -> bool:
    return bool(np.array_equal(units, np.arange(units.size)))
