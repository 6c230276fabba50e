"""Sensitivity, specificity, PPV and NPV of many pairs of decisions on the same cases, at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np

from evaluation.arrays import Bools, Floats, Integers
from evaluation.comparison.cases import Cases
from evaluation.mcnemar import CLUSTERED as CLUSTERED_MCNEMAR
from evaluation.mcnemar import METHODS, discordant_matrix, durkalski, mcnemar_p, per_patient
from evaluation.paired_rates import CLUSTERED as CLUSTERED_WALD
from evaluation.paired_rates import TANGO, clustered_interval, tango_interval
from evaluation.resampling import Counts, Resamples, far_side
from search_spaces.study import Analysis

AT_ONCE = 200
"""Pairs whose resampled or clustered differences are held at the same time."""

Columns = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Decided:
    """Decisions of several models on the same cases, one row each."""

    called: Bools
    cases: Cases

    @property
    def positive(self) -> Bools:
        """Which cases are positive."""
        return np.asarray(self.cases.labels == 1)

    def compare(self, first: Integers, second: Integers, predictive: Predictive, plan: Analysis) -> Iterator[Columns]:
        """Columns of each metric over the pairs of rows `first` and `second`; first minus second."""
        yield {"metric": "sensitivity"} | self._rates(self.called & self.positive, self.positive, first, second, plan)
        yield {"metric": "specificity"} | self._rates(
            ~self.called & ~self.positive, ~self.positive, first, second, plan
        )
        yield {"metric": "ppv"} | predictive.ppv.compare(first, second, plan)
        yield {"metric": "npv"} | predictive.npv.compare(first, second, plan)

    def _rates(self, right: Bools, of_class: Bools, first: Integers, second: Integers, plan: Analysis) -> Columns:
        """Shares of right decisions within one class, by McNemar and Tango, or clustered where patients repeat."""
        inside = right[:, of_class]
        only = discordant_matrix(inside)
        share = inside.mean(axis=1) if inside.shape[1] else np.full(inside.shape[0], nan)
        counts: Columns = {
            "value_first": share[first],
            "value_second": share[second],
            "difference": share[first] - share[second],
            "only_first": only[first, second],
            "only_second": only[second, first],
        }
        if self.cases.clusters.repeat and inside.shape[1]:
            return counts | _clustered(inside, self.cases.patients[of_class], first, second)
        low, high = tango_interval(counts["only_first"], counts["only_second"], inside.shape[1])
        p = mcnemar_p(counts["only_first"], counts["only_second"], plan.mcnemar)
        lost = np.isnan(counts["difference"])
        tests = {"p": np.where(lost, nan, p), "test": METHODS[plan.mcnemar]}
        return counts | tests | {"low": low, "high": high, "interval": TANGO}


@dataclass(frozen=True, eq=False)
class Resampled:
    """A predictive value of several models, and its values in common resamples (draws, models)."""

    value: Floats
    draws: Floats
    called: Integers
    """How many cases each model calls this way."""
    method: str

    def compare(self, first: Integers, second: Integers, plan: Analysis) -> Columns:
        """Bootstrap percentile interval and p of every pair; draws in which a value is undefined are left out."""
        parts = [
            self._bounds(first[start : start + AT_ONCE], second[start : start + AT_ONCE])
            for start in range(0, first.size, AT_ONCE)
        ]
        bounds = np.concatenate(parts, axis=1) if parts else np.empty((3, 0))
        return {
            "value_first": self.value[first],
            "value_second": self.value[second],
            "difference": self.value[first] - self.value[second],
            "only_first": self.called[first],
            "only_second": self.called[second],
            "low": bounds[0],
            "high": bounds[1],
            "p": bounds[2],
            "test": f"{self.method}, percentile",
            "interval": f"{self.method}, percentile",
        }

    def _bounds(self, first: Integers, second: Integers) -> Floats:
        gaps = self.draws[:, first] - self.draws[:, second]
        if not np.isnan(gaps).any():
            low, high = np.quantile(gaps, [0.025, 0.975], axis=0)
            return np.stack([low, high, _far_sides(gaps)])
        columns = [gap[~np.isnan(gap)] for gap in gaps.T]
        found = [(*np.quantile(gap, [0.025, 0.975]), far_side(gap)) if gap.size else (nan, nan, nan) for gap in columns]
        return np.array(found).T


@dataclass(frozen=True, eq=False)
class Predictive:
    """PPV and NPV of every row of decisions, resampled."""

    ppv: Resampled
    npv: Resampled

    @classmethod
    def of(cls, called: Bools, cases: Cases, resamples: Resamples) -> Predictive:
        """Two matrix products per chunk of resamples serve all rows."""
        positive = cases.labels == 1
        hits, all_called = (called & positive).T.astype(np.float32), called.T.astype(np.float32)
        parts = [_values(counts, counts @ hits, counts @ all_called, positive) for counts in resamples.chunks()]
        whole = np.ones((1, positive.size), dtype=np.float32)
        ppv, npv = _values(whole, whole @ hits, whole @ all_called, positive)
        number = called.sum(axis=1)
        return cls(
            Resampled(ppv[0], np.concatenate([part[0] for part in parts]), number, resamples.method),
            Resampled(npv[0], np.concatenate([part[1] for part in parts]), positive.size - number, resamples.method),
        )


def _values(counts: Counts, hits: Counts, called: Counts, positive: Bools) -> tuple[Floats, Floats]:
    """PPV and NPV per draw and model; NaN where nobody is called that way."""
    total = counts.sum(axis=1, keepdims=True)
    negatives = counts @ (~positive).astype(np.float32)
    not_called = total - called
    right = negatives[:, np.newaxis] - (called - hits)
    return _share(hits, called), _share(right, not_called)


def _share(part: Counts, whole: Counts) -> Floats:
    found: Floats = np.full(whole.shape, nan)
    np.divide(part, whole, out=found, where=whole > 0, dtype=np.float64)
    return found


def _far_sides(gaps: Floats) -> Floats:
    beyond = np.minimum((gaps <= 0).sum(axis=0), (gaps >= 0).sum(axis=0))
    return np.asarray(np.minimum(1.0, 2 * (beyond + 1) / (gaps.shape[0] + 1)), dtype=np.float64)


def _clustered(right: Bools, patients: Integers, first: Integers, second: Integers) -> Columns:
    sums, sizes = per_patient(right, patients)
    found = []
    for start in range(0, first.size, AT_ONCE):
        gaps = sums[first[start : start + AT_ONCE]] - sums[second[start : start + AT_ONCE]]
        found.append(np.stack([*clustered_interval(gaps, sizes)[1:], durkalski(gaps, sizes)[1]]))
    low, high, p = np.concatenate(found, axis=1)
    return {"low": low, "high": high, "interval": CLUSTERED_WALD, "p": p, "test": CLUSTERED_MCNEMAR}
