"""Thresholds chosen by a rule, and what a threshold does to a set of cases. Positive is score >= threshold."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike

from evaluation.arrays import checked
from evaluation.decisions.proportions import Proportion, clopper_pearson
from search_spaces.study import SensitivityAtLeast, SpecificityAtLeast, Threshold


@dataclass(frozen=True)
class OperatingPoint:
    """The 2 x 2 table at one threshold."""

    threshold: float
    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def sensitivity(self) -> Proportion:
        """Share of the positives that are called positive."""
        return clopper_pearson(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> Proportion:
        """Share of the negatives that are called negative."""
        return clopper_pearson(self.tn, self.tn + self.fp)

    @property
    def ppv(self) -> Proportion:
        """Share of the called positives that are positive, at this set's prevalence."""
        return clopper_pearson(self.tp, self.tp + self.fp)

    @property
    def npv(self) -> Proportion:
        """Share of the called negatives that are negative, at this set's prevalence."""
        return clopper_pearson(self.tn, self.tn + self.fn)


def rule_name(rule: Threshold) -> str:
    """`sensitivity>=0.90`, `specificity>=0.90` or `youden`."""
    if isinstance(rule, SensitivityAtLeast):
        return f"sensitivity>={_decimals(rule.sensitivity)}"
    if isinstance(rule, SpecificityAtLeast):
        return f"specificity>={_decimals(rule.specificity)}"
    return rule


def choose_threshold(labels: ArrayLike, scores: ArrayLike, rule: Threshold) -> float:
    """The threshold a rule picks among the observed scores and infinity (nobody is called positive).

    Sensitivity: the highest threshold that reaches it. Specificity: the lowest that reaches it. Youden (1950): the
    largest sensitivity + specificity - 1, in case of a tie the one with the higher sensitivity.
    """
    is_positive, values = checked(labels, scores)
    positives, negatives = np.sort(values[is_positive]), np.sort(values[~is_positive])
    candidates = np.append(np.unique(values), np.inf)
    sensitive = positives.size - np.searchsorted(positives, candidates, side="left")
    specific = np.searchsorted(negatives, candidates, side="left")
    if isinstance(rule, SensitivityAtLeast):
        return float(candidates[sensitive / positives.size >= rule.sensitivity][-1])
    if isinstance(rule, SpecificityAtLeast):
        return float(candidates[specific / negatives.size >= rule.specificity][0])
    return float(candidates[np.argmax(sensitive * negatives.size + specific * positives.size)])


def operating_point(labels: ArrayLike, scores: ArrayLike, threshold: float) -> OperatingPoint:
    """Counts at a threshold; one class alone is allowed here, because a carried threshold may meet it."""
    return count(labels, np.asarray(scores, dtype=np.float64) >= threshold, threshold)


def count(labels: ArrayLike, called: ArrayLike, threshold: float = nan) -> OperatingPoint:
    """Counts of decisions that are already made (booleans); `threshold` is NaN where there was not one for all."""
    truth, positive = np.asarray(labels) == 1, np.asarray(called, dtype=bool)
    if truth.shape != positive.shape:
        raise ValueError(f"labels and decisions must be equally long, got {truth.shape} and {positive.shape}")
    return OperatingPoint(
        threshold=float(threshold),
        tp=int(np.count_nonzero(truth & positive)),
        fp=int(np.count_nonzero(~truth & positive)),
        fn=int(np.count_nonzero(truth & ~positive)),
        tn=int(np.count_nonzero(~truth & ~positive)),
    )


def _decimals(value: float) -> str:
    return f"{value:.2f}" if round(value, 2) == value else f"{value:g}"
