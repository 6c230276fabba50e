"""The normal approximation: quantiles, two-sided p-values and intervals."""

from __future__ import annotations

from math import isnan, nan

from scipy.special import expit, logit, ndtr

Z95 = 1.959963984540054
"""Normal quantile of every 95 % interval here."""


def two_sided(z: float) -> float:
    """Two-sided p-value of a standard normal statistic; NaN stays NaN."""
    return float(2 * ndtr(-abs(z)))


def interval(value: float, se: float) -> tuple[float, float]:
    """95 % interval, value - 1.96 se to value + 1.96 se; NaN where the standard error is."""
    return value - Z95 * se, value + Z95 * se


def logit_interval(share: float, se: float) -> tuple[float, float]:
    """95 % interval of a share that is normal on the logit scale, by the delta method; NaN at 0, 1 or without se."""
    if isnan(se) or not 0 < share < 1:
        return nan, nan
    low, high = interval(logit(share), se / (share * (1 - share)))
    return float(expit(low)), float(expit(high))


def clipped_interval(value: float, se: float) -> tuple[float, float]:
    """95 % interval within [0, 1]; NaN where the standard error is."""
    if isnan(se):
        return nan, nan
    low, high = interval(value, se)
    return max(0.0, low), min(1.0, high)
