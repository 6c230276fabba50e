"""Decisions that can be counted by hand: calls written down as 1 and 0."""

from __future__ import annotations

import polars as pl

from evaluation.comparison.decisions import decisions
from search_spaces.study import Analysis, Bootstrap, Primary
from tests.evaluation.study_example import CHEST, IMAGENET, bits, boards, calls, cells, labels, scored

RESERVE, RESERVED = [0.3] * 5 + [0.5] * 5, [0] * 5 + [1] * 5
"""Youden's threshold is .5 here, so that external decisions are what `calls` writes down."""
TWO = Primary(comparisons=((CHEST, IMAGENET),))
PLAN = Analysis(thresholds=("youden",), primary=TWO, bootstrap=Bootstrap(draws=200), net_benefit=())

# Of 10 positives 6 are right by the first only, 1 by the second only; of 4 negatives 1 by the second only.
TRUTH = "1111111111 0000"
FIRST, SECOND = "1111110110 0011", "0000001110 0001"


def decisions_of(scores, truth, plan=PLAN, change=None):
    """The frame from scores and labels by center."""
    table = scored(scores) if change is None else change(scored(scores))
    return decisions(boards(table, truth if isinstance(truth, pl.DataFrame) else labels(truth)), plan, cells())


def decided(called, truth, **changes):
    """From calls by cell and external center, where each cell has the reserve's threshold .5."""
    scores = {
        cell: {"a": RESERVE} | {center: calls(text) for center, text in centers.items()}
        for cell, centers in called.items()
    }
    return decisions_of(scores, {"a": RESERVED} | {center: bits(text) for center, text in truth.items()}, **changes)


def one_center(first=FIRST, second=SECOND, truth=TRUTH, **changes):
    """Rows of the planned pair on center b, by carried thresholds."""
    found = decided({CHEST: {"b": first}, IMAGENET: {"b": second}}, {"b": truth}, **changes)
    return found.filter(center="b", source="reserve")


def planned(found):
    """Rows of the planned pair by metric."""
    return {row["metric"]: row for row in found.filter(family="planned pairs").rows(named=True)}
