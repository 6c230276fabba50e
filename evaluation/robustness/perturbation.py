"""What a perturbation of the input, such as a shifted box, does to a model's scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import wilcoxon

from evaluation.arrays import Bools, Floats, Integers, checked
from evaluation.discrimination import delong
from evaluation.discrimination.areas import Area, Difference, area, difference
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import Placements
from evaluation.normal import interval, two_sided
from evaluation.readers.agreement import Friedman, Intraclass, friedman, intraclass

WILCOXON_EXACT = "Wilcoxon signed-rank, exact"
WILCOXON_NORMAL = "Wilcoxon signed-rank, normal with continuity correction"
SAME_CHANGES, ONE_PATIENT, ZERO_VARIANCE = "same changes", "one patient", "zero variance"
_EXACT_BELOW, _PAIRS_AT_ONCE, _DIGITS = 50, 2**19, 12


class Flips(NamedTuple):
    """Share of the cases whose decision changes; all NaN without a threshold."""

    all: float
    positive: float
    negative: float


@dataclass(frozen=True)
class Stability:
    """One perturbation against the original; `change` is the perturbed minus the original AUC.

    `mean_change` is the mean absolute change of the score, `pair_flips` the share of the pairs of a positive and a
    negative case whose order changes.
    """

    auc: Area
    change: Difference
    mean_change: float
    pair_flips: float
    decision_flips: Flips
    consistency: Intraclass
    agreement: Intraclass
    draws: int


@dataclass(frozen=True, eq=False)
class Robustness:
    """All perturbations of one model, by name, and what they have in common."""

    perturbations: dict[str, Stability]
    consistency: Intraclass
    agreement: Intraclass
    friedman: Friedman


@dataclass(frozen=True)
class StabilityDifference:
    """First minus second mean absolute change, means of patients: 95 % normal interval and signed-rank p."""

    first: float
    second: float
    difference: float
    se: float
    low: float
    high: float
    p: float
    patients: int
    method: str
    flag: str = ""


def robustness(
    labels: ArrayLike,
    scores: ArrayLike,
    names: Sequence[str],
    patients: ArrayLike | None = None,
    threshold: float | None = None,
) -> Robustness:
    """Stability of a model under every perturbation.

    `scores` (cases x variants) has the original in its first column; `names` has one name for each other column, and
    columns of one name are random draws of one perturbation. Raises ValueError for NaN, a third label, a single
    class, unequal lengths or names that do not fit.
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(names) + 1 or not names:
        raise ValueError(f"scores must be cases x (original + {len(names)} named variants), got shape {values.shape}")
    columns = {name: [place for place, other in enumerate(names, 1) if other == name] for name in dict.fromkeys(names)}
    before = values[:, 0]
    found = {name: stability(labels, before, values[:, at], patients, threshold) for name, at in columns.items()}
    means = np.column_stack([before, *(values[:, at].mean(axis=1) for at in columns.values())])
    return Robustness(
        perturbations=found,
        consistency=intraclass(values, "ICC(3,1)"),
        agreement=intraclass(values, "ICC(2,1)"),
        friedman=friedman(patient_means(means, patients)),
    )


def stability(
    labels: ArrayLike,
    original: ArrayLike,
    perturbed: ArrayLike,
    patients: ArrayLike | None = None,
    threshold: float | None = None,
) -> Stability:
    """One perturbation against the original scores of the same cases; `perturbed`: (cases,) or (cases, draws).

    Over draws the AUC, the change and the flips are means: a draw is never averaged into a score, which would make an
    ensemble of it. The AUC's variance is that of the mean AUC (DeLong et al. 1988, Obuchowski 1997 for patients with
    several cases), given the draws. Intraclass correlations are over the original and the draws. Raises ValueError as
    `robustness` does.
    """
    is_positive, before = checked(labels, original)
    after = _draws(perturbed, before.size)
    clusters = None if patients is None else Clusters.of(is_positive, patients)
    mean_placed = _mean([delong.placements(labels, draw) for draw in after.T])
    both = np.column_stack((before, after))
    return Stability(
        auc=area(mean_placed, clusters),
        change=difference(mean_placed, delong.placements(labels, before), clusters),
        mean_change=float(patient_means(mean_changes(before, after), patients).mean()),
        pair_flips=float(np.mean([pair_flips(is_positive, before, draw) for draw in after.T])),
        decision_flips=_decision_flips(is_positive, before, after, threshold),
        consistency=intraclass(both, "ICC(3,1)"),
        agreement=intraclass(both, "ICC(2,1)"),
        draws=after.shape[1],
    )


