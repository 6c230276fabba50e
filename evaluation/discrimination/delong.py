"""Placement values of a score, and the DeLong variance that follows from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.arrays import Floats, checked

_ROUNDING = 1e-14
"""A standard deviation of placements below this is rounding; the smallest real one at n = 1e6 is about 5e-10."""


@dataclass(frozen=True, eq=False)
class Placements:
    """Where each case of one score stands among the cases of the other class (ties count one half).

    `positive`: share of the negatives below each positive (V10); `negative`: share of the positives above each
    negative (V01); both in the order of the cases. They are all that DeLong's and Obuchowski's methods need, so one
    pair of arrays serves every comparison of the score on the same cases.
    """

    auc: float
    positive: Floats
    negative: Floats


def placements(labels: ArrayLike, scores: ArrayLike) -> Placements:
    """Placement values in O(n log n) with one argsort (DeLong et al. 1988; midranks as Sun & Xu 2014).

    `labels` holds 1 (positive) and 0, `scores` any real numbers, higher meaning more likely positive. Counts below a
    case are exact, so scores with the same ranking give identical placements. Raises ValueError for unequal lengths,
    NaN, a third label or a single class.
    """
    is_positive, values = checked(labels, scores)
    order = np.argsort(values)
    ranked, ranked_positive = values[order], is_positive[order]
    starts = np.concatenate(([0], np.flatnonzero(ranked[1:] != ranked[:-1]) + 1))
    edges = np.append(starts, values.size)
    sizes = np.diff(edges)
    positives_before = np.concatenate(([0], np.cumsum(ranked_positive)))[edges]
    below = np.empty(values.size)
    below[order] = np.where(
        ranked_positive,
        np.repeat(_middle(edges - positives_before), sizes),
        np.repeat(_middle(positives_before), sizes),
    )
    n_positive = int(positives_before[-1])
    n_negative = values.size - n_positive
    negatives_below = below[is_positive]
    return Placements(
        auc=float(negatives_below.sum() / (n_positive * n_negative)),
        positive=negatives_below / n_negative,
        negative=1.0 - below[~is_positive] / n_positive,
    )


def variance(positive: Floats, negative: Floats) -> float:
    """DeLong variance of an AUC from its placements, or of a difference of AUCs from differences of placements.

    S10 / m + S01 / n (DeLong et al. 1988, eq. 5 and 6). NaN with one positive or one negative: it is not estimable.
    """
    if min(positive.size, negative.size) < 2:
        return float("nan")
    return _sample_variance(positive) / positive.size + _sample_variance(negative) / negative.size


def _middle(counts: NDArray[np.int64]) -> Floats:
    """Count of the other class below the middle of each group of tied scores."""
    return (counts[:-1] + counts[1:]) / 2.0


def _sample_variance(values: Floats) -> float:
    deviation = float(np.std(values, ddof=1))
    return deviation**2 if deviation > _ROUNDING else 0.0
