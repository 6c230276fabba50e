"""Power, sample size and detectable difference of a comparison of AUCs, as in pROC's `power.roc.test`.

Every plan here has a variance of the form positive + negative / ratio per positive case, `ratio` being the number of
negatives per positive, under the null (no difference) and under the alternative. alpha is two-sided throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, isnan, nan, pi, sqrt
from typing import NamedTuple

from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from evaluation.arrays import Floats
from evaluation.discrimination import clustered
from evaluation.discrimination.areas import CLUSTERED, ZERO_VARIANCE
from evaluation.discrimination.areas import difference as paired_difference
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import Placements

ONE_AUC = "Obuchowski, one AUC against .5"
OBSERVED = "two paired AUCs, DeLong variances"
OBSERVED_CLUSTERED = "two paired AUCs, clustered variances (Obuchowski)"
BINORMAL = "Obuchowski, two paired AUCs, binormal"
NO_DIFFERENCE, NO_NULL, OUT_OF_REACH = "no difference", "negative null variance", "no AUC is detectable"
_HIGHEST = 1 - 1e-16


class Spread(NamedTuple):
    """What positives and negatives add to the variance of the difference."""

    positive: float
    negative: float

    def per_positive(self, ratio: float) -> float:
        """That variance times the number of positives, with `ratio` negatives per positive."""
        return self.positive + self.negative / ratio


class Binormal(NamedTuple):
    """A binormal ROC curve, probit(sensitivity) = a + b probit(1 - specificity)."""

    a: float
    b: float


@dataclass(frozen=True)
class Assumed:
    """The difference to plan for and its variances; `ratio` (negatives per positive) is where they were found."""

    difference: float
    null: Spread
    alternative: Spread
    ratio: float
    method: str
    flag: str = ""


@dataclass(frozen=True)
class Power:
    """Numbers of cases, two-sided alpha and power that belong together; numbers are not rounded, as in pROC."""

    n_positive: float
    n_negative: float
    difference: float
    alpha: float
    power: float
    method: str
    flag: str = ""

    @property
    def cases(self) -> tuple[int, int]:
        """Positives and negatives, each rounded up; ValueError where they could not be estimated."""
        if isnan(self.n_positive):
            raise ValueError(f"there is no number of cases: {self.flag}")
        return ceil(self.n_positive), ceil(self.n_negative)


def achieved_power(assumed: Assumed, n_positive: float, n_negative: float, alpha: float = 0.05) -> Power:
    """Power of the two-sided test with these numbers of cases (Obuchowski et al. 2004).

    Raises ValueError unless the numbers are > 0 and alpha lies between 0 and 1.
    """
    z_alpha, _ = _quantiles(alpha)
    null, alternative, flag = _deviations(assumed, _ratio(n_positive, n_negative))
    z_beta = (sqrt(n_positive) * abs(assumed.difference) - z_alpha * null) / alternative if alternative else nan
    return Power(n_positive, n_negative, assumed.difference, alpha, float(ndtr(z_beta)), assumed.method, flag)


def sample_size(
    assumed: Assumed, power: float = 0.8, negatives_per_positive: float | None = None, alpha: float = 0.05
) -> Power:
    """Numbers of cases that reach the power, at the assumption's own ratio unless another is given.

    Raises ValueError unless .5 <= power < 1 and the ratio is > 0.
    """
    z_alpha, z_beta = _quantiles(alpha, power)
    ratio = assumed.ratio if negatives_per_positive is None else _ratio(1.0, negatives_per_positive)
    null, alternative, flag = _deviations(assumed, ratio)
    gap = assumed.difference
    n_positive = ((z_alpha * null + z_beta * alternative) / gap) ** 2 if gap else nan
    flag = flag or ("" if gap else NO_DIFFERENCE)
    return Power(n_positive, ratio * n_positive, gap, alpha, power, assumed.method, flag)


def detectable_difference(
    assumed: Assumed, n_positive: float, n_negative: float, power: float = 0.8, alpha: float = 0.05
) -> Power:
    """Smallest absolute difference of a pair that is found with the power, its variances held as assumed.

    Raises ValueError for impossible numbers, and for one AUC, whose variance changes with it (`detectable_auc`).
    """
    if assumed.method == ONE_AUC:
        raise ValueError("the variance of one AUC changes with it; use detectable_auc")
    z_alpha, z_beta = _quantiles(alpha, power)
    null, alternative, flag = _deviations(assumed, _ratio(n_positive, n_negative))
    gap = (z_alpha * null + z_beta * alternative) / sqrt(n_positive)
    return Power(n_positive, n_negative, gap, alpha, power, assumed.method, flag)


def detectable_auc(n_positive: float, n_negative: float, power: float = 0.8, alpha: float = 0.05) -> Power:
    """Smallest AUC above .5 that is told from .5 with the power; `difference` is AUC - .5.

    NaN and flagged where no AUC below 1 is. Raises ValueError as `sample_size`.
    """
    (z_alpha, z_beta), ratio = _quantiles(alpha, power), _ratio(n_positive, n_negative)

    def short_of(auc: float) -> float:
        null, alternative, _ = _deviations(one_auc(auc), ratio)
        return z_alpha * null + z_beta * alternative - (auc - 0.5) * sqrt(n_positive)

    out_of_reach = short_of(_HIGHEST) > 0
    gap = nan if out_of_reach else float(brentq(short_of, 0.5, _HIGHEST, xtol=1e-14)) - 0.5
    return Power(n_positive, n_negative, gap, alpha, power, ONE_AUC, OUT_OF_REACH if out_of_reach else "")


def one_auc(auc: float) -> Assumed:
    """One AUC against .5 (Obuchowski et al. 2004), its variance from a binormal model with equal variances.

    The constants .0792, .0099 and 1.414 are rounded as there and in pROC. Raises ValueError unless 0 < auc < 1.
    """
    if not 0 < auc < 1:
        raise ValueError(f"the AUC must lie strictly between 0 and 1, got {auc!r}")
    a = 1.414 * float(ndtri(auc))
    density = 0.0099 * exp(-(a**2) / 2)
    alternative = Spread(density * (5 * a**2 + 8), density * (a**2 + 8))
    return Assumed(auc - 0.5, Spread(0.0792, 0.0792), alternative, 1.0, ONE_AUC)


def observed_pair(first: Placements, second: Placements, clusters: Clusters | None = None) -> Assumed:
    """A pair as it was seen in a pilot: placements of two scores on the same cases, in the same order.

    The null variance is 2 var(first) - 2 cov, as in pROC, so swapping the scores changes the result a little. At
    another ratio the parts of the classes are weighed anew. Where patients have several cases, variances are
    Obuchowski's (1997) and numbers count cases of such patients.
    """
    found, n_positive = paired_difference(first, second, clusters), first.positive.size
    ratio, flag = first.negative.size / n_positive, ZERO_VARIANCE if found.se == 0 else found.flag
    method = OBSERVED_CLUSTERED if found.method == CLUSTERED else OBSERVED
    if isnan(found.se):
        return Assumed(found.difference, Spread(nan, nan), Spread(nan, nan), ratio, method, flag)
    gaps = first.positive - second.positive, first.negative - second.negative
    null = Spread(2 * _covariance(first.positive, gaps[0]), 2 * _covariance(first.negative, gaps[1]))
    alternative = Spread(_covariance(gaps[0], gaps[0]), _covariance(gaps[1], gaps[1]))
    if clusters is not None and clusters.repeat:
        of_first, of_second = (clustered.variance(one.positive, one.negative, clusters) for one in (first, second))
        null = _scaled(null, ratio, n_positive * (of_first - of_second + found.se**2))
        alternative = _scaled(alternative, ratio, n_positive * found.se**2)
    return Assumed(found.difference, null, alternative, ratio, method, flag)


def binormal_pair(
    first: Binormal,
    second: Binormal,
    correlation_positive: float,
    correlation_negative: float,
    difference: float | None = None,
) -> Assumed:
    """A pair of binormal curves whose latent scores correlate within each class (Obuchowski & McClish 1997).

    `difference` is that of the curves' areas unless given, as pROC's `parslist$delta`. Raises ValueError unless
    b > 0 and the correlations lie between -1 and 1.
    """
    correlations = correlation_positive, correlation_negative
    if not (first.b > 0 and second.b > 0 and all(-1 <= one <= 1 for one in correlations)):
        raise ValueError(f"b must be > 0 and correlations within -1 and 1, got {first}, {second}, {correlations}")
    of_first, of_second = _binormal_variance(first), _binormal_variance(second)
    shared = _binormal_covariance(first, second, *correlations)
    null = Spread(*(2 * (one - both) for one, both in zip(of_first, shared, strict=True)))
    alternative = Spread(*(x + y - 2 * both for x, y, both in zip(of_first, of_second, shared, strict=True)))
    area = [float(ndtr(curve.a / sqrt(1 + curve.b**2))) for curve in (first, second)]
    gap = area[0] - area[1] if difference is None else difference
    return Assumed(gap, null, alternative, 1.0, BINORMAL)


def _quantiles(alpha: float, power: float = 0.5) -> tuple[float, float]:
    if not (0 < alpha < 1 and 0.5 <= power < 1):
        raise ValueError(f"alpha must be in (0, 1) and power to plan for in [.5, 1), got {alpha!r} and {power!r}")
    return float(-ndtri(alpha / 2)), float(ndtri(power))


def _ratio(n_positive: float, n_negative: float) -> float:
    if not (n_positive > 0 and n_negative > 0):
        raise ValueError(f"numbers of cases must be > 0, got {n_positive!r} positive and {n_negative!r} negative")
    return n_negative / n_positive


def _deviations(assumed: Assumed, ratio: float) -> tuple[float, float, str]:
    """Standard deviations per positive under null and alternative; NaN with a reason where there are none."""
    null, alternative = assumed.null.per_positive(ratio), assumed.alternative.per_positive(ratio)
    flag = assumed.flag or (NO_NULL if null < 0 else "" if alternative > 0 else ZERO_VARIANCE)
    return (nan, nan, flag) if flag else (sqrt(null), sqrt(alternative), "")


def _covariance(first: Floats, second: Floats) -> float:
    return float((first - first.mean()) @ (second - second.mean())) / (first.size - 1)


def _scaled(spread: Spread, ratio: float, total: float) -> Spread:
    """The same shares of positives and negatives, such that they add up to `total` at this ratio."""
    before = spread.per_positive(ratio)
    factor = total / before if before else 0.0
    return Spread(spread.positive * factor, spread.negative * factor)


def _binormal_variance(curve: Binormal) -> Spread:
    """Variance of an area by the delta method; like the paper and pROC without the term of cov(a, b), so too large."""
    by_a, by_b = _slopes(curve)
    of_b = (by_b * curve.b) ** 2 / 2
    return Spread(by_a**2 * (1 + curve.a**2 / 2) + of_b, (by_a * curve.b) ** 2 + of_b)


def _binormal_covariance(first: Binormal, second: Binormal, positive: float, negative: float) -> Spread:
    """Covariance of two areas by the delta method on a and b; correlations of the latent scores within each class."""
    (f1, g1), (f2, g2) = _slopes(first), _slopes(second)
    of_b = g1 * g2 * first.b * second.b / 2
    mixed = f1 * g2 * first.a * second.b + f2 * g1 * second.a * first.b
    return Spread(
        f1 * f2 * (positive + positive**2 * first.a * second.a / 2) + positive**2 * (of_b + mixed / 2),
        f1 * f2 * negative * first.b * second.b + negative**2 * of_b,
    )


def _slopes(curve: Binormal) -> tuple[float, float]:
    """How the area changes with a and with b."""
    square = 1 + curve.b**2
    by_a = exp(-(curve.a**2) / (2 * square)) / sqrt(2 * pi * square)
    return by_a, -curve.a * curve.b * by_a / square
