"""How well repeated ratings agree: intraclass correlations and Friedman's test of numbers, kappa of categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import fdtri
from scipy.stats import friedmanchisquare

from evaluation.arrays import Floats
from evaluation.normal import interval

Model = Literal["ICC(1,1)", "ICC(2,1)", "ICC(3,1)"]
Weights = Literal["none", "linear", "quadratic"]

METHODS: dict[Model, str] = {
    "ICC(1,1)": "ICC(1,1), one-way random",
    "ICC(2,1)": "ICC(2,1), absolute agreement",
    "ICC(3,1)": "ICC(3,1), consistency",
}
NO_SPREAD, NO_DIFFERENCE, ZERO_VARIANCE = "ratings do not vary", "cases do not differ", "zero variance"
_ROUNDING = 1e-13  # spread below this share of the largest rating is rounding


@dataclass(frozen=True)
class Intraclass:
    """An intraclass correlation of single ratings with its 95 % F interval."""

    value: float
    low: float
    high: float
    cases: int
    ratings: int
    method: str
    flag: str = ""


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa with its asymptotic standard error and 95 % normal interval, clipped to [-1, 1]."""

    value: float
    se: float
    low: float
    high: float
    cases: int
    method: str
    flag: str = ""


@dataclass(frozen=True)
class Friedman:
    """Friedman's rank test that no treatment shifts the ratings."""

    statistic: float
    p: float
    cases: int
    treatments: int
    method: str
    flag: str = ""


def intraclass(ratings: ArrayLike, model: Model = "ICC(3,1)") -> Intraclass:
    """Intraclass correlation of `ratings` (cases x ratings of each case), equal to R's `psych::ICC(lmer = FALSE)`.

    ICC(1,1): other raters for each case. ICC(2,1): the same raters, whose different levels count as disagreement.
    ICC(3,1): the same raters, whose levels do not matter. Point values after Shrout & Fleiss (1979), intervals after
    McGraw & Wong (1996). Raises ValueError for another shape, NaN or an unknown model.
    """
    if model not in get_args(Model):
        raise ValueError(f"model must be one of {', '.join(get_args(Model))}, got {model!r}")
    values = _matrix(ratings)
    cases, count = values.shape
    if cases < 2 or count < 2:
        lack = "one rating" if count < 2 else "one case"
        return Intraclass(nan, nan, nan, cases, count, METHODS[model], lack)
    value, low, high = _INTRACLASS[model](_Squares.of(values))
    return Intraclass(value, low, high, cases, count, METHODS[model], _intraclass_flag(value))


def cohen_kappa(
    first: ArrayLike, second: ArrayLike, weights: Weights = "none", categories: Sequence[Any] | None = None
) -> Kappa:
    """Agreement of two raters on the same cases beyond chance (Cohen 1960, 1968).

    `weights`: disagreement counts alike, by its distance in `categories`, or by the squared distance; their order is
    the sorted order of the ratings unless given. Standard error of Fleiss, Cohen & Everitt (1969). Raises ValueError
    for unequal lengths, no case, NaN, a rating outside the categories or unknown weights.
    """
    if weights not in get_args(Weights):
        raise ValueError(f"weights must be one of {', '.join(get_args(Weights))}, got {weights!r}")
    shares, cases = _shares(np.asarray(first), np.asarray(second), categories)
    method = "Cohen's kappa" if weights == "none" else f"Cohen's kappa, {weights} weights"
    agreement = _agreement_weights(len(shares), weights)
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, expected = float((agreement * shares).sum()), float(rows @ agreement @ columns)
    if np.count_nonzero(rows) == 1 and np.array_equal(rows > 0, columns > 0):
        return Kappa(nan, nan, nan, nan, cases, method, NO_SPREAD)
    value = (observed - expected) / (1 - expected)
    se = _kappa_error(shares, agreement, observed, expected) / sqrt(cases)
    low, high = interval(value, se)
    return Kappa(value, se, max(-1.0, low), min(1.0, high), cases, method, "" if se else ZERO_VARIANCE)


def friedman(ratings: ArrayLike) -> Friedman:
    """Friedman's (1937) test, corrected for ties, of independent cases x treatments, equal to R's `friedman.test`.

    NaN with fewer than three treatments, one case, or ratings that are the same under all treatments; the chi-square
    approximation is flagged below 10 cases. Raises ValueError for another shape or NaN.
    """
    values = _matrix(ratings)
    cases, treatments = values.shape
    flag = _friedman_flag(values)
    if flag:
        return Friedman(nan, nan, cases, treatments, "Friedman", flag)
    found = friedmanchisquare(*values.T)
    small = "fewer than 10 cases" if cases < 10 else ""
    return Friedman(float(found.statistic), float(found.pvalue), cases, treatments, "Friedman", small)


