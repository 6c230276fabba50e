"""Which images a cell calls positive: by a threshold carried from the reserve, per fold, or chosen on the test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from evaluation.arrays import Bools
from evaluation.comparison.cases import Cases
from evaluation.comparison.models import Replicate
from evaluation.comparison.panels import POOLED, Panel
from evaluation.decisions.thresholds import choose_threshold
from search_spaces.study import Threshold

RESERVE, FOLDS, TEST = "reserve", "fold thresholds", "test"
ENOUGH = 5
"""Fewest positives and fewest negatives on which the reserve may choose thresholds."""


@dataclass(frozen=True)
class Carried:
    """A decision rule fixed before the test: one threshold of the aggregate, or one per single model.

    Thresholds are on the scale by which the cell orders images.
    """

    source: str
    threshold: float = nan
    by_replicate: Mapping[Replicate, float] | None = None

    def calls(self, panel: Panel, cell: str, cases: Cases) -> Bools:
        """Positive is score >= threshold; with fold thresholds more than half of the models must call it."""
        if self.by_replicate is None:
            return np.asarray(panel.score(cell, cases) >= self.threshold)
        models = panel.models[cell].at(cases.used)
        each = [self.by_replicate.get(replicate, nan) for replicate in models.replicates]
        limits = np.array(each)[:, np.newaxis]
        voting = ~np.isnan(models.scores) & ~np.isnan(limits)
        return np.asarray(2 * np.sum((models.scores >= limits) & voting, axis=0) > voting.sum(axis=0))

    def shown(self, panel: Panel, cell: str) -> float:
        """The threshold between 0 and 1; NaN where there is one per model."""
        return float(panel.shown(cell, self.threshold))


def carried(boards: Sequence[Panel], cell: str, rule: Threshold) -> Carried | None:
    """Chosen on the aggregated score of the whole reserve; per fold where its positives or negatives are too few.

    None where neither can choose: no reserve of 5 positives and 5 negatives, and no fold with both classes.
    """
    pooled = {panel.role: panel for panel in boards if panel.center == POOLED and cell in panel.scores}
    reserve = pooled.get("reserve")
    if reserve is not None:
        cases = reserve.cases(cell)
        if min(cases.n_positive, cases.n_negative) >= ENOUGH:
            return Carried(RESERVE, choose_threshold(cases.labels, reserve.score(cell, cases), rule))
    return _by_fold(pooled["validation"], cell, rule) if "validation" in pooled else None


def chosen_on_test(panel: Panel, cell: str, cases: Cases, rule: Threshold) -> Carried:
    """The threshold that the rule picks on the very cases it is shown for: optimistic."""
    return Carried(TEST, choose_threshold(cases.labels, panel.score(cell, cases), rule))


def _by_fold(validation: Panel, cell: str, rule: Threshold) -> Carried | None:
    """Each single model chooses on the patients that its own fold held out."""
    labels, models = validation.labels[validation.arms[cell]], validation.models[cell]
    found = {}
    for replicate, scores in zip(models.replicates, models.scores, strict=True):
        held_out = ~np.isnan(scores)
        if np.unique(labels[held_out]).size == 2:
            found[replicate] = choose_threshold(labels[held_out], scores[held_out], rule)
    return Carried(FOLDS, by_replicate=found) if found else None
