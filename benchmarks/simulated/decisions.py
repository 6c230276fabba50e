"""Paired decisions: McNemar's test and Tango's interval, and what replaces them where patients have several images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from benchmarks.simulated.lines import CONSERVATIVE_TEST, COVERAGE, TYPE_ONE, Effort, Line, covers, line
from evaluation.arrays import Integers
from evaluation.decisions.mcnemar import METHODS, durkalski, mcnemar_p
from evaluation.decisions.paired_rates import clustered_interval, tango_interval

SEED = 2
TESTS = {"mid-p": TYPE_ONE, "exact": CONSERVATIVE_TEST, "chi2": TYPE_ONE, "corrected": CONSERVATIVE_TEST}
CLUSTERED = "100 patients with 1 to 4 images"
PATIENTS, RIGHT, GAP = 100, 0.65, 0.1


class Repeated(NamedTuple):
    """Decisions summed per patient, (repetitions, patients), and over all images, (repetitions,)."""

    gaps: Integers
    sizes: Integers
    only_first: Integers
    only_second: Integers


def tests(effort: Effort) -> Iterator[Line]:
    """Type I error under equal rates."""
    for share in (0.2, 0.05):
        setting = f"200 cases, {100 * share:.0f} % discordant"
        only_first, only_second = discordant(effort.of(100_000), 200, share / 2, share / 2)
        for variant, band in TESTS.items():
            rejected = mcnemar_p(only_first, only_second, variant) < 0.05
            yield line(METHODS[variant], setting, rejected, band)
    found = repeated(effort.of(10_000), 0.0)
    yield line("clustered McNemar (Durkalski)", CLUSTERED, durkalski(found.gaps, found.sizes)[1] < 0.05, TYPE_ONE)
    naive = mcnemar_p(found.only_first, found.only_second) < 0.05
    yield line("McNemar mid-p, images as independent", CLUSTERED, naive, None)


def intervals(effort: Effort) -> Iterator[Line]:
    """Coverage of intervals around differences of rates."""
    for n in (250, 50):
        low, high = tango_interval(*discordant(effort.of(20_000), n, 0.12, 0.06), n)
        setting = f"{n} cases, .12 and .06 discordant"
        yield line("paired difference, Tango", setting, covers(low, high, 0.06), COVERAGE)
    found = repeated(effort.of(10_000), GAP)
    _, low, high = clustered_interval(found.gaps, found.sizes)
    yield line("paired difference, clustered Wald", CLUSTERED, covers(low, high, GAP), COVERAGE)
    low, high = tango_interval(found.only_first, found.only_second, int(found.sizes.sum()))
    yield line("Tango, images as independent", CLUSTERED, covers(low, high, GAP), None)


def discordant(repetitions: int, n: int, first: float, second: float) -> tuple[Integers, Integers]:
    """Counts of cases that only the first, and only the second, model decides rightly."""
    random = np.random.default_rng([SEED, n, int(1000 * first)])
    counts = random.multinomial(n, (first, second, 1 - first - second), repetitions)
    return counts[:, 0], counts[:, 1]


def repeated(repetitions: int, gap: float) -> Repeated:
    """Patients lean to one model or the other, by a standard deviation of .12 of the chance to be right."""
    random = np.random.default_rng([SEED, int(100 * gap)])
    sizes = random.integers(1, 5, PATIENTS)
    lean = np.clip(random.normal(0, 0.12, (repetitions, PATIENTS, 1)), -0.25, 0.25)
    seen = np.arange(4) < sizes[:, None]
    first, second = (
        (random.random((repetitions, PATIENTS, 4)) < RIGHT + sign * (gap / 2 + lean)) & seen for sign in (1, -1)
    )
    return Repeated(
        gaps=first.sum(axis=2) - second.sum(axis=2),
        sizes=sizes,
        only_first=np.count_nonzero(first & ~second, axis=(1, 2)),
        only_second=np.count_nonzero(second & ~first, axis=(1, 2)),
    )
