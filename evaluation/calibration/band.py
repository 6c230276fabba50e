"""Pointwise band around a smoothed calibration curve: how far chance could move it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from evaluation.arrays import Floats, Integers, checked
from evaluation.calibration.curve import LOESS_SPAN, LOWESS_SPAN, smoothed
from evaluation.normal import Z95

METHOD = "pointwise band of a linear smoother, residuals summed per patient"
_SPANS = {"loess": (LOESS_SPAN, 2), "lowess": (LOWESS_SPAN, 1)}
"""Share of the cases in a neighborhood, and the degree of the polynomial."""


class Band(NamedTuple):
    """A smoothed curve with its pointwise 95 % band; NaN where the flag says why."""

    predicted: Floats
    observed: Floats
    low: Floats
    high: Floats
    flag: str


def calibration_band(
    labels: ArrayLike, logits: ArrayLike, patients: ArrayLike, smoother: str = "loess", points: int = 31
) -> Band:
    """The curve of `calibration_curve` and, around it, what its weights make of the cases' residuals.

    A local polynomial is a weighted sum of the labels, so its variance is the sum of squared weighted residuals
    (Cleveland & Devlin 1988, without their equal variances), summed within patients first. It holds no bias of the
    smoother. Clipped to [0, 1].
    """
    is_positive, values = checked(labels, logits)
    probabilities = expit(values)
    grid = np.linspace(probabilities.min(), probabilities.max(), points)
    found = smoothed(is_positive, probabilities, smoother, grid)
    residuals = is_positive - found.at_cases
    names, places = np.unique(np.asarray(patients), return_inverse=True)
    half = np.array([_half(_weights(probabilities, x, *_SPANS[smoother]), residuals, places, names.size) for x in grid])
    low, high = (np.clip(found.at_grid + side * half, 0, 1) for side in (-1, 1))
    return Band(grid, found.at_grid, low, high, found.flag)


def _weights(probabilities: Floats, at: float, span: float, degree: int) -> Floats:
    """What each case adds to the local polynomial at a point, tricube over its nearest neighbors; NaN if singular."""
    away = probabilities - at
    distances, near = np.abs(away), max(2, int(span * away.size + 1e-5))
    width = np.partition(distances, near - 1)[near - 1]
    if width <= 0:
        return np.full(away.size, np.nan)
    tricube = np.clip(1 - (distances / width) ** 3, 0, None) ** 3
    powers = (away / width) ** np.arange(degree + 1)[:, np.newaxis]
    moments = (powers * tricube) @ powers.T
    if np.linalg.cond(moments) > 1e12:
        return np.full(away.size, np.nan)
    first = np.linalg.solve(moments, np.eye(degree + 1)[0])
    return np.asarray(first @ powers * tricube)


def _half(weights: Floats, residuals: Floats, places: Integers, patients: int) -> float:
    """Half the width, with the factor K / (K - 1) for K patients."""
    sums = np.bincount(places, weights=weights * residuals, minlength=patients)
    return float(Z95 * np.sqrt(np.sum(sums**2) * patients / max(1, patients - 1)))
