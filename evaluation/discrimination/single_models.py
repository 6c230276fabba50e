"""The mean difference of single models, with an interval over cases and over replicates."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, stdtr, stdtrit

from evaluation.arrays import Floats
from evaluation.discrimination import clustered, delong
from evaluation.discrimination.clustered import Clusters
from evaluation.normal import Z95
from evaluation.resampling import Resamples

CROSSED = "Obuchowski-Rockette, {} as random readers"
CASES_ONLY = "DeLong, case uncertainty only"
CLUSTERED_CASES_ONLY = "clustered (Obuchowski), case uncertainty only"
ENOUGH = 3
"""With fewer replicates their spread cannot be told from that of cases."""
TOO_FEW = "fewer than 3 replicates"
TRUSTED_UNITS = 5
"""With 3 or 4 that differ much the test rejects up to 8 % instead of 5 %, with 2 up to 12 % (docs/statistics)."""
FEW = "fewer than 5 {}: p and interval somewhat too bold"
NOT_ESTIMABLE = "not estimable: one positive, one negative or one patient in a class"
_ROUNDING = 1e-14
IDENTICAL, ZERO_VARIANCE = "identical models", "zero variance"


@dataclass(frozen=True)
class CaseVariances:
    """Variances over cases of each unit's difference, and of their mean, on one set of cases."""

    each: Floats
    mean: float

    @property
    def between(self) -> float:
        """Mean covariance over cases of two different units (Cov2 - Cov3 of Obuchowski & Rockette, times two)."""
        count = self.each.size
        return float((count**2 * self.mean - self.each.sum()) / (count * (count - 1)))


@dataclass(frozen=True)
class MeanDifference:
    """Mean over units (replicates, or folds) of a difference of single-model AUCs, first minus second.

    `se` covers cases and replicates where there are three models or more, else cases only (`method` says which);
    `se_cases` covers cases alone, `sd_units` is the standard deviation of the units' differences.
    """

    difference: float
    se: float
    low: float
    high: float
    statistic: float
    df: float
    p: float
    se_cases: float
    sd_units: float
    units: int
    method: str
    flag: str = ""


def case_variances(positive: Floats, negative: Floats, clusters: Clusters) -> CaseVariances:
    """From differences of placements: `positive` (replicates, positive cases), `negative` (replicates, negatives)."""
    each = [case_variance(*pair, clusters) for pair in zip(positive, negative, strict=True)]
    return CaseVariances(np.asarray(each), case_variance(positive.mean(axis=0), negative.mean(axis=0), clusters))


def mean_difference(
    differences: ArrayLike,
    cases: CaseVariances,
    *,
    units: str = "replicates",
    models: int | None = None,
    repeated_patients: bool = False,
) -> MeanDifference:
    """Interval and t test of the mean of the units' differences (Obuchowski & Rockette 1995, Hillis 2007).

    A unit is a replicate, or the mean of the replicates that share training patients (`units` names it, `models` counts
    the replicates in all). With r units, sample variance S of their differences and mean covariance C over cases of two
    units: variance (S + r max(C, 0)) / r, degrees of freedom (S + r max(C, 0))^2 / (S^2 / (r - 1)). For two cells this
    is the analysis of Obuchowski & Rockette with random readers and cases; a contrast of more cells is one variable. It
    is at least the variance over cases alone: units cannot have a negative variance, though a small S may look so.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.size != cases.each.size or not values.size:
        raise ValueError(f"{values.size} differences of {units} need as many variances, got {cases.each.size}")
    spread, counted = _spread(values), values.size if models is None else models
    if values.size < 2 or counted < ENOUGH:
        method = CLUSTERED_CASES_ONLY if repeated_patients else CASES_ONLY
        return _tested(values, cases, spread, sqrt(max(cases.mean, 0.0)), inf, method, TOO_FEW)
    total = spread**2 + values.size * max(cases.between, 0.0)
    df = total**2 / (spread**4 / (values.size - 1)) if spread else inf
    variance = max(total / values.size, cases.mean)
    flag = FEW.format(units) if variance and values.size < TRUSTED_UNITS else ""
    return _tested(values, cases, spread, sqrt(variance), df, CROSSED.format(units), flag)


def non_inferiority_p(found: MeanDifference, margin: float) -> float:
    """One-sided p of "the first is worse than the second by `margin` or more"; margin > 0, in units of the AUC."""
    if not margin > 0:
        raise ValueError(f"the margin must be > 0, got {margin}")
    if not found.se:
        return float(found.difference <= -margin)
    statistic = (found.difference + margin) / found.se
    return _tail(statistic, found.df)


def two_way_bootstrap(draws: Floats, resamples: Resamples) -> Floats:
    """Values of the mean difference when cases and units are drawn: (draws, units) -> (draws).

    `draws` holds each unit's difference in every resample of the cases; per draw units are drawn with replacement too
    (the two-way or "pigeonhole" bootstrap, Owen 2007). Of r units r - 1 are drawn, so that their variance is not too
    small by (r - 1) / r (Rao & Wu 1988); a single unit is taken as it is.
    """
    count = draws.shape[1]
    random = np.random.default_rng([resamples.seed, 1])
    picked = random.integers(0, count, (draws.shape[0], max(1, count - 1)))
    return np.asarray(np.take_along_axis(draws, picked, axis=1).mean(axis=1), dtype=np.float64)


def _tail(statistic: float, df: float) -> float:
    """Upper tail of Student's t; scipy.special, because scipy.stats takes thirty times as long per call."""
    return float(ndtr(-statistic) if df == inf else stdtr(df, -statistic))


def _spread(values: Floats) -> float:
    """Standard deviation; equal values have none, whatever their rounding."""
    if values.size < 2:
        return nan
    found = float(np.std(values, ddof=1))
    return found if found > _ROUNDING else 0.0


def _tested(
    values: Floats, cases: CaseVariances, spread: float, se: float, df: float, method: str, flag: str
) -> MeanDifference:
    difference = float(values.mean())
    if se == 0 or isnan(se):
        notes = [flag, NOT_ESTIMABLE if isnan(se) else ZERO_VARIANCE if difference else IDENTICAL]
        flag = "; ".join(filter(None, notes))
    statistic = difference / se if se else (np.copysign(inf, difference) if difference else 0.0)
    width = (Z95 if df == inf else float(stdtrit(df, 0.975))) * se
    p = 2 * _tail(abs(statistic), df)
    return MeanDifference(
        difference=difference,
        se=se,
        low=difference - width,
        high=difference + width,
        statistic=float(statistic),
        df=df,
        p=p,
        se_cases=sqrt(max(cases.mean, 0.0)),
        sd_units=spread,
        units=values.size,
        method=method,
        flag=flag,
    )


def case_variance(positive: Floats, negative: Floats, clusters: Clusters) -> float:
    """Variance over cases of a difference, from its differences of placements; clustered where patients repeat."""
    return clustered.variance(positive, negative, clusters) if clusters.repeat else delong.variance(positive, negative)
