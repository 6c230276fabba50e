"""PPV and NPV of two models compared on the same cases, at the prevalence of these cases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import copysign, exp, inf, log, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc

from evaluation.arrays import Floats, Integers
from evaluation.decisions.mcnemar import paired_decisions
from evaluation.normal import interval, two_sided

GENERALIZED_SCORE = "generalized score (Leisenring)"
WEIGHTED_SCORE = "weighted generalized score (Kosinski)"
RELATIVE = "relative predictive value (Moskowitz-Pepe)"
CLUSTERED = ", clustered by patient"
SAME_CALLS, ZERO_VARIANCE, ONE_PATIENT, VALUE_ZERO = "same calls", "zero variance", "one patient", "value of 0"
_ROUNDING = 1e-14

_GROUPS = np.indices((2, 2, 2)).reshape(3, 8).astype(np.float64)
_TRUTH, _FIRST, _SECOND = _GROUPS
"""Label, first and second call of the eight groups of cases, in the order of a flattened table."""


class PredictiveTest(NamedTuple):
    """Two-sided test; the score tests give a chi-square with one degree of freedom, the relative value a z."""

    statistic: float
    p: float
    method: str


@dataclass(frozen=True)
class Predictive:
    """The PPV (or NPV) of two models: first minus second and first / second with 95 % intervals, and three tests."""

    first: float
    second: float
    difference: float
    difference_low: float
    difference_high: float
    relative: float
    relative_low: float
    relative_high: float
    generalized_score: PredictiveTest
    weighted_generalized_score: PredictiveTest
    relative_predictive_value: PredictiveTest
    flag: str = ""


@dataclass(frozen=True)
class PredictiveValues:
    """The comparison of both predictive values."""

    ppv: Predictive
    npv: Predictive


def compare_predictive_values(
    labels: ArrayLike, first_called: ArrayLike, second_called: ArrayLike, patients: ArrayLike | None = None
) -> PredictiveValues:
    """PPV and NPV of two models' decisions on the same cases; clustered if a patient has several cases.

    Vectors of 0 and 1 with one entry per case, and any patient ids. Raises ValueError for unequal lengths, a third
    label and decisions other than true (1) or false (0). Tests and variances as in `compare_tables`.
    """
    table = cross_tabulate(labels, first_called, second_called, patients)
    repeat = patients is not None and bool((table.sum(axis=(1, 2, 3)) > 1).any())
    return compare_tables(table if repeat else table.reshape(-1, 2, 2, 2).sum(axis=0))


def cross_tabulate(
    labels: ArrayLike, first_called: ArrayLike, second_called: ArrayLike, patients: ArrayLike | None = None
) -> Integers:
    """Counts by label, first call and second call, shape (2, 2, 2), with `patients` (patients, 2, 2, 2)."""
    truth, first, second = (vector.astype(np.int64) for vector in paired_decisions(labels, first_called, second_called))
    group = 4 * truth + 2 * first + second
    if patients is None:
        return np.bincount(group, minlength=8).reshape(2, 2, 2).astype(np.int64)
    names, codes = np.unique(np.asarray(patients), return_inverse=True)
    if codes.shape != group.shape:
        raise ValueError(f"labels and patients must be equally long, got {group.shape} and {codes.shape}")
    counts = np.bincount(8 * codes + group, minlength=8 * names.size)
    return counts.reshape(-1, 2, 2, 2).astype(np.int64)


def compare_tables(table: ArrayLike) -> PredictiveValues:
    """The same from the eight counts by label, first and second call: shape (2, 2, 2), or (patients, 2, 2, 2).

    Generalized score: Leisenring et al. (2000). Weighted generalized score: Kosinski (2013). Relative predictive value:
    Moskowitz & Pepe (2006), by influence functions; DTComPair's is second / first. With patients, the contributions of
    a patient's cases are summed before they are squared, and the method says so; one case per patient gives the same
    values. Not estimable is NaN, with a flag. Raises ValueError for another shape and for counts below 0.
    """
    counts = np.asarray(table, dtype=np.float64)
    if counts.shape[-3:] != (2, 2, 2) or counts.ndim not in {3, 4}:
        raise ValueError(f"a table has shape (2, 2, 2) or (patients, 2, 2, 2), got {counts.shape}")
    if not (counts >= 0).all():
        raise ValueError(f"counts must be 0 or more, got {counts[~(counts >= 0)][0]:g}")
    # The NPV of a model is the PPV of its opposite calls for the opposite labels.
    return PredictiveValues(
        ppv=_compare(_Calls(counts.reshape(-1, 8), counts.ndim == 4), "positive"),
        npv=_compare(_Calls(counts[..., ::-1, ::-1, ::-1].reshape(-1, 8), counts.ndim == 4), "negative"),
    )


@dataclass(frozen=True, eq=False)
class _Calls:
    """Rows of eight counts, one per patient or a single one, and the shares of right calls among them."""

    rows: Floats
    clustered: bool

    @cached_property
    def total(self) -> Floats:
        return np.asarray(self.rows.sum(axis=0), dtype=np.float64)

    @cached_property
    def sizes(self) -> tuple[float, float]:
        return float(self.total @ _FIRST), float(self.total @ _SECOND)

    @cached_property
    def hits(self) -> tuple[float, float]:
        return float(self.total @ (_FIRST * _TRUTH)), float(self.total @ (_SECOND * _TRUTH))

    @cached_property
    def values(self) -> tuple[float, float]:
        first, second = (hits / size if size else nan for hits, size in zip(self.hits, self.sizes, strict=True))
        return first, second

    @property
    def same(self) -> bool:
        return float(self.total @ np.abs(_FIRST - _SECOND)) == 0

    @property
    def one_patient(self) -> bool:
        return self.clustered and int(np.count_nonzero(self.rows @ (_FIRST + _SECOND))) < 2

    def variance(self, contributions: Floats) -> float:
        """Squares of the contributions of the eight groups, summed over the cases, or over the patients' sums."""
        squares = np.square(self.rows @ contributions).sum() if self.clustered else self.total @ contributions**2
        return float(squares) if squares > _ROUNDING**2 else 0.0

    def influence(self) -> tuple[Floats, Floats]:
        """What a case of each group adds to each model's value."""
        (first, second), (calls, other_calls) = self.values, self.sizes
        return _FIRST * (_TRUTH - first) / calls, _SECOND * (_TRUTH - second) / other_calls

    def residual(self) -> Floats:
        """Label minus the value that the models share under the null."""
        return np.asarray(_TRUTH - sum(self.hits) / sum(self.sizes), dtype=np.float64)


