"""Replicates that are folds x seeds: the seeds of a fold share training patients and are no draws of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import hypot

import numpy as np

from benchmarks.simulated.areas import classes
from benchmarks.simulated.lines import CONSERVATIVE_TEST, Effort, Line, line
from benchmarks.simulated.replicates import placed, published, scored, shifts
from evaluation.arrays import Floats, Integers
from evaluation.comparison.models import Replicate, Units
from evaluation.discrimination.clustered import Clusters
from evaluation.discrimination.single_models import CaseVariances, case_variances, mean_difference

SEED = 7
DESIGNS = ((5, 3), (3, 2), (2, 5))
REPETITIONS = {5: 1_200, 3: 2_500, 2: 1_500}
"""By number of folds; many models take long."""
SPREADS = (
    (0.0, 0.0),
    (0.0, 0.02),
    (0.0, 0.04),
    (0.01, 0.02),
    (0.02, 0.0),
    (0.02, 0.02),
    (0.02, 0.04),
    (0.04, 0.0),
    (0.04, 0.02),
    (0.04, 0.04),
)
"""Standard deviations over folds and over the seeds of a fold, on the AUC scale."""
RATIOS = ((0.0, 0.02), (0.01, 0.04), (0.01, 0.02), (0.02, 0.02), (0.02, 0.01), (0.04, 0.01), (0.02, 0.0))
"""The same without cases, where nothing but their ratio matters."""
FOLDS, PUBLISHED, EXCHANGEABLE = "folds as units", "folds, OR as published", "all replicates as units"


@dataclass(frozen=True)
class Design:
    """Two cells with the same folds and seeds; standard deviations of true AUCs in a cell."""

    folds: int
    seeds: int
    of_fold: float
    of_seed: float

    def __str__(self) -> str:
        """As in the tables."""
        spreads = f"sd {self.of_fold:.2f} of folds, {self.of_seed:.2f} of seeds".replace(" 0.", " .")
        return f"{self.folds} folds x {self.seeds} seeds, {spreads}"

    @property
    def replicates(self) -> list[Replicate]:
        """Fold and seed of each replicate."""
        return list(product(range(self.folds), range(self.seeds)))

    @property
    def spread(self) -> float:
        """Standard deviation over all replicates."""
        return hypot(self.of_fold, self.of_seed)

    def drift(self, random: np.random.Generator) -> Floats:
        """Deviations of the replicates of both cells from their mean AUC, (2, replicates)."""
        of_fold, of_seed = random.normal(size=(2, self.folds, 1)), random.normal(size=(2, self.folds, self.seeds))
        return np.asarray((self.of_fold * of_fold + self.of_seed * of_seed).reshape(2, -1))

    def random(self) -> np.random.Generator:
        """A stream of its own."""
        return np.random.default_rng([SEED, self.folds, self.seeds, int(1000 * self.of_fold), int(1000 * self.of_seed)])


def tests(effort: Effort) -> Iterator[Line]:
    """Type I error where both cells have a mean AUC of .80."""
    for (folds, seeds), (of_fold, of_seed) in product(DESIGNS, SPREADS):
        design = Design(folds, seeds, of_fold, of_seed)
        found = [analyzed(design, *study) for study in studies(design, effort.of(REPETITIONS[folds]))]
        yield from _lines(design, found)


def tests_without_cases(effort: Effort) -> Iterator[Line]:
    """The same where every true AUC is known, as with endless test sets."""
    for (folds, seeds), (of_fold, of_seed) in product(DESIGNS, RATIOS):
        design = Design(folds, seeds, of_fold, of_seed)
        random = design.random()
        drifts = (design.drift(random) for _ in range(effort.of(5_000)))
        yield from _lines(design, [without_cases(design, first - second) for first, second in drifts])


def studies(design: Design, repetitions: int) -> Iterator[tuple[Integers, Floats]]:
    """Labels, and scores of the two cells' replicates on the same cases, (2, replicates, cases)."""
    random, labels = design.random(), classes(100, 150)
    for _ in range(repetitions):
        drift = design.drift(random) / (design.spread or 1)
        yield labels, scored(random, labels, shifts((0.8, 0.8), design.spread, drift))


def analyzed(design: Design, labels: Integers, scores: Floats) -> Mapping[str, float]:
    """p by what counts as a unit."""
    first, second = placed(labels, scores)
    positive, negative = first.positive - second.positive, first.negative - second.negative
    clusters = Clusters.of(labels, np.arange(labels.size))
    return p_values(
        design, first.auc - second.auc, lambda means: case_variances(means @ positive, means @ negative, clusters)
    )


def without_cases(design: Design, gaps: Floats) -> Mapping[str, float]:
    """The same from true differences of AUCs."""
    return p_values(design, gaps, lambda means: CaseVariances(np.zeros(len(means)), 0.0))


def p_values(design: Design, gaps: Floats, cases: Callable[[Floats], CaseVariances]) -> Mapping[str, float]:
    """From the replicates' differences, and the variances over cases of means of them (units, replicates)."""
    means = Units.of(design.replicates).means
    of_folds, every = cases(means), cases(np.eye(gaps.size))
    return {
        FOLDS: mean_difference(means @ gaps, of_folds, units="folds", models=gaps.size).p,
        PUBLISHED: published(means @ gaps, of_folds)[0].p,
        EXCHANGEABLE: mean_difference(gaps, every).p,
    }


def _lines(design: Design, found: list[Mapping[str, float]]) -> Iterator[Line]:
    for name in found[0]:
        band = CONSERVATIVE_TEST if name == FOLDS else None
        yield line(name, str(design), [one[name] < 0.05 for one in found], band)
