"""Maps from a model's output to calibrated probabilities: fitted on the reserve, judged on other patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit

from evaluation.arrays import Bools, Floats, checked

MINIMUM = 5
"""Cases needed in each class; with fewer nothing is fitted."""
CONSTANT, SEPARATION, NOT_CONVERGED = "constant score", "perfect separation", "did not converge"
_CONVERGED = 1e-12
"""Newton decrement below which one more step reaches machine precision: it squares the distance of 1e-6 se."""


@dataclass(frozen=True)
class Platt:
    """expit(intercept + slope * logit); both NaN where the flag says why they could not be fitted."""

    intercept: float
    slope: float
    n_positive: int
    n_negative: int
    method: str = "Platt"
    flag: str = ""

    def apply(self, logits: ArrayLike) -> Floats:
        """Probabilities of any other cases from their logits; NaN where nothing could be fitted."""
        values: Floats = expit(self.intercept + self.slope * np.asarray(logits, dtype=np.float64))
        return values


@dataclass(frozen=True)
class Isotonic:
    """A rising line through (scores, probabilities), flat beyond its ends; empty where it could not be fitted."""

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    n_positive: int
    n_negative: int
    method: str = "isotonic"
    flag: str = ""

    def apply(self, scores: ArrayLike) -> Floats:
        """Probabilities of any other cases from their scores; NaN where nothing could be fitted."""
        values = np.asarray(scores, dtype=np.float64)
        if not self.scores:
            return np.full(values.shape, nan)
        return np.interp(values, self.scores, self.probabilities)


Recalibration = Platt | Isotonic
"""Plain numbers: `json.dumps(dataclasses.asdict(found))` stores one, `restored` reads it."""


def platt(labels: ArrayLike, logits: ArrayLike) -> Platt:
    """Logistic recalibration by maximum likelihood, without penalty and without Platt's smoothed targets (Cox 1958).

    `labels` holds 1 and 0, `logits` log odds. Fewer than 5 cases in a class, perfect separation, a constant or an
    infinite logit give NaN and a flag; so does `reversed order` with the fit, where the slope is negative. Raises
    ValueError for unequal lengths, NaN, a third label or a single class.
    """
    is_positive, values = checked(labels, logits)
    few = _too_few(is_positive)
    fit = NOT_FITTED._replace(flag=few) if few else logistic(is_positive, values)
    intercept, slope = fit.coefficients
    flag = fit.flag or ("reversed order" if slope < 0 else "")
    return Platt(float(intercept), float(slope), *_sizes(is_positive), flag=flag)


def isotonic(labels: ArrayLike, scores: ArrayLike) -> Isotonic:
    """Isotonic regression of the label on the score (Zadrozny & Elkan 2002), ties pooled, clipped beyond the ends.

    Its ends are often exactly 0 and 1, whose logits are infinite. Fewer than 5 cases in a class or infinite
    scores give a flag and no map; a score that does not rise with the label gives one probability, flagged. Raises
    ValueError as `platt` does.
    """
    is_positive, values = checked(labels, scores)
    infinite = int(np.count_nonzero(np.isinf(values)))
    if reason := _too_few(is_positive) or (f"infinite scores: {infinite}" if infinite else ""):
        return Isotonic((), (), *_sizes(is_positive), flag=reason)
    knots, heights = _rising(is_positive, values)
    flag = "constant probability" if heights[0] == heights[-1] else ""
    return Isotonic(tuple(knots.tolist()), tuple(heights.tolist()), *_sizes(is_positive), flag=flag)


def restored(parameters: Mapping[str, Any]) -> Recalibration:
    """The map whose fields were stored; raises ValueError for an unknown method."""
    if parameters.get("method") == "Platt":
        return Platt(**parameters)
    if parameters.get("method") == "isotonic":
        lines = {name: tuple(parameters[name]) for name in ("scores", "probabilities")}
        return Isotonic(**{**parameters, **lines})
    raise ValueError(f"unknown recalibration method {parameters.get('method')!r}; known: Platt, isotonic")


class Logistic(NamedTuple):
    """A fitted logistic regression on one covariate: (intercept, slope), their information, the probabilities."""

    coefficients: Floats
    information: Floats
    probabilities: Floats
    flag: str = ""


NOT_FITTED = Logistic(np.full(2, nan), np.full((2, 2), nan), np.empty(0))


def logistic(is_positive: Bools, values: Floats) -> Logistic:
    """Unpenalized maximum likelihood with one covariate; both classes must be there.

    The estimate exists if and only if the classes overlap (Albert & Anderson 1984), which is checked, not guessed from
    the iterations.
    """
    if reason := _not_estimable(is_positive, values):
        return NOT_FITTED._replace(flag=reason)
    sign = np.where(is_positive, 1.0, -1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        coefficients, fitted = _newton(np.stack([sign, sign * values]), float(logit(is_positive.mean())))
    if fitted is None:
        return NOT_FITTED._replace(flag=NOT_CONVERGED)
    return Logistic(coefficients, fitted.information, np.where(is_positive, 1 - fitted.missed, fitted.missed))


def _not_estimable(is_positive: Bools, values: Floats) -> str:
    infinite = int(np.count_nonzero(np.isinf(values)))
    if infinite:
        return f"infinite logits: {infinite}"
    positives, negatives = values[is_positive], values[~is_positive]
    if values.min() == values.max():
        return CONSTANT
    overlap = positives.min() < negatives.max() and negatives.min() < positives.max()
    return "" if overlap else SEPARATION


def _newton(rows: Floats, intercept: float) -> tuple[Floats, _Fitted | None]:
    """Newton's method with halved steps: the log likelihood is concave, so it climbs to the only maximum.

    `rows` are the covariates times 1 for a positive and -1 for a negative case, (2, cases).
    """
    coefficients = np.array([intercept, 0.0])
    now = _Fitted.at(rows, coefficients)
    for _ in range(100):
        gradient = rows @ now.missed
        step = _solved(now.information, gradient)
        if not (np.isfinite(step).all() and np.isfinite(now.information).all()):
            break
        arrives = gradient @ step < _CONVERGED
        there = _Fitted.at(rows, coefficients + step)
        while there.likelihood < now.likelihood and not arrives:
            step = step / 2
            there = _Fitted.at(rows, coefficients + step)
        coefficients, now = coefficients + step, there
        if arrives:
            return coefficients, now
    return coefficients, None


class _Fitted(NamedTuple):
    missed: Floats
    """Probability of the label that a case does not have."""
    information: Floats
    likelihood: float

    @classmethod
    def at(cls, rows: Floats, coefficients: Floats) -> _Fitted:
        margin = coefficients @ rows
        # exp(-|x|) serves all three and never overflows; beyond 37, p (1 - p) from p itself would be zero.
        small = np.exp(-np.abs(margin))
        missed = np.where(margin > 0, small, 1.0) / (1 + small)
        information = (rows * (small / (1 + small) ** 2)) @ rows.T
        return cls(missed, information, float(np.minimum(margin, 0).sum() - np.log1p(small).sum()))


def _solved(information: Floats, gradient: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(information, gradient), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.full(gradient.shape, nan)


def _rising(is_positive: Bools, values: Floats) -> tuple[Floats, Floats]:
    """Distinct scores and fitted shares, without those inside a flat stretch."""
    knots, places, cases = np.unique(values, return_inverse=True, return_counts=True)
    heights = isotonic_regression(np.bincount(places, weights=is_positive) / cases, weights=cases).x
    inside = (heights[1:-1] == heights[:-2]) & (heights[1:-1] == heights[2:])
    bends = np.concatenate(([True], ~inside, [True]))[: knots.size]
    return knots[bends], np.clip(heights[bends], 0, 1)


def _sizes(is_positive: Bools) -> tuple[int, int]:
    positive = int(np.count_nonzero(is_positive))
    return positive, is_positive.size - positive


def _too_few(is_positive: Bools) -> str:
    return f"fewer than {MINIMUM} cases in a class" if min(_sizes(is_positive)) < MINIMUM else ""
