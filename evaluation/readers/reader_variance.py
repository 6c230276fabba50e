"""Where the variance of a multi-reader study comes from: readers, cases, and what they share."""

from __future__ import annotations

from math import inf, isnan, nan
from typing import NamedTuple

import numpy as np

from evaluation.arrays import Bools, Floats

_ROUNDING = 1e-13
"""A deviation below this share of the largest estimate, or a variance below this share of its parts, is rounding."""


class MeanSquares(NamedTuple):
    """Mean squares of the two-way table modalities x readers; those of readers are NaN with one reader."""

    modality: float
    reader: float
    modality_reader: float
    modalities: int
    readers: int

    @property
    def df(self) -> int:
        """Degrees of freedom of modality x reader."""
        return (self.modalities - 1) * (self.readers - 1)


class VarianceComponents(NamedTuple):
    """Variance between readers, of modality x reader, and of an estimate over cases with its three covariances.

    `cov1`: same reader, other modality; `cov2`: other reader, same modality; `cov3`: both differ. `var_r` and `var_tr`
    are moment estimates and may be negative.
    """

    var_r: float
    var_tr: float
    var_error: float
    cov1: float
    cov2: float
    cov3: float


class Single(NamedTuple):
    """The same from one modality alone: mean square of readers, variance over cases, covariance of two readers."""

    reader: float
    var_error: float
    cov2: float


class Errors(NamedTuple):
    """Error term of the F test with its degrees of freedom; variance and degrees of freedom of each modality's mean."""

    term: float
    df: float
    means: list[tuple[float, float]]


def mean_squares(values: Floats) -> MeanSquares:
    """The analysis of variance of estimates, modalities x readers."""
    modalities, readers = values.shape
    of_modality, of_reader = values.mean(axis=1) - values.mean(), values.mean(axis=0) - values.mean()
    rest = values - values.mean() - of_modality[:, None] - of_reader
    largest = float(np.abs(values).max())
    return MeanSquares(
        _mean_square(of_modality, readers, modalities - 1, largest),
        _mean_square(of_reader, modalities, readers - 1, largest),
        _mean_square(rest, 1, (modalities - 1) * (readers - 1), largest),
        modalities,
        readers,
    )


def components_of(cases: Floats, squares: MeanSquares) -> VarianceComponents:
    """Moment estimates; `cases` is the covariance as modalities x readers x modalities x readers."""
    same_modality = np.eye(squares.modalities, dtype=bool)[:, None, :, None]
    same_reader = np.eye(squares.readers, dtype=bool)[None, :, None, :]
    var_error = _mean(cases, same_modality & same_reader)
    cov1 = _mean(cases, ~same_modality & same_reader)
    cov2 = _mean(cases, same_modality & ~same_reader)
    cov3 = _mean(cases, ~same_modality & ~same_reader)
    return VarianceComponents(
        var_r=(squares.reader - squares.modality_reader) / squares.modalities - cov1 + cov3,
        var_tr=squares.modality_reader - var_error + cov1 + cov2 - cov3,
        var_error=var_error,
        cov1=cov1,
        cov2=cov2,
        cov3=cov3,
    )


def single_of(values: Floats, cases: Floats) -> Single:
    """One modality: estimates of its readers and their covariance, readers x readers."""
    same = np.eye(values.size, dtype=bool)
    reader = _mean_square(values - values.mean(), 1, values.size - 1, float(np.abs(values).max()))
    return Single(reader, _mean(cases, same), _mean(cases, ~same))


def errors_of_both(squares: MeanSquares, components: VarianceComponents, singles: list[Single]) -> Errors:
    """Random readers and cases: the covariance between readers is added where it is positive (Hillis 2007)."""
    readers = squares.readers
    shared = readers * _positive(components.cov2 - components.cov3)
    return Errors(
        _without_rounding(squares.modality_reader + shared, components.var_error),
        _hillis(squares.modality_reader, shared, squares.df),
        [
            (
                (single.reader + readers * _positive(single.cov2)) / readers,
                _hillis(single.reader, readers * _positive(single.cov2), readers - 1),
            )
            for single in singles
        ],
    )


def errors_of_cases(squares: MeanSquares, components: VarianceComponents, singles: list[Single]) -> Errors:
    """Fixed readers: the term is r / 2 times the variance of a mean difference over cases, mean over the pairs."""
    others = squares.readers - 1
    term = components.var_error - components.cov1 + _times(others, components.cov2 - components.cov3)
    means = [((single.var_error + _times(others, _positive(single.cov2))) / squares.readers, inf) for single in singles]
    return Errors(_without_rounding(term, components.var_error), inf, means)


def errors_of_readers(squares: MeanSquares, singles: list[Single]) -> Errors:
    """Fixed cases: the ordinary analysis of variance."""
    others = squares.readers - 1
    means = [(single.reader / squares.readers, float(others)) for single in singles]
    return Errors(squares.modality_reader, float(squares.df), means)


def _mean_square(deviations: Floats, weight: int, df: int, largest: float) -> float:
    if not df:
        return nan
    square = weight * float((deviations**2).sum()) / df
    return 0.0 if square <= (_ROUNDING * largest) ** 2 else square


def _mean(cases: Floats, pairs: Bools) -> float:
    chosen = cases[np.broadcast_to(pairs, cases.shape)]
    return float(chosen.mean()) if chosen.size else nan


def _positive(value: float) -> float:
    return value if isnan(value) else max(value, 0.0)


def _times(others: int, value: float) -> float:
    """0 where there is no other reader, whose covariance would be NaN."""
    return others * value if others else 0.0


def _without_rounding(term: float, part: float) -> float:
    return 0.0 if abs(term) <= _ROUNDING * part else term


def _hillis(readers_part: float, cases_part: float, df: int) -> float:
    """Degrees of freedom of a mean square plus a case covariance, which has infinitely many (Hillis 2007)."""
    if readers_part == 0:
        return inf if cases_part > 0 else float(df)
    return df * ((readers_part + cases_part) / readers_part) ** 2
