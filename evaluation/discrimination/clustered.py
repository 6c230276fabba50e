"""The variance of an AUC when patients have several images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evaluation.arrays import Floats

_ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which patient each positive and each negative case belongs to, as numbers 0 … count - 1."""

    positive: NDArray[np.int64]
    negative: NDArray[np.int64]
    count: int

    @classmethod
    def of(cls, labels: ArrayLike, patients: ArrayLike) -> Self:
        """Clusters of cases in the order of `labels` (1 or 0) and `patients` (any ids)."""
        is_positive = np.asarray(labels) == 1
        names, codes = np.unique(np.asarray(patients), return_inverse=True)
        if codes.shape != is_positive.shape:
            raise ValueError(f"labels and patients must be equally long, got {is_positive.shape} and {codes.shape}")
        return cls(positive=codes[is_positive], negative=codes[~is_positive], count=names.size)

    @property
    def repeat(self) -> bool:
        """Whether any patient has several cases."""
        return self.count < self.positive.size + self.negative.size

    @cached_property
    def with_positive(self) -> int:
        """Patients with at least one positive case."""
        return int(np.unique(self.positive).size)

    @cached_property
    def with_negative(self) -> int:
        """Patients with at least one negative case."""
        return int(np.unique(self.negative).size)


def variance(positive: Floats, negative: Floats, clusters: Clusters) -> float:
    """Variance of an AUC from placements summed per patient (Obuchowski 1997), or of a difference of AUCs.

    S10 / m + S01 / n + 2 S11 / (m n); with one case per patient it equals DeLong's. NaN where all positives, or all
    negatives, belong to one patient: it is not estimable.
    """
    with_positive, with_negative = clusters.with_positive, clusters.with_negative
    if min(with_positive, with_negative) < 2:
        return float("nan")
    above = _sum_per_patient(positive, clusters.positive, clusters.count)
    below = _sum_per_patient(negative, clusters.negative, clusters.count)
    total = (
        _unbiased(with_positive) * float(above @ above)
        + _unbiased(with_negative) * float(below @ below)
        + _unbiased(clusters.count) * 2 * float(above @ below)
    )
    return total if total > _ROUNDING**2 / clusters.count else 0.0


def _sum_per_patient(values: Floats, patients: NDArray[np.int64], count: int) -> Floats:
    """Deviations from the mean, summed per patient, as a share of all cases of the class."""
    sums = np.bincount(patients, weights=values - values.mean(), minlength=count)
    return np.asarray(sums / values.size, dtype=np.float64)


def _unbiased(patients: int) -> float:
    return patients / (patients - 1)
