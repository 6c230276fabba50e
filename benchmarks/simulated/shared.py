"""Contrasts of the same single models at several centers: do centers differ, and what do these models do on average?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from benchmarks.simulated.areas import classes
from benchmarks.simulated.lines import COVERAGE, TYPE_ONE, Band, Effort, Line, line
from benchmarks.simulated.replicates import per_area, placed, scored, shifts
from evaluation.arrays import Floats, Integers
from evaluation.centers.heterogeneity import Pooled, Test, pool
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.single_models import MeanDifference, case_variances, mean_difference

SEED = 9
SIZES = ((100, 150), (60, 90), (150, 300), (50, 100))
AREAS = (0.8, 0.75)
CASES, FULL = "case variances", "full se (wrong)"
TESTS: dict[Test, str] = {"normal": "normal", "hartung-knapp": "Hartung-Knapp"}


class Study(NamedTuple):
    """The true difference of the very models of a study, and what is pooled, by the error of a center and the test."""

    truth: float
    pooled: Mapping[tuple[str, str], Pooled]


@dataclass(frozen=True)
class Shared:
    """r replicates at four centers; `spread` of true AUCs over replicates, `between` of the contrast over centers."""

    replicates: int
    spread: float
    between: float = 0.0

    def __str__(self) -> str:
        """As in the tables."""
        between = f", {self.between:.2f} over centers" if self.between else ""
        return f"r = {self.replicates}, sd {self.spread:.2f}{between}".replace(" 0.", " .")


def tests(effort: Effort) -> Iterator[Line]:
    """Where centers are alike, Cochran's Q and coverage given the replicates; else how often Q sees it."""
    for r, spread in product((3, 5), (0.0, 0.02, 0.04)):
        setting = Shared(r, spread)
        found = list(studies(setting, effort.of(1_000)))
        yield from _homogeneity(setting, found, TYPE_ONE)
        for test, error in product(TESTS, (CASES, FULL)):
            held = [one.pooled[error, test].low <= one.truth <= one.pooled[error, test].high for one in found]
            yield line(f"{TESTS[test]}, {error}", str(setting), held, COVERAGE if error == CASES else None)
    for spread in (0.0, 0.04):
        setting = Shared(3, spread, between=0.05)
        yield from _homogeneity(setting, list(studies(setting, effort.of(1_000))), None)


def studies(setting: Shared, repetitions: int) -> Iterator[Study]:
    """The same models at each center, where the first cell may be better or worse by a step."""
    random = np.random.default_rng([SEED, setting.replicates, int(1000 * setting.spread), int(1000 * setting.between)])
    labels = [classes(*size) for size in SIZES]
    for _ in range(repetitions):
        shift = shifts(AREAS, setting.spread, random.normal(size=(2, setting.replicates)))
        steps = setting.between * per_area(AREAS)[0] * random.normal(size=len(SIZES))
        there = [shift + np.array([[step], [0.0]]) for step in steps]
        found = [contrast(known, scored(random, known, moved)) for known, moved in zip(labels, there, strict=True)]
        first, second = ndtr(shift / sqrt(2)).mean(axis=1)
        yield Study(float(first - second), pooled(found))


def contrast(labels: Integers, scores: Floats) -> MeanDifference:
    """The mean difference of the single models at one center."""
    first, second = placed(labels, scores)
    clusters = Clusters.of(labels, np.arange(labels.size))
    variances = case_variances(first.positive - second.positive, first.negative - second.negative, clusters)
    return mean_difference(first.auc - second.auc, variances)


def pooled(found: Sequence[MeanDifference]) -> dict[tuple[str, str], Pooled]:
    """By the error of a center and the test."""
    gaps = [one.difference for one in found]
    errors = {CASES: [one.se_cases for one in found], FULL: [one.se for one in found]}
    return {(error, test): pool(gaps, errors[error], test=test) for error in errors for test in TESTS}


def _homogeneity(setting: Shared, found: Sequence[Study], band: Band | None) -> Iterator[Line]:
    for error in (CASES, FULL):
        rejected = [one.pooled[error, "normal"].q_p < 0.05 for one in found]
        yield line(f"Q, {error}", str(setting), rejected, band if error == CASES else None)
