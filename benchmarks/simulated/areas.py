"""Areas under the ROC curve: DeLong, Obuchowski's clusters, the bootstrap, average precision."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan, sqrt

import numpy as np
from scipy.integrate import quad
from scipy.special import expit, logit, ndtr, ndtri

from benchmarks.simulated.lines import COVERAGE, TYPE_ONE, Effort, Line, covers, line
from evaluation.arrays import Bools, Floats, Integers
from evaluation.discrimination.areas import auc, auc_difference
from evaluation.discrimination.precision_recall import average_precision
from evaluation.normal import Z95
from evaluation.resampling import Resamples, auc_difference_bootstrap

SEED = 1
AREA, CORRELATION = 0.8, 0.5


def tests(effort: Effort) -> Iterator[Line]:
    """Type I error of the paired tests under equal areas."""
    for m, n in ((100, 150), (25, 40), (20, 200)):
        rejected = paired_rejections(effort.of(20_000), m, n)
        yield line("paired DeLong", f"{m} + {n} cases, AUC .80, correlation .5", rejected, TYPE_ONE)
    for where, by_patient in (("label per patient", True), ("label per image", False)):
        setting = f"150 patients with 1 to 4 images, {where}"
        clustered, naive = clustered_rejections(effort.of(10_000), by_patient)
        yield line("paired, clustered (Obuchowski)", setting, clustered, TYPE_ONE)
        yield line("paired DeLong, images as independent", setting, naive, None)


def intervals(effort: Effort) -> Iterator[Line]:
    """Coverage of the intervals around areas and their differences."""
    for m, n, area in ((100, 150, 0.75), (100, 150, 0.9), (25, 40, 0.9)):
        setting = f"{m} + {n} cases, AUC {area:.2f}".replace(" 0.", " .")
        plain, on_logits = area_coverage(effort.of(10_000), m, n, area)
        yield line("AUC, DeLong", setting, plain, COVERAGE)
        yield line("AUC, DeLong on logits (shown beside)", setting, on_logits, None)
    covered = bootstrap_coverage(effort.of(3_000), 100, 150)
    yield line("AUC difference, bootstrap percentile", "100 + 150 cases, .80 and .75, 1,000 draws", covered, COVERAGE)
    for m, n in ((100, 150), (25, 40), (20, 200)):
        covered = precision_coverage(effort.of(10_000), m, n)
        yield line("average precision (Boyd)", f"{m} + {n} cases, AUC .80", covered, COVERAGE)


def paired_rejections(repetitions: int, m: int, n: int) -> Bools:
    """Whether DeLong's test rejects equal areas."""
    random, labels = np.random.default_rng([SEED, m, n]), classes(m, n)
    studies = (binormal(random, labels, (AREA, AREA)) for _ in range(repetitions))
    return np.array([auc_difference(labels, *scores).p < 0.05 for scores in studies])


def clustered_rejections(repetitions: int, by_patient: bool) -> Bools:
    """Whether the clustered and the naive test reject, (2, repetitions)."""
    random, found = np.random.default_rng([SEED, by_patient]), []
    for _ in range(repetitions):
        labels, scores, patients = several_images(random, by_patient)
        tested = (auc_difference(labels, *scores, patients), auc_difference(labels, *scores))
        found.append([difference.p < 0.05 for difference in tested])
    return np.array(found).T


def area_coverage(repetitions: int, m: int, n: int, area: float) -> tuple[Bools, Bools]:
    """Whether DeLong's interval holds the area, and whether one on the logit scale would."""
    random, labels = np.random.default_rng([SEED, m, n, int(100 * area)]), classes(m, n)
    found = [auc(labels, binormal(random, labels, (area,))[0]) for _ in range(repetitions)]
    values, errors = (np.array([getattr(one, name) for one in found]) for name in ("auc", "se"))
    inside = (values > 0) & (values < 1)
    half = Z95 * errors / np.where(inside, values * (1 - values), nan)
    center = logit(np.where(inside, values, nan))
    return (
        covers([one.low for one in found], [one.high for one in found], area),
        covers(expit(center - half), expit(center + half), area),
    )


def bootstrap_coverage(repetitions: int, m: int, n: int) -> Bools:
    """Whether the percentile interval holds the difference of .80 and .75."""
    random, labels = np.random.default_rng([SEED, m, n, 2]), classes(m, n)
    found = [
        auc_difference_bootstrap(labels, *binormal(random, labels, (0.8, 0.75)), Resamples.of(labels, None, 1000, seed))
        for seed in range(repetitions)
    ]
    return covers([one.low for one in found], [one.high for one in found], 0.05)


def precision_coverage(repetitions: int, m: int, n: int) -> Bools:
    """Whether the interval holds the average precision of an endless sample of the same prevalence."""
    random, labels = np.random.default_rng([SEED, m, n, 3]), classes(m, n)
    found = [average_precision(labels, binormal(random, labels, (AREA,))[0]) for _ in range(repetitions)]
    return covers([one.low for one in found], [one.high for one in found], true_precision(AREA, m / (m + n)))


def true_precision(area: float, prevalence: float) -> float:
    """Mean precision at the thresholds of the positives of two normals."""
    shift = sqrt(2) * float(ndtri(area))

    def precision_at(x: float) -> float:
        hits, alarms = prevalence * ndtr(shift - x), (1 - prevalence) * ndtr(-x)
        return float(hits / (hits + alarms) * np.exp(-((x - shift) ** 2) / 2) / sqrt(2 * np.pi))

    return float(quad(precision_at, shift - 8, shift + 8)[0])


def classes(m: int, n: int) -> Integers:
    """m ones and n zeros."""
    return np.repeat([1, 0], [m, n])


def binormal(random: np.random.Generator, labels: Integers, areas: tuple[float, ...]) -> Floats:
    """Scores of as many models as areas, with unit variance and a common part per case."""
    shared, own = random.normal(size=labels.size), random.normal(size=(len(areas), labels.size))
    return shifts(labels, areas) + sqrt(CORRELATION) * shared + sqrt(1 - CORRELATION) * own


def shifts(labels: Integers, areas: tuple[float, ...]) -> Floats:
    """How far the positives of each model lie above the negatives for its area."""
    return np.asarray(sqrt(2) * ndtri(areas)[:, None] * labels)


def several_images(random: np.random.Generator, by_patient: bool) -> tuple[Integers, Floats, Integers]:
    """Labels, two scores and patients: 60 % of the variance lies between patients, half of it per model."""
    sizes = random.integers(1, 5, 150)
    patients = np.repeat(np.arange(150), sizes)
    labels = np.repeat(np.arange(150) < 60, sizes) if by_patient else random.random(patients.size) < 0.4
    of_patient = sqrt(0.3) * (random.normal(size=150) + random.normal(size=(2, 150)))
    of_image = sqrt(0.2) * (random.normal(size=patients.size) + random.normal(size=(2, patients.size)))
    numbers = labels.astype(np.int64)
    return numbers, shifts(numbers, (AREA, AREA)) + of_patient[:, patients] + of_image, patients