def _matrix(ratings: ArrayLike) -> Floats:
    values = np.asarray(ratings, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(f"ratings must be a matrix of finite numbers, cases x ratings, got shape {values.shape}")
    return values


@dataclass(frozen=True)
class _Squares:
    """Mean squares of the two-way layout without replication."""

    cases: int
    ratings: int
    between: float
    within: float
    raters: float
    error: float

    @classmethod
    def of(cls, values: Floats) -> _Squares:
        cases, count = values.shape
        centered = values - values.mean()
        of_case, of_rater = centered.mean(axis=1), centered.mean(axis=0)
        residual = centered - of_case[:, None] - of_rater
        # A constant column of .1 has a spread of 1e-17, and ratios of such numbers look like agreement.
        least = (_ROUNDING * float(np.abs(values).max())) ** 2
        between, raters, error = (
            square if square > least else 0.0
            for square in (
                count * float(of_case @ of_case) / (cases - 1),
                cases * float(of_rater @ of_rater) / (count - 1),
                float((residual * residual).sum()) / ((cases - 1) * (count - 1)),
            )
        )
        within = ((count - 1) * raters + (cases - 1) * (count - 1) * error) / (cases * (count - 1))
        return cls(cases, count, between, within, raters, error)


def _one_way(squares: _Squares) -> tuple[float, float, float]:
    return _from_ratio(squares.between, squares.within, squares.cases * (squares.ratings - 1), squares)


def _consistency(squares: _Squares) -> tuple[float, float, float]:
    return _from_ratio(squares.between, squares.error, (squares.cases - 1) * (squares.ratings - 1), squares)


def _from_ratio(between: float, error: float, freedom: int, squares: _Squares) -> tuple[float, float, float]:
    """Value and limits of a correlation that depends on F = between / error only, also for error 0."""
    upper = float(fdtri(squares.cases - 1, freedom, 0.975))
    lower = float(fdtri(freedom, squares.cases - 1, 0.975))

    def correlation(numerator: float, denominator: float) -> float:
        total = numerator + (squares.ratings - 1) * denominator
        return (numerator - denominator) / total if total else nan

    return correlation(between, error), correlation(between, error * upper), correlation(between * lower, error)


def _absolute(squares: _Squares) -> tuple[float, float, float]:
    n, k = squares.cases, squares.ratings
    between, raters, error = squares.between, squares.raters, squares.error
    if not between and not (raters and error):
        return nan, nan, nan
    if not raters and not error:
        return 1.0, 1.0, 1.0
    value = (between - error) / (between + (k - 1) * error + k * (raters - error) / n)
    # Satterthwaite's degrees of freedom, multiplied out: without error nothing is divided by it.
    rest = n * (1 + (k - 1) * value) - k * value
    freedom = (k - 1) * (n - 1) * (k * value * raters + rest * error) ** 2
    freedom /= (n - 1) * (k * value * raters) ** 2 + (rest * error) ** 2
    upper, lower = float(fdtri(n - 1, freedom, 0.975)), float(fdtri(freedom, n - 1, 0.975))
    spread = k * raters + (k * n - k - n) * error
    low = n * (between - upper * error) / (upper * spread + n * between)
    high = n * (lower * between - error) / (spread + n * lower * between)
    return value, low, high


_INTRACLASS = {"ICC(1,1)": _one_way, "ICC(2,1)": _absolute, "ICC(3,1)": _consistency}


def _intraclass_flag(value: float) -> str:
    if isnan(value):
        return NO_DIFFERENCE
    return ZERO_VARIANCE if value == 1 else ""


def _shares(first: NDArray[Any], second: NDArray[Any], categories: Sequence[Any] | None) -> tuple[Floats, int]:
    """Share of the cases in each pair of categories: rows by the first rater, columns by the second."""
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(f"ratings must be equally long vectors of cases, got {first.shape} and {second.shape}")
    ratings = np.concatenate((first, second))
    if (ratings != ratings).any():
        raise ValueError(f"{int((ratings != ratings).sum())} ratings are NaN; every case needs both ratings")
    known = np.unique(ratings) if categories is None else np.asarray(categories)
    is_category = ratings[:, None] == known
    if not is_category.any(axis=1).all():
        other = ratings[~is_category.any(axis=1)][0]
        raise ValueError(f"rating {other!r} is none of the categories {', '.join(map(str, known))}")
    codes = is_category.argmax(axis=1)
    pairs = codes[: first.size] * known.size + codes[first.size :]
    counts = np.bincount(pairs, minlength=known.size**2).reshape(known.size, known.size)
    return np.asarray(counts / first.size, dtype=np.float64), first.size


def _agreement_weights(count: int, weights: Weights) -> Floats:
    """1 for the same category, less for others."""
    distance = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) / max(count - 1, 1)
    powers = {"none": np.ceil(distance), "linear": distance, "quadratic": distance**2}
    return np.asarray(1.0 - powers[weights], dtype=np.float64)


def _kappa_error(shares: Floats, agreement: Floats, observed: float, expected: float) -> float:
    """Standard error times the root of the number of cases (Fleiss, Cohen & Everitt 1969, eq. 9)."""
    of_first, of_second = agreement @ shares.sum(axis=0), agreement @ shares.sum(axis=1)
    influence = agreement * (1 - expected) - np.add.outer(of_first, of_second) * (1 - observed)
    total = float((shares * influence**2).sum()) - (observed * expected - 2 * expected + observed) ** 2
    return sqrt(total) / (1 - expected) ** 2 if total > _ROUNDING else 0.0


def _friedman_flag(values: Floats) -> str:
    if values.shape[1] < 3:
        return "fewer than three treatments"
    if values.shape[0] < 2:
        return "one case"
    return "" if np.ptp(values, axis=1).any() else NO_SPREAD
