"""Several readers in several modalities on the same cases: the analysis of variance of Obuchowski and Rockette."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import copysign, inf, isinf, sqrt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, fdtrc, stdtr, stdtrit

from evaluation.arrays import Floats
from evaluation.readers.reader_variance import (
    Errors,
    MeanSquares,
    VarianceComponents,
    components_of,
    errors_of_both,
    errors_of_cases,
    errors_of_readers,
    mean_squares,
    single_of,
)

Factor = Literal["random", "fixed"]
Bounds = tuple[float, float]

ONE_READER, NO_ESTIMATE, NO_COVARIANCE = "one reader", "an estimate is missing", "covariance over cases not estimable"
ZERO_VARIANCE = "zero variance"


class OverallTest(NamedTuple):
    """F test that all modalities have the same mean; where `df2` is infinite, F times `df1` is chi-squared."""

    statistic: float
    df1: int
    df2: float
    p: float


class ModalityDifference(NamedTuple):
    """First minus second modality (rows of the estimates), averaged over readers; an infinite `df` is the normal."""

    first: int
    second: int
    difference: float
    se: float
    df: float
    low: float
    high: float
    t: float
    p: float


class ModalityMean(NamedTuple):
    """A modality's mean over readers; error and interval come from its own readings alone."""

    modality: int
    mean: float
    se: float
    df: float
    low: float
    high: float


@dataclass(frozen=True)
class Analysis:
    """Tests and means for one choice of what is a random sample: readers, cases or both."""

    readers: Factor
    cases: Factor
    overall: OverallTest
    differences: tuple[ModalityDifference, ...]
    means: tuple[ModalityMean, ...]
    method: str
    flag: str = ""


@dataclass(frozen=True)
class ObuchowskiRockette:
    """The three analyses of one study, and its variance components."""

    random_readers_and_cases: Analysis
    fixed_readers: Analysis
    fixed_cases: Analysis
    components: VarianceComponents


def obuchowski_rockette(estimates: ArrayLike, covariance: ArrayLike, bounds: Bounds = (0.0, 1.0)) -> ObuchowskiRockette:
    """Multi-reader multi-case analysis (Obuchowski & Rockette 1995) with the degrees of freedom of Hillis (2007).

    `estimates`: modalities x readers, AUCs or any other measure; `covariance`: theirs over cases, square, rows and
    columns in the order of `estimates.ravel()`. Intervals of means are clipped to `bounds`. Equal to MRMCaov.
    One reader is no sample of readers: NaN and a flag where readers are random. NaN in the covariance leaves the
    analysis of fixed cases, which needs none; NaN in the estimates leaves nothing. Raises ValueError for fewer than two
    modalities, a covariance of another shape, or one that is asymmetric or not positive semidefinite.
    """
    values, cases = _checked(estimates, covariance)
    squares = mean_squares(values)
    components = components_of(cases, squares)
    singles = [single_of(row, cases[at, :, at]) for at, row in enumerate(values)]
    return ObuchowskiRockette(
        _analysis("random", "random", values, squares, errors_of_both(squares, components, singles), bounds),
        _analysis("fixed", "random", values, squares, errors_of_cases(squares, components, singles), bounds),
        _analysis("random", "fixed", values, squares, errors_of_readers(squares, singles), bounds),
        components,
    )


def _checked(estimates: ArrayLike, covariance: ArrayLike) -> tuple[Floats, Floats]:
    """Estimates, and the covariance as modalities x readers x modalities x readers."""
    values, square = np.asarray(estimates, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if values.ndim != 2 or len(values) < 2 or not values.size:
        raise ValueError(f"estimates must be at least two modalities x one reader, got shape {values.shape}")
    if square.shape != (values.size, values.size):
        wanted = f"{values.size} x {values.size}, one row per estimate"
        raise ValueError(f"the covariance of {values.size} estimates must be {wanted}, got shape {square.shape}")
    if not np.isnan(square).any():
        largest = float(np.abs(square).max())
        if not np.allclose(square, square.T, rtol=0, atol=1e-9 * largest):
            raise ValueError("the covariance must be symmetric")
        if np.linalg.eigvalsh(square)[0] < -1e-9 * largest:
            raise ValueError(
                f"the covariance has a negative eigenvalue, {np.linalg.eigvalsh(square)[0]:g}; it needs 0 or more"
            )
    return values, square.reshape(values.shape * 2)


def _analysis(
    readers: Factor, cases: Factor, values: Floats, squares: MeanSquares, errors: Errors, bounds: Bounds
) -> Analysis:
    averages = [float(average) for average in values.mean(axis=1)]
    se = sqrt(2 / squares.readers * errors.term)
    pairs = combinations(range(len(averages)), 2)
    return Analysis(
        readers,
        cases,
        _overall(squares, errors),
        tuple(_difference(one, other, averages[one] - averages[other], se, errors.df) for one, other in pairs),
        tuple(_mean(at, averages[at], *error, bounds) for at, error in enumerate(errors.means)),
        f"Obuchowski-Rockette, {readers} readers, {cases} cases",
        _flag(values, squares, errors),
    )


def _overall(squares: MeanSquares, errors: Errors) -> OverallTest:
    statistic, df1 = _ratio(squares.modality, errors.term), squares.modalities - 1
    p = chdtrc(df1, df1 * statistic) if isinf(errors.df) else fdtrc(df1, errors.df, statistic)
    return OverallTest(statistic, df1, errors.df, float(p))


def _difference(first: int, second: int, gap: float, se: float, df: float) -> ModalityDifference:
    margin, t = float(stdtrit(df, 0.975)) * se, _ratio(gap, se)
    return ModalityDifference(first, second, gap, se, df, gap - margin, gap + margin, t, float(2 * stdtr(df, -abs(t))))


def _mean(modality: int, average: float, variance: float, df: float, bounds: Bounds) -> ModalityMean:
    se = sqrt(variance)
    margin = float(stdtrit(df, 0.975)) * se
    low, high = (float(end) for end in np.clip([average - margin, average + margin], *bounds))
    return ModalityMean(modality, average, se, df, low, high)


def _ratio(gap: float, error: float) -> float:
    return gap / error if error else copysign(inf, gap) if gap else 0.0


def _flag(values: Floats, squares: MeanSquares, errors: Errors) -> str:
    if np.isnan(values).any():
        return NO_ESTIMATE
    if squares.readers == 1:
        return ONE_READER
    if np.isnan(errors.term):
        return NO_COVARIANCE
    return "" if errors.term else ZERO_VARIANCE
