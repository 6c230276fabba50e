"""The area under the ROC curve with its interval, differences of areas, and the curve's points."""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, inf, isnan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.arrays import Floats, checked
from evaluation.discrimination import clustered, delong
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import Placements
from evaluation.normal import clipped_interval, interval, two_sided

DELONG, CLUSTERED = "DeLong", "clustered (Obuchowski)"
ZERO_VARIANCE, SAME_RANKING = "zero variance", "same ranking"


@dataclass(frozen=True)
class Area:
    """An AUC with its 95 % normal interval, clipped to [0, 1]; se and interval are NaN where not estimable."""

    auc: float
    se: float
    low: float
    high: float
    method: str
    flag: str = ""


@dataclass(frozen=True)
class Difference:
    """First minus second AUC on the same cases: 95 % normal interval and two-sided normal p."""

    first: float
    second: float
    difference: float
    se: float
    low: float
    high: float
    z: float
    p: float
    method: str
    flag: str = ""


@dataclass(frozen=True, eq=False)
class RocPoints:
    """Corners of an ROC curve from (0, 0) at threshold infinity to (1, 1); positive means score >= threshold."""

    threshold: Floats
    fpr: Floats
    tpr: Floats


def auc(labels: ArrayLike, scores: ArrayLike, patients: ArrayLike | None = None) -> Area:
    """AUC of one score; by Obuchowski's clustered method if a patient has several cases, else by DeLong's."""
    clusters = None if patients is None else Clusters.of(labels, patients)
    return area(delong.placements(labels, scores), clusters)


def auc_difference(
    labels: ArrayLike, first: ArrayLike, second: ArrayLike, patients: ArrayLike | None = None
) -> Difference:
    """Difference of the AUCs of two scores of the same cases, in the same order."""
    clusters = None if patients is None else Clusters.of(labels, patients)
    return difference(delong.placements(labels, first), delong.placements(labels, second), clusters)


def area(placed: Placements, clusters: Clusters | None = None) -> Area:
    """AUC with interval from placements; `clusters` only matter where a patient has several cases."""
    se, method = _standard_error(placed.positive, placed.negative, clusters)
    return Area(placed.auc, se, *clipped_interval(placed.auc, se), method, _flag(placed, se))


def difference(first: Placements, second: Placements, clusters: Clusters | None = None) -> Difference:
    """Paired difference of AUCs from placements on the same cases.

    Scores with the same ranking give p exactly 1. Where the variance is zero although the areas differ, z is infinite
    and p is 0, as the formula says, and the flag says not to trust them.
    """
    if first.positive.shape != second.positive.shape or first.negative.shape != second.negative.shape:
        raise ValueError("a paired difference needs the placements of two scores on the same cases")
    se, method = _standard_error(first.positive - second.positive, first.negative - second.negative, clusters)
    flag = SAME_RANKING if se == 0 and first.auc == second.auc else _flag(first, se)
    return tested(first.auc, second.auc, se, method, flag)


def tested(first: float, second: float, se: float, method: str, flag: str) -> Difference:
    """The normal test and interval of a difference whose standard error is known."""
    gap = first - second
    z = gap / se if se else copysign(inf, gap) if gap else 0.0
    return Difference(first, second, gap, se, *interval(gap, se), z, two_sided(z), method, flag)


def roc_points(labels: ArrayLike, scores: ArrayLike) -> RocPoints:
    """The ROC curve with points on straight lines left out; the curve and its area stay exact."""
    is_positive, values = checked(labels, scores)
    order = np.argsort(-values)
    ranked, hits = values[order], is_positive[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), values.size - 1)
    true_positives = np.concatenate(([0], np.cumsum(hits)[last]))
    false_positives = np.concatenate(([0], (last + 1) - true_positives[1:]))
    corner = _corners(false_positives, true_positives)
    return RocPoints(
        threshold=np.concatenate(([inf], ranked[last]))[corner],
        fpr=(false_positives / false_positives[-1])[corner],
        tpr=(true_positives / true_positives[-1])[corner],
    )


def _standard_error(positive: Floats, negative: Floats, clusters: Clusters | None) -> tuple[float, str]:
    if clusters is not None and clusters.repeat:
        return sqrt(clustered.variance(positive, negative, clusters)), CLUSTERED
    return sqrt(delong.variance(positive, negative)), DELONG


def _flag(placed: Placements, se: float) -> str:
    if placed.positive.size < 2:
        return "one positive"
    if placed.negative.size < 2:
        return "one negative"
    if isnan(se):
        return "one patient in a class"
    return ZERO_VARIANCE if se == 0 else ""


def _corners(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the path of counts bends at each point; exact, because the counts are integers."""
    bends = np.diff(x)[:-1] * np.diff(y)[1:] != np.diff(y)[:-1] * np.diff(x)[1:]
    return np.concatenate(([True], bends, [True]))
