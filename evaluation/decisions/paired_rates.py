"""The difference of two paired proportions, such as two sensitivities on the same positives, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike

from evaluation.arrays import Bools, Floats
from evaluation.decisions.mcnemar import ONE_PATIENT, checked_counts, paired_decisions, per_patient
from evaluation.normal import Z95

TANGO, CLUSTERED = "Tango score", "cluster-robust Wald (Obuchowski)"
NO_CASES, ZERO_VARIANCE = "no cases", "zero variance"
_ROUNDING = 1e-14
_HALVINGS = 44
"""The bracket of at most 2 shrinks to 1e-13."""


@dataclass(frozen=True)
class PairedDifference:
    """First minus second proportion of right decisions, with its 95 % interval."""

    difference: float
    low: float
    high: float
    method: str
    flag: str = ""


def paired_difference(only_first: int, only_second: int, total: int) -> PairedDifference:
    """Difference of two proportions of the same `total` cases, with Tango's score interval (Tango 1998).

    `only_first` and `only_second` count the cases that only one of the models decides rightly. NaN without cases.
    Raises ValueError for impossible counts.
    """
    low, high = tango_interval(only_first, only_second, total)
    difference = (only_first - only_second) / total if total else nan
    return PairedDifference(difference, float(low), float(high), TANGO, "" if total else NO_CASES)


def tango_interval(only_first: ArrayLike, only_second: ArrayLike, total: ArrayLike) -> tuple[Floats, Floats]:
    """Bounds of Tango's score interval (Tango 1998) for arrays of counts, which are broadcast.

    They are the differences d that the score test does not reject: (b - c - n d)^2 <= 1.96^2 n (2 q + d (1 - d)), where
    q is the probability of `only_second` that is most likely under d. Found by bisection to 1e-12; NaN where the total
    is 0. Raises ValueError for counts that are no whole numbers and for more discordant cases than cases.
    """
    first, second, cases = checked_counts(only_first, only_second, total)
    impossible = first + second > cases
    if impossible.any():
        b, c, n = (counts[impossible][0] for counts in (first, second, cases))
        raise ValueError(f"discordant cases are at most the total, got {b:g} + {c:g} of {n:g}")
    size = np.where(cases > 0, cases, nan)
    return -_upper(second, first, size), _upper(first, second, size)


def paired_difference_clustered(
    first_correct: ArrayLike, second_correct: ArrayLike, patients: ArrayLike
) -> PairedDifference:
    """Difference of two proportions where a patient may have several cases (Obuchowski 1998).

    The three vectors hold one entry per case: whether each model is right, and the patient. Interval as in
    `clustered_interval`. Raises ValueError for unequal lengths and for decisions other than true (1) or false (0).
    """
    first, second = paired_decisions(first_correct, second_correct)
    sums, sizes = per_patient(np.stack([first, second]), patients)
    difference, low, high = (float(value) for value in clustered_interval(sums[0] - sums[1], sizes))
    if sizes.size < 2:
        return PairedDifference(difference, low, high, CLUSTERED, ONE_PATIENT if sizes.size else NO_CASES)
    return PairedDifference(difference, low, high, CLUSTERED, ZERO_VARIANCE if low == high else "")


def clustered_interval(gaps: ArrayLike, sizes: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Difference, low and high for many pairs of models from sums per patient.

    `gaps`, shape (..., patients): cases of a patient that the first model decides rightly minus those of the second;
    `sizes`, shape (patients,): the patient's cases; patients of size 0 take no part. d = sum g / N is a ratio
    estimator, its variance K / (K - 1) sum (g - n d)^2 / N^2 (Obuchowski 1998); the normal interval is clipped to
    [-1, 1] and NaN with fewer than two patients.
    """
    gap, size = np.asarray(gaps, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    count, total = int(np.count_nonzero(size)), float(size.sum()) or nan
    difference = np.asarray(gap.sum(axis=-1) / total)
    squares = np.square(gap - size * difference[..., None]).sum(axis=-1)
    half = Z95 * np.sqrt(squares * (count / (count - 1) if count > 1 else nan)) / total
    half = np.where(half <= _ROUNDING, 0.0, half)
    return difference, np.maximum(difference - half, -1.0), np.minimum(difference + half, 1.0)


def _upper(gains: Floats, losses: Floats, total: Floats) -> Floats:
    """The largest difference that is not rejected, between the estimate and 1."""
    inside, outside = (gains - losses) / total, np.ones_like(total)
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        kept = _kept(middle, gains, losses, total)
        inside, outside = np.where(kept, middle, inside), np.where(kept, outside, middle)
    return np.asarray((inside + outside) / 2)


def _kept(difference: Floats, gains: Floats, losses: Floats, total: Floats) -> Bools:
    """Whether the score test keeps a difference; not divided, because the variance is 0 at a difference of 1."""
    spread = difference * (1 - difference)
    linear = (2 * total - gains + losses) * difference - gains - losses
    root = np.sqrt(np.maximum(linear**2 + 8 * total * losses * spread, 0))
    loss = (root - linear) / (4 * total)
    kept: Bools = (gains - losses - total * difference) ** 2 <= Z95**2 * total * (2 * loss + spread)
    return kept
