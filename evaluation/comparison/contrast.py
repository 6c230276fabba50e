"""One contrast of cells on one panel: single models over cases and replicates, and the aggregates beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan, sqrt

import numpy as np

from evaluation.arrays import Floats
from evaluation.comparison.cases import Cases
from evaluation.comparison.effects import Effect
from evaluation.comparison.models import Placed, Replicate, Units
from evaluation.comparison.panels import Panel, shared_patients
from evaluation.comparison.primary import Pair
from evaluation.discrimination.areas import CLUSTERED, DELONG, Difference, tested
from evaluation.discrimination.single_models import (
    CaseVariances,
    MeanDifference,
    case_variance,
    case_variances,
    mean_difference,
)
from evaluation.discrimination.strata import SHARED_PATIENTS

Weights = Mapping[str, float]
"""Cell -> its weight; those of the first cells add up to 1, those of the second to -1."""


@dataclass(frozen=True, eq=False)
class Measured:
    """A contrast on one set of cases; what several centers found can be put together."""

    replicates: tuple[Replicate, ...]
    models: Floats
    """(2, replicates): mean AUC of the single models of the first cells, and of the second."""
    cases: CaseVariances
    """Of the units of `replicates`."""
    aggregates: Floats
    """(2,): mean AUC of the aggregates."""
    aggregate_variance: float
    n_positive: int
    n_negative: int
    repeated_patients: bool
    flag: str = ""

    @property
    def single(self) -> MeanDifference:
        """The primary inference: single models, over cases and replicates."""
        units = Units.of(self.replicates)
        found = mean_difference(
            units.means @ (self.models[0] - self.models[1]),
            self.cases,
            units=units.name,
            models=len(self.replicates),
            repeated_patients=self.repeated_patients,
        )
        return replace(found, flag="; ".join(filter(None, [found.flag, self.flag])))

    @property
    def sd_replicates(self) -> float:
        """Standard deviation of the single models' differences."""
        gaps = self.models[0] - self.models[1]
        return float(np.std(gaps, ddof=1)) if gaps.size > 1 else nan

    @property
    def aggregate(self) -> Difference:
        """The secondary inference: aggregates, over cases."""
        se = nan if isnan(self.aggregate_variance) else sqrt(max(self.aggregate_variance, 0.0))
        method = CLUSTERED if self.repeated_patients else DELONG
        return tested(float(self.aggregates[0]), float(self.aggregates[1]), se, method, "")


def weights_of(pairs: Mapping[str, Sequence[Pair]]) -> Weights:
    """Equal weight per backbone, and within a backbone per pair."""
    weights: dict[str, float] = {}
    for found in pairs.values():
        share = 1 / (len(pairs) * len(found))
        for first, second in found:
            weights[first] = weights.get(first, 0.0) + share
            weights[second] = weights.get(second, 0.0) - share
    return weights


def deviations(effect: Effect) -> dict[str, Weights]:
    """Each backbone's contrast minus the mean of the others'; of two backbones one says it all."""
    found: dict[str, Weights] = {}
    for backbone, pairs in effect.pairs.items():
        others = weights_of({name: other for name, other in effect.pairs.items() if name != backbone})
        own = weights_of({backbone: pairs})
        found[backbone] = {cell: own.get(cell, 0.0) - others.get(cell, 0.0) for cell in {**own, **others}}
    return found if len(found) > 2 else dict(list(found.items())[: len(found) - 1])


