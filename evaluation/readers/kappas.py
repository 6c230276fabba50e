"""How well the readers of a study agree with each other, whatever the truth."""

from __future__ import annotations

from itertools import combinations
from math import nan
from typing import Any

import numpy as np
import polars as pl

from evaluation.arrays import Floats
from evaluation.readers.agreement import Kappa, Weights, cohen_kappa
from evaluation.readers.panel import Panel
from evaluation.readers.tables import AGREEMENT, frame

_MOST_CATEGORIES = 20
_WEIGHTS: tuple[Weights, ...] = ("none", "quadratic")


def agreement_of(panel: Panel, threshold: float | None) -> pl.DataFrame:
    """Cohen's kappa of every pair of readers in every modality, as the schema AGREEMENT.

    Of the ratings plain and with quadratic weights, where they are categories: at most 20 different ones. Of the
    decisions rating >= `threshold` where one is given.
    """
    rows = [
        row for weights in _WEIGHTS for row in _pairs(panel, "rating", panel.ratings, _scale(panel.ratings), weights)
    ]
    if threshold is not None:
        decisions = (panel.ratings >= threshold).astype(np.float64)
        rows += _pairs(panel, f"rating >= {threshold:g}", decisions, np.array([0.0, 1.0]), "none")
    return frame(rows, AGREEMENT)


def _scale(ratings: Floats) -> Floats:
    """The categories of all readers; on a scale of whole numbers those that nobody used keep their place."""
    found = np.unique(ratings)
    is_whole = np.array_equal(found, np.round(found)) and found[-1] - found[0] < _MOST_CATEGORIES
    return np.arange(found[0], found[-1] + 1) if is_whole else found


def _pairs(panel: Panel, of: str, values: Floats, scale: Floats, weights: Weights) -> list[dict[str, Any]]:
    rows = []
    for at, modality in enumerate(panel.modalities):
        for first, second in combinations(range(len(panel.readers)), 2):
            found = _kappa(values[at, first], values[at, second], weights, scale)
            who = {"modality": modality, "first": panel.readers[first], "second": panel.readers[second]}
            rows.append(who | {"of": of, "weights": weights, "kappa": found.value} | vars(found))
    return rows


def _kappa(first: Floats, second: Floats, weights: Weights, scale: Floats) -> Kappa:
    if scale.size > _MOST_CATEGORIES:
        flag = f"{scale.size} different ratings are no categories"
        return Kappa(nan, nan, nan, nan, first.size, "Cohen's kappa", flag)
    return cohen_kappa(first, second, weights, scale.tolist())
