"""AUCs of several centers, pooled: which interval holds where centers differ."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import expit, logit

from benchmarks.simulated.areas import binormal, classes
from benchmarks.simulated.lines import COVERAGE, Effort, Line, covers, line
from evaluation.arrays import Bools, Floats
from evaluation.centers.heterogeneity import Pooled, pool_areas
from evaluation.discrimination.areas import auc

SEED = 5
AREA = 0.8
SIZES = ((100, 150), (40, 60), (150, 300), (30, 90), (60, 60), (80, 200), (25, 50), (120, 120), (50, 100), (35, 70))


def intervals(effort: Effort) -> Iterator[Line]:
    """Coverage of the pooled AUC, .80 on the logit scale, and of the AUC of one more center."""
    for centers in (3, 5, 10):
        for tau in (0.0, 0.2, 0.5):
            areas, errors, others = measured(effort.of(2_000), centers, tau)
            setting = f"{centers} centers, tau {tau:.1f} on logits".replace(" 0.", " .")
            simple = [
                pool_areas(*one, tau="dersimonian-laird", test="normal") for one in zip(areas, errors, strict=True)
            ]
            knapp = [pool_areas(*one) for one in zip(areas, errors, strict=True)]
            yield line("DerSimonian-Laird, normal", setting, held(simple), COVERAGE)
            yield line("REML, Hartung-Knapp", setting, held(knapp), COVERAGE)
            predicted = [(one.prediction_low, one.prediction_high) for one in knapp]
            low, high = np.array(predicted).T
            yield line("REML, prediction interval", setting, covers(low, high, others), COVERAGE)


def measured(repetitions: int, centers: int, tau: float) -> tuple[Floats, Floats, Floats]:
    """AUCs and standard errors, (repetitions, centers), and the true AUC of one more center."""
    random = np.random.default_rng([SEED, centers, int(10 * tau)])
    truth = expit(logit(AREA) + tau * random.normal(size=(repetitions, centers + 1)))
    labels = [classes(*size) for size in SIZES[:centers]]
    found = [
        [auc(known, binormal(random, known, (area,))[0]) for known, area in zip(labels, areas[:-1], strict=True)]
        for areas in truth
    ]
    values = np.array([[(one.auc, one.se) for one in study] for study in found])
    return values[..., 0], values[..., 1], truth[:, -1]


def held(found: list[Pooled]) -> Bools:
    """Whether each interval holds the AUC of the typical center."""
    return covers([one.low for one in found], [one.high for one in found], AREA)
