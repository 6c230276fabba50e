"""How the AUCs of several readers and modalities vary together over cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.arrays import Floats
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import Placements


def area_covariance(placed: Sequence[Placements], clusters: Clusters | None = None) -> Floats:
    """Covariance of AUCs on the same cases from their placements: square, in the order of `placed`.

    DeLong et al. (1988), or Obuchowski (1997) where `clusters` says that a patient has several cases. NaN with fewer
    than two positives or negatives (patients with one, where patients repeat): it is not estimable.
    """
    positive, negative = np.stack([one.positive for one in placed]), np.stack([one.negative for one in placed])
    if clusters is not None and clusters.repeat:
        return _clustered(positive, negative, clusters)
    if min(positive.shape[1], negative.shape[1]) < 2:
        return np.full((len(placed), len(placed)), np.nan)
    covariance = np.cov(positive) / positive.shape[1] + np.cov(negative) / negative.shape[1]
    return np.atleast_2d(covariance)


def _clustered(positive: Floats, negative: Floats, clusters: Clusters) -> Floats:
    if min(clusters.with_positive, clusters.with_negative) < 2:
        return np.full((len(positive), len(positive)), np.nan)
    above = _sum_per_patient(positive, clusters.positive, clusters.count)
    below = _sum_per_patient(negative, clusters.negative, clusters.count)
    cross = above @ below.T
    return (
        _unbiased(clusters.with_positive) * (above @ above.T)
        + _unbiased(clusters.with_negative) * (below @ below.T)
        + _unbiased(clusters.count) * (cross + cross.T)
    )


def _sum_per_patient(values: Floats, patients: NDArray[np.int64], count: int) -> Floats:
    """Deviations from each score's mean, summed per patient (columns), as a share of all cases of the class."""
    sums = np.zeros((count, len(values)))
    np.add.at(sums, patients, (values - values.mean(axis=1, keepdims=True)).T)
    return np.asarray(sums.T / values.shape[1], dtype=np.float64)


def _unbiased(patients: int) -> float:
    return patients / (patients - 1)
