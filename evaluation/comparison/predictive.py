"""PPV and NPV of many models in common resamples, and the differences of many pairs of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from scipy.special import ndtr

from evaluation.arrays import Bools, Floats, Integers
from evaluation.comparison.cases import Cases
from evaluation.resampling import Counts, Resamples, far_sides, summarize

AT_ONCE = 200
"""Pairs whose resampled differences are held at the same time."""
FEWEST_CALLS = 5
FEW_CALLS = f"fewer than {FEWEST_CALLS} such calls by a cell"
NO_VARIATION = "no variation in the draws"


@dataclass(frozen=True, eq=False)
class ResampledValue:
    """A predictive value of several models, and its values in common resamples (models, draws)."""

    value: Floats
    draws: Floats
    called: Integers
    """How many cases each model calls this way."""
    method: str

    def compare(self, first: Integers, second: Integers) -> dict[str, Any]:
        """Percentile interval, and p from the bootstrap's standard error, of every pair (first minus second).

        A percentile p cannot fall below 2 / (draws + 1), which no adjustment over a thousand pairs survives; it is kept
        as `p_percentile`. With fewer than five calls the draws say nothing about the next ones: NaN, with a flag.
        """
        parts = [
            self._pairs(first[start : start + AT_ONCE], second[start : start + AT_ONCE])
            for start in range(0, first.size, AT_ONCE)
        ]
        low, high, se, percentile = np.concatenate(parts, axis=1)
        gap = self.value[first] - self.value[second]
        still = (se == 0) & (gap != 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            p = np.where(se > 0, 2 * ndtr(-np.abs(gap / se)), np.where(still | np.isnan(se), nan, 1.0))
        flags = np.where(np.isnan(se), FEW_CALLS, np.where(still, NO_VARIATION, ""))
        return {
            "value_first": self.value[first],
            "value_second": self.value[second],
            "difference": gap,
            "only_first": self.called[first],
            "only_second": self.called[second],
            "low": low,
            "high": high,
            "p": p,
            "p_percentile": np.where(still, nan, percentile),
            "test": f"{self.method}, normal",
            "interval": f"{self.method}, percentile",
            "flag": flags,
        }

    def _pairs(self, first: Integers, second: Integers) -> Floats:
        gaps = self.draws[first] - self.draws[second]
        few = np.minimum(self.called[first], self.called[second]) < FEWEST_CALLS
        gaps[few] = 0.0
        low, high = np.quantile(gaps, [0.025, 0.975], axis=1)
        found = np.stack([low, high, np.std(gaps, axis=1, ddof=1), far_sides(gaps)])
        # A draw in which nobody is called this way has no value and is left out: with five calls one in a hundred.
        for pair in np.flatnonzero(np.isnan(low)):
            one = summarize(0.0, gaps[pair], self.method)
            found[:, pair] = one.low, one.high, one.se, one.p
        found[:, few] = nan
        return found


@dataclass(frozen=True, eq=False)
class PredictiveDraws:
    """PPV and NPV of every row of decisions, resampled."""

    ppv: ResampledValue
    npv: ResampledValue

    @classmethod
    def of(cls, called: Bools, cases: Cases, resamples: Resamples) -> PredictiveDraws:
        """Two matrix products per chunk of resamples serve all rows."""
        positive = cases.labels == 1
        hits, every = (called & positive).astype(np.float32), called.astype(np.float32)
        parts = [_values(counts, hits, every, positive) for counts in resamples.chunks()]
        whole = _values(np.ones((1, positive.size), dtype=np.float32), hits, every, positive)
        number = called.sum(axis=1)
        ppv, npv = (
            ResampledValue(
                whole[side][:, 0], np.concatenate([part[side] for part in parts], axis=1), calls, resamples.method
            )
            for side, calls in enumerate((number, positive.size - number))
        )
        return cls(ppv, npv)


def _values(counts: Counts, hits: Counts, called: Counts, positive: Bools) -> tuple[Floats, Floats]:
    """PPV and NPV per model and draw; NaN where nobody is called that way."""
    true_positive, all_called = hits @ counts.T, called @ counts.T
    total, negatives = counts.sum(axis=1), counts @ (~positive).astype(np.float32)
    return _share(true_positive, all_called), _share(negatives - (all_called - true_positive), total - all_called)


def _share(part: Counts, whole: Counts) -> Floats:
    found: Floats = np.full(whole.shape, nan)
    np.divide(part, whole, out=found, where=whole > 0, dtype=np.float64)
    return found
