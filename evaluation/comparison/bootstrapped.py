"""The two-way bootstrap of planned contrasts: patients and replicates are drawn, all cells on the same draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import nan
from typing import Any

import numpy as np

from evaluation.arrays import Floats
from evaluation.comparison.cases import Cases
from evaluation.comparison.contrast import Weights, weights_of
from evaluation.comparison.effects import Effect
from evaluation.comparison.models import Replicate, Units
from evaluation.comparison.panels import Panel
from evaluation.discrimination.single_models import two_way_bootstrap
from evaluation.resampling import AucKernel, Resamples, cores, far_side
from search_spaces.study import Bootstrap


@dataclass(frozen=True)
class Bounds:
    """95 % percentile interval and two-sided percentile p."""

    low: float = nan
    high: float = nan
    p: float = nan
    method: str = ""

    def row(self) -> dict[str, Any]:
        """As columns of a frame."""
        return {"bootstrap_low": self.low, "bootstrap_high": self.high, "bootstrap_p": self.p, "bootstrap": self.method}


def two_way_bounds(panel: Panel, effects: Iterable[Effect], plan: Bootstrap) -> dict[Effect, Bounds]:
    """Bounds of each contrast that can be measured on the panel; models are resampled once, however many share them."""
    wanted = {effect: weights_of(effect.among(panel.scores).pairs) for effect in effects}
    groups: dict[bytes, list[tuple[Effect, Weights]]] = {}
    for effect, weights in wanted.items():
        cases = panel.scored_by_models(weights, panel.cases(*weights)) if weights else None
        if cases is not None and not cases.one_class:
            groups.setdefault(cases.used.tobytes() + cases.labels.tobytes(), []).append((effect, weights))
    found: dict[Effect, Bounds] = {}
    for group in groups.values():
        cases = panel.scored_by_models(group[0][1], panel.cases(*group[0][1]))
        resamples = Resamples.of(cases.labels, cases.patients, plan.draws, plan.seed)
        draws = _model_draws(panel, {cell for _, weights in group for cell in weights}, cases, resamples)
        found |= {effect: _bounds(weights, draws, resamples) for effect, weights in group}
    return found


def _model_draws(
    panel: Panel, cells: Iterable[str], cases: Cases, resamples: Resamples
) -> dict[str, dict[Replicate, Floats]]:
    """AUC of every single model in every draw; the counts are made once and serve all models."""
    kernels = {
        (cell, replicate): AucKernel.of(cases.labels == 1, scores)
        for cell in sorted(cells)
        for replicate, scores in panel.model_scores(cell, cases).items()
    }
    drawn: dict[tuple[str, Replicate], list[Floats]] = {name: [] for name in kernels}
    with ThreadPoolExecutor(cores()) as pool:  # numpy lets threads compute at the same time
        for counts in resamples.chunks():
            aucs = pool.map(partial(AucKernel.auc, counts=counts), kernels.values())
            for name, values in zip(kernels, aucs, strict=True):
                drawn[name].append(values)
    found: dict[str, dict[Replicate, Floats]] = {}
    for (cell, replicate), parts in drawn.items():
        found.setdefault(cell, {})[replicate] = np.concatenate(parts)
    return found


def _bounds(weights: Weights, draws: Mapping[str, Mapping[Replicate, Floats]], resamples: Resamples) -> Bounds:
    shared = sorted(set.intersection(*(set(draws.get(cell, {})) for cell in weights)))
    if not shared:
        return Bounds()
    models = np.stack([_sum(weights, draws, replicate) for replicate in shared], axis=1)
    values = two_way_bootstrap(models @ Units.of(shared).means.T, resamples)
    known = values[~np.isnan(values)]
    if not known.size:
        return Bounds()
    low, high = np.quantile(known, [0.025, 0.975])
    method = f"two-way {resamples.method}; {resamples.draws} draws, seed {resamples.seed}, percentile"
    return Bounds(float(low), float(high), far_side(known), method)


def _sum(weights: Weights, draws: Mapping[str, Mapping[Replicate, Floats]], replicate: Replicate) -> Floats:
    return np.asarray(sum(weight * draws[cell][replicate] for cell, weight in weights.items()))
