"""The two-way bootstrap of cases and replicates, where cases dominate, where replicates do, and without cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from benchmarks.simulated.lines import (
    CONSERVATIVE_INTERVAL,
    CONSERVATIVE_TEST,
    COVERAGE,
    TYPE_ONE,
    Band,
    Effort,
    Line,
    line,
)
from benchmarks.simulated.replicates import CROSSED, Setting, Tested, analyzed, studies
from evaluation.arrays import Floats, Integers
from evaluation.discrimination.single_models import CaseVariances, mean_difference, two_way_bootstrap
from evaluation.resampling import AucKernel, Resamples, far_side

SEED = 8
DRAWS = 500
Bands = Mapping[str, Band | None]
REPLICATES = (3, 5, 10)
DRAWN_FEWER, DRAWN_ALL = "bootstrap, r - 1 of r", "bootstrap, r of r (not used)"


TEST_BANDS = {CROSSED: CONSERVATIVE_TEST, DRAWN_FEWER: TYPE_ONE, DRAWN_ALL: None}
INTERVAL_BANDS = {CROSSED: CONSERVATIVE_INTERVAL, DRAWN_FEWER: COVERAGE, DRAWN_ALL: None}


def tests(effort: Effort) -> Iterator[Line]:
    """Type I error where both cells have a mean AUC of .80."""
    for spread in (0.0, 0.02, 0.08):
        for r in REPLICATES:
            setting = Setting(r, spread)
            yield from _lines(str(setting), _found(setting, effort.of(500)), lambda one: one.p < 0.05, TEST_BANDS)
    for r in REPLICATES:
        found = list(without_cases(r, effort.of(2_000)))
        yield from _lines(f"r = {r}, replicates only", found, lambda one: one.p < 0.05, TEST_BANDS)


def intervals(effort: Effort) -> Iterator[Line]:
    """Coverage where the mean AUCs are .80 and .75."""
    for r in REPLICATES:
        setting = Setting(r, 0.08, areas=(0.8, 0.75))
        found = _found(setting, effort.of(500))
        yield from _lines(str(setting), found, lambda one: one.low <= 0.05 <= one.high, INTERVAL_BANDS)


def without_cases(r: int, repetitions: int) -> Iterator[dict[str, Tested]]:
    """Studies whose true AUCs are known: the differences of r replicates, normal around 0."""
    random = np.random.default_rng([SEED, r])
    labels = np.array([0, 1])
    for seed in range(repetitions):
        gaps = random.normal(size=r)
        found = mean_difference(gaps, CaseVariances(np.zeros(r), 0.0))
        resamples = Resamples.of(labels, None, DRAWS, seed)
        yield {CROSSED: Tested(found.p, found.low, found.high)} | both(np.tile(gaps, (DRAWS, 1)), resamples)


def bootstrapped(labels: Integers, scores: Floats, seed: int) -> dict[str, Tested]:
    """Percentile p and interval of a study, (2, r, cases)."""
    resamples = Resamples.of(labels, None, DRAWS, seed)
    counts = np.concatenate(list(resamples.chunks()))
    first, second = (
        np.stack([AucKernel.of(labels == 1, model).auc(counts) for model in cell], axis=1) for cell in scores
    )
    return both(first - second, resamples)


def both(draws: Floats, resamples: Resamples) -> dict[str, Tested]:
    """As it is, and as it would be if as many replicates were drawn as there are."""
    values = {DRAWN_FEWER: two_way_bootstrap(draws, resamples), DRAWN_ALL: draw_all(draws, resamples.seed)}
    return {
        name: Tested(far_side(drawn), *np.quantile(drawn, [0.025, 0.975]).tolist()) for name, drawn in values.items()
    }


def draw_all(draws: Floats, seed: int) -> Floats:
    """Means of r replicates of r, (draws)."""
    picked = np.random.default_rng([seed, 1]).integers(0, draws.shape[1], draws.shape)
    return np.asarray(np.take_along_axis(draws, picked, axis=1).mean(axis=1))


def _found(setting: Setting, repetitions: int) -> list[dict[str, Tested]]:
    return [
        {CROSSED: analyzed(labels, scores)[CROSSED]} | bootstrapped(labels, scores, seed)
        for seed, (labels, scores) in enumerate(studies(setting, repetitions))
    ]


def _lines(
    setting: str, found: list[dict[str, Tested]], event: Callable[[Tested], bool], bands: Bands
) -> Iterator[Line]:
    for name, band in bands.items():
        yield line(name, setting, [event(one[name]) for one in found], band)
