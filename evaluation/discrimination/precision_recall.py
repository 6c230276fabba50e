"""Precision against recall: the curve's points, average precision and F1."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from evaluation.arrays import Floats, Integers, checked
from evaluation.normal import Z95

BOYD = "average precision, logit interval (Boyd)"
F1_METHOD = "F1, 2 tp / (2 tp + fp + fn)"


@dataclass(frozen=True)
class AveragePrecision:
    """Average precision with its 95 % interval; `prevalence` is what a score without skill reaches."""

    value: float
    low: float
    high: float
    prevalence: float
    n_positive: int
    n_negative: int
    method: str
    flag: str = ""


@dataclass(frozen=True, eq=False)
class PrecisionRecallPoints:
    """One point per distinct score, from the highest threshold down; positive means score >= threshold.

    Threshold infinity is left out: nobody is called positive there and precision has no value.
    """

    threshold: Floats
    precision: Floats
    recall: Floats


@dataclass(frozen=True)
class F1:
    """F1 with the counts it comes from and, where there is one, the threshold."""

    value: float
    tp: int
    fp: int
    fn: int
    threshold: float
    method: str
    flag: str = ""


def average_precision(labels: ArrayLike, scores: ArrayLike) -> AveragePrecision:
    """Sum of precision times the gain in recall over falling thresholds, not interpolated, as scikit-learn's.

    Labels are 1 or 0. The interval is normal for logit(value) with variance 1 / (n_positive value (1 - value)), as
    Boyd, Eng & Page (2013), and takes cases as independent; it is NaN for a value of 1 and for one positive. Raises
    ValueError for unequal lengths, NaN, a third label or a single class.
    """
    counts = _count(labels, scores)
    n_positive, n_cases = int(counts.tp[-1]), int(counts.called[-1])
    gained = np.diff(counts.tp, prepend=0) / n_positive
    perfect = bool(np.any((counts.tp == n_positive) & (counts.called == n_positive)))
    value = 1.0 if perfect else float(np.sum(gained * (counts.tp / counts.called)))
    flag = "perfect separation" if perfect else "one positive" if n_positive == 1 else ""
    low, high = (nan, nan) if flag else _logit_interval(value, n_positive)
    return AveragePrecision(value, low, high, n_positive / n_cases, n_positive, n_cases - n_positive, BOYD, flag)


def precision_recall_points(labels: ArrayLike, scores: ArrayLike) -> PrecisionRecallPoints:
    """Every point of the curve; between two points it is not a straight line (Davis & Goadrich 2006).

    Raises ValueError as `average_precision` does.
    """
    counts = _count(labels, scores)
    return PrecisionRecallPoints(counts.threshold, counts.tp / counts.called, counts.tp / counts.tp[-1])


def f1(tp: int, fp: int, fn: int, threshold: float = nan) -> F1:
    """Harmonic mean of precision and recall at one threshold (van Rijsbergen 1979).

    NaN and flagged where there is no positive and none is called. Raises ValueError for negative counts.
    """
    if min(tp, fp, fn) < 0:
        raise ValueError(f"counts must not be negative, got tp {tp}, fp {fp}, fn {fn}")
    everyone = 2 * tp + fp + fn
    value, flag = (2 * tp / everyone, "") if everyone else (nan, "no positive and none called")
    return F1(value, tp, fp, fn, threshold, F1_METHOD, flag)


def best_f1(labels: ArrayLike, scores: ArrayLike) -> F1:
    """The largest F1 over all thresholds, of equals the most sensitive; optimistic on the cases that chose it.

    Raises ValueError as `average_precision` does.
    """
    counts = _count(labels, scores)
    n_positive = int(counts.tp[-1])
    values = 2 * counts.tp / (counts.called + n_positive)
    best = int(np.flatnonzero(values == values.max())[-1])
    tp, called = int(counts.tp[best]), int(counts.called[best])
    return f1(tp, called - tp, n_positive - tp, float(counts.threshold[best]))


@dataclass(frozen=True, eq=False)
class _Counts:
    """True positives and called cases at every distinct score, falling."""

    threshold: Floats
    tp: Integers
    called: Integers


def _count(labels: ArrayLike, scores: ArrayLike) -> _Counts:
    is_positive, values = checked(labels, scores)
    order = np.argsort(-values)
    ranked = values[order]
    last = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), values.size - 1)
    return _Counts(ranked[last], np.cumsum(is_positive[order], dtype=np.int64)[last], last + 1)


def _logit_interval(value: float, n_positive: int) -> tuple[float, float]:
    half = Z95 / sqrt(n_positive * value * (1 - value))
    return float(expit(logit(value) - half)), float(expit(logit(value) + half))
