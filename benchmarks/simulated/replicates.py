"""The primary inference: mean differences of single models whose replicates are a sample themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit
from scipy.stats import norm

from benchmarks.simulated.areas import classes
from benchmarks.simulated.lines import COVERAGE, TYPE_ONE, Band, Effort, Line, line
from evaluation.arrays import Floats, Integers
from evaluation.clustered import Clusters
from evaluation.comparison.models import Placed
from evaluation.delong import placements
from evaluation.discrimination import auc_difference
from evaluation.resampling import AucKernel, Resamples, far_side
from evaluation.single_models import MeanDifference, case_variances, mean_difference, two_way_bootstrap

SEED = 6
SHARED, OF_CELL, OF_REPLICATE, OWN = 0.4, 0.2, 0.1, 0.3
"""Variance over cases: common to all models, to a cell's models, to a replicate's models, and of one model."""
DRAWS = 500
REPLICATES = (3, 5, 9, 15)
REPETITIONS = {3: 6_000, 4: 3_000, 5: 4_000, 9: 2_000, 15: 2_000}
"""By number of replicates: with few of them the methods differ most, and studies are cheap."""
CROSSED, LARGER, NORMAL = "OR", "larger, OR's df", "larger, normal where cases"
CASES, AGGREGATE, BOOTSTRAP = "cases only", "aggregate", "two-way bootstrap"
JUDGED = (CROSSED, LARGER, NORMAL)


class Tested(NamedTuple):
    """What one method says about one study."""

    p: float
    low: float
    high: float


@dataclass(frozen=True)
class Setting:
    """Two cells with r replicates; `spread` is the standard deviation of the replicates' true AUCs in a cell.

    `common` is the share of the variance that all replicates of a cell have together, such as one training set.
    """

    replicates: int
    spread: float
    m: int = 100
    n: int = 150
    areas: tuple[float, float] = (0.8, 0.8)
    common: float = 0.0

    def __str__(self) -> str:
        """As in the tables."""
        common = f", {self.common:.1f} of the variance common".replace(" 0.", " .") if self.common else ""
        return f"r = {self.replicates}, sd {self.spread:.2f}".replace(" 0.", " .") + f", {self.m} + {self.n}{common}"


def tests(effort: Effort) -> Iterator[Line]:
    """Type I error where both cells have a mean AUC of .80."""
    for spread in (0.0, 0.01, 0.02, 0.04):
        for r, repetitions in REPETITIONS.items():
            yield from _rejections(Setting(r, spread), effort.of(repetitions), TYPE_ONE)
    for spread, m, n in ((0.08, 100, 150), (0.04, 25, 40)):
        for r in (3, 4, 5):
            yield from _rejections(Setting(r, spread, m, n), effort.of(REPETITIONS[r]), TYPE_ONE)
    for r in (5, 15):
        yield from _rejections(Setting(r, 0.02, common=0.5), effort.of(2_000), None)


def intervals(effort: Effort) -> Iterator[Line]:
    """Coverage where the mean AUCs are .80 and .75; the aggregates' difference is another one and left out."""
    for spread in (0.0, 0.02):
        for r in REPLICATES:
            setting = Setting(r, spread, areas=(0.8, 0.75))
            found = [analyzed(*study) for study in studies(setting, effort.of(2_000))]
            for method in (CROSSED, LARGER, NORMAL, CASES):
                held = [one[method].low <= 0.05 <= one[method].high for one in found]
                yield line(method, str(setting), held, COVERAGE if method in JUDGED else None)


def bootstraps(effort: Effort) -> Iterator[Line]:
    """Type I error of the two-way bootstrap, and of OR on the same studies."""
    for spread in (0.0, 0.02):
        for r in REPLICATES:
            setting, crossed, drawn = Setting(r, spread), [], []
            for number, (labels, scores) in enumerate(studies(setting, effort.of(500))):
                crossed.append(analyzed(labels, scores)[CROSSED].p < 0.05)
                drawn.append(bootstrap_p(labels, scores, number) < 0.05)
            yield line(CROSSED, str(setting), crossed, TYPE_ONE)
            yield line(BOOTSTRAP, str(setting), drawn, TYPE_ONE)


def _rejections(setting: Setting, repetitions: int, band: Band | None) -> Iterator[Line]:
    found = [analyzed(*study) for study in studies(setting, repetitions)]
    for method in found[0]:
        rejected = [one[method].p < 0.05 for one in found]
        yield line(method, str(setting), rejected, band if method in JUDGED else None)


def studies(setting: Setting, repetitions: int) -> Iterator[tuple[Integers, Floats]]:
    """Labels, and scores of the two cells' replicates on the same cases, (2, r, cases)."""
    r, size = setting.replicates, setting.m + setting.n
    random = np.random.default_rng([SEED, r, size, int(1000 * setting.spread), int(100 * setting.areas[1])])
    labels = classes(setting.m, setting.n)
    normal = ndtri(np.array(setting.areas))[:, None]
    spread = setting.spread * sqrt(2) / norm.pdf(normal)
    for _ in range(repetitions):
        drift = sqrt(setting.common) * random.normal(size=(2, 1)) + sqrt(1 - setting.common) * random.normal(
            size=(2, r)
        )
        # Averaged over the drift, the AUC is the normal probability of the shift over sqrt(2 + spread^2).
        shift = normal * np.sqrt(2 + spread**2) + spread * drift
        noise = (
            sqrt(SHARED) * random.normal(size=size)
            + sqrt(OF_CELL) * random.normal(size=(2, 1, size))
            + sqrt(OF_REPLICATE) * random.normal(size=(r, size))
            + sqrt(OWN) * random.normal(size=(2, r, size))
        )
        yield labels, shift[:, :, None] * labels + noise


def analyzed(labels: Integers, scores: Floats) -> Mapping[str, Tested]:
    """One study by every method that needs no resampling."""
    first, second = (Placed.of([placements(labels, model) for model in cell]) for cell in scores)
    clusters = Clusters.of(labels, np.arange(labels.size))
    variances = case_variances(first.positive - second.positive, first.negative - second.negative, clusters)
    found = mean_difference(first.auc - second.auc, variances)
    whole = auc_difference(labels, *scores.mean(axis=1))
    larger = max(found.se, found.se_cases)
    return {
        CROSSED: Tested(found.p, found.low, found.high),
        LARGER: _tested(found, larger, found.df),
        NORMAL: _tested(found, larger, found.df if found.se >= found.se_cases else inf),
        CASES: _tested(found, found.se_cases, inf),
        AGGREGATE: Tested(whole.p, whole.low, whole.high),
    }


def bootstrap_p(labels: Integers, scores: Floats, seed: int) -> float:
    """The percentile p of the two-way bootstrap."""
    resamples = Resamples.of(labels, None, DRAWS, seed)
    counts = np.concatenate(list(resamples.chunks()))
    first, second = (
        np.stack([AucKernel.of(labels == 1, model).auc(counts) for model in cell], axis=1) for cell in scores
    )
    return far_side(two_way_bootstrap(first - second, resamples))


def _tested(found: MeanDifference, se: float, df: float) -> Tested:
    half = float(stdtrit(df, 0.975)) * se
    p = 2 * float(stdtr(df, -abs(found.difference) / se))
    return Tested(p, found.difference - half, found.difference + half)
