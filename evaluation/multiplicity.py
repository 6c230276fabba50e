"""P-values adjusted for the size of their family, as R's `p.adjust`.

A NaN stays NaN but counts in the size of the family, as if its p were 1: a test that is lost makes no other easier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from evaluation.arrays import Floats


def holm(p: ArrayLike) -> Floats:
    """Family-wise error by Holm's step-down (1979), valid under any dependence; ValueError outside [0, 1]."""
    return _adjusted(p, _holm)


def hommel(p: ArrayLike) -> Floats:
    """Family-wise error by Hommel (1988), closed Simes tests; never above Holm's, and assumes Simes' inequality."""
    return _adjusted(p, _hommel)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """False discovery rate by Benjamini & Hochberg's step-up (1995); ValueError outside [0, 1]."""
    return _adjusted(p, _benjamini_hochberg)


ADJUSTMENTS: Mapping[str, Callable[[ArrayLike], Floats]] = {
    "holm": holm,
    "hommel": hommel,
    "bh": benjamini_hochberg,
}


def _adjusted(p: ArrayLike, adjust: Callable[[Floats], Floats]) -> Floats:
    """Sort, adjust and put back; `adjust` takes rising p-values without NaN."""
    values = np.asarray(p, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"p-values must be a vector, got shape {values.shape}")
    wrong = values[(values < 0) | (values > 1)]
    if wrong.size:
        raise ValueError(f"p-values must lie between 0 and 1, got {wrong[0]}")
    if not values.size:
        return values.copy()
    lost = np.isnan(values)
    order = np.argsort(np.where(lost, 1.0, values), kind="stable")
    adjusted = np.empty_like(values)
    adjusted[order] = adjust(np.where(lost, 1.0, values)[order])
    adjusted[lost] = np.nan
    return adjusted


# statsmodels gives the same values but collects garbage on every call, 0.2 s in a large process.
def _holm(rising: Floats) -> Floats:
    steps = rising * np.arange(rising.size, 0, -1)
    return np.minimum(np.maximum.accumulate(steps), 1.0)


def _benjamini_hochberg(rising: Floats) -> Floats:
    steps = rising * (rising.size / np.arange(1, rising.size + 1))
    return np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)


def _hommel(rising: Floats) -> Floats:
    """Wright's algorithm (1992): for every size of a subset, its Simes p-value is a floor."""
    adjusted = rising.copy()
    ranks = np.arange(1, rising.size + 1)
    for size in range(2, rising.size + 1):
        rest = rising.size - size
        floor = size * float(np.min(rising[rest:] / ranks[:size]))
        np.maximum(adjusted[rest:], floor, out=adjusted[rest:])
        np.maximum(adjusted[:rest], np.minimum(size * rising[:rest], floor), out=adjusted[:rest])
    return adjusted
