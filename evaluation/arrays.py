"""Arrays as the statistics take them, and the check that all of them make."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


def checked(labels: ArrayLike, scores: ArrayLike) -> tuple[Bools, Floats]:
    """Labels as booleans and scores as float64, or a ValueError that names the problem."""
    classes, values = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if classes.shape != values.shape or values.ndim != 1:
        raise ValueError(f"labels and scores must be equally long vectors, got {classes.shape} and {values.shape}")
    if np.isnan(values).any():
        raise ValueError(f"{int(np.isnan(values).sum())} of {values.size} scores are NaN; every case needs a score")
    is_positive: Bools = classes == 1
    n_positive = int(np.count_nonzero(is_positive))
    n_negative = int(np.count_nonzero(classes == 0))
    if n_positive + n_negative != values.size:
        other = classes[~is_positive & (classes != 0)][0]
        raise ValueError(f"labels must be 0 or 1, found a third label {other!r}")
    if not n_positive or not n_negative:
        raise ValueError(f"both classes are needed, got {n_positive} positive and {n_negative} negative cases")
    return is_positive, values
