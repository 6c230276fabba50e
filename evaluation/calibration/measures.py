"""How far predicted probabilities can be believed: Brier score, slope, intercept, O:E, ICI and Spiegelhalter's test."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isnan, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit, logit

from evaluation.arrays import Bools, Floats, Integers, checked
from evaluation.calibration.curve import NAMES, smoothed
from evaluation.calibration.recalibration import logistic
from evaluation.decisions.thresholds import OperatingPoint, operating_point
from evaluation.normal import Z95, interval, two_sided

MODEL_BASED = "logistic regression, Wald intervals"
CLUSTERED = "logistic regression, Wald intervals from sums per patient (sandwich)"
NO_Z = "no variance of Spiegelhalter's z"
_FLAT = 1e-10
"""Mean information below which rounding, not the data, would place the calibration-in-the-large."""


class Estimate(NamedTuple):
    """A value with its standard error and 95 % interval; NaN where not estimable."""

    value: float
    se: float
    low: float
    high: float


@dataclass(frozen=True)
class Calibration:
    """Calibration of one score.

    `slope` and `intercept` come from one model, `calibration_in_the_large` is the intercept with the slope fixed at 1;
    `observed_expected` is positives over the sum of predictions, its interval that of the logarithm. `ici`, `e50`,
    `e90` are mean, median and 90th percentile of |smoothed observed - predicted| over the cases.
    """

    n_positive: int
    n_negative: int
    brier: float
    brier_scaled: float
    slope: Estimate
    intercept: Estimate
    calibration_in_the_large: Estimate
    observed_expected: Estimate
    ici: float
    e50: float
    e90: float
    smoother: str
    spiegelhalter_z: float
    spiegelhalter_p: float
    method: str
    flag: str = ""


def calibration(
    labels: ArrayLike, logits: ArrayLike, patients: ArrayLike | None = None, smoother: str = "loess"
) -> Calibration:
    """Calibration of predicted log odds (Cox 1958; Spiegelhalter 1986; Austin & Steyerberg 2019).

    `labels` holds 1 and 0, `logits` log odds, `patients` any ids (integers are fastest): where one repeats, standard
    errors and Spiegelhalter's test use sums per patient. `smoother` is `loess` or `lowess`. An infinite logit, a
    constant score and perfect separation leave the rest standing, with a flag. Raises ValueError for unequal lengths,
    NaN, a third label, a single class or an unknown smoother.
    """
    is_positive, values = checked(labels, logits)
    cases = _Cases(is_positive, values, expit(values), _codes(patients, values.size))
    reason = cases.without_error()
    intercept, slope, failed = _joint(cases, bool(reason))
    in_the_large = _in_the_large(cases, bool(reason))
    ici, e50, e90, rough = _distances(cases, smoother)
    prevalence, brier = float(is_positive.mean()), float(np.mean((cases.probabilities - is_positive) ** 2))
    z = _spiegelhalter(cases)
    flat = "saturated predictions" if isnan(in_the_large.value) and not failed.startswith("infinite") else ""
    flags = [reason, failed, rough, flat, NO_Z if isnan(z) else ""]
    return Calibration(
        n_positive=int(np.count_nonzero(is_positive)),
        n_negative=int(np.count_nonzero(~is_positive)),
        brier=brier,
        brier_scaled=1 - brier / (prevalence * (1 - prevalence)),
        slope=slope,
        intercept=intercept,
        calibration_in_the_large=in_the_large,
        observed_expected=_observed_expected(cases, bool(reason)),
        ici=ici,
        e50=e50,
        e90=e90,
        smoother=NAMES[smoother],
        spiegelhalter_z=z,
        spiegelhalter_p=two_sided(z),
        method=MODEL_BASED if cases.patients is None else CLUSTERED,
        flag="; ".join(dict.fromkeys(flag for flag in flags if flag)),
    )


def logits_of(scores: ArrayLike, logits: ArrayLike, floor: float) -> tuple[Floats, int]:
    """Log odds of every case, and how many entered at the floor.

    A case without a logit (NaN: a detector that found nothing has score 0) enters as logit(clip(score, floor, 1 -
    floor)). The floor should be the lowest score that a detector reports, so that no finding ranks below none. Raises
    ValueError for unequal lengths, scores outside [0, 1] or a floor outside (0, .5).
    """
    values, known = np.asarray(scores, dtype=np.float64), np.asarray(logits, dtype=np.float64)
    if values.shape != known.shape or values.ndim != 1:
        raise ValueError(f"scores and logits must be equally long vectors, got {values.shape} and {known.shape}")
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"scores must lie in [0, 1], found {values[~((values >= 0) & (values <= 1))][0]}")
    _check_floor(floor)
    missing = np.isnan(known)
    filled = np.where(missing, logit(np.clip(values, floor, 1 - floor)), known)
    return filled, int(np.count_nonzero(missing & (values <= floor)))


@dataclass(frozen=True)
class AttainablePoints:
    """What cases tied at the floor leave of the ROC curve.

    `last` calls every case above the floor positive and none at it: its sensitivity is the highest, and its
    specificity the lowest, that any threshold reaches short of calling everyone positive.
    """

    at_floor_positive: int
    at_floor_negative: int
    last: OperatingPoint
    method: str = "cases at the floor tie; positive = score >= threshold"
    flag: str = ""


def attainable_points(labels: ArrayLike, scores: ArrayLike, floor: float) -> AttainablePoints:
    """The operating points that remain when all scores up to the floor tie; counts and, by `last`, rates.

    Without a case at the floor, `last` calls everyone positive and nothing is lost. Raises ValueError for a floor
    outside (0, .5) and what any statistic refuses.
    """
    is_positive, values = checked(labels, scores)
    _check_floor(floor)
    above = values[values > floor]
    last = operating_point(is_positive, values, float(above.min()) if above.size else float("inf"))
    return AttainablePoints(last.fn, last.tn, last, flag="" if above.size else "no case above the floor")


class _Cases(NamedTuple):
    is_positive: Bools
    logits: Floats
    probabilities: Floats
    patients: Integers | None
    """Numbers from 0, or None where every patient has one case."""

    def summed(self, scores: Floats) -> tuple[Floats, float]:
        """Rows of scores summed per patient, and the small-sample factor K / (K - 1)."""
        if self.patients is None:
            return scores, 1.0
        count = int(self.patients.max()) + 1
        sums = [np.bincount(self.patients, weights=row, minlength=count) for row in np.atleast_2d(scores)]
        return np.stack(sums).astype(np.float64), count / (count - 1) if count > 1 else nan

    def without_error(self) -> str:
        """Why no standard error can be given, or nothing."""
        for name, members in (("positive", self.is_positive), ("negative", ~self.is_positive)):
            if np.count_nonzero(members) == 1:
                return f"one {name}"
            if self.patients is not None and np.ptp(self.patients[members]) == 0:
                return "one patient in a class"
        return ""


def _codes(patients: ArrayLike | None, size: int) -> Integers | None:
    if patients is None:
        return None
    names, codes = np.unique(np.asarray(patients), return_inverse=True)
    if codes.shape != (size,):
        raise ValueError(f"labels and patients must be equally long, got {size} and {codes.shape}")
    return codes if names.size < size else None


def _joint(cases: _Cases, without_error: bool) -> tuple[Estimate, Estimate, str]:
    """Intercept and slope of the joint model, with the inverse information or the sandwich around it."""
    fit = logistic(cases.is_positive, cases.logits)
    intercept, slope = map(float, fit.coefficients)
    if fit.flag or without_error:
        return _estimate(intercept, nan), _estimate(slope, nan), fit.flag
    covariance = np.linalg.inv(fit.information)
    if cases.patients is not None:
        residuals = cases.is_positive - fit.probabilities
        sums, factor = cases.summed(np.stack([residuals, residuals * cases.logits]))
        covariance = factor * covariance @ (sums @ sums.T) @ covariance
    errors = np.sqrt(np.diag(covariance))
    return _estimate(intercept, float(errors[0])), _estimate(slope, float(errors[1])), ""


def _in_the_large(cases: _Cases, without_error: bool) -> Estimate:
    """The shift of all logits that makes predictions and positives sum to the same."""
    if np.isinf(cases.logits).any():
        return _estimate(nan, nan)
    positives, center = cases.is_positive.sum(), float(logit(cases.is_positive.mean()))
    low, high = center - cases.logits.max() - 1, center - cases.logits.min() + 1
    shift = brentq(lambda a: expit(cases.logits + a).sum() - positives, low, high, xtol=1e-14)
    fitted: Floats = expit(cases.logits + shift)
    information = float(fitted @ expit(-cases.logits - shift))
    if information < _FLAT * fitted.size:
        return _estimate(nan, nan)
    sums, factor = cases.summed(cases.is_positive - fitted)
    variance = information if cases.patients is None else factor * float(np.sum(sums**2))
    return _estimate(float(shift), nan if without_error else sqrt(variance) / information)


def _observed_expected(cases: _Cases, without_error: bool) -> Estimate:
    """Ratio with the interval of its logarithm, predictions taken as fixed (Debray et al. 2017)."""
    prevalence, n = float(cases.is_positive.mean()), cases.is_positive.size
    ratio = prevalence / float(cases.probabilities.mean()) if cases.probabilities.any() else nan
    sums, factor = cases.summed(cases.is_positive.astype(np.float64) - prevalence)
    se = nan if without_error else sqrt(factor * float(np.sum(sums**2))) / (n * prevalence)
    return Estimate(ratio, ratio * se, ratio * exp(-Z95 * se), ratio * exp(Z95 * se))


def _estimate(value: float, se: float) -> Estimate:
    return Estimate(value, se, *interval(value, se))


def _distances(cases: _Cases, smoother: str) -> tuple[float, float, float, str]:
    found = smoothed(cases.is_positive, cases.probabilities, smoother)
    distance = np.abs(found.at_cases - cases.probabilities)
    e50, e90 = np.quantile(distance, [0.5, 0.9])
    return float(distance.mean()), float(e50), float(e90), found.flag


def _spiegelhalter(cases: _Cases) -> float:
    """Standard normal if the predictions are right; where patients repeat, the variance is that of their sums."""
    lean = 1 - 2 * cases.probabilities
    scores = (cases.is_positive - cases.probabilities) * lean
    sums, factor = cases.summed(scores)
    expected = float(np.sum(lean**2 * cases.probabilities * expit(-cases.logits)))
    variance = expected if cases.patients is None else factor * float(np.sum(sums**2))
    return float(scores.sum()) / sqrt(variance) if variance > 0 else nan


def _check_floor(floor: float) -> None:
    if not 0 < floor < 0.5:
        raise ValueError(f"the floor must lie between 0 and .5, got {floor}")
