"""Center-stratified AUCs: pairs of cases within a center only, averaged over the centers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt
from typing import Generic, TypeVar

from evaluation.discrimination.areas import CLUSTERED, DELONG, ZERO_VARIANCE, Area, Difference, tested
from evaluation.normal import clipped_interval

SHARED_PATIENTS = "patients of several centers: {}"
Result = TypeVar("Result", Area, Difference)


@dataclass(frozen=True)
class Stratum(Generic[Result]):
    """The result of one center; its weight is the number of pairs of a positive and a negative case."""

    center: str
    pairs: int
    flag: str
    result: Result


def stratified_area(strata: Sequence[Stratum[Area]], shared_patients: int = 0) -> Area:
    """Share of the within-center pairs that are ranked right: the centers' AUCs weighted by their pairs.

    The variance is that of a weighted mean of independent centers: NaN, with a flag, where patients are at several.
    A center with one class has no pair and takes no part; the flag names it.
    """
    auc, se = _mean([(s.pairs, s.result.auc) for s in strata]), _standard_error(strata, shared_patients)
    return Area(auc, se, *clipped_interval(auc, se), _method(strata), _flag(strata, se, shared_patients))


def stratified_difference(strata: Sequence[Stratum[Difference]], shared_patients: int = 0) -> Difference:
    """Difference of two stratified AUCs, tested with the centers' own variances of the difference."""
    first = _mean([(s.pairs, s.result.first) for s in strata])
    second = _mean([(s.pairs, s.result.second) for s in strata])
    se = _standard_error(strata, shared_patients)
    return tested(first, second, se, _method(strata), _flag(strata, se, shared_patients))


def _mean(weighted: list[tuple[int, float]]) -> float:
    total = sum(weight for weight, _ in weighted)
    return sum(weight * value for weight, value in weighted if weight) / total if total else nan


def _standard_error(strata: Sequence[Stratum[Result]], shared_patients: int) -> float:
    total = sum(stratum.pairs for stratum in strata)
    if not total or shared_patients:
        return nan
    return sqrt(sum((stratum.pairs * stratum.result.se) ** 2 for stratum in strata if stratum.pairs)) / total


def _method(strata: Sequence[Stratum[Result]]) -> str:
    return CLUSTERED if any(stratum.result.method == CLUSTERED for stratum in strata) else DELONG


def _flag(strata: Sequence[Stratum[Result]], se: float, shared_patients: int) -> str:
    flags = [f"{stratum.center}: {stratum.flag}" for stratum in strata if stratum.flag]
    zero = [ZERO_VARIANCE] if se == 0 else []
    shared = [SHARED_PATIENTS.format(shared_patients)] if shared_patients else []
    return "; ".join(zero + shared + flags)
