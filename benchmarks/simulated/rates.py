"""Proportions and likelihood ratios of one 2 x 2 table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.simulated.lines import CONSERVATIVE_INTERVAL, COVERAGE, Effort, Line, covers, line
from evaluation.arrays import Bools, Floats, Integers
from evaluation.decisions.likelihood_ratios import likelihood_ratios
from evaluation.decisions.proportions import clopper_pearson_intervals, wilson_intervals

SEED = 3
INTERVALS = (
    ("proportion, Wilson", wilson_intervals, COVERAGE),
    ("proportion, Clopper-Pearson", clopper_pearson_intervals, CONSERVATIVE_INTERVAL),
)
SENSITIVITY, SPECIFICITY = 0.85, 0.8


def intervals(effort: Effort) -> Iterator[Line]:
    """Coverage; that of a proportion swings with n and p, so one line averages over p."""
    for setting, found, truth, n in proportions(effort.of(100_000)):
        for name, ends, band in INTERVALS:
            low, high = ends(found, np.full(found.shape, n))
            yield line(name, setting, covers(low, high, truth), band)
    for m, n in ((100, 150), (25, 40)):
        setting = f"{m} + {n} cases, sensitivity .85, specificity .80"
        positive, negative = ratio_coverage(effort.of(20_000), m, n)
        yield line("LR+, Simel", setting, positive, COVERAGE)
        yield line("LR-, Simel", setting, negative, COVERAGE)


def proportions(repetitions: int) -> Iterator[tuple[str, Integers, Floats, int]]:
    """Setting, counts, their true proportions, and the number of cases."""
    random = np.random.default_rng(SEED)
    for n, p in ((150, 0.9), (40, 0.95), (40, 0.9)):
        truth = np.full(repetitions, p)
        yield f"{n} cases, p {p:.2f}".replace(" 0.", " ."), random.binomial(n, truth), truth, n
    truth = random.uniform(0.5, 0.99, repetitions)
    yield "100 cases, p drawn from .50 to .99", random.binomial(100, truth), truth, 100


def ratio_coverage(repetitions: int, m: int, n: int) -> tuple[Bools, Bools]:
    """Whether the intervals hold LR+ and LR-."""
    random = np.random.default_rng([SEED, m, n])
    tp, fp = random.binomial(m, SENSITIVITY, repetitions), random.binomial(n, 1 - SPECIFICITY, repetitions)
    found = [likelihood_ratios(a, b, m - a, n - b) for a, b in zip(tp.tolist(), fp.tolist(), strict=True)]
    positive, negative = SENSITIVITY / (1 - SPECIFICITY), (1 - SENSITIVITY) / SPECIFICITY
    return (
        covers([one.positive.low for one in found], [one.positive.high for one in found], positive),
        covers([one.negative.low for one in found], [one.negative.high for one in found], negative),
    )
