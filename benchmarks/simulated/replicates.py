"""The primary inference: mean differences of single models whose replicates are a sample themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, pi, sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from benchmarks.simulated.areas import classes
from benchmarks.simulated.lines import CONSERVATIVE_INTERVAL, CONSERVATIVE_TEST, Band, Effort, Line, line
from evaluation.arrays import Floats, Integers
from evaluation.comparison.models import Placed
from evaluation.discrimination.areas import auc_difference
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.delong import placements
from evaluation.discrimination.single_models import CaseVariances, case_variances, mean_difference

SEED = 6
SHARED, OF_CELL, OF_REPLICATE, OWN = 0.4, 0.2, 0.1, 0.3
"""Variance over cases: common to all models, to a cell's models, to a replicate's models, and of one model."""
REPLICATES = (3, 5, 9, 15)
REPETITIONS = {3: 4_000, 4: 2_000, 5: 2_500, 9: 1_000, 15: 1_000}
"""By number of replicates: with few of them the methods differ most, and studies are cheap."""
CROSSED, PUBLISHED, NORMAL = "OR, at least cases", "OR as published", "normal where cases"
CASES, AGGREGATE = "cases only", "aggregate"
"""Only the first is what `effects` reports, and judged; it errs on the safe side where replicates are alike."""


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
            yield from _rejections(Setting(r, spread), effort.of(repetitions), CONSERVATIVE_TEST)
    for spread, m, n in ((0.08, 100, 150), (0.04, 25, 40)):
        for r in (3, 4, 5):
            yield from _rejections(Setting(r, spread, m, n), effort.of(REPETITIONS[r]), CONSERVATIVE_TEST)
    for r in (5, 15):
        yield from _rejections(Setting(r, 0.02, common=0.5), effort.of(1_500), None)


def intervals(effort: Effort) -> Iterator[Line]:
    """Coverage where the mean AUCs are .80 and .75; the aggregates' difference is another one and left out."""
    for spread in (0.0, 0.02):
        for r in REPLICATES:
            setting = Setting(r, spread, areas=(0.8, 0.75))
            found = [analyzed(*study) for study in studies(setting, effort.of(1_500))]
            for method in (CROSSED, PUBLISHED, NORMAL, CASES):
                held = [one[method].low <= 0.05 <= one[method].high for one in found]
                yield line(method, str(setting), held, CONSERVATIVE_INTERVAL if method == CROSSED else None)


def _rejections(setting: Setting, repetitions: int, band: Band | None) -> Iterator[Line]:
    found = [analyzed(*study) for study in studies(setting, repetitions)]
    for method in found[0]:
        rejected = [one[method].p < 0.05 for one in found]
        yield line(method, str(setting), rejected, band if method == CROSSED else None)


def studies(setting: Setting, repetitions: int) -> Iterator[tuple[Integers, Floats]]:
    """Labels, and scores of the two cells' replicates on the same cases, (2, r, cases)."""
    r, size = setting.replicates, setting.m + setting.n
    random = np.random.default_rng([SEED, r, size, int(1000 * setting.spread), int(100 * setting.areas[1])])
    labels = classes(setting.m, setting.n)
    for _ in range(repetitions):
        of_cell, of_replicate = random.normal(size=(2, 1)), random.normal(size=(2, r))
        drift = sqrt(setting.common) * of_cell + sqrt(1 - setting.common) * of_replicate
        yield labels, scored(random, labels, shifts(setting.areas, setting.spread, drift))


def shifts(areas: tuple[float, float], spread: float, drift: Floats) -> Floats:
    """How far each replicate's positives lie above the negatives; `drift`: (2, r) of unit variance.

    Averaged over the drift, the AUC is the normal probability of the shift over sqrt(2 + spread^2).
    """
    normal, wide = ndtri(np.array(areas))[:, None], spread * per_area(areas)[:, None]
    return np.asarray(normal * np.sqrt(2 + wide**2) + wide * drift)


def per_area(areas: tuple[float, ...]) -> Floats:
    """How far a shift moves per unit of the AUC, to first order."""
    return np.asarray(2 * sqrt(pi) * np.exp(ndtri(np.array(areas)) ** 2 / 2))


def scored(random: np.random.Generator, labels: Integers, shift: Floats) -> Floats:
    """Scores of the two cells' replicates, (2, r, cases)."""
    r, size = shift.shape[1], labels.size
    noise = (
        sqrt(SHARED) * random.normal(size=size)
        + sqrt(OF_CELL) * random.normal(size=(2, 1, size))
        + sqrt(OF_REPLICATE) * random.normal(size=(r, size))
        + sqrt(OWN) * random.normal(size=(2, r, size))
    )
    return np.asarray(shift[:, :, None] * labels + noise)


def analyzed(labels: Integers, scores: Floats) -> Mapping[str, Tested]:
    """One study by every method that needs no resampling."""
    first, second = placed(labels, scores)
    clusters = Clusters.of(labels, np.arange(labels.size))
    variances = case_variances(first.positive - second.positive, first.negative - second.negative, clusters)
    found = mean_difference(first.auc - second.auc, variances)
    whole = auc_difference(labels, *scores.mean(axis=1))
    as_published, se, df = published(first.auc - second.auc, variances)
    return {
        CROSSED: Tested(found.p, found.low, found.high),
        PUBLISHED: as_published,
        NORMAL: _tested(found.difference, found.se, df if se >= found.se_cases else inf),
        CASES: _tested(found.difference, found.se_cases, inf),
        AGGREGATE: Tested(whole.p, whole.low, whole.high),
    }


def placed(labels: Integers, scores: Floats) -> list[Placed]:
    """Placements of each cell's replicates."""
    return [Placed.of([placements(labels, model) for model in cell]) for cell in scores]


def published(gaps: Floats, cases: CaseVariances) -> tuple[Tested, float, float]:
    """Obuchowski and Rockette's test without a lower limit of its standard error; that error, and Hillis's df."""
    spread = float(np.var(gaps, ddof=1))
    total = spread + gaps.size * max(cases.between, 0.0)
    se, df = sqrt(total / gaps.size), total**2 / (spread**2 / (gaps.size - 1))
    return _tested(float(gaps.mean()), se, df), se, df


def _tested(difference: float, se: float, df: float) -> Tested:
    half = float(stdtrit(df, 0.975)) * se
    return Tested(2 * float(stdtr(df, -abs(difference) / se)), difference - half, difference + half)
