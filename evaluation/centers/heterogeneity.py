"""One estimate from several centers: random-effects meta-analysis, and how much the centers differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import copysign, inf, isnan, nan, sqrt
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, expit, logit, stdtr, stdtrit

from evaluation.arrays import Floats
from evaluation.centers.between_variance import cochran, dersimonian_laird, reml, typical_variance

Tau = Literal["dersimonian-laird", "reml"]
Test = Literal["normal", "hartung-knapp"]
Scale = Literal["raw", "logit"]

NO_CENTER, ONE_CENTER, ZERO_VARIANCE = "no center", "one center", "zero variance"
NO_CONVERGENCE = "REML did not converge"

_NAMES = {
    "dersimonian-laird": "DerSimonian-Laird",
    "reml": "REML",
    "normal": "normal",
    "hartung-knapp": "Hartung-Knapp",
}
_SMALLEST = 1e-50
"""Weights of smaller standard errors leave the range of floats."""
_ATTAINABLE = 1e-13
"""An AUC nearer to 0 or 1 differs by rounding only: 1 / (2 m n) is the smallest real distance."""
_ROUNDING = 2.3e-16
"""Weighted squared deviations below this are rounding, as in metafor."""


@dataclass(frozen=True)
class Pooled:
    """A pooled estimate with its 95 % interval, its test, and the heterogeneity of the k centers it comes from.

    `tau2` is the variance between centers, `i2` the share (0 to 1) of the total variance that it makes up, `q` is
    Cochran's statistic. The prediction interval is for the true value in a new center. On the logit scale `estimate`
    and both intervals are areas again, while `se`, `statistic`, `tau2`, `i2` and `q` stay on logits.
    """

    estimate: float
    se: float
    low: float
    high: float
    statistic: float
    p: float
    tau2: float
    i2: float
    q: float
    q_df: int
    q_p: float
    prediction_low: float
    prediction_high: float
    k: int
    method: str
    flag: str = ""


def leave_one_out(
    names: Sequence[str],
    estimates: ArrayLike,
    standard_errors: ArrayLike,
    tau: Tau = "reml",
    test: Test = "hartung-knapp",
    scale: Scale | None = None,
) -> list[tuple[str, Pooled]]:
    """What each center does to the result: (center left out, pooled without it), in the order of `names`.

    `scale` is given for AUCs and None for differences and everything else. Raises ValueError as `pool` does.
    """
    values, errors, known = _checked(estimates, standard_errors, names)

    def without(out: int) -> Pooled:
        rest = np.arange(values.size) != out
        others = [name for position, name in enumerate(known) if position != out]
        if scale is None:
            return pool(values[rest], errors[rest], tau, test, others)
        return pool_areas(values[rest], errors[rest], scale, tau, test, others)

    return [(name, without(position)) for position, name in enumerate(known)]


def pool_areas(
    areas: ArrayLike,
    standard_errors: ArrayLike,
    scale: Scale = "logit",
    tau: Tau = "reml",
    test: Test = "hartung-knapp",
    names: Sequence[str] | None = None,
) -> Pooled:
    """Random-effects AUC over centers, tested against .5, with intervals inside [0, 1].

    On the logit scale a center's standard error is se / (AUC (1 - AUC)), the delta method. A center whose AUC is
    exactly 0 or 1 has no finite logit and no honest weight: it is left out on both scales and named in the flag.
    Raises ValueError as `pool` does, and for an AUC outside [0, 1].
    """
    _check_variant("scale", scale, get_args(Scale))
    values, errors, known = _checked(areas, standard_errors, names)
    if ((values < 0) | (values > 1)).any():
        raise ValueError(f"an AUC must lie between 0 and 1, got {values[(values < 0) | (values > 1)][0]}")
    extreme = np.minimum(values, 1 - values) < _ATTAINABLE
    inside, errors = np.where(extreme, 0.5, values), np.where(extreme, 0.0, errors)
    if scale == "raw":
        found = pool(inside, errors, tau, test, known, null=0.5)
        return _mapped(found, lambda value: float(np.clip(value, 0, 1)))
    found = pool(logit(inside), errors / (inside * (1 - inside)), tau, test, known)
    return replace(_mapped(found, lambda value: float(expit(value))), method=f"{found.method}, logit scale")


def pool(
    estimates: ArrayLike,
    standard_errors: ArrayLike,
    tau: Tau = "reml",
    test: Test = "hartung-knapp",
    names: Sequence[str] | None = None,
    null: float = 0.0,
) -> Pooled:
    """Random-effects estimate over centers (DerSimonian & Laird 1986; REML, Harville 1977; Hartung & Knapp 2001).

    One estimate and one standard error per center, in any unit. Equal to metafor's `rma`: Hartung-Knapp is not
    truncated at 1, I2 follows from tau2 (Higgins & Thompson 2002), the prediction interval has the quantile of the
    test; the statistic is (estimate - `null`) / se. A center without an estimate or without a positive standard error
    is left out and named in the flag, by `names` or by its position from 1. One center alone has a normal interval and
    no heterogeneity: NaN. Raises ValueError for unequal lengths, infinities, negative standard errors and unknown
    variants.
    """
    _check_variant("tau", tau, get_args(Tau))
    _check_variant("test", test, get_args(Test))
    values, errors, known = _checked(estimates, standard_errors, names)
    reasons = _reasons(values, errors)
    keep = reasons == ""
    left_out = ", ".join(f"{known[at]} ({reasons[at]})" for at in np.flatnonzero(~keep))
    found = _pooled(values[keep], errors[keep] ** 2, tau, test, null)
    flags = [found.flag, f"left out: {left_out}" if left_out else ""]
    return replace(found, flag="; ".join(flag for flag in flags if flag))


def _pooled(values: Floats, variances: Floats, tau: Tau, test: Test, null: float) -> Pooled:
    if values.size < 2:
        return _alone(values, variances, tau, null)
    q, k = cochran(values, variances), values.size
    tau2 = dersimonian_laird(variances, q) if tau == "dersimonian-laird" else reml(values, variances)
    weights = 1 / (variances + tau2)
    estimate, se = float(weights @ values / weights.sum()), sqrt(1 / weights.sum())
    df = inf if test == "normal" else k - 1
    if test == "hartung-knapp":
        residual = float(weights @ (values - estimate) ** 2)
        se *= sqrt(residual / df) if residual > _ROUNDING else 0.0
    statistic = _statistic(estimate - null, se)
    margin = _margin(df, sqrt(se**2 + tau2))
    return Pooled(
        estimate=estimate,
        se=se,
        low=estimate - _margin(df, se),
        high=estimate + _margin(df, se),
        statistic=statistic,
        p=_p(df, statistic),
        tau2=tau2,
        i2=tau2 / (tau2 + typical_variance(variances)),
        q=q,
        q_df=k - 1,
        q_p=float(chdtrc(k - 1, q)),
        prediction_low=estimate - margin,
        prediction_high=estimate + margin,
        k=k,
        method=f"random effects ({_NAMES[tau]}), {_NAMES[test]}",
        flag=NO_CONVERGENCE if isnan(tau2) else "" if se else ZERO_VARIANCE,
    )


def _alone(values: Floats, variances: Floats, tau: Tau, null: float) -> Pooled:
    """The one center as it is, with a normal interval, or nothing."""
    estimate, se = (float(values[0]), sqrt(variances[0])) if values.size else (nan, nan)
    statistic = _statistic(estimate - null, se)
    return Pooled(
        estimate=estimate,
        se=se,
        low=estimate - _margin(inf, se),
        high=estimate + _margin(inf, se),
        statistic=statistic,
        p=_p(inf, statistic),
        tau2=nan,
        i2=nan,
        q=nan,
        q_df=0,
        q_p=nan,
        prediction_low=nan,
        prediction_high=nan,
        k=values.size,
        method=f"random effects ({_NAMES[tau]}), normal",
        flag=ONE_CENTER if values.size else NO_CENTER,
    )


def _margin(df: float, se: float) -> float:
    return float(stdtrit(df, 0.975)) * se


def _p(df: float, statistic: float) -> float:
    return float(2 * stdtr(df, -abs(statistic)))


def _statistic(gap: float, se: float) -> float:
    return gap / se if se else copysign(inf, gap) if gap else 0.0


def _mapped(found: Pooled, scale: Callable[[float], float]) -> Pooled:
    """The estimate and its intervals on another scale."""
    return replace(
        found,
        estimate=scale(found.estimate),
        low=scale(found.low),
        high=scale(found.high),
        prediction_low=scale(found.prediction_low),
        prediction_high=scale(found.prediction_high),
    )


def _checked(
    estimates: ArrayLike, standard_errors: ArrayLike, names: Sequence[str] | None
) -> tuple[Floats, Floats, list[str]]:
    values, errors = np.asarray(estimates, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64)
    known = [str(position + 1) for position in range(values.size)] if names is None else [str(name) for name in names]
    if values.ndim != 1 or values.shape != errors.shape or len(known) != values.size:
        sizes = f"{values.shape}, {errors.shape} and {len(known)}"
        raise ValueError(f"estimates, standard errors and names must be equally long vectors, got {sizes}")
    for word, numbers in (("estimate", values), ("standard error", errors)):
        if np.isinf(numbers).any():
            raise ValueError(f"{word} of center {known[int(np.argmax(np.isinf(numbers)))]} is infinite; give a number")
    if (errors < 0).any():
        raise ValueError(f"a standard error must not be negative, got {errors[errors < 0][0]}")
    return values, errors, known


def _reasons(values: Floats, errors: Floats) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Why a center cannot take part, or an empty word."""
    choices = [np.isnan(values), np.isnan(errors), errors < _SMALLEST]
    return np.select(choices, ["no estimate", "no standard error", ZERO_VARIANCE], "")


def _check_variant(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}; it may be one of: {', '.join(allowed)}")