def mean_changes(original: ArrayLike, perturbed: ArrayLike) -> Floats:
    """Absolute change of each case's score, averaged over the draws: (cases,)."""
    before = np.asarray(original, dtype=np.float64)
    return _absolute(_draws(perturbed, before.size) - before[:, None])


def pair_flips(labels: ArrayLike, original: ArrayLike, perturbed: ArrayLike) -> float:
    """Share of the pairs of a positive and a negative case whose order changes.

    A reversal counts 1, a tie made or broken one half: the mean of |psi after - psi before| over the pairs, where psi
    is 1, 1/2 or 0 as in the AUC. It is at least as large as the change of the AUC.
    """
    is_positive, before = checked(labels, original)
    _, after = checked(labels, perturbed)
    small = np.min_scalar_type(before.size)  # two bytes are compared faster than eight
    ranks = [np.unique(scores, return_inverse=True)[1].astype(small) for scores in (before, after)]
    positive, negative = ([rank[chosen] for rank in ranks] for chosen in (is_positive, ~is_positive))
    rows = max(1, _PAIRS_AT_ONCE // negative[0].size)
    starts = range(0, positive[0].size, rows)
    flips = sum(_flips([rank[start : start + rows] for rank in positive], negative) for start in starts)
    return flips / (2 * positive[0].size * negative[0].size)


def compare_stability(
    first_changes: ArrayLike, second_changes: ArrayLike, patients: ArrayLike | None = None
) -> StabilityDifference:
    """Whether the first model is more stable than the second (negative difference) on the same cases.

    `first_changes`, `second_changes`: changes of the score, (cases,) or (cases, draws), of which the absolute value
    is averaged over draws and then per patient. The p-value is Wilcoxon's (1945) signed-rank test of the patients'
    differences, zeros left out, equal to R's `wilcox.test`; the interval of the mean difference is normal. Models
    that change alike have p exactly 1. Raises ValueError for unequal lengths or NaN.
    """
    first, second = (patient_means(_absolute(changes), patients) for changes in (first_changes, second_changes))
    if first.shape != second.shape:
        raise ValueError(f"both models need changes of the same cases, got {first.size} and {second.size}")
    of_first, of_second = float(first.mean()), float(second.mean())
    # Rounding noise would break ties, and pass for a difference between models that change alike.
    gaps = np.round(first - second, _DIGITS)
    p, method = _signed_rank(gaps)
    spread = float(np.std(gaps, ddof=1)) if gaps.size > 1 else nan
    se = spread / sqrt(gaps.size) if np.ptp(gaps) or isnan(spread) else 0.0
    low, high = interval(of_first - of_second, se)
    flag = ONE_PATIENT if isnan(se) else SAME_CHANGES if not gaps.any() else "" if se else ZERO_VARIANCE
    return StabilityDifference(of_first, of_second, of_first - of_second, se, low, high, p, gaps.size, method, flag)


def patient_means(values: ArrayLike, patients: ArrayLike | None = None) -> Floats:
    """Mean of each patient's cases along the first axis, patients in sorted order; the cases themselves without."""
    array = np.asarray(values, dtype=np.float64)
    if patients is None:
        return array
    names, codes, sizes = np.unique(np.asarray(patients), return_inverse=True, return_counts=True)
    if codes.shape != array.shape[:1]:
        raise ValueError(f"every case needs one patient, got {codes.size} patients for {array.shape[0]} cases")
    sums = np.zeros((names.size, *array.shape[1:]))
    np.add.at(sums, codes, array)
    return np.asarray((sums.T / sizes).T, dtype=np.float64)


def _draws(perturbed: ArrayLike, cases: int) -> Floats:
    after: Floats = np.atleast_2d(np.asarray(perturbed, dtype=np.float64).T).T
    if after.ndim != 2 or after.shape[0] != cases or not after.shape[1]:
        raise ValueError(f"perturbed scores must be {cases} cases x draws, got shape {after.shape}")
    return after


def _mean(placed: list[Placements]) -> Placements:
    """Placements of the mean AUC: the AUC is a mean of placements, so its influence is their mean."""
    first = placed[0]  # the base of the mean, so that draws without any effect keep the AUC to the last bit
    return Placements(
        auc=first.auc + float(np.mean([one.auc - first.auc for one in placed])),
        positive=first.positive + np.mean([one.positive - first.positive for one in placed], axis=0),
        negative=first.negative + np.mean([one.negative - first.negative for one in placed], axis=0),
    )


def _flips(positive: list[NDArray[Any]], negative: list[NDArray[Any]]) -> int:
    """Twice the changes of psi: above and not-below change by at most one each, and never in opposite directions."""
    before, after = (
        [np.greater.outer(x, y), np.greater_equal.outer(x, y)] for x, y in zip(positive, negative, strict=True)
    )
    return sum(int(np.count_nonzero(one != other)) for one, other in zip(before, after, strict=True))


def _decision_flips(is_positive: Bools, before: Floats, after: Floats, threshold: float | None) -> Flips:
    if threshold is None:
        return Flips(nan, nan, nan)
    if isnan(threshold):
        raise ValueError("the threshold is NaN; leave it out where there is none")
    changed = ((after >= threshold) != (before >= threshold)[:, None]).mean(axis=1)
    return Flips(float(changed.mean()), float(changed[is_positive].mean()), float(changed[~is_positive].mean()))


def _absolute(changes: ArrayLike) -> Floats:
    values = np.abs(np.asarray(changes, dtype=np.float64))
    if values.ndim not in {1, 2} or not values.size or not np.isfinite(values).all():
        raise ValueError(f"changes must be finite numbers, (cases,) or (cases, draws), got shape {values.shape}")
    return values if values.ndim == 1 else np.asarray(values.mean(axis=1), dtype=np.float64)


def _signed_rank(gaps: Floats) -> tuple[float, str]:
    """As R's `wilcox.test`: exact below 50 differences without ties and zeros."""
    if gaps.size < 2:
        return nan, WILCOXON_EXACT
    sizes, place, ties = np.unique(np.abs(gaps), return_inverse=True, return_counts=True)
    if sizes.size == gaps.size < _EXACT_BELOW and gaps.all():
        return float(wilcoxon(gaps, method="exact").pvalue), WILCOXON_EXACT
    return _normal_p(gaps, np.where(sizes == 0, 0, ties), place), WILCOXON_NORMAL


def _normal_p(gaps: Floats, ties: Integers, place: Integers) -> float:
    """P of the rank sum with continuity correction, corrected for ties; scipy's own costs a millisecond per test.

    `ties`: how many differences have each size, by rising size, zeros not counted; `place`: the size of each one.
    """
    count = int(ties.sum())
    if not count:
        return 1.0
    ranks = np.cumsum(ties) - (ties - 1) / 2
    above = float(ranks[place[gaps > 0]].sum()) - count * (count + 1) / 4
    tied = int((ties**3 - ties).sum())
    spread = sqrt((count * (count + 1) * (2 * count + 1) - tied / 2) / 24)
    return two_sided(above / spread - float(np.sign(above)) * 0.5 / spread)
