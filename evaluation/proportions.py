"""Intervals of proportions."""

from __future__ import annotations

from math import nan
from typing import NamedTuple

from scipy.special import betaincinv


class Proportion(NamedTuple):
    """k of n with its 95 % interval; all NaN where n is 0."""

    value: float
    low: float
    high: float


def clopper_pearson(successes: int, total: int) -> Proportion:
    """Exact 95 % interval of a proportion (Clopper & Pearson 1934), equal to R's `binom.test`.

    It takes the cases as independent: several images of one patient make it too narrow.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"successes must lie between 0 and total, got {successes} of {total}")
    if total == 0:
        return Proportion(nan, nan, nan)
    failures = total - successes
    low = float(betaincinv(successes, failures + 1, 0.025)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, 0.975)) if failures else 1.0
    return Proportion(successes / total, low, high)