def measure(panel: Panel, weights: Weights, only: Sequence[Replicate] | None = None) -> Measured | None:
    """The contrast on the cases that all of its cells scored, with the replicates that all of them have.

    None where a cell has no score here, one class is absent or no replicate is shared.
    """
    if not set(weights) <= set(panel.scores):
        return None
    whole_cases = panel.cases(*weights)
    cases = panel.scored_by_models(weights, whole_cases)
    if cases.one_class:
        return None
    lost = whole_cases.labels.size - cases.labels.size
    replicates, models = panel.placed_models(weights, cases, only)
    if not replicates:
        return None
    whole = {cell: panel.placements(cell, cases) for cell in weights}
    return Measured(
        replicates=tuple(replicates),
        models=np.stack([_side(models, weights, sign) for sign in (1, -1)]),
        cases=case_variances(*_sums(models, weights, Units.of(replicates).means), cases.clusters),
        aggregates=np.array(
            [sum(_weighed(weights, cell, sign) * whole[cell].auc for cell in weights) for sign in (1, -1)]
        ),
        aggregate_variance=_aggregate_variance(panel, weights, cases),
        n_positive=cases.n_positive,
        n_negative=cases.n_negative,
        repeated_patients=cases.clusters.repeat,
        flag=f"{lost} images that some model did not score left out" if lost else "",
    )


def stratify(centers: Sequence[Panel], weights: Weights) -> Measured | None:
    """Pairs of cases within a center only: centers weighted by their pairs of cases, and taken as independent.

    Centers where nothing can be compared are left out and named. Where centers share patients there is no variance.
    """
    found = [(panel, measured) for panel in centers if (measured := measure(panel, weights)) is not None]
    shared = sorted(set.intersection(*(set(measured.replicates) for _, measured in found))) if found else []
    parts = [
        measured if list(measured.replicates) == shared else measure(panel, weights, shared)
        for panel, measured in found
        if shared
    ]
    known = [part for part in parts if part is not None]
    if not known:
        return None
    measured_at = {panel.center for panel, _ in found}
    lost = [panel.center for panel in centers if panel.center not in measured_at]
    left_out = f"without {', '.join(lost)}" if lost else ""
    return _together(known, left_out, shared_patients([panel for panel, _ in found]))


def _together(parts: list[Measured], left_out: str, twice: int) -> Measured:
    unknown = nan if twice else 1.0
    own = dict.fromkeys(part.flag for part in parts)
    pairs = np.array([part.n_positive * part.n_negative for part in parts], dtype=np.float64)
    share = pairs / pairs.sum()
    return Measured(
        replicates=parts[0].replicates,
        models=np.tensordot(share, np.stack([part.models for part in parts]), axes=1),
        cases=CaseVariances(
            each=np.asarray(share**2 @ np.stack([part.cases.each for part in parts])) * unknown,
            mean=float(share**2 @ np.array([part.cases.mean for part in parts])) * unknown,
        ),
        aggregates=np.asarray(share @ np.stack([part.aggregates for part in parts])),
        aggregate_variance=float(share**2 @ np.array([part.aggregate_variance for part in parts])) * unknown,
        n_positive=sum(part.n_positive for part in parts),
        n_negative=sum(part.n_negative for part in parts),
        repeated_patients=any(part.repeated_patients for part in parts),
        flag="; ".join(filter(None, [*own, left_out, SHARED_PATIENTS.format(twice) if twice else ""])),
    )


def _side(models: Mapping[str, Placed], weights: Weights, sign: int) -> Floats:
    return np.asarray(sum(_weighed(weights, cell, sign) * placed.auc for cell, placed in models.items()))


def _weighed(weights: Weights, cell: str, sign: int) -> float:
    """The cell's weight on one side of the contrast, 0 on the other."""
    return max(sign * weights[cell], 0.0)


def _sums(models: Mapping[str, Placed], weights: Weights, means: Floats) -> tuple[Floats, Floats]:
    """Differences of placements, unit by unit."""
    positive = sum(weights[cell] * placed.positive for cell, placed in models.items())
    negative = sum(weights[cell] * placed.negative for cell, placed in models.items())
    return means @ positive, means @ negative


def _aggregate_variance(panel: Panel, weights: Weights, cases: Cases) -> float:
    whole = {cell: panel.placements(cell, cases) for cell in weights}
    positive = sum(weights[cell] * placed.positive for cell, placed in whole.items())
    negative = sum(weights[cell] * placed.negative for cell, placed in whole.items())
    return case_variance(np.asarray(positive), np.asarray(negative), cases.clusters)
