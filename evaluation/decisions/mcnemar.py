"""McNemar's test of two models' decisions on the same cases, also where patients have several images."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr
from scipy.stats import binom

from evaluation.arrays import Bools, Floats, Integers

METHODS = {
    "exact": "McNemar exact",
    "mid-p": "McNemar mid-p",
    "chi2": "McNemar chi2",
    "corrected": "McNemar chi2, continuity-corrected",
}
VARIANTS = tuple(METHODS)
CLUSTERED = "clustered McNemar (Durkalski)"
NO_DISCORDANT, ONE_PATIENT = "no discordant pairs", "fewer than two patients"


@dataclass(frozen=True)
class McNemar:
    """Two-sided test that both models are right equally often.

    `statistic` is a chi-square with one degree of freedom, or the smaller discordant count (exact and mid-p).
    """

    only_first: int
    only_second: int
    statistic: float
    p: float
    method: str
    flag: str = ""


class PairedCounts(NamedTuple):
    """Cases of one class that both models, only the first, only the second and neither decide rightly."""

    both: int
    only_first: int
    only_second: int
    neither: int


class Discordant(NamedTuple):
    """The tables behind two sensitivities (positives; right is called positive) and two specificities (negatives)."""

    sensitivity: PairedCounts
    specificity: PairedCounts


def mcnemar(only_first: int, only_second: int, variant: str = "mid-p") -> McNemar:
    """McNemar's test from the counts of cases that only one of the models decides rightly (McNemar 1947).

    Variants as in `mcnemar_p`. Raises ValueError for an unknown variant and for a count that is not a whole number.
    """
    first, second = checked_counts(only_first, only_second)
    statistic = float(_statistic(first, second, variant))
    p = float(mcnemar_p(first, second, variant))
    flag = "" if only_first + only_second else NO_DISCORDANT
    return McNemar(int(only_first), int(only_second), statistic, p, METHODS[variant], flag)


def mcnemar_p(only_first: ArrayLike, only_second: ArrayLike, variant: str = "mid-p") -> Floats:
    """p-values of McNemar's test for arrays of discordant counts, which are broadcast.

    `exact`: the binomial test of 1/2. `mid-p`: the same with half the weight on the observed count (Fagerland et al.
    2013). `chi2`: (b - c)^2 / (b + c). `corrected`: (max(|b - c| - 1, 0))^2 / (b + c) (Edwards 1948). Equal counts,
    also 0 and 0, give p = 1 in every variant. Raises ValueError as `mcnemar` does.
    """
    first, second = checked_counts(only_first, only_second)
    statistic = _statistic(first, second, variant)
    if variant in {"chi2", "corrected"}:
        return _chi2_p(statistic)
    total = first + second
    p = 2 * binom.cdf(statistic, total, 0.5)
    if variant == "mid-p":
        p -= binom.pmf(statistic, total, 0.5)
    return np.asarray(np.where(first == second, 1.0, np.minimum(p, 1.0)), dtype=np.float64)


def mcnemar_clustered(first_correct: ArrayLike, second_correct: ArrayLike, patients: ArrayLike) -> McNemar:
    """McNemar's test where a patient may have several cases (Durkalski et al. 2003).

    The three vectors hold one entry per case: whether each model is right, and the patient; for sensitivities the
    positives only. With one case per patient it is the uncorrected chi-square test. NaN with fewer than two patients.
    Raises ValueError for unequal lengths and for decisions other than true (1) or false (0).
    """
    first, second = paired_decisions(first_correct, second_correct)
    sums, sizes = per_patient(np.stack([first, second]), patients)
    statistic, p = durkalski(sums[0] - sums[1], sizes)
    counts = _counts(first, second)
    flag = ONE_PATIENT if sizes.size < 2 else "" if counts.only_first + counts.only_second else NO_DISCORDANT
    return McNemar(counts.only_first, counts.only_second, float(statistic), float(p), CLUSTERED, flag)


def durkalski(gaps: ArrayLike, sizes: ArrayLike) -> tuple[Floats, Floats]:
    """Statistic (chi-square, one degree of freedom) and p of Durkalski et al. (2003) for many pairs of models.

    `gaps`, shape (..., patients): cases of a patient that the first model decides rightly minus those of the second;
    `sizes`: the patient's cases, of the same shape or (patients,). (sum g/n)^2 / sum (g/n)^2; where every gap is 0 the
    p is 1. Patients of size 0 take no part; fewer than two others give NaN. Raises ValueError for a gap above its size.
    """
    gap, size = np.broadcast_arrays(np.asarray(gaps, np.float64), np.asarray(sizes, np.float64))
    impossible = ~(np.abs(gap) <= size)
    if impossible.any():
        raise ValueError(f"a patient's gap is at most its cases, got {gap[impossible][0]:g} of {size[impossible][0]:g}")
    shares = gap / np.maximum(size, 1)
    squares = np.square(shares).sum(axis=-1)
    statistic = np.square(shares.sum(axis=-1)) / np.where(squares, squares, 1)
    estimable = np.count_nonzero(size, axis=-1) >= 2
    statistic = np.asarray(np.where(estimable, statistic, nan), dtype=np.float64)
    return statistic, _chi2_p(statistic)


def discordant(labels: ArrayLike, first_called: ArrayLike, second_called: ArrayLike) -> Discordant:
    """Counts of agreement of two models' decisions on the same cases, for each class.

    One class alone is allowed, as for a carried threshold; the other table is then empty. Raises ValueError for unequal
    lengths, a third label and decisions other than true (1) or false (0).
    """
    truth, first, second = paired_decisions(labels, first_called, second_called)
    return Discordant(_counts(first[truth], second[truth]), _counts(~first[~truth], ~second[~truth]))


def discordant_matrix(correct: ArrayLike) -> Integers:
    """Cases that model i decides rightly and model j does not, for all pairs i, j of `correct` (models x cases).

    With its transpose it gives every pair to `mcnemar_p` at once. Raises ValueError for decisions other than true (1)
    or false (0).
    """
    right = _decisions(correct).astype(np.float64)
    both = right @ right.T
    return np.asarray(np.diag(both)[:, None] - both, dtype=np.int64)


def per_patient(correct: ArrayLike, patients: ArrayLike) -> tuple[Integers, Integers]:
    """Right decisions of each patient, shape (..., patients), and the patients' numbers of cases.

    `correct` has shape (..., cases), `patients` one id per case; patients come in sorted order of their ids. Raises
    ValueError for unequal lengths and for decisions other than true (1) or false (0).
    """
    right, ids = _decisions(correct), np.asarray(patients)
    if ids.shape != right.shape[-1:]:
        raise ValueError(f"decisions and patients must be equally long, got {right.shape} and {ids.shape}")
    _, codes, sizes = np.unique(ids, return_inverse=True, return_counts=True)
    starts = np.cumsum(sizes) - sizes
    ordered = right[..., np.argsort(codes, kind="stable")]
    return np.add.reduceat(ordered, starts, axis=-1, dtype=np.int64), sizes.astype(np.int64)


def paired_decisions(*vectors: ArrayLike) -> list[Bools]:
    """Vectors of decisions or labels as booleans, or a ValueError that names the problem."""
    shapes = [np.shape(vector) for vector in vectors]
    if len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise ValueError(f"labels and decisions must be equally long vectors, got {', '.join(map(str, shapes))}")
    return [_decisions(vector) for vector in vectors]


def _decisions(values: ArrayLike) -> Bools:
    array = np.asarray(values)
    wrong = array[(array != 0) & (array != 1)]
    if wrong.size:
        raise ValueError(f"labels and decisions must be 0 or 1, found {wrong[0].item()!r}")
    return np.asarray(array == 1, dtype=np.bool_)


def checked_counts(*counts: ArrayLike) -> list[Floats]:
    """Counts as broadcast float64 arrays, or a ValueError that names the one that is no count."""
    arrays = [np.asarray(count, dtype=np.float64) for count in counts]
    for array in arrays:
        wrong = array[~(np.isfinite(array) & (array >= 0) & (array == np.floor(array)))]
        if wrong.size:
            raise ValueError(f"cases are counted by whole numbers from 0, got {wrong[0]:g}")
    return list(np.broadcast_arrays(*arrays))


def _statistic(first: Floats, second: Floats, variant: str) -> Floats:
    if variant not in METHODS:
        raise ValueError(f"unknown variant {variant!r} of McNemar's test; it may be one of: {', '.join(VARIANTS)}")
    if variant in {"exact", "mid-p"}:
        return np.minimum(first, second)
    gap = np.abs(first - second)
    if variant == "corrected":
        gap = np.maximum(gap - 1, 0)
    return np.square(gap) / np.maximum(first + second, 1)


def _chi2_p(statistic: Floats) -> Floats:
    return np.asarray(2 * ndtr(-np.sqrt(statistic)), dtype=np.float64)


def _counts(first: Bools, second: Bools) -> PairedCounts:
    both, right_first, right_second = (int(np.count_nonzero(x)) for x in (first & second, first, second))
    return PairedCounts(both, right_first - both, right_second - both, first.size - right_first - right_second + both)