def _compare(calls: _Calls, called: str) -> Predictive:
    first, second = calls.values
    flag = _why_not(calls, called)
    if flag:
        return _not_estimable(first, second, calls, flag)
    gap, se = first - second, _standard_error_of_difference(calls)
    low, high = interval(gap, se)
    relative, relative_low, relative_high, test = _relative(calls)
    return Predictive(
        first=first,
        second=second,
        difference=gap,
        difference_low=low,
        difference_high=high,
        relative=relative,
        relative_low=relative_low,
        relative_high=relative_high,
        generalized_score=_generalized_score(calls, gap),
        weighted_generalized_score=_weighted_generalized_score(calls, gap),
        relative_predictive_value=test,
        flag=SAME_CALLS if calls.same else ZERO_VARIANCE if not se else "" if first and second else VALUE_ZERO,
    )


def _why_not(calls: _Calls, called: str) -> str:
    without = [name for name, size in zip(("first", "second"), calls.sizes, strict=True) if not size]
    if without:
        return f"nobody called {called} by {' and '.join(without)}"
    return ONE_PATIENT if calls.one_patient and not calls.same else ""


def _not_estimable(first: float, second: float, calls: _Calls, flag: str) -> Predictive:
    generalized, weighted, ratio = (
        PredictiveTest(nan, nan, _method(name, calls)) for name in (GENERALIZED_SCORE, WEIGHTED_SCORE, RELATIVE)
    )
    relative = first / second if second else nan
    return Predictive(first, second, first - second, nan, nan, relative, nan, nan, generalized, weighted, ratio, flag)


def _standard_error_of_difference(calls: _Calls) -> float:
    first, second = calls.influence()
    return sqrt(calls.variance(first - second))


def _generalized_score(calls: _Calls, gap: float) -> PredictiveTest:
    size, other_size = calls.sizes
    contributions = calls.residual() * (_FIRST / size - _SECOND / other_size)
    return _score_test(gap, calls.variance(contributions), _method(GENERALIZED_SCORE, calls))


def _weighted_generalized_score(calls: _Calls, gap: float) -> PredictiveTest:
    """Kosinski's statistic, written as squares of the discordant cases' residuals over both numbers of calls."""
    size, other_size = calls.sizes
    spread = calls.variance(calls.residual() * (_FIRST - _SECOND)) / (size * other_size)
    return _score_test(gap, spread, _method(WEIGHTED_SCORE, calls))


def _score_test(gap: float, variance: float, method: str) -> PredictiveTest:
    statistic = gap**2 / variance if variance else inf if gap else 0.0
    return PredictiveTest(statistic, float(chdtrc(1, statistic)), method)


def _relative(calls: _Calls) -> tuple[float, float, float, PredictiveTest]:
    """First / second with the interval of its logarithm, and its z-test; a value of 0 has no logarithm."""
    (first, second), method = calls.values, _method(RELATIVE, calls)
    if not first or not second:
        return first / second if second else nan, nan, nan, PredictiveTest(nan, nan, method)
    own_first, own_second = calls.influence()
    se, size = sqrt(calls.variance(own_first / first - own_second / second)), log(first / second)
    low, high = interval(size, se)
    z = size / se if se else copysign(inf, size) if size else 0.0
    return first / second, exp(low), exp(high), PredictiveTest(z, two_sided(z), method)


def _method(name: str, calls: _Calls) -> str:
    return name + CLUSTERED if calls.clustered else name
