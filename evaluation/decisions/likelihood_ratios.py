"""Likelihood ratios and the diagnostic odds ratio of a 2 x 2 table."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log, nan, sqrt

from evaluation.normal import Z95

SIMEL = "log interval (Simel)"
WOOLF = "log interval (Woolf)"


@dataclass(frozen=True)
class Ratio:
    """A ratio with its 95 % interval; 0 and infinity are returned without interval and flagged."""

    value: float
    low: float
    high: float
    method: str
    flag: str = ""


@dataclass(frozen=True)
class LikelihoodRatios:
    """By how much a positive call raises, and a negative call lowers, the odds of being positive."""

    positive: Ratio
    negative: Ratio


def likelihood_ratios(tp: int, fp: int, fn: int, tn: int) -> LikelihoodRatios:
    """LR+ = sensitivity / (1 - specificity) and LR- = (1 - sensitivity) / specificity (Simel et al. 1991).

    It takes the cases as independent. Raises ValueError for negative counts.
    """
    _check(tp, fp, fn, tn)
    return LikelihoodRatios(
        positive=_ratio_of_shares(tp, tp + fn, fp, fp + tn, "positive"),
        negative=_ratio_of_shares(fn, tp + fn, tn, fp + tn, "negative"),
    )


def diagnostic_odds_ratio(tp: int, fp: int, fn: int, tn: int) -> Ratio:
    """tp tn / (fp fn) = LR+ / LR-, with Woolf's interval (1955); no 1/2 is added to empty cells.

    Raises ValueError for negative counts.
    """
    _check(tp, fp, fn, tn)
    if not tp + fn or not fp + tn:
        return Ratio(nan, nan, nan, WOOLF, "one class")
    if 0 in (tp, fp, fn, tn):
        return _extreme(tp * tn, fp * fn, WOOLF, "empty cell")
    return _log_interval(tp * tn / (fp * fn), 1 / tp + 1 / fp + 1 / fn + 1 / tn, WOOLF)


def _check(tp: int, fp: int, fn: int, tn: int) -> None:
    if min(tp, fp, fn, tn) < 0:
        raise ValueError(f"counts must not be negative, got tp {tp}, fp {fp}, fn {fn}, tn {tn}")


def _ratio_of_shares(called: int, positives: int, wrongly: int, negatives: int, call: str) -> Ratio:
    """Share of the positives over share of the negatives that get one kind of call."""
    if not positives or not negatives:
        return Ratio(nan, nan, nan, SIMEL, "one class")
    if not called or not wrongly:
        whom = "nobody" if not called and not wrongly else "no positive" if not called else "no negative"
        return _extreme(called, wrongly, SIMEL, f"{whom} is called {call}")
    variance = (1 / called - 1 / positives) + (1 / wrongly - 1 / negatives)
    return _log_interval((called / positives) / (wrongly / negatives), variance, SIMEL)


def _extreme(above: int, below: int, method: str, flag: str) -> Ratio:
    value = 0.0 if below else inf if above else nan
    return Ratio(value, nan, nan, method, flag)


def _log_interval(value: float, variance: float, method: str) -> Ratio:
    half = Z95 * sqrt(variance)
    flag = "" if variance else "zero variance"
    return Ratio(value, exp(log(value) - half), exp(log(value) + half), method, flag)
