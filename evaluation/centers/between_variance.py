"""The variance between centers: Cochran's Q, and the estimators of tau2."""

from __future__ import annotations

from math import nan

import numpy as np

from evaluation.arrays import Floats

_FULL_STEPS, _MOST_STEPS = 100, 1000


def cochran(values: Floats, variances: Floats) -> float:
    """Weighted squared deviations from the common-effect estimate (Cochran 1954)."""
    weights = 1 / variances
    return float(weights @ (values - weights @ values / weights.sum()) ** 2)


def typical_variance(variances: Floats) -> float:
    """The within-center variance of Higgins & Thompson (2002, eq. 9)."""
    weights = 1 / variances
    total = weights.sum()
    return float((weights.size - 1) / (total - weights @ weights / total))


def dersimonian_laird(variances: Floats, q: float) -> float:
    """The moment estimator from Cochran's Q (DerSimonian & Laird 1986)."""
    weights = 1 / variances
    total = weights.sum()
    return max(0.0, float((q - (weights.size - 1)) / (total - weights @ weights / total)))


def reml(values: Floats, variances: Floats) -> float:
    """Restricted maximum likelihood by Fisher scoring, started as in metafor from Hedges' estimator; NaN if stuck."""
    tau2 = max(0.0, float(np.var(values, ddof=1) - variances.mean()))
    enough = 1e-12 * float(variances.mean() + tau2)
    for step in range(_MOST_STEPS):
        weights = 1 / (variances + tau2)
        total, squares, cubes = weights.sum(), weights @ weights, (weights**2) @ weights
        residuals = weights * (values - weights @ values / total)
        information = squares - 2 * cubes / total + (squares / total) ** 2
        move = float((residuals @ residuals - total + squares / total) / information)
        # Very unequal variances can make full steps swing about the maximum for ever; half steps end that.
        previous, tau2 = tau2, max(0.0, tau2 + (move if step < _FULL_STEPS else move / 2))
        if abs(tau2 - previous) <= enough:
            return _higher_peak(values, variances, tau2)
    return nan


def _higher_peak(values: Floats, variances: Floats, tau2: float) -> float:
    """The likelihood can have a second peak at 0 that scoring has not seen; the higher one counts."""
    at_zero, found = (_restricted_likelihood(values, variances + extra) for extra in (0.0, tau2))
    return 0.0 if at_zero > found else tau2


def _restricted_likelihood(values: Floats, variances: Floats) -> float:
    """Its logarithm, up to a constant."""
    return -0.5 * float(np.log(variances).sum() + np.log((1 / variances).sum()) + cochran(values, variances))
