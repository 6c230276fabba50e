"""The second seed's published counts as prediction tables: 743 radiographs, two detectors, one operating point each.

No single table of 743 rows gives the whole abstract under one rule (its sensitivity of .903 at the first point and of
.798 at the second belong to thresholds between which no negative lies), so every point has a table of its own: scores
above a threshold that ten reserved radiographs choose where the published decision is positive, below it where not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from evaluation.comparison.comparing import CELLS, Comparison, compare
from search_spaces.study import Analysis
from tests.evaluation.study_example import calls, labels, prediction, predictions

POSITIVE, NEGATIVE = 268, 475
TRANSFER, SCRATCH = "detection/yolov5n-chest-transfer", "detection/yolov5n-none-scratch"
RESERVE = "1111100000"


@dataclass(frozen=True)
class Point:
    """How many images both call positive, only the first, only the second; the other images neither."""

    rule: Any
    positive: tuple[int, int, int]
    negative: tuple[int, int, int]


SENSITIVE = Point({"sensitivity": 0.9}, positive=(232, 10, 10), negative=(25, 21, 38))
"""242 of 268 by both, 46 and 63 false positives, 38 and 21 discordant: only these give the printed p = .037. Which of
the positives both find is not printed: ten discordant ones each way are assumed."""
SPECIFIC = Point({"specificity": 0.9}, positive=(205, 9, 0), negative=(46, 0, 0))
"""214 and 205 of 268 with 9 and 0 discordant; false positives are printed as equal."""
YOUDEN = Point("youden", positive=(239, 6, 0), negative=(30, 10, 10))
"""245 and 239 of 268 with 6 and 0 discordant; of the negatives only that they do not differ is printed."""


def published(point: Point) -> Comparison:
    """The comparison of the two detectors at one operating point, with the paper's variant of McNemar's test."""
    truth = {"a": [int(sign) for sign in RESERVE], "b": [1] * POSITIVE + [0] * NEGATIVE}
    rows = [
        prediction(cell, f"{center}{place}", score, role="reserve" if center == "a" else "external")
        for cell, decisions in zip((TRANSFER, SCRATCH), _decisions(point), strict=True)
        for center, text in (("a", RESERVE), ("b", decisions))
        for place, score in enumerate(calls(text))
    ]
    primary = {"comparisons": [[TRANSFER, SCRATCH]]}
    plan = Analysis.model_validate({"primary": primary, "thresholds": [point.rule], "mcnemar": "corrected"})
    return compare(predictions(*rows), labels(truth, "detection"), plan, cells(), open_external=True)


def cells() -> pl.DataFrame:
    """The two detectors, which differ in their initialization only."""
    rows = [
        (TRANSFER, "detection", "detection", "yolov5n", "chest", "transfer", 1, False, "not given"),
        (SCRATCH, "detection", "detection", "yolov5n", "none", "scratch", 1, False, "not given"),
    ]
    return pl.DataFrame(rows, schema=CELLS, orient="row")


def _decisions(point: Point) -> tuple[str, str]:
    """What each detector calls positive, image by image: positives first."""
    first, second = "", ""
    for (both, one, other), size in ((point.positive, POSITIVE), (point.negative, NEGATIVE)):
        neither = size - both - one - other
        first += "1" * both + "1" * one + "0" * other + "0" * neither
        second += "1" * both + "0" * one + "1" * other + "0" * neither
    return first, second
