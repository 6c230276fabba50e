"""Calibration: slope, calibration-in-the-large and O:E."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp, pi, sqrt

import numpy as np
from scipy.integrate import quad
from scipy.special import expit

from benchmarks.simulated.lines import COVERAGE, Effort, Line, covers, line
from evaluation.arrays import Bools
from evaluation.calibration.measures import Calibration, Estimate, calibration

SEED = 4
SPREAD = 1.5
"""Standard deviation of the predicted log odds, whose mean is 0."""


def intervals(effort: Effort) -> Iterator[Line]:
    """Coverage where the truth is intercept + slope times the predicted log odds."""
    for n, intercept, slope in ((250, 0.3, 1.0), (250, 0.3, 0.7), (65, 0.3, 1.0)):
        setting = f"{n} cases, true slope {slope:.1f}, intercept .3"
        found = fitted(effort.of(4_000), n, intercept, slope)
        yield line("calibration slope", setting, held([one.slope for one in found], slope), COVERAGE)
        if slope == 1:
            in_the_large = held([one.calibration_in_the_large for one in found], intercept)
            yield line("calibration-in-the-large", setting, in_the_large, COVERAGE)
        ratio = mean_risk(intercept, slope) / mean_risk(0.0, 1.0)
        yield line("O:E", setting, held([one.observed_expected for one in found], ratio), COVERAGE)


def fitted(repetitions: int, n: int, intercept: float, slope: float) -> list[Calibration]:
    """Calibrations of n cases each."""
    random = np.random.default_rng([SEED, n, int(10 * slope)])
    logits = random.normal(0, SPREAD, (repetitions, n))
    labels = random.random((repetitions, n)) < expit(intercept + slope * logits)
    return [calibration(*case) for case in zip(labels.astype(np.int64), logits, strict=True)]


def held(found: Sequence[Estimate], truth: float) -> Bools:
    """Whether each interval holds the truth."""
    return covers([one.low for one in found], [one.high for one in found], truth)


def mean_risk(intercept: float, slope: float) -> float:
    """Mean probability over normal log odds."""
    return float(quad(lambda x: expit(intercept + slope * SPREAD * x) * exp(-(x**2) / 2) / sqrt(2 * pi), -9, 9)[0])
